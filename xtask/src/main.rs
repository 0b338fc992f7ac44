//! What a developer does with this repository: one verb, one file.
//!
//! Everything here runs through programs a developer could call by hand (cargo, apt-get, qemu, python3), and prints each
//! command before it runs, so a verb is a recipe that can be read and repeated. Exit codes: 0 ok, 1 failed, 2 usage, 3 a board
//! that is not reached and 5 one that was rolled back (`deploy`), 4 slower than before (`bench -- --compare`).
//!
//! Limits: Linux only. The ARM verbs cross-build from x86-64; on a 64-bit ARM machine the host build is the ARM build.

#![forbid(unsafe_code)]

mod bench;
mod build;
mod ci;
mod demo;
mod deploy;
mod dist;
mod flash;
mod header;
mod install;
mod models;
mod setup;
mod soak;
mod test;
mod tidy;

mod armstd;
mod counter;
mod cross;
mod debian;
mod library;
mod process;
mod python;
mod repo;
mod scratch;
mod sha256;
mod table;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Builds, tests and checks Ocellus.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Demo(demo::Args),
    Setup(setup::Args),
    Build(build::Args),
    Test(test::Args),
    Soak(soak::Args),
    /// Check licences, banned crates, layout and source rules
    Tidy,
    /// Write the C header from its declarations
    Header,
    Install(install::Args),
    Dist(dist::Args),
    Deploy(deploy::Args),
    Flash(flash::Args),
    Models(models::Args),
    Bench(bench::Args),
    /// Everything that must hold before a change lands
    Ci,
}

fn main() -> ExitCode {
    let done = match Cli::parse().verb {
        Verb::Demo(args) => demo::run(&args),
        Verb::Setup(args) => setup::run(&args),
        Verb::Build(args) => build::run(&args),
        Verb::Test(args) => test::run(&args),
        Verb::Soak(args) => soak::run(&args),
        Verb::Tidy => tidy::run(),
        Verb::Header => header::run(),
        Verb::Install(args) => install::run(&args),
        Verb::Dist(args) => dist::run(&args),
        Verb::Deploy(args) => deploy::run(&args),
        Verb::Flash(args) => flash::run(&args),
        Verb::Models(args) => models::run(&args),
        Verb::Bench(args) => bench::run(&args),
        Verb::Ci => ci::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(code(&error))
        }
    }
}

/// The exit code of an error.
fn code(error: &anyhow::Error) -> u8 {
    match () {
        () if error.is::<deploy::Unreachable>() => 3,
        () if error.is::<bench::Slower>() => 4,
        () if error.is::<deploy::RolledBack>() => 5,
        () => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn every_call_in_the_documents_is_one() {
        let root = repo::root().unwrap();
        let mut calls = 0;
        for file in [
            "README.md",
            "docs/firmware.md",
            "docs/deploy.md",
            "docs/flash.md",
        ] {
            let text = fs::read_to_string(root.join(file)).unwrap();
            for line in text.lines().filter(|line| line.starts_with("cargo xtask ")) {
                let call = line.split("  ").next().unwrap_or(line);
                let words = call.split_whitespace().skip(1);
                assert!(Cli::try_parse_from(words).is_ok(), "{file}: {line}");
                calls += 1;
            }
        }
        assert!(calls > 3);
    }
}
