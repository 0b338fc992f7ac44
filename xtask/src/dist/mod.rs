//! `cargo xtask dist`: what goes to a board, checked before it goes.
//!
//! ```text
//! dist/ocellus-VERSION-BOARD.tar.gz    bin/ocellus, lib, include, the board's profile, licences, bill of materials
//! dist/ocellus_VERSION_arm64.deb       the same for every board, below /usr
//! dist/SHA256SUMS
//! ```
//!
//! One program serves every 64-bit board: it is linked against the oldest glibc of any profile, and picks its
//! instructions when it runs. What must hold of the bytes is asked of the bytes (`inspect.rs`).

mod inspect;
mod instructions;
mod package;
mod sbom;
mod zig;

use crate::cross::{self, Cross, TARGET};
use crate::repo::Metadata;
use crate::scratch::Scratch;
use crate::setup::{self, For};
use crate::{build, install, library, process, repo};
use anyhow::{Context, Result};
pub use inspect::LIBRARIES;
use ocellus_boards::Profile;
#[cfg(test)]
pub use package::{archive, sums};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PROFILE: &str = "dist";

/// Make what goes to a board: archive, Debian package, hashes, bill of materials
#[derive(clap::Args)]
pub struct Args {
    /// Which board, such as rpi-4; may be repeated
    #[arg(long = "board", value_name = "ID", required = true, value_parser = board)]
    boards: Vec<&'static Profile>,
    /// Where to
    #[arg(long, value_name = "DIR", default_value = "dist")]
    out: PathBuf,
}

/// The board of an id or another of its names.
pub fn board(id: &str) -> Result<&'static Profile> {
    Ok(Profile::find(id)?)
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<()> {
    setup::ensure(For::Dist)?;
    let root = repo::root()?;
    let glibc = oldest_glibc()?;
    let linker = linker(&glibc)?;
    let (program, archive) = compile(&root, &linker)?;

    let version = library::package_version(&root)?;
    let metadata = Metadata::of_platform(&root, TARGET)?;
    let bill = sbom::bill(&metadata, &["ocellus-cli", "ocellus-capi"], &version)?;
    let bill = serde_json::to_string_pretty(&bill)? + "\n";
    let seconds = process::capture(
        Command::new("git")
            .args(["log", "-1", "--format=%ct"])
            .current_dir(&root),
    )?;
    let seconds = seconds.trim();

    fs::create_dir_all(&args.out).with_context(|| args.out.display().to_string())?;
    let work = Scratch::beside(&args.out.join("work"))?;
    for (at, profile) in args.boards.iter().enumerate() {
        let folder = work.path.join(format!("ocellus-{version}-{}", profile.id));
        install::install(&archive, &folder, &linker.to_string_lossy())?;
        let facts = root.join(format!("boards/profiles/{}.toml", profile.id));
        package::complete(&folder, &program, &facts, &bill)?;
        let mut files = vec![folder.join("bin/ocellus"), shared_library(&folder)?];
        for file in &files {
            check(file, &profile.system.glibc_floor)?;
        }
        files.push(folder.join("lib/libocellus.a"));
        package::strip(&files)?;
        publish(&package::archive(&folder, seconds)?, &args.out)?;
        if at == 0 {
            // It holds nothing of one board.
            let deb = work.path.join(format!("ocellus_{version}_arm64.deb"));
            let tree = Scratch::beside(&work.path.join("deb"))?;
            package::debian(&folder, &tree.path, &deb, &version, &glibc, seconds)?;
            publish(&deb, &args.out)?;
        }
    }
    println!("{}", package::sums(&args.out)?.display());
    Ok(())
}

/// Installs the C library under `prefix` as it goes to boards, and checks it as it is checked there.
pub fn install_library(archive: &Path, prefix: &Path) -> Result<()> {
    let glibc = oldest_glibc()?;
    install::install(archive, prefix, &linker(&glibc)?.to_string_lossy())?;
    check(&shared_library(prefix)?, &glibc)
}

/// Checks a file for a board whose glibc is at least `floor`, and says what was found.
fn check(file: &Path, floor: &str) -> Result<()> {
    let found = inspect::check(file, floor)?;
    println!(
        "{}: glibc {}.{} (the board has {floor} or newer), {} functions chosen at run time",
        file.file_name().unwrap_or_default().to_string_lossy(),
        found.glibc.0,
        found.glibc.1,
        found.tiered
    );
    Ok(())
}

/// The linker of what goes to boards.
fn linker(glibc: &str) -> Result<PathBuf> {
    zig::linker(&build::target_dir()?.join("linkers"), glibc)
}

/// Moves a finished file to where it is looked for: in one step, so that what lies there is whole.
fn publish(file: &Path, out: &Path) -> Result<()> {
    let to = out.join(file.file_name().context("a file without a name")?);
    fs::rename(file, &to).with_context(|| to.display().to_string())?;
    println!("{}", to.display());
    Ok(())
}

/// The oldest glibc of any board.
fn oldest_glibc() -> Result<String> {
    let floors = ocellus_boards::all()
        .iter()
        .map(|profile| &profile.system.glibc_floor);
    let oldest = floors.min_by_key(|floor| inspect::version(floor));
    oldest.cloned().context("there are no boards")
}

/// Builds the program and the static library for boards.
fn compile(root: &Path, linker: &Path) -> Result<(PathBuf, PathBuf)> {
    let mut cargo = Cross::ready()?.cargo("build");
    cargo.env(cross::LINKER, linker);
    // C is compiled with this machine's headers, which give `fcntl` a name that older ones lack where files over 2 GiB are
    // asked for; on 64 bits they need no asking.
    cargo.env("LIBSQLITE3_FLAGS", "-DSQLITE_DISABLE_LFS");
    cargo.args([
        "--locked",
        "--package=ocellus-cli",
        "--package=ocellus-capi",
    ]);
    cargo.args(["--bin=ocellus", "--lib", "--profile", PROFILE]);
    build::tell_commit(&mut cargo, root);
    process::run(cargo.current_dir(root))?;
    let folder = build::target_dir()?.join(TARGET).join(PROFILE);
    Ok((folder.join("ocellus"), folder.join(library::STATIC)))
}

/// The shared library itself among its names.
fn shared_library(prefix: &Path) -> Result<PathBuf> {
    let link = prefix.join("lib/libocellus.so");
    fs::canonicalize(&link).with_context(|| link.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_program_is_old_enough_for_every_board() {
        let oldest = oldest_glibc().unwrap();
        for profile in ocellus_boards::all() {
            let floor = inspect::version(&profile.system.glibc_floor);
            assert!(inspect::version(&oldest) <= floor, "{}", profile.id);
        }
    }

    #[test]
    fn an_unknown_board_is_told_all_boards() {
        let error = board("rpi-2").unwrap_err().to_string();
        assert!(error.contains("rpi-zero-2-w"), "{error}");
    }
}
