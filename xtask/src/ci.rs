//! `cargo xtask ci`: everything that must hold before a change lands, the quickest first.
//!
//! The lints of ARM code need a pass of their own: the host never sees what stands behind `target_arch`. That pass covers
//! the crates whose source asks for the target; for the others it would read the same lines again, and check tract anew.

use crate::cross::Cross;
use crate::setup::{self, For};
use crate::table::Table;
use crate::{process, repo, tidy};
use anyhow::Result;
use std::fs;
use std::path::Path;

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
                .args(target_dependent(&root)?);
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

/// `--package` for every crate of the runtime whose source differs from one target to another.
fn target_dependent(root: &Path) -> Result<Vec<String>> {
    let metadata = repo::Metadata::load(root)?;
    let files = repo::tracked(root)?;
    let mut packages = Vec::new();
    for package in metadata.members("runtime") {
        let folder = package.manifest_path.parent().unwrap_or(root);
        let mut texts = files
            .iter()
            .map(|file| root.join(file))
            .filter(|file| file.starts_with(folder) && file.extension().is_some_and(|e| e == "rs"))
            .filter_map(|file| fs::read_to_string(file).ok());
        if texts.any(|text| asks_for_target(&text)) {
            packages.push(format!("--package={}", package.name));
        }
    }
    Ok(packages)
}

fn asks_for_target(source: &str) -> bool {
    [
        "target_arch",
        "target_feature",
        "target_pointer_width",
        "target_endian",
    ]
    .iter()
    .any(|word| source.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_depend_on_the_target() {
        let packages = target_dependent(&repo::root().unwrap()).unwrap();
        assert!(
            packages.contains(&"--package=ocellus-kernels".to_owned()),
            "{packages:?}"
        );
        assert!(asks_for_target(
            "#[cfg(target_arch = \"aarch64\")] mod neon;"
        ));
        assert!(!asks_for_target("#[cfg(target_os = \"linux\")] fn f() {}"));
    }
}
