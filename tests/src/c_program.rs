//! Programs in C, compiled against an installed prefix, for the machine under test.

use crate::{Run, run};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What is asked of every compilation.
const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Werror", "-pedantic"];

/// Where `cargo xtask install` put the C library for the machine under test.
pub fn prefix() -> PathBuf {
    env::var_os("OCELLUS_PREFIX").map(PathBuf::from).expect(
        "no OCELLUS_PREFIX: run `cargo xtask test`, or `cargo xtask install --prefix DIR` and set it to DIR",
    )
}

/// The compiler for the machine under test, or a tool beside it such as `nm`.
pub fn tool(name: &str) -> String {
    let compiler = env::var("OCELLUS_CC").unwrap_or_else(|_| "cc".to_owned());
    match (name, compiler.strip_suffix("gcc")) {
        ("cc", _) => compiler,
        (name, Some(target)) => format!("{target}{name}"),
        (name, None) => name.to_owned(),
    }
}

/// How a program gets the library.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Linked {
    /// When it starts.
    Dynamically,
    /// When it is linked.
    Statically,
}

/// Compiles `tests/c/<name>.c` as [`compile_sources`] does.
pub fn compile(name: &str, linked: Linked, folder: &Path) -> PathBuf {
    compile_sources(&[&source(name)], linked, folder)
}

/// The file `tests/c/<name>.c`.
pub fn source(name: &str) -> PathBuf {
    PathBuf::from(format!("c/{name}.c"))
}

/// Compiles files as C11 by what the installed `ocellus.pc` says, and returns the program, which lies in `folder` and is
/// named after the first of them.
pub fn compile_sources(sources: &[&Path], linked: Linked, folder: &Path) -> PathBuf {
    let name = sources[0].file_stem().expect("a file").to_string_lossy();
    let program = folder.join(format!("{name}_{linked:?}").to_lowercase());
    let pc = PkgConfig::read();
    let mut cc = Command::new(tool("cc"));
    cc.args(["-std=c11", "-O1", "-g"]).args(WARNINGS);
    cc.args(pc.words("Cflags"))
        .args(sources)
        .arg("-o")
        .arg(&program);
    match linked {
        Linked::Dynamically => {
            let lib = prefix().join("lib");
            cc.args(pc.words("Libs"))
                .arg(format!("-Wl,-rpath,{}", lib.display()));
        }
        Linked::Statically => {
            let archive = |word: String| match word.as_str() {
                "-locellus" => "-l:libocellus.a".to_owned(),
                _ => word,
            };
            cc.args(pc.words("Libs").into_iter().map(archive))
                .args(pc.words("Libs.private"));
        }
    }
    succeed(&mut cc);
    program
}

/// Compiles `tests/c/<name>.c` as a library that can be preloaded, which lies in `folder`.
pub fn compile_preload(name: &str, folder: &Path) -> PathBuf {
    let library = folder.join(format!("{name}.so"));
    let mut cc = Command::new(tool("cc"));
    cc.args(["-std=c11", "-O1", "-g", "-shared", "-fPIC"]);
    cc.args(WARNINGS).arg(source(name)).arg("-o").arg(&library);
    succeed(&mut cc);
    library
}

/// Compiles `tests/c/<name>.c` as C++17, and forgets what it made.
pub fn compile_as_cpp(name: &str) {
    let mut cpp = Command::new(tool("g++"));
    cpp.args(["-std=c++17", "-x", "c++", "-fsyntax-only"]);
    cpp.args(WARNINGS).args(PkgConfig::read().words("Cflags"));
    succeed(cpp.arg(source(name)));
}

/// Compiles the installed header alone, as a language of the C compiler or the C++ one.
pub fn compile_header(language: &str) {
    let (compiler, kind) = match language.starts_with("c++") {
        true => ("g++", "c++"),
        false => ("cc", "c"),
    };
    let header = prefix().join("include/ocellus.h");
    succeed(
        Command::new(tool(compiler))
            .args([&format!("-std={language}"), "-x", kind, "-fsyntax-only"])
            .args(WARNINGS)
            .arg("-include")
            .arg(header)
            .arg("/dev/null"),
    );
}

fn succeed(command: &mut Command) {
    let out = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{command:?}\n{said}");
}

/// Runs a compiled program on the machine under test, with `before` its own words before it.
pub fn run_program(before: &[&str], program: &Path, arguments: &[&str]) -> Run {
    run(&words(before, program), arguments, &[], &[])
}

/// Runs a compiled program with bytes on its standard input.
pub fn run_with_input(program: &Path, arguments: &[&str], input: &[u8]) -> Run {
    run(&words(&[], program), arguments, input, &[])
}

/// Runs a compiled program with a library loaded before its own, and variables for it.
pub fn run_preloaded(
    library: &Path,
    program: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Run {
    let preload = format!("LD_PRELOAD={}", library.display());
    // An emulator must not load it itself: it has a word of its own for that.
    let before = match env::var_os("OCELLUS_RUNNER") {
        Some(_) => ["-E", &preload],
        None => ["env", &preload],
    };
    run(&words(&before, program), arguments, &[], variables)
}

fn words(before: &[&str], program: &Path) -> Vec<String> {
    let runner = env::var("OCELLUS_RUNNER").unwrap_or_default();
    let mut words: Vec<String> = runner.split_whitespace().map(str::to_owned).collect();
    words.extend(before.iter().map(|word| (*word).to_owned()));
    words.push(program.display().to_string());
    words
}

/// The installed `ocellus.pc`, its variables replaced.
struct PkgConfig(String);

impl PkgConfig {
    fn read() -> PkgConfig {
        let folder = prefix().join("lib/pkgconfig");
        let mut text =
            fs::read_to_string(folder.join("ocellus.pc")).expect("an installed ocellus.pc");
        text = text.replace("${pcfiledir}", &folder.display().to_string());
        let variables: Vec<(String, String)> = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (format!("${{{name}}}"), value.to_owned()))
            .collect();
        // A variable may use those before it.
        for (name, value) in variables.iter().rev() {
            text = text.replace(name, value);
        }
        PkgConfig(text)
    }

    fn words(&self, key: &str) -> Vec<String> {
        let mut lines = self.0.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(name, _)| *name == key);
        let (_, value) = found.unwrap_or_else(|| panic!("no {key} in {}", self.0));
        value.split_whitespace().map(str::to_owned).collect()
    }
}
