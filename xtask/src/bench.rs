//! `cargo xtask bench`: times this machine with the release build's own `ocellus bench`.
//!
//! Limits: what it prints is true of the machine it runs on. An emulated core's times say nothing about silicon.

use crate::{build, process, repo};
use anyhow::Result;
use std::process::Command;

/// Time the runtime on this machine
#[derive(clap::Args)]
pub struct Args {
    /// What `ocellus bench` takes
    #[arg(last = true)]
    args: Vec<String>,
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<()> {
    let mut ocellus = Command::new(build::host("release")?);
    process::run(
        ocellus
            .arg("bench")
            .args(&args.args)
            .current_dir(repo::root()?),
    )
}
