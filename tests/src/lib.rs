//! The harness of the end-to-end tests: runs the `ocellus` program as a user would, natively or under an emulator.
//!
//! `cargo xtask test` sets the environment; without it the program built beside the tests is used.
//!
//! Files of the repository are named from this package's folder, in which cargo runs tests; a path that is compiled in
//! would be another clone's where two share a target folder.
//!
//! | variable | meaning |
//! |---|---|
//! | `OCELLUS_BIN` | the program under test |
//! | `OCELLUS_RUNNER` | words before it, such as `qemu-aarch64 -cpu cortex-a53 -L ROOT` |
//! | `OCELLUS_HOST_BIN` | the host's program, whose answers the one under test must give |
//! | `OCELLUS_CPU` | the emulated CPU's name |
//! | `OCELLUS_PREFIX` | where the C library is installed; programs in C are compiled against it |
//! | `OCELLUS_CC` | the C compiler for the machine under test; `cc` if unset |
#![forbid(unsafe_code)]

mod board;
mod bundle_copy;
mod c_program;
mod clip;
mod draft;
mod pixels;

pub use board::board;
pub use bundle_copy::BundleCopy;
pub use c_program::{
    Linked, compile, compile_as_cpp, compile_header, compile_preload, compile_sources, prefix,
    run_preloaded, run_program, run_with_input, source, tool,
};
pub use clip::{CLIP_LABELS, Clip};
pub use draft::{Draft, PackedDraft};
pub use pixels::{nv12, yu12, yuyv};
use serde_json::Value;
use std::{
    env,
    ffi::OsStr,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// No run may take longer, emulated ones included.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a run of the program gave.
#[derive(Debug)]
pub struct Run {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Run {
    /// The JSON objects on standard output, one a line.
    pub fn json(&self) -> Vec<Value> {
        let parse = |line: &str| {
            serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{error} in {line:?}; {self:?}"))
        };
        self.stdout.lines().map(parse).collect()
    }

    /// The one JSON object on standard output of a run that went well.
    pub fn answer(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        let mut lines = self.json();
        assert_eq!(lines.len(), 1, "{self:?}");
        lines.remove(0)
    }

    /// Asserts a clean failure: this exit code, no panic, and a message that holds every one of `words`.
    #[track_caller]
    pub fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        let text = format!("{}{}", self.stderr, self.stdout);
        for word in words {
            assert!(text.contains(word), "no {word:?} in {self:?}");
        }
        for line in self.stderr.lines() {
            assert!(!says_it_twice(line), "{line}");
        }
    }
}

/// Whether a line ends in a cause that stands right before it too.
fn says_it_twice(line: &str) -> bool {
    line.match_indices(": ")
        .map(|(at, _)| (&line[..at], &line[at + 2..]))
        .any(|(before, cause)| !cause.is_empty() && before.ends_with(cause))
}

/// The program under test, with its emulator's words before it.
pub fn program() -> Vec<String> {
    let mut words: Vec<String> = env::var("OCELLUS_RUNNER")
        .unwrap_or_default()
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    words.push(env::var("OCELLUS_BIN").unwrap_or_else(|_| beside_the_tests()));
    words
}

/// The host's program where the one under test is another.
pub fn host_program() -> Option<Vec<String>> {
    env::var("OCELLUS_HOST_BIN").ok().map(|path| vec![path])
}

fn beside_the_tests() -> String {
    let tests = env::current_exe().expect("a test has a path");
    let program = tests
        .ancestors()
        .nth(2)
        .expect("tests lie in target/<profile>/deps")
        .join("ocellus");
    assert!(
        program.exists(),
        "{} is missing: run `cargo xtask test`, or `cargo build` first",
        program.display()
    );
    program.display().to_string()
}

/// Runs the program under test.
pub fn ocellus<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Run {
    run(&program(), arguments, &[], &[])
}

/// Runs `program` with bytes on its standard input and variables in its environment.
pub fn run<S: AsRef<OsStr>>(
    program: &[String],
    arguments: impl IntoIterator<Item = S>,
    input: &[u8],
    variables: &[(&str, &str)],
) -> Run {
    let mut command = Command::new(&program[0]);
    command
        .args(&program[1..])
        .args(arguments)
        .envs(variables.iter().copied());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{program:?}: {error}"));

    // Each pipe has its thread, so that a full pipe never stops the program.
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_vec();
    let writer = thread::spawn(move || stdin.write_all(&input));
    let stdout = read_all(child.stdout.take().expect("piped"));
    let stderr = read_all(child.stderr.take().expect("piped"));

    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break status;
        }
        if start.elapsed() > PATIENCE {
            child.kill().expect("a child can be ended");
            panic!("{program:?} ran longer than {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(2));
    };
    // A program that fails early need not read its input.
    let _ = writer.join().expect("the writer does not panic");
    let run = Run {
        code: status.code().unwrap_or(-1),
        stdout: stdout.join().expect("the reader does not panic"),
        stderr: stderr.join().expect("the reader does not panic"),
    };
    assert!(
        status.code().is_some(),
        "ended by a signal: {status:?}, {run:?}"
    );
    run
}

fn read_all(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("a pipe can be read");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A file below `tests/data`.
pub fn data(name: &str) -> PathBuf {
    Path::new("data").join(name)
}

/// A committed photo.
pub fn photo(name: &str) -> String {
    data("photos").join(name).display().to_string()
}

/// Every committed photo, in name order.
pub fn photos() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(data("photos"))
        .expect("tests/data/photos exists")
        .map(|entry| entry.expect("readable").path().display().to_string())
        .filter(|name| name.ends_with(".jpg"))
        .collect();
    names.sort();
    assert!(!names.is_empty());
    names
}
