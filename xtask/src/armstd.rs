//! Rust's standard library for 64-bit ARM Linux: found where rustup put it, or built once from source.
//!
//! Source builds are made ahead, into a sysroot of our own below the cache, and not by `-Z build-std` in each cargo call:
//! so the toolchain's folder is only read (it may belong to somebody else), one build serves every profile and target
//! folder, and everything after it is plain stable cargo. The switch that allows unstable features is set for the build
//! of the library alone; set for the whole workspace it would re-run the build scripts that look at it, and so compile
//! every dependency twice, the host's too.
//!
//! The source is the toolchain's own `rust-src` component where it is installed, else Debian's package of exactly the
//! same release. Limits: Debian keeps a release for some months only; after that `rustup target add` is the way.

use crate::cross::TARGET;
use crate::debian::{self, PrivateApt, Suite};
use crate::scratch::Scratch;
use crate::{process, repo};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Counts changes of how the library is built; a new number builds it anew.
const RECIPE: u32 = 1;

/// Where Debian may keep a release, the smallest lists first.
const SUITES: [&str; 6] = [
    "stable-backports",
    "oldstable-backports",
    "experimental",
    "stable",
    "testing",
    "unstable",
];

/// Where the standard library is.
#[derive(Debug, PartialEq)]
pub enum ArmStd {
    /// In the toolchain.
    Installed,
    /// In this sysroot.
    Built(PathBuf),
}

/// The compiler in use.
pub struct Toolchain {
    /// For example `1.95.0`.
    pub release: String,
    /// The commit it was built from.
    pub commit: String,
    /// For example `x86_64-unknown-linux-gnu`.
    pub host: String,
    /// Its folder.
    pub sysroot: PathBuf,
}

impl Toolchain {
    /// Asks rustc.
    pub fn current() -> Result<Self> {
        let about = process::capture(Command::new("rustc").arg("-vV"))
            .context("rustc does not run; install Rust 1.95 or newer")?;
        let field = |name: &str| {
            let value = |line: &str| {
                line.strip_prefix(name)?
                    .strip_prefix(": ")
                    .map(str::to_owned)
            };
            about
                .lines()
                .find_map(value)
                .with_context(|| format!("rustc -vV names no {name}"))
        };
        let sysroot = process::capture(Command::new("rustc").args(["--print", "sysroot"]))?;
        Ok(Self {
            release: field("release")?,
            commit: field("commit-hash")?,
            host: field("host")?,
            sysroot: PathBuf::from(sysroot.trim_end()),
        })
    }

    /// Whether this machine runs ARM programs itself.
    pub fn host_is_arm(&self) -> bool {
        self.host == TARGET
    }

    /// The library for ARM, if it is ready.
    pub fn find(&self) -> Result<Option<ArmStd>> {
        if has_std(&libraries(&self.sysroot)) {
            return Ok(Some(ArmStd::Installed));
        }
        let built = self.built()?;
        Ok(has_std(&libraries(&built)).then_some(ArmStd::Built(built)))
    }

    /// The library for ARM, built now if it is not ready.
    pub fn provide(&self) -> Result<ArmStd> {
        if let Some(found) = self.find()? {
            return Ok(found);
        }
        let remedy = || {
            let (release, target) = (&self.release, TARGET);
            format!(
                "no standard library of Rust {release} for {target}; where rustup reaches its server, run:\n  \
                 rustup target add {target}\nor install the component rust-src, then try again"
            )
        };
        // The compiler sees through links, and so must the flag that renames the folder.
        let source = self.source().with_context(remedy)?.canonicalize()?;
        let built = self.built()?;
        build(&source, &built, &self.commit)
            .with_context(|| format!("cannot build std from {}", source.display()))?;
        Ok(ArmStd::Built(built))
    }

    fn built(&self) -> Result<PathBuf> {
        let commit = self.commit.get(..9).unwrap_or(&self.commit);
        let name = format!("std-{}-{commit}-r{RECIPE}", self.release);
        Ok(repo::cache()?.join(name))
    }

    /// The folder `library` of Rust's source.
    fn source(&self) -> Result<PathBuf> {
        let component = self.sysroot.join("lib/rustlib/src/rust/library");
        if has_source(&component) {
            return Ok(component);
        }
        let dir = repo::cache()?.join(format!("rust-src-{}", self.release));
        let library = dir.join("library");
        if has_source(&library) {
            return Ok(library);
        }
        fetch_source(&self.release, &dir)?;
        Ok(library)
    }
}

fn libraries(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib").join(TARGET).join("lib")
}

fn has_std(libraries: &Path) -> bool {
    let Ok(entries) = fs::read_dir(libraries) else {
        return false;
    };
    entries.filter_map(Result::ok).any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // A library that cargo built under its plain name has no hash.
        (name.starts_with("libstd-") || name == "libstd.rlib") && name.ends_with(".rlib")
    })
}

fn has_source(library: &Path) -> bool {
    library.join("std/Cargo.toml").is_file() && library.join("Cargo.lock").is_file()
}

/// Downloads Debian's package of the source and unpacks its `library` to `dir/library`.
fn fetch_source(release: &str, dir: &Path) -> Result<()> {
    let mirror = debian::mirror()?;
    let work = Scratch::beside(dir)?;
    for suite in SUITES {
        eprintln!("xtask: looking for rust-src {release} in Debian's {suite}");
        let lists = Suite {
            name: suite,
            component: "main",
            architecture: "amd64",
        };
        let apt = match PrivateApt::new(&work.path.join(suite), &mirror, &lists) {
            Ok(apt) => apt,
            // A mirror need not have every suite.
            Err(error) => {
                eprintln!("xtask: {error:#}");
                continue;
            }
        };
        let versions = apt.versions("rust-src")?;
        let Some(version) = versions.iter().find(|v| is_release(v, release)) else {
            continue;
        };
        let package = apt.download("rust-src", version, &work.path.join("package"))?;
        let unpacked = work.path.join("unpacked");
        unpack(
            &package,
            &format!("./usr/src/rustc-{release}/library"),
            &unpacked,
        )?;
        return place(
            &unpacked.join("usr/src").join(format!("rustc-{release}")),
            dir,
        );
    }
    anyhow::bail!(
        "none of Debian's suites ({}) has rust-src {release}",
        SUITES.join(", ")
    )
}

/// Whether a Debian version is of this upstream release: `1.95.0+dfsg1-2~bpo13+1` is of `1.95.0`.
fn is_release(version: &str, release: &str) -> bool {
    let rest = version.strip_prefix(release);
    rest.is_some_and(|rest| rest.starts_with(['+', '-']))
}

/// Unpacks one folder of a package; the whole would be the compiler's source, many times as large.
fn unpack(package: &Path, folder: &str, into: &Path) -> Result<()> {
    fs::create_dir_all(into)?;
    let mut data = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(package)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start dpkg-deb")?;
    let pipe = data.stdout.take().context("dpkg-deb has no output")?;
    let tar = Command::new("tar")
        .args(["-x", folder])
        .current_dir(into)
        .stdin(pipe)
        .status();
    let (tar, data) = (tar.context("cannot start tar")?, data.wait()?);
    ensure!(
        tar.success() && data.success(),
        "cannot unpack {}",
        package.display()
    );
    Ok(())
}

/// Builds the library's crates as the prebuilt ones are built (bitcode for LTO included) and makes a sysroot of them.
fn build(library: &Path, sysroot: &Path, commit: &str) -> Result<()> {
    let work = Scratch::beside(sysroot)?;
    let target = work.path.join("target");
    let flags = [
        // Only std may depend on the crates std is made of.
        "-Zforce-unstable-if-unmarked".to_owned(),
        // A program may use the same version of a crate as std does; equal metadata would make them one and the same.
        "-Cmetadata=ocellus-std".to_owned(),
        // What the toolchain's own libraries say, so that no panic message names a folder of this machine.
        format!("--remap-path-prefix={}=/rust/deps", registry()?.display()),
        format!(
            "--remap-path-prefix={}=/rustc/{commit}/library",
            library.display()
        ),
    ];
    let mut cargo = process::cargo();
    cargo
        .args([
            "build",
            "--locked",
            "--quiet",
            "--profile=dist",
            "--features=backtrace",
        ])
        .arg(format!("--target={TARGET}"))
        .arg("--manifest-path")
        .arg(library.join("sysroot/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .env_remove("CARGO_BUILD_TARGET")
        .current_dir(&work.path);
    crate::cross::name_tools(&mut cargo);
    process::run(&mut cargo)?;
    let staged = work.path.join("sysroot");
    let into = libraries(&staged);
    fs::create_dir_all(&into)?;
    for entry in fs::read_dir(target.join(TARGET).join("dist/deps"))? {
        let file = entry?.path();
        if file.extension().is_some_and(|e| e == "rlib") {
            fs::rename(
                &file,
                into.join(file.file_name().context("a library without a name")?),
            )?;
        }
    }
    ensure!(has_std(&into), "cargo built no libstd");
    place(&staged, sysroot)
}

/// Where cargo unpacks the crates std is made of.
fn registry() -> Result<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    Ok(home
        .context("no cargo home: set CARGO_HOME or HOME")?
        .join("registry/src"))
}

/// Moves a finished folder to its name in one step, so that a name always stands for a whole folder. Whoever comes
/// second finds the first one's.
fn place(finished: &Path, name: &Path) -> Result<()> {
    match fs::rename(finished, name) {
        Err(_) if name.is_dir() => Ok(()),
        other => other.with_context(|| format!("cannot create {}", name.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_release_will_do() {
        assert!(is_release("1.95.0+dfsg1-2~bpo13+1", "1.95.0"));
        assert!(is_release("1.95.0-1", "1.95.0"));
        assert!(!is_release("1.95.01-1", "1.95.0"));
        assert!(!is_release("1.95.0~beta.3+dfsg1-1", "1.95.0"));
        assert!(!is_release("1.96.0+dfsg1-1", "1.95.0"));
    }

    #[test]
    fn std_is_known_by_its_file() {
        let dir = Scratch::beside(&std::env::temp_dir().join("ocellus-xtask-std")).unwrap();
        assert!(!has_std(&dir.path.join("absent")));
        fs::write(dir.path.join("libstd.so"), "").unwrap();
        fs::write(dir.path.join("libstd_detect-1.rlib"), "").unwrap();
        assert!(!has_std(&dir.path));
        fs::write(dir.path.join("libstd-0123.rlib"), "").unwrap();
        assert!(has_std(&dir.path));
    }

    #[test]
    fn a_second_arrival_keeps_the_first() {
        let dir = Scratch::beside(&std::env::temp_dir().join("ocellus-xtask-place")).unwrap();
        let (first, second, name) = (
            dir.path.join("a"),
            dir.path.join("b"),
            dir.path.join("name"),
        );
        for (folder, content) in [(&first, "a"), (&second, "b")] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("file"), content).unwrap();
        }
        place(&first, &name).unwrap();
        place(&second, &name).unwrap();
        assert_eq!(fs::read_to_string(name.join("file")).unwrap(), "a");
        assert!(place(&dir.path.join("absent"), &dir.path.join("other")).is_err());
    }

    #[test]
    fn the_compiler_tells_about_itself() {
        let toolchain = Toolchain::current().unwrap();
        assert!(toolchain.release.starts_with("1."));
        assert!(toolchain.sysroot.is_dir());
    }
}
