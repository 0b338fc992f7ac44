//! `cargo xtask test`: every test, on this machine and on emulated ARM cores.
//!
//! On the host: `cargo test --workspace`, doc tests included. On ARM: the unit and integration tests of the runtime's
//! crates run under QEMU on each core, and then the end-to-end tests run on the host against the ARM program. They find
//! their programs by these variables:
//!
//! | variable | meaning |
//! |---|---|
//! | `OCELLUS_BIN` | the program under test |
//! | `OCELLUS_RUNNER` | the command line that runs it, words separated by spaces; unset on the host |
//! | `OCELLUS_HOST_BIN` | the host's program, to compare answers with; ARM only |
//! | `OCELLUS_CPU` | the emulated core; ARM only |
//! | `OCELLUS_PREFIX` | where the C library is installed for the machine under test |
//! | `OCELLUS_CC` | the C compiler for it; ARM only |
//!
//! Packages are always selected the same way for building and for testing: another selection unifies features in
//! another way, and cargo would compile tract twice.
//!
//! Between the two, an appliance's image is made with the ARM program and booted on emulated machines (`flash/emulated.rs`);
//! the filter `boot` asks for these only.
//!
//! Limits: QEMU tells the truth about instructions, not about time.

use crate::cross::{self, Cross, TARGET};
use crate::setup::{self, For};
use crate::table::Table;
use crate::{armstd::Toolchain, dist, flash, install, library, process, repo};
use anyhow::{Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Run every test: host, and ARM under emulation
#[derive(clap::Args)]
pub struct Args {
    /// Only on this machine
    #[arg(long, conflicts_with = "arm")]
    host: bool,
    /// Only on emulated ARM cores
    #[arg(long)]
    arm: bool,
    /// Only on this core; may be repeated
    #[arg(long, value_name = "CPU", value_parser = cross::CPUS, conflicts_with = "host")]
    cpu: Vec<String>,
    /// Only tests whose names contain one of these
    filters: Vec<String>,
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<()> {
    let root = repo::root()?;
    let native = Toolchain::current()?.host_is_arm();
    let on_host = !args.arm && args.cpu.is_empty();
    let on_arm = !args.host && !native;
    if native && !on_host {
        bail!("this machine is ARM itself: `cargo xtask test --host` runs the ARM tests");
    }
    setup::ensure(if on_arm { For::ArmTest } else { For::HostTest })?;

    let plan = Plan {
        root: &root,
        target: crate::build::target_dir()?,
        filters: &args.filters,
    };
    let mut table = Table::new();
    let done = (|| {
        table.step("build, host", || plan.build_host())?;
        table.step("C library, host", || plan.install(None))?;
        if on_host {
            // A failing test stops nothing: whoever waited for the build wants to know every failure.
            let _ = table.step("test, host", || plan.test_host());
        }
        if on_arm {
            plan.arm(&args.cpu, &mut table)?;
        }
        Ok(())
    })();
    table.print("cargo xtask test");
    done.and(table.verdict())
}

/// Builds as for the tests and returns where the C library of this machine is installed.
pub fn installed() -> Result<PathBuf> {
    let plan = Plan {
        root: &repo::root()?,
        target: crate::build::target_dir()?,
        filters: &[],
    };
    plan.build_host()?;
    plan.install(None)?;
    Ok(plan.prefix(None))
}

/// `--package` for every crate of the runtime and of the boards: what runs there, and so is built and tested for ARM.
pub fn arm_packages(root: &Path) -> Result<Vec<String>> {
    let metadata = repo::Metadata::load(root)?;
    let on_boards = ["runtime", "boards"].map(|folder| metadata.members(folder));
    Ok(on_boards
        .iter()
        .flatten()
        .map(|p| format!("--package={}", p.name))
        .collect())
}

/// `--test` for every end-to-end test.
fn end_to_end_tests(root: &Path) -> Result<Vec<String>> {
    let metadata = repo::Metadata::load(root)?;
    let members = metadata.members("tests");
    let targets = members.iter().flat_map(|package| &package.targets);
    let tests: Vec<String> = targets
        .filter(|target| target.kind.iter().any(|kind| kind == "test"))
        .map(|target| format!("--test={}", target.name))
        .collect();
    // Without any, cargo would run everything.
    ensure!(!tests.is_empty(), "the package in tests/ has no test");
    Ok(tests)
}

struct Plan<'a> {
    root: &'a Path,
    target: PathBuf,
    filters: &'a [String],
}

impl Plan<'_> {
    /// `--tests` is part of it so that features are unified as in `cargo test`, whose programs these are; `--lib` since
    /// no program here holds the C library.
    fn build_host(&self) -> Result<()> {
        let mut cargo = process::cargo();
        cargo.args([
            "build",
            "--locked",
            "--workspace",
            "--bins",
            "--tests",
            "--lib",
        ]);
        process::run(cargo.current_dir(self.root))
    }

    fn test_host(&self) -> Result<()> {
        let mut cargo = process::cargo();
        cargo.args(["test", "--locked", "--workspace", "--no-fail-fast"]);
        // A shell in which somebody tried an emulated run may still name it.
        for foreign in [
            "OCELLUS_RUNNER",
            "OCELLUS_HOST_BIN",
            "OCELLUS_CPU",
            "OCELLUS_CC",
        ] {
            cargo.env_remove(foreign);
        }
        cargo.env("OCELLUS_PREFIX", self.prefix(None));
        cargo.env("OCELLUS_BIN", self.program(None));
        process::run(&mut self.test(cargo))
    }

    fn arm(&self, chosen: &[String], table: &mut Table) -> Result<()> {
        let packages = arm_packages(self.root)?;
        let end_to_end = end_to_end_tests(self.root)?;
        table.step("build, ARM", || {
            let mut cargo = Cross::ready()?.cargo("build");
            cargo
                .args(["--locked", "--bins", "--tests", "--lib"])
                .args(&packages);
            process::run(cargo.current_dir(self.root))
        })?;
        table.step("C library, ARM", || self.install(Some(TARGET)))?;
        if self.asked("boot") {
            let program = self.program(Some(TARGET));
            // As with the tests, a failure stops nothing.
            let _ = table.step("boot, emulated", || flash::boot(&program));
        }
        let mut steps = Vec::new();
        for cpu in cross::CPUS {
            if !chosen.is_empty() && !chosen.iter().any(|c| c == cpu) {
                continue;
            }
            let mut cargo = Cross::ready()?.cargo_on(cpu, "test");
            cargo
                .args(["--locked", "--tests", "--no-fail-fast"])
                .args(&packages);
            cargo.env("OCELLUS_CPU", cpu);
            steps.push((format!("crates, {cpu}"), self.test(cargo)));

            let mut cargo = process::cargo();
            cargo.args(["test", "--locked", "--workspace", "--no-fail-fast"]);
            cargo.args(&end_to_end).env("OCELLUS_CPU", cpu);
            cargo.env("OCELLUS_BIN", self.program(Some(TARGET)));
            cargo.env("OCELLUS_HOST_BIN", self.program(None));
            cargo.env("OCELLUS_PREFIX", self.prefix(Some(TARGET)));
            cargo.env("OCELLUS_CC", library::compiler(true));
            cargo.env("OCELLUS_RUNNER", cross::emulator(cpu));
            steps.push((format!("end to end, {cpu}"), self.test(cargo)));
        }
        // A suite waits for its longest test and cargo for each suite: two at once keep every core busy.
        table.commands(steps);
        Ok(())
    }

    /// Whether the filters let a step of this name be done.
    fn asked(&self, name: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| name.contains(filter))
    }

    /// A `cargo test` with the filters, in the repository.
    fn test(&self, mut cargo: Command) -> Command {
        if !self.filters.is_empty() {
            cargo.arg("--").args(self.filters);
        }
        cargo.current_dir(self.root);
        cargo
    }

    /// Installs the C library that was built, for programs in C to be compiled against.
    fn install(&self, target: Option<&str>) -> Result<()> {
        let archive = self.built(target).join(library::STATIC);
        let prefix = self.prefix(target);
        match target {
            // What is tested is what goes to boards: linked as it is there, and checked.
            Some(_) => dist::install_library(&archive, &prefix),
            None => install::install(&archive, &prefix, library::compiler(false)),
        }
    }

    fn prefix(&self, target: Option<&str>) -> PathBuf {
        self.built(target).join("prefix")
    }

    fn program(&self, target: Option<&str>) -> PathBuf {
        self.built(target).join("ocellus")
    }

    fn built(&self, target: Option<&str>) -> PathBuf {
        self.target.join(target.unwrap_or_default()).join("debug")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_to_end_tests_are_named() {
        let tests = end_to_end_tests(&repo::root().unwrap()).unwrap();
        assert!(
            tests.contains(&"--test=same_answers".to_owned()),
            "{tests:?}"
        );
    }

    #[test]
    fn what_runs_on_boards_is_tested_for_arm() {
        let packages = arm_packages(&repo::root().unwrap()).unwrap();
        assert!(packages.contains(&"--package=ocellus-cli".to_owned()));
        assert!(packages.contains(&"--package=ocellus-kernels".to_owned()));
        assert!(packages.contains(&"--package=ocellus-boards".to_owned()));
        assert!(!packages.contains(&"--package=xtask".to_owned()));
    }
}
