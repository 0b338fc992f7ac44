//! `ocellus bundle`: look into a bundle, verify it.

use crate::loading::BundleOption;
use ocellus::encoder::Step;
use std::process::ExitCode;

/// Look into a bundle, or verify it
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
    }
    Ok(ExitCode::SUCCESS)
}

fn inspect(option: &BundleOption, json: bool) -> anyhow::Result<()> {
    let engine = option.engine()?;
    let manifest = engine.bundle().manifest();
    let mut encoders = vec![("text".to_owned(), engine.text_steps())];
    for &side in engine.resolutions() {
        encoders.push((format!("image {side}"), engine.image_steps(side)?));
    }
    if json {
        let step = |step: &Step| {
            serde_json::json!({
                "name": step.name, "op": step.op, "shape": step.shape, "macs": step.macs,
                "precision": step.precision.name(), "reason": step.precision.reason(),
            })
        };
        let encoders: serde_json::Map<_, _> = encoders
            .iter()
            .map(|(name, steps)| (name.clone(), steps.iter().map(step).collect()))
            .collect();
        let files: Vec<_> = manifest.files.iter().map(|file| serde_json::json!({"name": file.name, "bytes": file.bytes, "sha256": file.sha256})).collect();
        let object = serde_json::json!({
            "bundle": engine.bundle_id(), "version": manifest.version, "license": manifest.license,
            "resolutions": manifest.image.resolutions, "macs": manifest.image.macs,
            "files": files, "encoders": encoders,
        });
        println!("{object}");
        return Ok(());
    }

    println!(
        "{} {}  {}",
        manifest.name,
        manifest.version,
        engine.bundle().sha256()
    );
    println!("licence {}", manifest.license);
    println!("{}", manifest.provenance.trim());
    for (side, macs) in manifest.image.resolutions.iter().zip(&manifest.image.macs) {
        println!(
            "resolution {side:4}  {:8.1} M multiply-accumulates",
            *macs as f64 / 1e6
        );
    }
    for file in &manifest.files {
        println!(
            "file {:>10} bytes  {}  {}",
            file.bytes,
            &file.sha256[..16],
            file.name
        );
    }
    for (name, steps) in &encoders {
        println!("encoder {name}: {} steps", steps.len());
        for step in *steps {
            let macs = step.macs.map_or(String::new(), |macs| {
                format!("{:.2} M MACs", macs as f64 / 1e6)
            });
            let reason = step
                .precision
                .reason()
                .map_or(String::new(), |reason| format!(": {reason}"));
            println!(
                "  {:32} {:24} {:20} {:>14}  {}{reason}",
                step.name,
                step.op,
                format!("{:?}", step.shape),
                macs,
                step.precision.name()
            );
        }
    }
    Ok(())
}
