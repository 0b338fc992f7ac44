//! `ocellus doctor`: is this machine fit, and does it compute what the recipe computed?

use crate::build;
use crate::loading::{BundleOption, Threads};
use ocellus::{Engine, encoder::Precision, sys};
use ocellus_boards::{Difference, Profile};
use serde_json::{Value, json};
use std::{path::PathBuf, process::ExitCode};

/// Check this machine and the bundle: board, CPU, instruction set, hashes, golden vectors, what runs in f32
#[derive(clap::Args)]
pub struct Arguments {
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Tell the board from the `proc` and `sys` in this folder, copied from another machine, instead of this one's
    #[arg(long, value_name = "DIR")]
    machine: Option<PathBuf>,
    #[command(flatten)]
    bundle: BundleOption,
}

/// Runs the command: 0 when all is well, 1 when a check fails.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let engine = arguments.bundle.engine(Threads::Auto.pool()?)?;
    let hashes = engine.bundle().verify();
    let goldens = engine.check_goldens()?;
    let healthy = hashes.is_ok() && goldens.iter().all(|check| check.passes());
    let (f32_steps, steps) = steps_in_f32(&engine)?;
    let board = Board::of(arguments.machine)?;

    if arguments.json {
        let goldens: Vec<_> = goldens
            .iter()
            .map(|check| json!({"name": check.name, "cosine": check.cosine, "least": check.least, "passes": check.passes()}))
            .collect();
        let report = json!({
            "healthy": healthy,
            "version": build::VERSION,
            "commit": build::COMMIT,
            "architecture": std::env::consts::ARCH,
            "board": board.json(),
            "cpu": sys::cpu_name(),
            "cores": sys::cores(),
            "page_size_bytes": sys::page_size(),
            "isa_detected": ocellus::detect_isa().name(),
            "isa": engine.isa().name(),
            "threads": engine.threads(),
            "bundle": engine.bundle_id(),
            "hashes": hashes.as_ref().map_or_else(ToString::to_string, |()| "ok".into()),
            "goldens": goldens,
            "steps": steps,
            "steps_in_f32": f32_steps,
        });
        println!("{report}");
        return Ok(ExitCode::from(u8::from(!healthy)));
    }

    println!("ocellus {} on {}", build::named(), std::env::consts::ARCH);
    board.print();
    println!(
        "cpu        {}, {} cores, pages of {} bytes",
        sys::cpu_name(),
        sys::cores(),
        sys::page_size()
    );
    println!(
        "isa        {} (detected {})",
        engine.isa().name(),
        ocellus::detect_isa().name()
    );
    println!("threads    {}", engine.threads());
    let id = engine.bundle_id();
    println!(
        "bundle     {} {} {}",
        id.name,
        engine.bundle().manifest().version,
        id.sha256
    );
    match &hashes {
        Ok(()) => println!(
            "hashes     ok, {} files",
            engine.bundle().manifest().files.len()
        ),
        Err(error) => println!("hashes     FAILED: {error}"),
    }
    for check in &goldens {
        let verdict = if check.passes() { "ok" } else { "FAILED" };
        println!(
            "golden     {verdict}: {} cosine {:.5}, least {}",
            check.name, check.cosine, check.least
        );
    }
    println!(
        "precision  {f32_steps} of {steps} steps run in f32; `ocellus bundle inspect` lists them"
    );
    println!(
        "{}",
        if healthy {
            "healthy"
        } else {
            "NOT HEALTHY: copy the bundle or reinstall the program, then run this again"
        }
    );
    Ok(ExitCode::from(u8::from(!healthy)))
}

/// Which board this is, if its profile is known.
struct Board {
    model: Option<String>,
    known: Option<(&'static Profile, Vec<Difference>)>,
}

impl Board {
    fn of(folder: Option<PathBuf>) -> anyhow::Result<Board> {
        let machine = match folder {
            Some(folder) => {
                anyhow::ensure!(
                    folder.join("proc").is_dir(),
                    "{}: no folder `proc` in it; copy a machine's /proc/cpuinfo, /proc/meminfo, \
                     /proc/device-tree/model and /sys/devices/system/cpu/online there, each below its own path",
                    folder.display()
                );
                sys::Machine::below(&folder)
            }
            None => sys::Machine::this(),
        };
        let known = Profile::of(&machine);
        Ok(Board {
            known: known.map(|profile| (profile, profile.differences(&machine))),
            model: machine.model,
        })
    }

    fn json(&self) -> Value {
        let difference =
            |d: &Difference| json!({"what": d.what, "expected": d.expected, "got": d.got});
        match &self.known {
            None => json!({"model": self.model, "profile": null}),
            Some((profile, differences)) => json!({
                "model": self.model,
                "profile": profile.id,
                "differences": differences.iter().map(difference).collect::<Vec<_>>(),
            }),
        }
    }

    fn print(&self) {
        match (&self.model, &self.known) {
            (Some(model), Some((profile, differences))) => {
                println!("board      {model}, profile {}", profile.id);
                for difference in differences {
                    println!("differs    {difference}");
                }
            }
            (Some(model), None) => println!("board      {model}, which has no profile"),
            (None, _) => println!("board      none: there is no device tree with a model"),
        }
    }
}

/// Steps of the image encoder at the lowest resolution that run in f32, and all of them.
fn steps_in_f32(engine: &Engine) -> anyhow::Result<(usize, usize)> {
    let steps = engine.image_steps(engine.resolutions()[0])?;
    let in_f32 = steps
        .iter()
        .filter(|step| step.precision == Precision::F32)
        .count();
    Ok((in_f32, steps.len()))
}
