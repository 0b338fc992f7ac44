//! `cargo xtask setup`: makes this machine able to build for ARM and to run ARM programs under emulation.
//!
//! Idempotent: each requirement is looked for first, by the program or file that is used and not by a package's name, so
//! that another distribution or a hand-made installation counts. What is missing is installed as root (or through sudo
//! in CI); anyone else is told the command.
//!
//! Limits: installs on Debian and its relatives only; elsewhere it says what is missing.

use crate::armstd::{ArmStd, Toolchain};
use crate::{counter, cross, debian, process};
use anyhow::{Result, bail};
use std::path::Path;

/// Install what ARM builds and emulated tests need, if it is missing
#[derive(clap::Args)]
pub struct Args {
    /// Only say what is missing, with exit code 1 if anything is
    #[arg(long)]
    check: bool,
}

/// What somebody is about to do.
#[derive(Clone, Copy, PartialEq)]
pub enum For {
    /// Build for this machine.
    HostBuild,
    /// Test on this machine.
    HostTest,
    /// Build for ARM.
    ArmBuild,
    /// Count the instructions of ARM programs.
    ArmCount,
    /// Make what goes to ARM boards.
    Dist,
    /// Make a card that a board boots from.
    Flash,
    /// Test on emulated ARM cores.
    ArmTest,
}

/// Not in a user's PATH.
pub const SSHD: &str = "/usr/sbin/sshd";

/// Something that must be there.
struct Need {
    place: Place,
    package: &'static str,
    why: &'static str,
}

enum Place {
    Program(&'static str),
    File(String),
}

impl Need {
    fn program(name: &'static str, package: &'static str, why: &'static str) -> Self {
        Self {
            place: Place::Program(name),
            package,
            why,
        }
    }

    fn file(path: String, package: &'static str, why: &'static str) -> Self {
        Self {
            place: Place::File(path),
            package,
            why,
        }
    }

    fn is_there(&self) -> bool {
        match &self.place {
            Place::Program(name) => process::find(name).is_some(),
            Place::File(path) => Path::new(path).exists(),
        }
    }
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<()> {
    if args.check {
        return check();
    }
    ensure(For::ArmTest)?;
    report(&Toolchain::current()?)?;
    Ok(())
}

/// Installs what `purpose` needs and is missing.
pub fn ensure(purpose: For) -> Result<()> {
    let toolchain = Toolchain::current()?;
    let needs = needs(purpose, toolchain.host_is_arm());
    let missing = missing(&needs);
    if !missing.is_empty() {
        debian::install(&missing)?;
    }
    if let Some(need) = needs.iter().find(|need| !need.is_there()) {
        bail!(
            "{} is installed and yet not there: {}",
            need.package,
            need.why
        );
    }
    if matches!(
        purpose,
        For::ArmBuild | For::ArmCount | For::ArmTest | For::Dist
    ) {
        toolchain.provide()?;
    }
    Ok(())
}

fn check() -> Result<()> {
    let toolchain = Toolchain::current()?;
    let missing = missing(&needs(For::ArmTest, toolchain.host_is_arm()));
    let std = report(&toolchain)?;
    if !missing.is_empty() {
        bail!(
            "missing packages: {}; run `cargo xtask setup`",
            missing.join(" ")
        );
    }
    if !std {
        bail!(
            "no standard library for {}; run `cargo xtask setup`",
            cross::TARGET
        );
    }
    Ok(())
}

/// Prints what there is; whether the standard library is among it.
fn report(toolchain: &Toolchain) -> Result<bool> {
    for need in needs(For::ArmTest, toolchain.host_is_arm()) {
        let state = if need.is_there() {
            "ok     "
        } else {
            "missing"
        };
        println!("{state}  {} ({})", need.package, need.why);
    }
    let std = toolchain.find()?;
    let (state, place) = match &std {
        Some(ArmStd::Installed) => ("ok     ", "in the toolchain".to_owned()),
        Some(ArmStd::Built(dir)) => ("ok     ", dir.display().to_string()),
        None => ("missing", "neither in the toolchain nor built".to_owned()),
    };
    println!(
        "{state}  std {} for {} ({place})",
        toolchain.release,
        cross::TARGET
    );
    // Only `bench --emulated` needs them, and says what to do about it.
    let plugins = process::find("qemu-aarch64").is_some() && counter::takes_plugins()?;
    let state = if plugins { "ok     " } else { "without" };
    println!("{state}  plugins of qemu-aarch64 (count instructions)");
    Ok(std.is_some())
}

fn needs(purpose: For, host_is_arm: bool) -> Vec<Need> {
    let mut needs = vec![Need::program(
        "cc",
        "gcc",
        "links programs, assembles tract's kernels, builds the instruction counter",
    )];
    needs.push(Need::file(
        "/usr/include/stdio.h".into(),
        "libc6-dev",
        "the C library's headers",
    ));
    let test = matches!(purpose, For::HostTest | For::ArmTest);
    if test {
        needs.push(Need::program(
            "strace",
            "strace",
            "shows that nothing talks to a network",
        ));
        needs.push(Need::file(
            SSHD.into(),
            "openssh-server",
            "stands in for a board that is deployed to; tests start one of their own on loopback",
        ));
        needs.push(Need::program("ssh", "openssh-client", "reaches boards"));
        needs.push(Need::program("g++", "g++", "reads the C header as C++"));
        needs.push(Need::program(
            "cmake",
            "cmake",
            "finds the installed C library",
        ));
        needs.push(Need::program(
            "pkg-config",
            "pkgconf",
            "finds the installed C library",
        ));
        needs.push(Need::program(
            "valgrind",
            "valgrind",
            "finds errors and leaks of memory behind the C border",
        ));
        needs.push(Need::file(
            "/usr/lib/python3/dist-packages/numpy/__init__.py".into(),
            "python3-numpy",
            "calls the C library from Python",
        ));
    }
    if purpose == For::Dist || (purpose == For::ArmTest && !host_is_arm) {
        needs.push(Need::program(
            "python3",
            "python3-venv",
            "runs the linker for older C libraries",
        ));
        needs.push(Need::program("dpkg-deb", "dpkg", "makes Debian packages"));
    }
    if purpose == For::Flash {
        needs.push(Need::program(
            "dpkg-deb",
            "dpkg",
            "unpacks what boards boot",
        ));
        needs.push(Need::program("tar", "tar", "unpacks what boards run"));
        return needs;
    }
    let emulator = Need::program("qemu-aarch64", "qemu-user", "runs ARM programs");
    if host_is_arm || matches!(purpose, For::HostBuild | For::HostTest) {
        // Even on ARM: instructions are counted by the emulator.
        needs.extend((purpose == For::ArmCount).then_some(emulator));
        return needs;
    }
    let tool = "aarch64-linux-gnu-gcc";
    needs.push(Need::program(
        tool,
        "gcc-aarch64-linux-gnu",
        "links ARM programs",
    ));
    let header = format!("{}/include/stdio.h", cross::LIBC);
    needs.push(Need::file(
        header,
        "libc6-dev-arm64-cross",
        "the C library of ARM programs",
    ));
    if matches!(purpose, For::ArmCount | For::ArmTest) {
        needs.push(emulator);
    }
    if purpose == For::ArmTest {
        needs.push(Need::program(
            "qemu-system-aarch64",
            "qemu-system-arm",
            "boots what `flash` makes",
        ));
    }
    needs
}

fn missing(needs: &[Need]) -> Vec<&'static str> {
    needs
        .iter()
        .filter(|need| !need.is_there())
        .map(|need| need.package)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(purpose: For, host_is_arm: bool) -> Vec<&'static str> {
        needs(purpose, host_is_arm)
            .iter()
            .map(|need| need.package)
            .collect()
    }

    #[test]
    fn each_purpose_asks_for_what_it_uses() {
        assert_eq!(packages(For::HostBuild, false), ["gcc", "libc6-dev"]);
        assert!(packages(For::HostTest, false).contains(&"strace"));
        assert!(!packages(For::ArmBuild, false).contains(&"qemu-user"));
        assert!(packages(For::Dist, false).contains(&"python3-venv"));
        assert!(packages(For::ArmTest, false).contains(&"python3-venv"));
        assert!(packages(For::ArmTest, false).contains(&"qemu-user"));
        assert!(packages(For::ArmTest, false).contains(&"qemu-system-arm"));
        assert!(!packages(For::Flash, false).contains(&"qemu-system-arm"));
        assert!(packages(For::ArmCount, false).contains(&"qemu-user"));
        assert!(packages(For::ArmCount, true).contains(&"qemu-user"));
        assert!(!packages(For::ArmCount, false).contains(&"strace"));
        assert_eq!(packages(For::ArmTest, true), packages(For::HostTest, true));
    }

    #[test]
    fn what_is_not_there_is_missing() {
        let needs = [
            Need::program("sh", "dash", "is there"),
            Need::program("no-such-program", "absent-program", "is not"),
            Need::file("/no/such/file".into(), "absent-file", "is not"),
        ];
        assert_eq!(missing(&needs), ["absent-program", "absent-file"]);
    }
}
