//! `docs/firmware.md`: what it shows is what works.
#![allow(missing_docs)]

use ocellus_tests::prefix;
use std::{env, fs, path::Path, process::Command};

/// The fenced blocks of a language, in order.
fn blocks(language: &str) -> Vec<String> {
    let text = fs::read_to_string("../docs/firmware.md").expect("the guide");
    let fence = format!("```{language}\n");
    let blocks = text.split(&fence).skip(1);
    let block = |rest: &str| rest.split_once("```").expect("its end").0.to_owned();
    blocks.map(block).collect()
}

/// Every program in C of the tests.
fn programs() -> String {
    let files = fs::read_dir("c").expect("tests/c");
    let read = |file: fs::DirEntry| fs::read_to_string(file.path()).expect("a text");
    files.map(|file| read(file.expect("a file"))).collect()
}

/// Copies `first.c` of the guide and the camera program to a folder.
fn provide(folder: &Path) {
    let first = &blocks("c")[0];
    assert!(first.contains("int main"));
    fs::write(folder.join("first.c"), first).expect("a file");
    for name in ["camera.c", "v4l2.c", "v4l2.h"] {
        fs::copy(Path::new("c").join(name), folder.join(name)).expect("a copy");
    }
}

fn host_only() -> bool {
    // The commands are the host's; for other targets the same files are compiled by other tests.
    env::var_os("OCELLUS_CC").is_none()
}

#[test]
fn its_parts_of_programs_are_those_of_the_tests() {
    let programs = programs();
    let parts = blocks("c");
    assert!(parts.len() > 3);
    for part in &parts[1..] {
        assert!(programs.contains(part.as_str()), "{part}");
    }
    // The calls of the camera program, by its own words.
    for line in blocks("console").concat().lines() {
        let known = line.starts_with("cargo xtask ") || programs.contains(line);
        assert!(known, "{line}");
    }
}

#[test]
fn its_shell_commands_make_programs_that_run() {
    if !host_only() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    provide(folder.path());
    let prefix = prefix().display().to_string();
    let script = blocks("sh").concat().replace("/opt/ocellus", &prefix);
    let mut sh = Command::new("sh");
    let run = sh.args(["-e", "-c", &script]).current_dir(folder.path());
    let run = run.output().expect("a shell");
    assert!(run.status.success() && run.stderr.is_empty(), "{run:?}");
    let answers = String::from_utf8_lossy(&run.stdout);
    assert_eq!(answers.matches(" us\n").count(), 2, "{answers}");
    assert!(folder.path().join("camera").exists());
}

#[test]
fn its_cmake_project_makes_a_program_that_runs() {
    if !host_only() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    provide(folder.path());
    let lists = blocks("cmake").concat();
    fs::write(folder.path().join("CMakeLists.txt"), lists).expect("a file");
    let made = format!("-DCMAKE_PREFIX_PATH={}", prefix().display());
    for arguments in [
        ["-S", ".", "-B", "build", &made].as_slice(),
        &["--build", "build"],
    ] {
        let mut cmake = Command::new("cmake");
        let out = cmake.args(arguments).current_dir(folder.path()).output();
        let out = out.expect("cmake is installed by `cargo xtask setup`");
        assert!(out.status.success(), "{out:?}");
    }
    let run = Command::new(folder.path().join("build/first")).output();
    let run = run.expect("a program");
    assert!(run.status.success() && run.stderr.is_empty(), "{run:?}");
}
