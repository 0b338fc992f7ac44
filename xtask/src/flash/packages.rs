//! The packages of Debian that an appliance is made of: kernel, shell, C library, and the Pi's firmware.
//!
//! They are fetched and unpacked without root, once, and kept below the cache: an image is made of the same packages, and
//! so of the same bytes, until newer ones are asked for.
//!
//! Limits: one suite. Its security updates arrive here with its next point release.

use crate::debian::{self, PrivateApt, Suite};
use crate::scratch::Scratch;
use crate::{process, repo, sha256};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The suite whose kernel was booted in tests.
pub const SUITE: &str = "bookworm";

/// Names the kernel's package of the day.
const KERNEL: &str = "linux-image-arm64";

/// Where Debian keeps what may be handed on but not changed.
pub const FIRMWARE_COMPONENT: &str = "non-free-firmware";

/// The first stages of a Pi's boot.
pub const FIRMWARE: &str = "raspi-firmware";

/// A package as it would lie on a system.
pub struct Package {
    /// Name, version and the SHA-256 of its file, separated by spaces.
    pub record: String,
    /// The folder that its paths begin in.
    pub root: PathBuf,
}

/// Which packages are taken.
#[derive(Clone, Copy, PartialEq)]
pub enum Versions {
    /// Those that are here, and the newest of what is not.
    Kept,
    /// The newest that there are.
    Newest,
}

/// The packages of every appliance.
pub struct Base {
    pub kernel: Package,
    pub busybox: Package,
    pub libc: Package,
    pub libgcc: Package,
    /// Holds the terms of `libgcc`.
    gcc: Package,
}

impl Base {
    /// Fetches what is not here yet.
    pub fn get(versions: Versions) -> Result<Base> {
        let store = Store::open(versions)?;
        let names = [
            KERNEL,
            "busybox-static",
            "libc6",
            "libgcc-s1",
            "gcc-12-base",
        ];
        let [kernel, busybox, libc, libgcc, gcc] = store.get("main", names)?;
        Ok(Base {
            kernel,
            busybox,
            libc,
            libgcc,
            gcc,
        })
    }

    /// What a card holds of them.
    pub fn records(&self) -> impl Iterator<Item = &str> {
        let all = [&self.busybox, &self.libc, &self.libgcc, &self.kernel];
        all.into_iter().map(|package| package.record.as_str())
    }

    /// The terms that they are under.
    pub fn copyrights(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let all = [&self.busybox, &self.libc, &self.gcc, &self.kernel];
        all.into_iter().map(Package::copyright).collect()
    }
}

/// Fetches the Pi's firmware, if it is not here yet. Its licence must have been accepted.
pub fn firmware(versions: Versions) -> Result<Package> {
    let [firmware] = Store::open(versions)?.get(FIRMWARE_COMPONENT, [FIRMWARE])?;
    Ok(firmware)
}

impl Package {
    /// A file of the package, by its path without the first slash.
    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        let file = self.root.join(path);
        fs::read(&file).with_context(|| format!("{}: no {path} in it", self.record))
    }

    /// The terms it is under, as Debian writes them down.
    pub fn copyright(&self) -> Result<(String, Vec<u8>)> {
        let name = self.name();
        let text = self.read(&format!("usr/share/doc/{name}/copyright"))?;
        Ok((format!("{name}.txt"), text))
    }

    fn name(&self) -> &str {
        self.record.split(' ').next().unwrap_or_default()
    }
}

/// Where packages are kept.
struct Store {
    dir: PathBuf,
    versions: Versions,
}

impl Store {
    fn open(versions: Versions) -> Result<Store> {
        let dir = repo::cache()?.join(format!("appliance-{SUITE}"));
        Ok(Store { dir, versions })
    }

    fn get<const N: usize>(&self, component: &str, names: [&str; N]) -> Result<[Package; N]> {
        let is_due =
            |name: &&str| self.versions == Versions::Newest || kept(&self.dir.join(name)).is_none();
        let due: Vec<&str> = names.into_iter().filter(is_due).collect();
        if !due.is_empty() {
            let work = Scratch::beside(&self.dir.join("fetch"))?;
            let suite = Suite {
                name: SUITE,
                component,
                architecture: "arm64",
            };
            let apt = PrivateApt::new(&work.path.join("apt"), &debian::mirror()?, &suite)?;
            for name in due {
                fetch(&apt, name, &work.path.join(name), &self.dir.join(name))
                    .with_context(|| format!("cannot get Debian's package {name}"))?;
            }
        }
        let packages = names.map(|name| kept(&self.dir.join(name)));
        let packages: Option<Vec<Package>> = packages.into_iter().collect();
        let packages = packages.and_then(|packages| packages.try_into().ok());
        packages.with_context(|| format!("packages are gone from {}", self.dir.display()))
    }
}

fn kept(dir: &Path) -> Option<Package> {
    let record = fs::read_to_string(dir.join("record")).ok()?;
    let root = dir.join("root");
    let record = record.trim_end().to_owned();
    root.is_dir().then_some(Package { record, root })
}

/// Downloads and unpacks a package in `work`, and puts it in the place of what lies in `dir`.
fn fetch(apt: &PrivateApt, name: &str, work: &Path, dir: &Path) -> Result<()> {
    let name = match name {
        KERNEL => apt
            .depends(KERNEL)?
            .into_iter()
            .find(|name| name.starts_with("linux-image-"))
            .context("it names no kernel")?,
        name => name.to_owned(),
    };
    let versions = apt.versions(&name)?;
    let version = versions.first().context("the suite has none")?;
    let file = apt.download(&name, version, work)?;
    let sha256 = sha256::hex(&fs::read(&file)?);
    let root = work.join("root");
    process::run(
        Command::new("dpkg-deb")
            .arg("--extract")
            .args([&file, &root]),
    )?;
    fs::remove_file(&file)?;
    fs::write(work.join("record"), format!("{name} {version} {sha256}\n"))?;
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    fs::rename(work, dir).with_context(|| dir.display().to_string())
}
