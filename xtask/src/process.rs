//! Running other programs: shown before they run, and named when they fail.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

/// Prints the command, runs it with its output going to the user, and fails if it does.
pub fn run(command: &mut Command) -> Result<()> {
    let status = shown(command)?;
    ended(command, status)
}

fn ended(command: &Command, status: ExitStatus) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    // The status tells a failure from a death by signal.
    bail!("failed ({status}): {}", line(command))
}

/// Runs a command that does not run alone: prints it with all that it wrote in one piece when it ends, and fails if it does.
pub fn run_beside_others(command: &mut Command) -> Result<()> {
    let (mut said, writer) = std::io::pipe()?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .spawn()
        .with_context(|| format!("cannot start {}", program(command)))?;
    // The command holds the pipe's other end, which would never be at its end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut text = Vec::new();
    said.read_to_end(&mut text)?;
    let status = child.wait()?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "$ {}", line(command))?;
    out.write_all(&text)?;
    ended(command, status)
}

/// Prints the command, runs it, and says whether it succeeded; an error means that it could not be started.
pub fn succeeds(command: &mut Command) -> Result<bool> {
    Ok(shown(command)?.success())
}

/// Prints the command, runs it, and returns its exit code; an error means that it has none.
pub fn code(command: &mut Command) -> Result<i32> {
    let status = shown(command)?;
    status
        .code()
        .with_context(|| format!("failed ({status}): {}", line(command)))
}

fn shown(command: &mut Command) -> Result<ExitStatus> {
    eprintln!("$ {}", line(command));
    command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {}", program(command)))
}

/// Runs a command silently and returns what it printed.
pub fn capture(command: &mut Command) -> Result<String> {
    let out = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", program(command)))?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        bail!("failed: {}\n{}", line(command), said.trim_end());
    }
    String::from_utf8(out.stdout)
        .with_context(|| format!("{} did not print UTF-8", program(command)))
}

/// The cargo that started this program, or the one in `PATH`.
///
/// What cargo sets for the program it runs is taken out again: build scripts that watch one of these variables would
/// otherwise run again each time a developer changes between `cargo` and `cargo xtask`.
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(name.as_ref());
        }
    }
    cargo
}

/// Where a program is, looked up in `PATH`.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// The command as one would type it, with the variables it sets.
pub fn line(command: &Command) -> String {
    let set = command
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    let mut words: Vec<String> = set
        .map(|(name, value)| format!("{}={}", name.to_string_lossy(), quoted(value)))
        .collect();
    words.push(program(command));
    words.extend(command.get_args().map(quoted));
    words.join(" ")
}

/// The program's bare name where its folder says nothing new.
fn program(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    match program.file_name() {
        Some(name) if name == "cargo" => "cargo".to_owned(),
        _ => quoted(program.as_os_str()),
    }
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%\u{1f}".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        // Cargo's own separator in CARGO_ENCODED_RUSTFLAGS; shown as a person can read it.
        return word.replace('\u{1f}', "\\x1f");
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let mut command = Command::new("/somewhere/bin/cargo");
        command
            .args(["test", "it's", ""])
            .env("A", "x y")
            .env_remove("B");
        assert_eq!(line(&command), r"A='x y' cargo test 'it'\''s' ''");
    }

    #[test]
    fn a_failure_names_the_command() {
        let error = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "failed (exit status: 3): sh -c 'exit 3'");
        let error = run(Command::new("sh").args(["-c", "kill -9 $$"])).unwrap_err();
        assert!(error.to_string().contains("signal: 9"), "{error}");
        let error = run(&mut Command::new("no-such-program")).unwrap_err();
        assert!(error.to_string().contains("no-such-program"));
        let error = capture(Command::new("sh").args(["-c", "echo why >&2; exit 1"])).unwrap_err();
        assert!(error.to_string().ends_with("why"));
    }

    #[test]
    fn beside_others_a_failure_is_one_too() {
        assert!(run_beside_others(Command::new("sh").args(["-c", "exit 0"])).is_ok());
        let error = run_beside_others(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert!(error.to_string().contains("exit status: 3"), "{error}");
    }

    #[test]
    fn programs_are_found_in_path() {
        assert!(find("sh").is_some());
        assert!(find("no-such-program").is_none());
    }
}
