//! `ocellus forget`: a label that was taught.

use super::{FileOption, lock, read, save};
use crate::loading::BundleOption;
use serde_json::json;
use std::{io::Write, process::ExitCode};

/// Forget a label that was taught
#[derive(clap::Args)]
pub struct Arguments {
    /// The label
    #[arg(value_name = "LABEL")]
    label: String,
    #[command(flatten)]
    file: FileOption,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bundle: BundleOption,
}

/// Runs the command: 0 when the label is forgotten, 1 where it was not taught.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let path = &arguments.file.taught;
    let bundle = arguments.bundle.load()?;
    // Where there is no file, none is made for a lock either.
    read(path, &bundle)?;
    let lock = lock(path)?;
    let mut examples = read(path, &bundle)?;
    let label = arguments.label.trim();
    let count = examples.forget(label)?;
    save(&lock, path, &examples)?;
    let mut out = std::io::stdout().lock();
    match arguments.json {
        true => writeln!(out, "{}", json!({ "label": label, "forgotten": count }))?,
        false => writeln!(out, "{label}: forgotten, with {count} examples")?,
    }
    Ok(ExitCode::SUCCESS)
}
