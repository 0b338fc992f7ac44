//! A board at the other end of ssh.

use crate::process;
use anyhow::{Context, Result};
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How to reach a board.
pub struct Remote {
    /// As ssh takes it: a name of its configuration, or USER@HOST.
    pub host: String,
    pub port: Option<u16>,
    pub config: Option<PathBuf>,
}

/// The board could not be reached, or was lost.
#[derive(Debug, thiserror::Error)]
#[error(
    "{host}: not reached, or the connection was lost (ssh says why above); what the board has in use is whole: run the command again"
)]
pub struct Unreachable {
    host: String,
}

impl Remote {
    /// Runs a script by the board's sh with `input` as its standard input, and returns its exit code.
    ///
    /// # Errors
    /// [`Unreachable`].
    pub fn run(&self, script: &str, arguments: &[&str], input: Option<&Path>) -> Result<i32> {
        let mut ssh = self.ssh();
        eprintln!("$ {} ...", process::line(&ssh));
        let stdin = match input {
            Some(file) => File::open(file)
                .with_context(|| file.display().to_string())?
                .into(),
            None => Stdio::null(),
        };
        let status = ssh.arg(command(script, arguments)).stdin(stdin).status();
        let status = status.context("cannot start ssh; install OpenSSH's client")?;
        // 255 is ssh's own, and what it makes of a script that a signal ended.
        match status.code() {
            Some(255) | None => Err(Unreachable {
                host: self.host.clone(),
            }
            .into()),
            Some(code) => Ok(code),
        }
    }

    /// Runs a script, and returns what it printed.
    ///
    /// # Errors
    /// That it failed, with what it said.
    pub fn capture(&self, script: &str, arguments: &[&str]) -> Result<String> {
        let mut ssh = self.ssh();
        ssh.arg(command(script, arguments));
        process::capture(&mut ssh)
    }

    /// The call of ssh, without what is to run there.
    fn ssh(&self) -> Command {
        let mut ssh = Command::new("ssh");
        if let Some(config) = &self.config {
            ssh.arg("-F").arg(config);
        }
        // Nobody is there to type a password, and a board that is gone is noticed.
        ssh.args(["-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]);
        ssh.args([
            "-o",
            "ServerAliveInterval=10",
            "-o",
            "ServerAliveCountMax=3",
        ]);
        if let Some(port) = self.port {
            ssh.arg("-p").arg(port.to_string());
        }
        ssh.args(["-T", "--", &self.host]);
        ssh
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)
    }
}

/// What the board's shell is to run.
fn command(script: &str, arguments: &[&str]) -> String {
    let start = ["sh", "-c", script, "ocellus"];
    let words = start.iter().chain(arguments).map(|word| quoted(word));
    words.collect::<Vec<_>>().join(" ")
}

/// A word as any shell reads it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}
