//! `ocellus bench`: how long each stage takes here, by resolution.
//!
//! The figures are this machine's and nothing else's: they say which, and under an emulator they say nothing about time.

use crate::{Usage, loading::BundleOption};
use anyhow::Context;
use ocellus::{Engine, Policy, Session, SessionOptions, StagesUs, sys};
use serde_json::{Value, json};
use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Instant};

/// A stage's name and its time in microseconds.
type Stage = (&'static str, fn(&StagesUs) -> u64);

/// The stages, in the order of the flow.
const STAGES: [Stage; 6] = [
    ("decode", |us| us.decode),
    ("look", |us| us.look),
    ("resize", |us| us.resize),
    ("encode", |us| us.encode),
    ("heads", |us| us.heads),
    ("total", |us| us.total),
];

/// Measure each stage on this machine
#[derive(clap::Args)]
pub struct Arguments {
    /// The picture to run on; the bundle's golden picture by default
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// One resolution instead of all
    #[arg(long, value_name = "N")]
    resolution: Option<u32>,
    /// Runs at each resolution, after one tenth as many to warm up
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    iterations: u32,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bundle: BundleOption,
}

/// Runs the command.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let start = Instant::now();
    let engine = Arc::new(arguments.bundle.engine()?);
    let load_us = start.elapsed().as_micros() as u64;
    let picture = match &arguments.image {
        Some(path) => std::fs::read(path).with_context(|| path.display().to_string())?,
        None => engine
            .bundle()
            .file(&engine.bundle().manifest().golden.picture)?
            .to_vec(),
    };
    let resolutions = match arguments.resolution {
        None => engine.resolutions().to_vec(),
        Some(side) if engine.resolutions().contains(&side) => vec![side],
        Some(side) => {
            return Err(Usage(format!(
                "--resolution: expected one of {:?}, got {side}",
                engine.resolutions()
            ))
            .into());
        }
    };

    let mut rows = Vec::new();
    for side in resolutions {
        rows.push(measure(&engine, side, &picture, arguments.iterations)?);
    }
    let report = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "architecture": std::env::consts::ARCH,
        "cpu": sys::cpu_name(),
        "isa": engine.isa().name(),
        "threads": 1,
        "bundle": engine.bundle_id(),
        "iterations": arguments.iterations,
        "load_us": load_us,
        "peak_rss_bytes": sys::peak_rss_bytes(),
        "resolutions": rows,
    });
    if arguments.json {
        println!("{report}");
    } else {
        print_table(&report, &rows_of(&report));
    }
    Ok(ExitCode::SUCCESS)
}

/// One resolution: preparation, warm-up, then every stage's p50, p95 and p99 in microseconds.
fn measure(
    engine: &Arc<Engine>,
    side: u32,
    picture: &[u8],
    iterations: u32,
) -> anyhow::Result<Value> {
    let start = Instant::now();
    engine.prepare(side)?;
    let prepare_us = start.elapsed().as_micros() as u64;
    let options = SessionOptions {
        policy: Some(Policy::Fixed(side)),
        ..SessionOptions::default()
    };
    let mut session = Session::new(Arc::clone(engine), options)?;
    session.set_labels(engine.bundle().manifest().golden.prompts.clone())?;
    for _ in 0..iterations.div_ceil(10) {
        session.infer_picture(picture)?;
    }
    let runs = (0..iterations)
        .map(|_| Ok(session.infer_picture(picture)?.stages_us))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let stages: serde_json::Map<_, _> = STAGES
        .iter()
        .map(|(name, stage)| {
            let mut us: Vec<u64> = runs.iter().map(stage).collect();
            us.sort_unstable();
            let p = |percent| percentile(&us, percent);
            (
                name.to_string(),
                json!({"p50_us": p(50), "p95_us": p(95), "p99_us": p(99)}),
            )
        })
        .collect();
    Ok(json!({"resolution": side, "prepare_us": prepare_us, "stages": stages}))
}

/// The smallest value that at least `percent` of the sorted values do not exceed (nearest rank).
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[rank - 1]
}

fn rows_of(report: &Value) -> Vec<&Value> {
    report["resolutions"]
        .as_array()
        .map(|rows| rows.iter().collect())
        .unwrap_or_default()
}

fn print_table(report: &Value, rows: &[&Value]) {
    println!(
        "{} {}, {}, one thread; bundle {}",
        report["architecture"], report["cpu"], report["isa"], report["bundle"]["name"]
    );
    println!(
        "load {} us, peak memory {} bytes, {} runs each",
        report["load_us"], report["peak_rss_bytes"], report["iterations"]
    );
    println!(
        "{:>10} {:>8} {:>12} {:>12} {:>12}",
        "resolution", "stage", "p50 us", "p95 us", "p99 us"
    );
    for row in rows {
        for (stage, _) in STAGES {
            let us = &row["stages"][stage];
            println!(
                "{:>10} {stage:>8} {:>12} {:>12} {:>12}",
                row["resolution"], us["p50_us"], us["p95_us"], us["p99_us"]
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let values: Vec<u64> = (1..=200).collect();
        assert_eq!(percentile(&values, 50), 100);
        assert_eq!(percentile(&values, 95), 190);
        assert_eq!(percentile(&values, 99), 198);
        assert_eq!(percentile(&[7], 99), 7);
    }
}
