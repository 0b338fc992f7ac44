//! `ocellus taught`: what a file holds.

use super::{FILE, read};
use crate::loading::BundleOption;
use serde_json::json;
use std::{io::Write, path::PathBuf, process::ExitCode};

/// List the labels that were taught, and by how many examples
#[derive(clap::Args)]
pub struct Arguments {
    /// The file that holds what was taught
    #[arg(value_name = "FILE", default_value = FILE)]
    file: PathBuf,
    /// One JSON object a line, one line a label
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bundle: BundleOption,
}

/// Runs the command: 0 also where nothing was taught.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let examples = read(&arguments.file, &arguments.bundle.load()?)?;
    let mut out = std::io::stdout().lock();
    for (label, count) in examples.labels() {
        match arguments.json {
            true => writeln!(out, "{}", json!({ "label": label, "examples": count }))?,
            false => writeln!(out, "{count:5}  {label}")?,
        }
    }
    if examples.is_empty() && !arguments.json {
        writeln!(out, "nothing was taught")?;
    }
    Ok(ExitCode::SUCCESS)
}
