//! A machine's serial console, from its start until it powers off.

use crate::process;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// What a machine may take before it counts as hung: many times what it takes, as others may be at work here too.
const LIMIT: Duration = Duration::from_secs(600);

/// What a machine wrote to its serial port before it powered off, each line with when it came.
pub struct Console {
    lines: Vec<(Duration, String)>,
    took: Duration,
}

impl Console {
    /// Runs a machine until it powers off.
    pub fn of(qemu: &mut Command) -> Result<Console> {
        eprintln!("$ {}", process::line(qemu));
        let start = Instant::now();
        let mut machine = qemu
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start qemu-system-aarch64; `cargo xtask setup` installs it")?;
        let serial = machine.stdout.take().context("QEMU has no output")?;
        let (to, from) = mpsc::channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(serial).split(b'\n').map_while(Result::ok);
            for line in lines {
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                if to.send((start.elapsed(), line)).is_err() {
                    return;
                }
            }
        });
        let mut lines: Vec<(Duration, String)> = Vec::new();
        loop {
            match from.recv_timeout(LIMIT.saturating_sub(start.elapsed())) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    machine.kill()?;
                    machine.wait()?;
                    let took = start.elapsed();
                    let text = Console { lines, took }.text();
                    bail!("it did not power off in {} s:\n{text}", LIMIT.as_secs());
                }
            }
        }
        let status = machine.wait()?;
        let took = start.elapsed();
        let console = Console { lines, took };
        ensure!(
            status.success(),
            "QEMU failed ({status}):\n{}",
            console.text()
        );
        Ok(console)
    }

    /// All of it.
    pub fn text(&self) -> String {
        let lines = self.lines.iter().map(|(_, line)| line.as_str());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Whether this stands on it.
    pub fn has(&self, text: &str) -> bool {
        self.lines.iter().any(|(_, line)| line.contains(text))
    }

    /// Whether the first program says this; the kernel may.
    pub fn says(&self, text: &str) -> bool {
        let mut lines = self.lines.iter();
        lines.any(|(_, line)| line.starts_with("ocellus: ") && line.contains(text))
    }

    /// The lines that begin with this, without it.
    pub fn after(&self, start: &str) -> Vec<&str> {
        let lines = self.lines.iter();
        lines
            .filter_map(|(_, line)| line.strip_prefix(start))
            .collect()
    }

    fn first_answer(&self) -> Option<(Duration, Value)> {
        self.lines.iter().find_map(|(at, line)| {
            let answer: Value = serde_json::from_str(line).ok()?;
            answer["labels"].is_array().then_some((*at, answer))
        })
    }

    /// The best label of the first answer.
    pub fn best_label(&self) -> Option<String> {
        let (_, answer) = self.first_answer()?;
        Some(answer["labels"][0]["label"].as_str()?.to_owned())
    }

    /// How long it took, for people.
    pub fn timing(&self) -> String {
        let first = self.first_answer().map_or(self.took, |(at, _)| at);
        format!(
            "first label {:.1} s after the start of the emulated machine, off after {:.1} s",
            first.as_secs_f64(),
            self.took.as_secs_f64()
        )
    }
}
