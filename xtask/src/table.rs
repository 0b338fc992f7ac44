//! The table that closes a verb of many steps: what was done, how it went, and how long it took.

use crate::process;
use anyhow::{Result, bail};
use std::num::NonZero;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The steps so far.
pub struct Table {
    rows: Vec<Row>,
}

struct Row {
    name: String,
    error: Option<String>,
    time: Duration,
}

impl Row {
    fn new(name: &str, start: Instant, done: &Result<()>) -> Row {
        Row {
            name: name.to_owned(),
            error: done.as_ref().err().map(|error| format!("{error:#}")),
            time: start.elapsed(),
        }
    }
}

impl Table {
    /// An empty one.
    pub fn new() -> Self {
        Self { rows: Vec::new() }
    }

    /// Does one step and notes it.
    pub fn step(&mut self, name: &str, step: impl FnOnce() -> Result<()>) -> Result<()> {
        let start = Instant::now();
        let done = step();
        self.rows.push(Row::new(name, start, &done));
        done
    }

    /// Runs commands as steps, as many at once as there are cores, and notes them in their order.
    pub fn commands(&mut self, mut steps: Vec<(String, Command)>) {
        let lanes = std::thread::available_parallelism().map_or(1, NonZero::get);
        let alone = steps.len() == 1;
        let left = Mutex::new(steps.iter_mut().enumerate());
        let mut rows: Vec<(usize, Row)> = std::thread::scope(|scope| {
            let lane = || {
                let mut rows = Vec::new();
                loop {
                    let next = left.lock().expect("no lane panics").next();
                    let Some((at, (name, command))) = next else {
                        return rows;
                    };
                    let start = Instant::now();
                    let done = match alone {
                        true => process::run(command),
                        false => process::run_beside_others(command),
                    };
                    rows.push((at, Row::new(name, start, &done)));
                }
            };
            let lanes: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
            let rows = lanes
                .into_iter()
                .flat_map(|lane| lane.join().expect("no lane panics"));
            rows.collect()
        });
        rows.sort_by_key(|(at, _)| *at);
        self.rows.extend(rows.into_iter().map(|(_, row)| row));
    }

    /// Prints it.
    pub fn print(&self, title: &str) {
        println!("\n{title}\n{}", self.text());
    }

    /// An error that counts the failed steps.
    pub fn verdict(&self) -> Result<()> {
        match self.rows.iter().filter(|row| row.error.is_some()).count() {
            0 => Ok(()),
            failed => bail!("{failed} of {} steps failed", self.rows.len()),
        }
    }

    fn text(&self) -> String {
        let width = self
            .rows
            .iter()
            .map(|row| row.name.len())
            .max()
            .unwrap_or(0);
        let mut text = String::new();
        for row in &self.rows {
            let state = if row.error.is_some() { "FAILED" } else { "ok" };
            let seconds = row.time.as_secs_f64();
            text += &format!("  {:width$}  {state:6}  {seconds:7.1} s\n", row.name);
        }
        for row in &self.rows {
            if let Some(error) = &row.error {
                text += &format!("{}: {error}\n", row.name);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_tells_every_step() {
        let mut table = Table::new();
        table.step("one", || Ok(())).unwrap();
        assert!(table.verdict().is_ok());
        table.step("second", || bail!("it broke")).unwrap_err();
        let text = table.text();
        assert!(text.contains("one     ok"), "{text}");
        assert!(text.contains("second  FAILED"), "{text}");
        assert!(text.contains("second: it broke"), "{text}");
        assert_eq!(
            table.verdict().unwrap_err().to_string(),
            "1 of 2 steps failed"
        );
    }

    #[test]
    fn commands_at_once_are_told_in_their_order() {
        let mut table = Table::new();
        let shell = |name: &str, script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            (name.to_owned(), command)
        };
        table.commands(vec![
            shell("slow", "sleep 0.2"),
            shell("bad", "exit 3"),
            shell("quick", ":"),
        ]);
        let names: Vec<&str> = table.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["slow", "bad", "quick"]);
        let failed: Vec<bool> = table.rows.iter().map(|row| row.error.is_some()).collect();
        assert_eq!(failed, [false, true, false]);
    }
}
