//! `cargo xtask bench`: times this machine, or counts instructions on an emulated core.
//!
//! Without an option it is the release build's own `ocellus bench`, with `--host` or `--board` that of a board.
//! With `--emulated` the same program runs under QEMU, marks what it measures, and a plugin counts:
//!
//! | figure | one warm run of |
//! |---|---|
//! | `instructions_encode` | the image encoder, f32 NCHW image in, f32 features and logits out; the default bundle's encoder gives its last map besides, and the head's classifier makes the logits |
//! | `instructions_from_pixels` | the same from u8 RGB pixels at the resolution |
//! | `instructions_total` | the whole label job of a frame in memory, the bundle's golden picture and prompts: look, resize, encode, heads. With `--model` there are no heads |
//! | `instructions_camera` | the same job of a camera's frame, 1920x1080 in NV12; absent with `--model` |
//! | `instructions_load` | from the encoder's bytes to a plan for each resolution of the bundle, once; hashing and words are apart |
//! | `steps` | each step of the encoder, counted in a run of its own with a few dozen instructions of marks each; `share` is of `instructions_encode` |
//!
//! With `--threads` it counts what cutting the encoder's work for that many costs, and how even their shares are
//! (`threads.rs`).
//!
//! Limits: times are true of the machine they were taken on, and an emulated core's say nothing about silicon. Counts are
//! true of the core, and are not time: cores differ in how many instructions of a kind they retire in a cycle.

mod attention;
mod attention_tables;
mod caches;
mod counted;
mod device;
mod emulated;
mod peers;
mod report;
mod search;
mod table;
mod teach;
mod threads;
mod transformers;

use crate::counter::Counter;
use crate::deploy::Place;
use crate::{build, cross, process, repo};
use anyhow::{Result, bail, ensure};
use ocellus_boards::Profile;
use std::path::PathBuf;
use std::process::Command;

/// Time the runtime on this machine, or count its instructions on an emulated core
#[derive(clap::Args)]
pub struct Args {
    /// Count instructions on this core instead of taking times
    #[arg(long, value_name = "CPU", value_parser = cross::CPUS)]
    emulated: Option<String>,
    /// Count on every core and write tests/reports/instructions.json, attention.json, threads.json and their .md
    #[arg(long, conflicts_with_all = ["emulated", "args"])]
    report: bool,
    /// The part of the report that is of the attention kernels, alone: tests/reports/attention.json and .md
    #[arg(long, conflicts_with_all = ["emulated", "report", "board", "args"])]
    report_attention: bool,
    /// The part of the report that is of threads and caches, alone: tests/reports/threads.json, caches.json and their .md
    #[arg(long, conflicts_with_all = ["emulated", "report", "report_attention", "board", "args"])]
    report_threads: bool,
    /// What teaching one example more costs, alone: tests/reports/teach.json and .md
    #[arg(long, conflicts_with_all = ["emulated", "report", "report_attention", "report_threads", "board", "args"])]
    report_teach: bool,
    /// Count the transformers of tests/reports/transformers_peers.toml, whose files are in this folder, on every core, and write
    /// tests/reports/transformers.md
    #[arg(long, value_name = "DIR", conflicts_with_all = ["emulated", "report", "report_attention", "board", "args"])]
    report_transformers: Option<PathBuf>,
    /// One resolution instead of all
    #[arg(long, value_name = "N", requires = "emulated")]
    resolution: Option<u32>,
    /// An encoder alone, from an ONNX file
    #[arg(long, value_name = "FILE", requires = "emulated")]
    model: Option<PathBuf>,
    /// The encoder alone, in f32: the baseline
    #[arg(long, requires = "emulated")]
    without_regions: bool,
    /// What threads would share of an inference, and how evenly
    #[arg(long, value_name = "N", requires = "emulated", value_parser = clap::value_parser!(u8).range(2..=16))]
    threads: Option<u8>,
    /// One JSON object a resolution, a line each
    #[arg(long, requires = "emulated")]
    json: bool,
    /// Take times on this board, which was deployed to: its host is in boards/local.toml, or --host
    #[arg(long, value_name = "ID", value_parser = crate::dist::board, conflicts_with_all = ["emulated", "report"])]
    board: Option<&'static Profile>,
    #[command(flatten)]
    place: Place,
    /// Cargo profile of the program
    #[arg(long, default_value = "release")]
    profile: String,
    /// What `ocellus bench` takes
    #[arg(last = true, conflicts_with = "emulated")]
    args: Vec<String>,
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<()> {
    let parts = args.report_attention || args.report_threads || args.report_teach;
    let counts = args.report || parts || args.report_transformers.is_some();
    if counts || args.emulated.is_some() {
        let here = args.place.host.is_none();
        ensure!(
            here,
            "--host: expected none with counts, which are taken here"
        );
    }
    if args.report {
        return report::write(&args.profile);
    }
    if args.report_attention {
        return attention::write(&args.profile, &Counter::build()?);
    }
    if args.report_threads {
        return report::write_threads(&args.profile);
    }
    if args.report_teach {
        return teach::write(&args.profile, &Counter::build()?);
    }
    if let Some(models) = &args.report_transformers {
        return transformers::write(&args.profile, models);
    }
    let Some(cpu) = &args.emulated else {
        if args.board.is_none() && args.place.host.is_none() {
            return time(args);
        }
        let id = args.board.map(|board| board.id.as_str());
        let local = repo::root()?.join("boards/local.toml");
        return device::measure(&args.place, id, &local, &args.args);
    };
    if let Some(model) = &args.model {
        // Before minutes of building.
        ensure!(model.is_file(), "no file {}", model.display());
    }
    let subject = emulated::Subject {
        resolution: args.resolution,
        model: args.model.as_deref(),
        without_regions: args.without_regions,
        threads: None,
    };
    let bench = emulated::Bench::ready(&args.profile)?;
    let rows = bench.count(cpu, &subject)?;
    if let Some(threads) = args.threads {
        for row in threads::count(&bench, &subject, &rows, threads.into())? {
            match args.json {
                true => println!("{}", serde_json::to_string(&row)?),
                false => println!("{}", threads::text(&row)),
            }
        }
        return Ok(());
    }
    for row in &rows {
        match args.json {
            true => println!("{}", serde_json::to_string(row)?),
            false => println!("{}", table::text(row)),
        }
    }
    Ok(())
}

/// `ocellus bench --compare` found a stage that became slower: exit code 4.
#[derive(Debug, thiserror::Error)]
#[error("a stage became slower")]
pub struct Slower;

fn time(args: &Args) -> Result<()> {
    let mut ocellus = Command::new(build::host(&args.profile)?);
    ocellus.arg("bench").args(&args.args);
    ended(process::code(ocellus.current_dir(repo::root()?))?)
}

/// What the exit code of `ocellus bench` means.
fn ended(code: i32) -> Result<()> {
    match code {
        0 => Ok(()),
        4 => Err(Slower.into()),
        code => bail!("`ocellus bench` failed with exit code {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parse(words: &str) -> Result<Args, clap::Error> {
        let words = std::iter::once("bench").chain(words.split_whitespace());
        Line::try_parse_from(words).map(|line| line.args)
    }

    #[test]
    fn options_of_counting_need_a_core() {
        let args = parse("--emulated cortex-a53 --resolution 160 --model m.onnx --json").unwrap();
        assert_eq!(args.emulated.as_deref(), Some("cortex-a53"));
        assert_eq!(
            (args.resolution, args.profile.as_str()),
            (Some(160), "release")
        );
        assert_eq!(args.model, Some("m.onnx".into()));
        for words in [
            "--json",
            "--resolution 160",
            "--model m.onnx",
            "--without-regions",
            "--threads 2",
            "--emulated cortex-a53 --threads 1",
        ] {
            assert_eq!(
                parse(words).err().map(|e| e.exit_code()),
                Some(2),
                "{words}"
            );
        }
    }

    #[test]
    fn an_unknown_core_is_a_usage_error_that_names_the_known_ones() {
        let error = parse("--emulated cortex-a7").err().unwrap();
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        assert!(cross::CPUS.iter().all(|cpu| text.contains(cpu)), "{text}");
    }

    #[test]
    fn times_and_counts_do_not_mix() {
        assert!(parse("--report --emulated cortex-a53").is_err());
        assert!(parse("--report -- --json").is_err());
        assert!(parse("--emulated cortex-a53 -- --iterations 2").is_err());
        assert_eq!(parse("-- --ops").unwrap().args, ["--ops"]);
    }
}
