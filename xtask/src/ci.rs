//! `cargo xtask ci`: everything that must hold before a change lands, the quickest first.
//!
//! The lints of ARM code need a pass of their own: the host never sees what stands behind `target_arch`.

use crate::cross::Cross;
use crate::setup::{self, For};
use crate::test::Table;
use crate::{process, repo, tidy};
use anyhow::Result;

/// Runs the verb.
pub fn run() -> Result<()> {
    let root = repo::root()?;
    let mut table = Table::new();
    let done = (|| {
        table.step("format", || {
            let mut cargo = process::cargo();
            process::run(cargo.args(["fmt", "--all", "--check"]).current_dir(&root))
        })?;
        table.step("tidy", tidy::run)?;
        table.step("setup", || setup::ensure(For::ArmTest))?;
        table.step("lints, host", || {
            let mut cargo = process::cargo();
            cargo.args(["clippy", "--locked", "--workspace", "--all-targets"]);
            process::run(cargo.args(["--", "-D", "warnings"]).current_dir(&root))
        })?;
        table.step("lints, ARM", || {
            let mut cargo = Cross::ready()?.cargo("clippy");
            cargo
                .args(["--locked", "--all-targets"])
                .args(crate::test::arm_packages(&root)?);
            process::run(cargo.args(["--", "-D", "warnings"]).current_dir(&root))
        })?;
        table.step("tests", || {
            let mut cargo = process::cargo();
            process::run(cargo.args(["xtask", "test"]).current_dir(&root))
        })
    })();
    table.print("cargo xtask ci");
    done
}
