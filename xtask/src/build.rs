//! `cargo xtask build`: the `ocellus` program, for this machine or for ARM boards.
//!
//! Limits: the ARM program asks for this machine's generation of the C library; a board with an older one refuses it.

use crate::cross::{Cross, TARGET};
use crate::setup::{self, For};
use crate::{process, repo};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Build the `ocellus` program
#[derive(clap::Args)]
pub struct Args {
    /// For which machine
    #[arg(long, value_enum, default_value = "host")]
    target: Machine,
    /// The same as `--profile release`
    #[arg(long, conflicts_with = "profile")]
    release: bool,
    /// Cargo profile: `dev`, `release`, or `dist`, which goes to boards
    #[arg(long, default_value = "dev")]
    profile: String,
}

/// What something is built for.
#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
pub enum Machine {
    /// The one this runs on
    Host,
    /// 64-bit ARM Linux
    #[value(alias = "aarch64-unknown-linux-gnu")]
    Aarch64,
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<()> {
    let profile = if args.release {
        "release"
    } else {
        &args.profile
    };
    let program = match args.target {
        Machine::Host => host(profile)?,
        Machine::Aarch64 => arm(profile)?,
    };
    println!("{}", program.display());
    Ok(())
}

/// Builds the program for this machine and returns where it is.
pub fn host(profile: &str) -> Result<PathBuf> {
    setup::ensure(For::HostBuild)?;
    let mut cargo = process::cargo();
    program(cargo.arg("build"), profile)?;
    Ok(target_dir()?.join(folder(profile)).join("ocellus"))
}

/// Builds the program for ARM and returns where it is.
pub fn arm(profile: &str) -> Result<PathBuf> {
    setup::ensure(For::ArmBuild)?;
    program(&mut Cross::ready()?.cargo("build"), profile)?;
    Ok(target_dir()?
        .join(TARGET)
        .join(folder(profile))
        .join("ocellus"))
}

/// Builds an example of a package for ARM, one whose instructions are counted, and returns where it is.
pub fn arm_example(profile: &str, package: &str, example: &str) -> Result<PathBuf> {
    let mut cargo = Cross::ready()?.cargo("build");
    cargo
        .arg("--locked")
        .arg(format!("--package={package}"))
        .arg(format!("--example={example}"))
        .arg(format!("--profile={profile}"));
    process::run(cargo.current_dir(repo::root()?))?;
    let folder = target_dir()?.join(TARGET).join(folder(profile));
    Ok(folder.join("examples").join(example))
}

fn program(cargo: &mut Command, profile: &str) -> Result<()> {
    let root = repo::root()?;
    cargo.args(["--locked", "--package=ocellus-cli", "--bin=ocellus"]);
    tell_commit(cargo, &root);
    process::run(cargo.arg(format!("--profile={profile}")).current_dir(root))
}

/// Lets the program know which commit it is of; where git knows none, it knows none.
pub fn tell_commit(cargo: &mut Command, root: &Path) {
    if let Ok(commit) = repo::commit(root) {
        cargo.env("OCELLUS_COMMIT", commit);
    }
}

/// Where cargo puts what it builds.
pub fn target_dir() -> Result<PathBuf> {
    Ok(repo::Metadata::load(&repo::root()?)?.target_directory)
}

/// Cargo's folder for a profile.
pub fn folder(profile: &str) -> &str {
    match profile {
        "dev" | "test" => "debug",
        "bench" => "release",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_named_after_profiles_but_for_the_old_ones() {
        assert_eq!(folder("dev"), "debug");
        assert_eq!(folder("release"), "release");
        assert_eq!(folder("dist"), "dist");
    }
}
