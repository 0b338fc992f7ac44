//! `ocellus bundle`: look into a bundle, verify it, make one of its parts.

use crate::loading::{BundleOption, isa};
use anyhow::Context;
use ocellus::{
    Engine, Packed, Pool,
    encoder::{Dim, Step},
};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Look into a bundle, verify it, or make one of its parts
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Facts, files, and every step of the encoders with the precision it runs in
    Inspect {
        #[command(flatten)]
        bundle: BundleOption,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Compute every file's hash again
    Verify {
        #[command(flatten)]
        bundle: BundleOption,
    },
    /// Make a checked bundle of a draft: a folder with the models, the words and a manifest without hashes and counts
    Pack {
        /// The draft's folder
        #[arg(value_name = "DIR")]
        draft: PathBuf,
        /// Where the bundle goes; nothing may be there yet
        #[arg(long, value_name = "BUNDLE")]
        out: PathBuf,
    },
}

/// Runs the command.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Inspect { bundle, json } => inspect(&bundle, json)?,
        Command::Verify { bundle } => {
            let bundle = bundle.load()?;
            bundle.verify()?;
            let manifest = bundle.manifest();
            println!(
                "{} {}: {} files ok, {}",
                manifest.name,
                manifest.version,
                manifest.files.len(),
                bundle.sha256()
            );
        }
        Command::Pack { draft, out } => pack(&draft, &out)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn pack(draft: &Path, out: &Path) -> anyhow::Result<()> {
    let packed = Packed::of(draft, isa()?).with_context(|| format!("draft {}", draft.display()))?;
    packed.write(out)?;
    let bundle = packed.engine.bundle();
    let manifest = bundle.manifest();
    for check in &packed.goldens {
        println!(
            "golden {}: cosine {:.5}, least {}",
            check.name, check.cosine, check.least
        );
    }
    for (side, macs) in manifest.image.resolutions.iter().zip(&manifest.image.macs) {
        println!(
            "resolution {side}: {:.1} M multiply-accumulates",
            *macs as f64 / 1e6
        );
    }
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    let (name, version, files) = (&manifest.name, &manifest.version, manifest.files.len());
    println!(
        "{name} {version}: {files} files, {bytes} bytes, {}",
        bundle.sha256()
    );
    Ok(())
}

/// An encoder's name, with its input's side where it has one, and its steps.
type Encoder<'a> = (String, &'a [Step]);

fn inspect(option: &BundleOption, json: bool) -> anyhow::Result<()> {
    let engine = option.engine(Pool::one())?;
    let mut encoders = vec![("text".to_owned(), engine.text_steps())];
    for &side in engine.resolutions() {
        encoders.push((format!("image {side}"), engine.image_steps(side)?));
    }
    if json {
        println!("{}", as_json(&engine, &encoders));
    } else {
        print_text(&engine, &encoders);
    }
    Ok(())
}

fn as_json(engine: &Engine, encoders: &[Encoder]) -> Value {
    let manifest = engine.bundle().manifest();
    let step = |step: &Step| {
        json!({
            "node": step.node,
            "op": step.op,
            "shape": step.shape.iter().map(|dim| fixed(dim).into()).collect::<Vec<Value>>(),
            "macs": step.macs,
            "precision": step.precision.to_string(),
            "reason": step.reason.map(|reason| reason.to_string()),
        })
    };
    let encoders: serde_json::Map<_, _> = encoders
        .iter()
        .map(|(name, steps)| (name.clone(), steps.iter().map(step).collect()))
        .collect();
    let files: Vec<_> = manifest
        .files
        .iter()
        .map(|file| json!({"name": file.name, "bytes": file.bytes, "sha256": file.sha256}))
        .collect();
    json!({
        "bundle": engine.bundle_id(),
        "version": manifest.version,
        "license": manifest.license,
        "resolutions": manifest.image.resolutions,
        "macs": manifest.image.macs,
        "files": files,
        "encoders": encoders,
    })
}

fn print_text(engine: &Engine, encoders: &[Encoder]) {
    let manifest = engine.bundle().manifest();
    let sha256 = engine.bundle().sha256();
    println!("{} {}  {sha256}", manifest.name, manifest.version);
    println!("licence {}", manifest.license);
    println!("{}", manifest.provenance.trim());
    for (side, macs) in manifest.image.resolutions.iter().zip(&manifest.image.macs) {
        let millions = *macs as f64 / 1e6;
        println!("resolution {side:4}  {millions:8.1} M multiply-accumulates");
    }
    for file in &manifest.files {
        let (bytes, sha256) = (file.bytes, &file.sha256[..16]);
        println!("file {bytes:>10} bytes  {sha256}  {}", file.name);
    }
    for (name, steps) in encoders {
        println!("encoder {name}: {} steps", steps.len());
        for step in *steps {
            let dims: Vec<_> = step
                .shape
                .iter()
                .map(|dim| fixed(dim).map_or("?".into(), |n| n.to_string()))
                .collect();
            let shape = format!("[{}]", dims.join(", "));
            let macs = step.macs.map_or(String::new(), |macs| {
                format!("{:.2} M MACs", macs as f64 / 1e6)
            });
            let reason = step
                .reason
                .map_or(String::new(), |reason| format!("  {reason}"));
            println!(
                "  {:24} {:20} {shape:20} {macs:>14}  {}{reason}",
                step.node, step.op, step.precision
            );
        }
    }
}

/// A dim's size where it is fixed.
fn fixed(dim: &Dim) -> Option<usize> {
    match dim {
        Dim::Fixed(size) => Some(*size),
        Dim::Any => None,
    }
}
