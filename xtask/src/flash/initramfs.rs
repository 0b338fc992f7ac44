//! The file system that an appliance lives in: a shell, the program with its libraries, kernel modules, the first program.

use super::boards::Boot;
use super::cpio::Archive;
use super::modules::{Module, Modules};
use super::packages::{Base, Package};
use crate::dist;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// The first program.
const INIT: &str = include_str!("init.sh");

/// What the owner's partition begins with; what is in memory where that partition is missing.
pub const DATA: [(&str, &str); 2] = [
    ("labels.txt", include_str!("data/labels.txt")),
    ("ocellus.conf", include_str!("data/ocellus.conf")),
];

/// Where the program looks for its libraries, in Debian's packages and on an appliance.
const LIBRARIES: &str = "lib/aarch64-linux-gnu";
/// The program that loads programs, by the name that is written in them.
const LOADER: &str = "lib/ld-linux-aarch64.so.1";

/// What an appliance runs.
pub struct Software {
    /// `ocellus` for ARM.
    pub program: Vec<u8>,
    /// The board's profile.
    pub profile: Vec<u8>,
    /// A photo to label.
    pub picture: Vec<u8>,
}

/// Makes a board's first file system.
pub fn build(base: &Base, boot: &Boot, software: &Software) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for folder in [
        "bin",
        "data",
        "dev",
        "etc",
        "etc/modules.d",
        "lib",
        LIBRARIES,
        "lib/modules",
        "proc",
        "run",
        "sys",
        "usr",
        "usr/share",
        "usr/share/ocellus",
    ] {
        archive.folder(folder);
    }
    // What the first program writes to before it has mounted anything.
    archive.device("dev/console", (5, 1));
    archive.program("init", INIT.as_bytes());
    archive.program("bin/busybox", &base.busybox.read("bin/busybox")?);
    archive.program("bin/ocellus", &software.program);
    archive.program(LOADER, &library(&base.libc, "ld-linux-aarch64.so.1")?);
    for name in dist::LIBRARIES {
        if !LOADER.ends_with(name) {
            archive.program(&format!("{LIBRARIES}/{name}"), &library(&base.libc, name)?);
        }
    }
    let name = "libgcc_s.so.1";
    archive.program(
        &format!("{LIBRARIES}/{name}"),
        &library(&base.libgcc, name)?,
    );
    archive.file("usr/share/ocellus/board.toml", &software.profile);
    for (name, text) in DATA {
        archive.file(&format!("data/{name}"), text.as_bytes());
    }
    archive.file("data/picture.jpg", &software.picture);
    let modules = Modules::of(&base.kernel.root)?.with_dependencies(&boot.modules())?;
    add_modules(&mut archive, "10-board", &modules, |_| "");
    Ok(archive.finish())
}

/// Adds modules and the list by which they are loaded, each with its parameters.
pub fn add_modules(
    archive: &mut Archive,
    list: &str,
    modules: &[Module],
    parameters: impl Fn(&str) -> &'static str,
) {
    let mut lines = String::new();
    for (name, content) in modules {
        archive.file(&format!("lib/modules/{name}"), content);
        lines += &format!("{name} {}\n", parameters(name));
    }
    archive.file(&format!("etc/modules.d/{list}"), lines.as_bytes());
}

/// A library of a package, which may keep it in either of two folders.
fn library(package: &Package, name: &str) -> Result<Vec<u8>> {
    let folders = [LIBRARIES.to_owned(), format!("usr/{LIBRARIES}")];
    let found = folders
        .iter()
        .find(|folder| package.root.join(folder).join(name).exists());
    let folder = found.with_context(|| format!("{}: no {name} in it", package.record))?;
    package.read(&format!("{folder}/{name}"))
}

/// The kernel's device tree of this name.
pub fn device_tree(kernel: &Package, name: &str) -> Result<Vec<u8>> {
    let folder = only(&kernel.root.join("usr/lib"))?;
    let file = folder.join("broadcom").join(name);
    fs::read(&file).with_context(|| format!("{}: no {name} in it", kernel.record))
}

/// The kernel itself.
pub fn kernel(kernel: &Package) -> Result<Vec<u8>> {
    let boot = fs::read_dir(kernel.root.join("boot"))?;
    let mut files = boot.filter_map(|entry| Some(entry.ok()?.path()));
    let is_kernel = |file: &PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("vmlinuz-")
    };
    let file = files.find(is_kernel);
    let file = file.with_context(|| format!("{}: no kernel in it", kernel.record))?;
    let bytes = fs::read(&file)?;
    // "ARM\x64": a plain image, which the Pi's firmware and QEMU start as it is.
    ensure!(
        bytes.get(56..60) == Some(b"ARM\x64"),
        "{}: expected a plain 64-bit ARM kernel image",
        file.display()
    );
    Ok(bytes)
}

/// The one folder in a folder.
fn only(folder: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut folders = entries.filter(|path| path.is_dir());
    let first = folders.next();
    first.with_context(|| format!("{}: nothing in it", folder.display()))
}
