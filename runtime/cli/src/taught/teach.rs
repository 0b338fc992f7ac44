//! `ocellus teach`: a label by pictures.

use super::{FileOption, lock, read_if_there, save};
use crate::{
    inputs::{self, Input},
    loading::{self, BundleOption, Threads},
    progress,
};
use ocellus::{
    Examples, Session, SessionOptions,
    vision::{CropMode, DecodeLimits},
};
use serde_json::json;
use std::{io::Write, path::PathBuf, process::ExitCode, sync::Arc};

/// Teach a label by pictures, for `label` and `watch` to use; takes the time of one look at each
#[derive(clap::Args)]
pub struct Arguments {
    /// The label, such as "my cat"; pictures add to those that taught it before
    #[arg(value_name = "LABEL")]
    label: String,
    /// Pictures of it, folders of pictures, or - for standard input
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    #[command(flatten)]
    file: FileOption,
    /// What the encoder sees: the centre square, or the whole frame squashed; as in the command that is to use it
    #[arg(long, default_value = "centre", value_name = "centre|squash")]
    crop: CropMode,
    /// The longest side in pixels that is decoded
    #[arg(long, value_name = "PIXELS", default_value_t = DecodeLimits::default().side)]
    max_side: u32,
    /// The most memory in bytes that one picture may take, encoded or decoded
    #[arg(long, value_name = "BYTES", default_value_t = DecodeLimits::default().bytes)]
    max_bytes: u64,
    /// One JSON object a line: each picture that failed, and at last what was taught
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bundle: BundleOption,
}

/// Runs the command: 0 when every picture taught the label, 1 when one could not, and then the others did.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let path = &arguments.file.taught;
    let inputs = inputs::expand(&arguments.images)?;
    // Whoever reads what is there and writes more must be alone from the one to the other.
    let lock = lock(path)?;
    let bundle = Arc::new(arguments.bundle.load()?);
    let before = read_if_there(path, &bundle)?.unwrap_or_else(|| Examples::none(&bundle));
    let limits = DecodeLimits {
        side: arguments.max_side,
        bytes: arguments.max_bytes,
    };
    let options = SessionOptions {
        crop: arguments.crop,
        limits,
        ..SessionOptions::default()
    };
    let engine = loading::engine(bundle, Threads::Auto.pool()?)?;
    let mut session = Session::new(Arc::new(engine), options)?;
    session.set_examples(&before)?;

    let progress = progress::bar(inputs.len());
    let mut failed = 0;
    for input in &inputs {
        progress.set_message(input.name());
        if let Err((kind, message)) = teach(&mut session, &arguments.label, input, &limits) {
            failed += 1;
            progress.suspend(|| print_failure(&input.name(), kind, &message, arguments.json))?;
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    let added = session.examples().len() - before.len();
    if added > 0 {
        save(&lock, path, session.examples())?;
    }
    print(
        &session,
        &arguments,
        [added, inputs.len() - failed - added, failed],
    )?;
    Ok(ExitCode::from(u8::from(failed > 0)))
}

fn teach(
    session: &mut Session,
    label: &str,
    input: &Input,
    limits: &DecodeLimits,
) -> Result<(), (&'static str, String)> {
    let bytes = input.read(limits.bytes);
    let bytes = bytes.map_err(|error| ("io", format!("{error:#}")))?;
    let taught = session.teach_picture(label, &bytes);
    taught.map_err(|error| (error.kind(), error.to_string()))?;
    Ok(())
}

fn print_failure(image: &str, kind: &str, message: &str, json: bool) -> std::io::Result<()> {
    if json {
        let line = json!({ "image": image, "error": { "kind": kind, "message": message } });
        return writeln!(std::io::stdout().lock(), "{line}");
    }
    eprintln!("ocellus: {image}: {message}");
    Ok(())
}

fn print(session: &Session, arguments: &Arguments, counts: [usize; 3]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let label = arguments.label.trim();
    let [added, known, failed] = counts;
    let mut taught = session.examples().labels();
    let examples = taught.find(|(taught, _)| *taught == label);
    let examples = examples.map_or(0, |(_, count)| count);
    let blend = session.blend();
    if arguments.json {
        let line = json!({
            "label": label, "examples": examples, "added": added, "known": known, "failed": failed,
            "weight": blend.weight, "sharpness": blend.sharpness, "left_out": blend.left_out,
        });
        return writeln!(out, "{line}");
    }
    writeln!(
        out,
        "{label}: taught by {examples}: {added} new, {known} known already, {failed} failed"
    )?;
    let by = match blend.left_out {
        0 => "as the bundle says".into(),
        count => format!("by leaving each of {count} examples out"),
    };
    let (weight, sharpness) = (blend.weight, blend.sharpness);
    writeln!(out, "  weight {weight}, sharpness {sharpness}, {by}")
}
