//! `cargo xtask soak`: labels frames for a long time through the C library, and fails where the process grew.
//!
//! The program is `tests/c/soak.c`, linked statically. `cargo xtask test` runs it briefly.
//!
//! Limits: on this machine only; an emulator's memory is its own.

use crate::library::{self, STATIC_LINKING, SYSTEM_LIBRARIES};
use crate::setup::{self, For};
use crate::{process, repo, test};
use anyhow::Result;
use std::process::Command;

/// Label frames for a long time and fail if memory, threads or descriptors grew
#[derive(clap::Args)]
pub struct Args {
    /// How many frames, at least 200
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(200..))]
    frames: u32,
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<()> {
    setup::ensure(For::HostTest)?;
    let prefix = test::installed()?;
    let program = prefix.join("soak");
    let mut cc = Command::new(library::compiler(false));
    cc.args(["-std=c11", "-O1", "-g", "-o"]).arg(&program);
    cc.arg(repo::root()?.join("tests/c/soak.c"))
        .arg("-I")
        .arg(prefix.join("include"))
        .arg(prefix.join("lib/libocellus.a"))
        .args(SYSTEM_LIBRARIES)
        .arg(STATIC_LINKING);
    process::run(&mut cc)?;
    process::run(Command::new(program).arg(args.frames.to_string()))
}
