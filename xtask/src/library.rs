//! The C library as files: the static library that cargo builds, and the shared one that is linked from it.
//!
//! Cargo could build a shared library itself, but a version script of ours is not honoured there: the compiler passes its
//! own. So the linker is called here, with a script that exports `ocellus_*` under the header's generation and hides
//! everything else, the Rust runtime among it.

use crate::cross::{self, Cross, TARGET};
use crate::header::{self, CRATE, HEADER};
use crate::{process, repo};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What cargo calls the static library.
pub const STATIC: &str = "libocellus_capi.a";

/// The system's libraries that a program with the static library needs, in the linker's words.
pub const SYSTEM_LIBRARIES: [&str; 3] = ["-lgcc_s", "-lm", "-lc"];

/// What such a program's linker is told besides. Nothing in the archive needs a stack that can be executed, yet some of
/// its assembled parts do not say so.
pub const STATIC_LINKING: &str = "-Wl,-z,noexecstack";

/// The names of the shared library.
pub struct Names {
    /// The file, such as `libocellus.so.1.0.0`.
    pub file: String,
    /// What a program looks for when it starts, such as `libocellus.so.1`.
    pub soname: String,
    /// The symbols' version, such as `OCELLUS_1`.
    pub node: String,
}

impl Names {
    /// From the header and the package's version.
    pub fn new(header: &str, package: &str) -> Result<Self> {
        let major = header::number(header, "OCELLUS_ABI_MAJOR")?;
        let minor = header::number(header, "OCELLUS_ABI_MINOR")?;
        let patch = package.split(['.', '-', '+']).nth(2);
        let patch = patch.with_context(|| format!("version {package} has no patch level"))?;
        let abi = format!("{major}.{minor}.{patch}");
        Ok(Self {
            file: format!("libocellus.so.{abi}"),
            soname: format!("libocellus.so.{major}"),
            node: format!("OCELLUS_{major}"),
        })
    }
}

/// The version of the package.
pub fn package_version(root: &Path) -> Result<String> {
    let metadata = repo::Metadata::load(root)?;
    let members = metadata.members(CRATE);
    let package = members.first().context("runtime/capi is no package")?;
    Ok(package.version.clone())
}

/// Builds the static library for this machine and returns where it is.
pub fn build_host(profile: &str) -> Result<PathBuf> {
    let mut cargo = process::cargo();
    build(cargo.arg("build"), profile)?;
    built(None, profile)
}

/// Builds the static library for ARM and returns where it is.
pub fn build_arm(profile: &str) -> Result<PathBuf> {
    build(&mut Cross::ready()?.cargo("build"), profile)?;
    built(Some(TARGET), profile)
}

fn build(cargo: &mut Command, profile: &str) -> Result<()> {
    cargo.args(["--locked", "--package=ocellus-capi", "--lib"]);
    process::run(
        cargo
            .arg(format!("--profile={profile}"))
            .current_dir(repo::root()?),
    )
}

/// Where cargo puts the static library.
pub fn built(target: Option<&str>, profile: &str) -> Result<PathBuf> {
    let folder = crate::build::target_dir()?.join(target.unwrap_or_default());
    Ok(folder.join(crate::build::folder(profile)).join(STATIC))
}

/// The C compiler, which also links.
pub fn compiler(arm: bool) -> &'static str {
    if arm { cross::COMPILER } else { "cc" }
}

/// Links the shared library from the static one into `folder`, with the links by which it is found.
pub fn link(root: &Path, archive: &Path, folder: &Path, compiler: &str) -> Result<Names> {
    let text = fs::read_to_string(root.join(CRATE).join(HEADER))?;
    let names = Names::new(&text, &package_version(root)?)?;
    let script = folder.join("libocellus.map");
    fs::write(&script, version_script(&names))?;
    let linked = process::run(
        Command::new(compiler)
            .args(["-shared", "-o"])
            .arg(folder.join(&names.file))
            .arg("-Wl,--whole-archive")
            .arg(archive)
            .arg("-Wl,--no-whole-archive")
            .arg(format!("-Wl,--version-script={}", script.display()))
            .arg(format!("-Wl,-soname,{}", names.soname))
            // Everything is found now or the link fails; nothing is written to or executed that need not be.
            .args(["-Wl,-z,defs", "-Wl,-z,relro,-z,now", "-Wl,-z,noexecstack"])
            .arg("-Wl,--gc-sections")
            .args(SYSTEM_LIBRARIES),
    );
    fs::remove_file(&script)?;
    linked?;
    for (name, to) in [
        (&names.soname, &names.file),
        (&"libocellus.so".to_owned(), &names.soname),
    ] {
        let link = folder.join(name);
        if link.symlink_metadata().is_ok() {
            fs::remove_file(&link)?;
        }
        std::os::unix::fs::symlink(to, &link)?;
    }
    Ok(names)
}

fn version_script(names: &Names) -> String {
    format!("{} {{ global: ocellus_*; local: *; }};\n", names.node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_header_and_the_package() {
        let header = "#define OCELLUS_ABI_MAJOR 1\n#define OCELLUS_ABI_MINOR 4\n";
        let names = Names::new(header, "0.3.2-rc.1").unwrap();
        assert_eq!(names.file, "libocellus.so.1.4.2");
        assert_eq!(names.soname, "libocellus.so.1");
        assert_eq!(
            version_script(&names),
            "OCELLUS_1 { global: ocellus_*; local: *; };\n"
        );
        assert!(Names::new(header, "1").is_err());
    }
}
