//! The table that closes a verb of many steps: what was done, how it went, and how long it took.

use anyhow::{Result, bail};
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

impl Table {
    /// An empty one.
    pub fn new() -> Self {
        Self { rows: Vec::new() }
    }

    /// Does one step and notes it.
    pub fn step(&mut self, name: &str, step: impl FnOnce() -> Result<()>) -> Result<()> {
        let start = Instant::now();
        let done = step();
        let error = done.as_ref().err().map(|error| format!("{error:#}"));
        self.rows.push(Row {
            name: name.to_owned(),
            error,
            time: start.elapsed(),
        });
        done
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
}
