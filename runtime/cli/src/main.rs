//! The `ocellus` program: label pictures, be taught labels, watch a camera, index and search photos, measure, check a machine, look into a bundle.
//!
//! Text for people by default, one JSON object a line with `--json`. Exit codes: 0 ok, 1 failed, 2 usage. This is the only
//! place that reads environment variables: `OCELLUS_ISA` lowers the instruction set, `RUST_LOG` sets the log level, and
//! `watch` reads where a service manager wants to be told (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`).
#![forbid(unsafe_code)]

mod bench;
mod build;
mod bundle;
mod doctor;
mod heat;
mod html;
mod index;
mod inputs;
mod label;
mod loading;
mod power;
mod progress;
mod routes;
mod search;
mod taught;
mod watch;
mod words;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Which words fit a picture, where, how sure, and how long each stage took. Offline.
#[derive(Parser)]
#[command(version = build::named(), about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Label(label::Arguments),
    Teach(taught::teach::Arguments),
    Forget(taught::forget::Arguments),
    Taught(taught::list::Arguments),
    Watch(watch::Arguments),
    Index(index::Arguments),
    Search(search::Arguments),
    Bench(bench::Arguments),
    Doctor(doctor::Arguments),
    Bundle(bundle::Arguments),
}

/// The call itself was wrong: exit code 2.
#[derive(Debug)]
struct Usage(String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn,tract=error"))
        .format_timestamp(None)
        .init();
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Label(arguments) => label::run(arguments),
        Command::Teach(arguments) => taught::teach::run(arguments),
        Command::Forget(arguments) => taught::forget::run(arguments),
        Command::Taught(arguments) => taught::list::run(arguments),
        Command::Watch(arguments) => watch::run(arguments),
        Command::Index(arguments) => index::run(arguments),
        Command::Search(arguments) => search::run(arguments),
        Command::Bench(arguments) => bench::run(arguments),
        Command::Doctor(arguments) => doctor::run(arguments),
        Command::Bundle(arguments) => bundle::run(arguments),
    };
    match result {
        Ok(code) => code,
        Err(error) if broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ocellus: {error:#}");
            ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
        }
    }
}

/// The reader of our output went away, as `head` does: nothing is wrong.
fn broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
