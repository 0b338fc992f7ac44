//! The linker of what goes to boards.
//!
//! A program asks for the symbols of the C library it was linked with, and a board's may be years older than this
//! machine's. Zig carries the symbol tables of every glibc and links against the one that it is told. It comes as a wheel,
//! pinned by its hash.

use crate::{process, python, repo};
use anyhow::{Context, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A C compiler and linker for ARM boards, as a program in `folder`, that asks for no newer glibc than this.
pub fn linker(folder: &Path, glibc: &str) -> Result<PathBuf> {
    let requirements = repo::root()?.join("xtask/src/dist/requirements.txt");
    let python = python::environment(&requirements)?;
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let program = folder.join(format!("zig-cc-glibc-{glibc}"));
    fs::write(&program, script(&python, glibc))?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    // The first call unpacks and compiles what every link needs: here, where it is seen what takes so long.
    process::run(Command::new(&program).args([
        "-shared",
        "-x",
        "c",
        "/dev/null",
        "-o",
        "/dev/null",
    ]))?;
    Ok(program)
}

/// Zig drops the names of functions too where it is asked to drop debug information, and `inspect` reads names: that
/// word is kept from it, and what is packed is stripped later.
fn script(python: &Path, glibc: &str) -> String {
    let python = python.to_string_lossy().replace('\'', r"'\''");
    format!(
        "#!/bin/sh\n\
         for word do\n\
         \x20 shift\n\
         \x20 [ \"$word\" = -Wl,--strip-debug ] || set -- \"$@\" \"$word\"\n\
         done\n\
         exec '{python}' -m ziglang cc -target aarch64-linux-gnu.{glibc} \"$@\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn words_reach_the_linker_whole_but_for_the_one_that_strips() {
        let scratch = Scratch::beside(&std::env::temp_dir().join("ocellus-zig")).unwrap();
        let echo = scratch.path.join("it's python");
        fs::write(&echo, "#!/bin/sh\nprintf '<%s>' \"$@\"\n").unwrap();
        let program = scratch.path.join("linker");
        fs::write(&program, script(&echo, "2.27")).unwrap();
        for file in [&echo, &program] {
            fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let said = process::capture(Command::new(&program).args(["a b", "-Wl,--strip-debug", "c"]));
        assert_eq!(
            said.unwrap(),
            "<-m><ziglang><cc><-target><aarch64-linux-gnu.2.27><a b><c>"
        );
    }
}
