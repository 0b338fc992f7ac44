//! Cargo for 64-bit ARM Linux, and the emulator that runs what it builds.
//!
//! Linker and compilers are named in the environment of each call, and not in a committed `.cargo/config.toml`: there
//! they would also bind a developer whose linker is another. A variable that is set already is kept.
//!
//! Limits: a program built here asks for the C library of this machine's cross compiler, or a newer one.

use crate::armstd::{ArmStd, Toolchain};
use crate::process;
use anyhow::{Context, Result};
use std::ffi::OsStr;
use std::process::Command;

/// The only target.
pub const TARGET: &str = "aarch64-unknown-linux-gnu";

/// The emulated cores: the kinds of instruction set that the supported boards have. A53: Zero 2 W and Pi 3. A72: Pi 4
/// (the Nano's A57 has the same set). A76: Pi 5 (and Orin's A78AE), with dot product and half floats.
pub const CPUS: [&str; 3] = ["cortex-a53", "cortex-a72", "cortex-a76"];

/// The C compiler for the target.
pub const COMPILER: &str = "aarch64-linux-gnu-gcc";

/// Where Debian's cross packages keep the target's C library.
pub const LIBC: &str = "/usr/aarch64-linux-gnu";

/// How cargo is told the target's linker.
pub const LINKER: &str = "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER";

const FLAGS: &str = "CARGO_ENCODED_RUSTFLAGS";
const RUNNER: &str = "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER";

/// The ways to set a tool, and the tool.
const TOOLS: [(&str, &str); 3] = [
    (LINKER, COMPILER),
    ("CC_aarch64_unknown_linux_gnu", COMPILER),
    ("AR_aarch64_unknown_linux_gnu", "aarch64-linux-gnu-ar"),
];

/// A machine that is ready to build for ARM.
pub struct Cross {
    std: ArmStd,
    native: bool,
}

impl Cross {
    /// Finds what `xtask setup` provides.
    pub fn ready() -> Result<Self> {
        let toolchain = Toolchain::current()?;
        let std = toolchain.find()?.with_context(|| {
            format!("no standard library for {TARGET}; run `cargo xtask setup`")
        })?;
        Ok(Self {
            std,
            native: toolchain.host_is_arm(),
        })
    }

    /// `cargo SUBCOMMAND --target ...`, ready to cross-compile.
    pub fn cargo(&self, subcommand: &str) -> Command {
        let mut cargo = process::cargo();
        cargo.args([subcommand, "--target", TARGET]);
        if !self.native {
            name_tools(&mut cargo);
        }
        if let ArmStd::Built(sysroot) = &self.std {
            let inherited = inherited_flags(|name| std::env::var(name).ok());
            cargo.env(FLAGS, flags_with_sysroot(&inherited, sysroot.as_os_str()));
            cargo.env_remove("RUSTFLAGS");
        }
        cargo
    }

    /// The same, running what was built on an emulated core.
    pub fn cargo_on(&self, cpu: &str, subcommand: &str) -> Command {
        let mut cargo = self.cargo(subcommand);
        cargo.env(RUNNER, emulator(cpu));
        cargo
    }
}

/// The command line that runs an ARM program on an emulated core: a feature the core lacks is an illegal instruction.
pub fn emulator(cpu: &str) -> String {
    format!("qemu-aarch64 -cpu {cpu} -L {LIBC}")
}

/// Names linker, C compiler and archiver for the target.
pub fn name_tools(cargo: &mut Command) {
    for (variable, tool) in TOOLS {
        if std::env::var_os(variable).is_none() {
            cargo.env(variable, tool);
        }
    }
}

/// The developer's own flags, by cargo's order of precedence. They reach the target only, as `--target` is given.
fn inherited_flags(variable: impl Fn(&str) -> Option<String>) -> Vec<String> {
    if let Some(encoded) = variable(FLAGS) {
        return encoded
            .split('\u{1f}')
            .filter(|f| !f.is_empty())
            .map(str::to_owned)
            .collect();
    }
    let plain = variable("RUSTFLAGS").unwrap_or_default();
    plain.split_whitespace().map(str::to_owned).collect()
}

/// Encoded, since the path may have spaces.
fn flags_with_sysroot(inherited: &[String], sysroot: &OsStr) -> String {
    let mut flags = inherited.to_vec();
    flags.push("--sysroot".to_owned());
    flags.push(sysroot.to_string_lossy().into_owned());
    flags.join("\u{1f}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_developers_flags_are_kept() {
        let none = inherited_flags(|_| None);
        assert!(none.is_empty());
        let plain = inherited_flags(|name| (name == "RUSTFLAGS").then(|| "-C  debuginfo=0".into()));
        assert_eq!(plain, ["-C", "debuginfo=0"]);
        let both =
            inherited_flags(|name| Some(if name == FLAGS { "-a\u{1f}b c" } else { "-d" }.into()));
        assert_eq!(both, ["-a", "b c"]);
        let flags = flags_with_sysroot(&both, OsStr::new("/a dir/std"));
        assert_eq!(flags, "-a\u{1f}b c\u{1f}--sysroot\u{1f}/a dir/std");
    }

    #[test]
    fn a_built_std_is_named_and_an_installed_one_is_not() {
        let variables = |std| -> Vec<String> {
            let cargo = Cross { std, native: false }.cargo_on("cortex-a53", "test");
            let set = cargo.get_envs().filter(|(_, value)| value.is_some());
            set.map(|(name, _)| name.to_string_lossy().into_owned())
                .collect()
        };
        let built = variables(ArmStd::Built("/cache/std".into()));
        assert!(built.contains(&FLAGS.to_owned()) && built.contains(&RUNNER.to_owned()));
        assert!(!variables(ArmStd::Installed).contains(&FLAGS.to_owned()));
    }
}
