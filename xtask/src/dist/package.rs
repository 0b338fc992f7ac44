//! What is handed out: a folder as it lies on a board, an archive and a Debian package of it, and their hashes.
//!
//! The same commit gives the same bytes: names are sorted, owners are root, and every time is the commit's.

use crate::{process, repo, sha256};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files of the repository that whoever gets the programs gets too.
const DOCUMENTS: [&str; 6] = [
    "README.md",
    "CHANGELOG.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "NOTICE",
    "docs/watch.md",
];

/// The service that watches a camera, and an example of its settings.
const SERVICE: &str = "ocellus-watch.service";
const SETTINGS: &str = "watch.conf";

/// Puts the program, a board's profile and the documents beside an installed library.
pub fn complete(prefix: &Path, program: &Path, profile: &Path, bill: &str) -> Result<()> {
    let root = repo::root()?;
    let (bin, share, doc) = (
        prefix.join("bin"),
        prefix.join("share/ocellus"),
        prefix.join("share/doc/ocellus"),
    );
    for folder in [&bin, &share, &doc] {
        fs::create_dir_all(folder)?;
    }
    copy(program, &bin.join("ocellus"))?;
    copy(profile, &share.join("board.toml"))?;
    for name in DOCUMENTS {
        let file = Path::new(name).file_name().context("a file")?;
        copy(&root.join(name), &doc.join(file))?;
    }
    for name in [SERVICE, SETTINGS] {
        copy(&root.join("boards/service").join(name), &share.join(name))?;
    }
    fs::write(doc.join("sbom.cdx.json"), bill)?;
    Ok(())
}

/// Drops debug information, and keeps the names that a backtrace shows.
pub fn strip(files: &[PathBuf]) -> Result<()> {
    process::run(
        Command::new("aarch64-linux-gnu-strip")
            .arg("--strip-debug")
            .args(files),
    )
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("{} to {}", from.display(), to.display()))?;
    Ok(())
}

/// Packs a folder into `FOLDER.tar.gz` beside it.
pub fn archive(folder: &Path, seconds: &str) -> Result<PathBuf> {
    let parent = folder.parent().context("a folder without a parent")?;
    let name = folder
        .file_name()
        .context("a folder without a name")?
        .to_string_lossy();
    let file = parent.join(format!("{name}.tar.gz"));
    process::run(
        Command::new("tar")
            .args([
                "--sort=name",
                "--owner=0",
                "--group=0",
                "--numeric-owner",
                "--format=gnu",
            ])
            // The user's own mask does not decide what a board's users may read.
            .arg("--mode=u+rw,go+r,go-w,a+X")
            .arg(format!("--mtime=@{seconds}"))
            .arg("--use-compress-program=gzip -9n")
            .arg("-cf")
            .arg(&file)
            .arg("-C")
            .arg(parent)
            .arg(&*name),
    )?;
    Ok(file)
}

/// Makes a Debian package that installs what lies in `prefix` below `/usr`.
pub fn debian(
    prefix: &Path,
    scratch: &Path,
    file: &Path,
    version: &str,
    glibc: &str,
    seconds: &str,
) -> Result<()> {
    let control = scratch.join("DEBIAN");
    fs::create_dir_all(&control)?;
    process::run(
        Command::new("cp")
            .arg("-a")
            .arg(prefix)
            .arg(scratch.join("usr")),
    )?;
    let share = scratch.join("usr/share/ocellus");
    let doc = scratch.join("usr/share/doc/ocellus");
    let units = scratch.join("usr/lib/systemd/system");
    fs::create_dir_all(&doc)?;
    fs::rename(share.join(SETTINGS), doc.join(SETTINGS))?;
    let service = fs::read(share.join(SERVICE))?;
    // A board's own profile goes with its archive: the package is for every board.
    fs::remove_dir_all(share)?;
    fs::write(control.join("control"), control_file(version, glibc))?;
    let links = scratch.join("usr/lib/aarch64-linux-gnu");
    // Debian's linker looks there; pkg-config and CMake do too.
    fs::rename(
        scratch.join("usr/lib"),
        scratch.join("usr/aarch64-linux-gnu"),
    )?;
    fs::create_dir_all(scratch.join("usr/lib"))?;
    fs::rename(scratch.join("usr/aarch64-linux-gnu"), &links)?;
    relocate(&links)?;
    // Started by whoever enables it: nobody can know what is to be watched.
    fs::create_dir_all(&units)?;
    fs::write(units.join(SERVICE), service)?;
    fs::write(control.join("triggers"), "activate-noawait ldconfig\n")?;
    process::run(
        Command::new("dpkg-deb")
            .args(["--build", "--root-owner-group", "-Zxz"])
            .arg(scratch)
            .arg(file)
            .env("SOURCE_DATE_EPOCH", seconds),
    )
}

/// One folder deeper, the descriptions look for the prefix one folder further up.
fn relocate(lib: &Path) -> Result<()> {
    for (file, from, to) in [
        (
            "pkgconfig/ocellus.pc",
            "prefix=${pcfiledir}/../..",
            "prefix=${pcfiledir}/../../..",
        ),
        (
            "pkgconfig/ocellus.pc",
            "libdir=${prefix}/lib",
            "libdir=${prefix}/lib/aarch64-linux-gnu",
        ),
        (
            "cmake/ocellus/ocellus-config.cmake",
            "${CMAKE_CURRENT_LIST_DIR}/../../..",
            "${CMAKE_CURRENT_LIST_DIR}/../../../..",
        ),
        (
            "cmake/ocellus/ocellus-config.cmake",
            "${_ocellus_prefix}/lib/",
            "${_ocellus_prefix}/lib/aarch64-linux-gnu/",
        ),
    ] {
        let path = lib.join(file);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        anyhow::ensure!(text.contains(from), "{}: expected {from}", path.display());
        fs::write(&path, text.replace(from, to))?;
    }
    Ok(())
}

fn control_file(version: &str, glibc: &str) -> String {
    format!(
        "Package: ocellus\n\
         Version: {version}\n\
         Architecture: arm64\n\
         Maintainer: The Ocellus developers <developers@ocellus.invalid>\n\
         Depends: libc6 (>= {glibc})\n\
         Section: graphics\n\
         Priority: optional\n\
         Description: Offline vision-language runtime for ARM cameras\n\
         \x20A frame and words in; which words fit, where, how sure, and how long each\n\
         \x20stage took out. The program, the C library and the default bundle.\n"
    )
}

/// Writes `SHA256SUMS` over the files of a folder that are handed out, as `sha256sum -c` reads it.
pub fn sums(folder: &Path) -> Result<PathBuf> {
    let mut names: Vec<String> = fs::read_dir(folder)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".tar.gz") || name.ends_with(".deb"))
        .collect();
    names.sort();
    let mut text = String::new();
    for name in names {
        let hash = sha256::hex(&fs::read(folder.join(&name))?);
        text += &format!("{hash}  {name}\n");
    }
    let file = folder.join("SHA256SUMS");
    fs::write(&file, text)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn the_sums_are_those_of_sha256sum() {
        let folder = Scratch::beside(&std::env::temp_dir().join("ocellus-sums")).unwrap();
        for (name, text) in [("b.deb", "b"), ("a.tar.gz", "a"), ("other", "x")] {
            fs::write(folder.path.join(name), text).unwrap();
        }
        let file = sums(&folder.path).unwrap();
        let lines = fs::read_to_string(&file).unwrap();
        assert_eq!(lines.lines().count(), 2);
        let check = Command::new("sha256sum")
            .args(["--check", "--quiet"])
            .arg(&file)
            .current_dir(&folder.path)
            .status();
        assert!(check.unwrap().success());
    }

    #[test]
    fn an_archive_has_the_same_bytes_each_time() {
        let scratch = Scratch::beside(&std::env::temp_dir().join("ocellus-archive")).unwrap();
        let folder = scratch.path.join("ocellus-1");
        fs::create_dir_all(folder.join("bin")).unwrap();
        fs::write(folder.join("bin/ocellus"), "program").unwrap();
        let first = fs::read(archive(&folder, "1700000000").unwrap()).unwrap();
        fs::write(folder.join("bin/ocellus"), "program").unwrap();
        let second = fs::read(archive(&folder, "1700000000").unwrap()).unwrap();
        assert_eq!(first, second);
    }

    #[test]
    fn a_debian_package_installs_below_usr_where_its_linker_looks() {
        let scratch = Scratch::beside(&std::env::temp_dir().join("ocellus-debian")).unwrap();
        let prefix = scratch.path.join("prefix");
        let write = |name: &str, text: &str| {
            let file = prefix.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        write("bin/ocellus", "program");
        write("share/ocellus/board.toml", "of one board");
        write("share/ocellus/ocellus-watch.service", "[Service]");
        write("share/ocellus/watch.conf", "OCELLUS_WATCH=");
        write(
            "lib/pkgconfig/ocellus.pc",
            "prefix=${pcfiledir}/../..\nlibdir=${prefix}/lib\n",
        );
        write(
            "lib/cmake/ocellus/ocellus-config.cmake",
            "\"${CMAKE_CURRENT_LIST_DIR}/../../..\" \"${_ocellus_prefix}/lib/libocellus.a\"",
        );
        let made = |name: &str| {
            let file = scratch.path.join(format!("{name}.deb"));
            let tree = scratch.path.join(name);
            fs::create_dir_all(&tree).unwrap();
            debian(&prefix, &tree, &file, "0.1.0", "2.27", "1700000000").unwrap();
            file
        };
        let file = made("one");
        assert_eq!(fs::read(&file).unwrap(), fs::read(made("two")).unwrap());

        let ask = |what: &str| process::capture(Command::new("dpkg-deb").arg(what).arg(&file));
        let facts = ask("--field").unwrap();
        assert!(facts.contains("Architecture: arm64"), "{facts}");
        assert!(facts.contains("Depends: libc6 (>= 2.27)"), "{facts}");
        let root = scratch.path.join("root");
        let unpack = Command::new("dpkg-deb")
            .arg("--extract")
            .args([&file, &root])
            .status();
        assert!(unpack.unwrap().success());
        assert!(root.join("usr/bin/ocellus").exists());
        assert!(!root.join("usr/share/ocellus").exists());
        for file in [
            "lib/systemd/system/ocellus-watch.service",
            "share/doc/ocellus/watch.conf",
        ] {
            assert!(root.join("usr").join(file).exists(), "{file}");
        }
        let lib = root.join("usr/lib/aarch64-linux-gnu");
        let described = fs::read_to_string(lib.join("pkgconfig/ocellus.pc")).unwrap();
        assert!(described.contains("prefix=${pcfiledir}/../../..\n"));
        assert!(described.contains("libdir=${prefix}/lib/aarch64-linux-gnu\n"));
    }
}
