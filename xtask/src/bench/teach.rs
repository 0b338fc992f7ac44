//! `cargo xtask bench --report-teach`: what one example more costs, on every emulated core.
//!
//! Writes `tests/reports/teach.json`, every figure, and `teach.md`. `--report` does so too.

use super::counted::{Counted, count};
use super::report::{core, head, json, line};
use crate::counter::Counter;
use crate::{build, cross, repo};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::fs;

/// What an example may take beside its encoding, over the encoding, however many there are.
const LIMIT: f64 = 1.0;

/// What the example program prints for each of its runs, in order.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Run {
    isa: String,
    /// `encode`, `teach`, `next` or `later`.
    what: String,
    labels: u64,
    examples: u64,
}

type Row = Counted<Run>;

/// The runs of one number of examples on one core.
struct Taught {
    cpu: String,
    of: Run,
    encode: u64,
    teach: u64,
    next: u64,
    later: u64,
}

/// Counts and writes; an example that costs more than its encoding is an error, and is written all the same.
pub fn write(profile: &str, counter: &Counter) -> Result<()> {
    let dir = repo::root()?.join("tests/reports");
    let program = build::arm_example(profile, "ocellus", "teach_counts")?;
    let mut rows = Vec::new();
    for cpu in cross::CPUS {
        rows.extend(count(counter, cpu, &program, &[])?);
    }
    fs::write(dir.join("teach.json"), json(&rows)?)?;
    let taught = grouped(&rows)?;
    fs::write(dir.join("teach.md"), markdown(&taught))?;
    taught.iter().try_for_each(Taught::within_limit)
}

impl Taught {
    /// What the example takes beside its encoding.
    fn added(&self) -> u64 {
        self.teach.saturating_sub(self.encode)
    }

    /// What the frame behind it takes over one more.
    fn behind(&self) -> u64 {
        self.next.saturating_sub(self.later)
    }

    fn within_limit(&self) -> Result<()> {
        let over = self.added() as f64 / self.encode as f64;
        ensure!(
            over <= LIMIT,
            "one example more than {} on {} takes {over:.2} of its encoding, and may take {LIMIT}",
            self.of.examples,
            self.cpu
        );
        Ok(())
    }
}

/// The four runs of each number of examples.
fn grouped(rows: &[Row]) -> Result<Vec<Taught>> {
    let four = |rows: &[Row]| {
        let of = |at: usize, what: &str| {
            let row = rows.get(at).filter(|row| row.of.what == what);
            row.map(|row| row.instructions)
                .with_context(|| format!("no {what:?} where it should be"))
        };
        Ok(Taught {
            cpu: rows[0].cpu.clone(),
            of: rows[0].of.clone(),
            encode: of(0, "encode")?,
            teach: of(1, "teach")?,
            next: of(2, "next")?,
            later: of(3, "later")?,
        })
    };
    rows.chunks(4).map(four).collect()
}

fn markdown(rows: &[Taught]) -> String {
    let mut text = "# Instructions of teaching\n\n\
         Made by `cargo xtask bench --report-teach`: guest instructions under QEMU's user mode, in millions, of one example more, \
         with the default bundle. *Teach* is the whole call, *encode* the image encoder's run in it, *without* the difference: \
         reading and resizing the frame, the key, its comparison with all others, and how much examples count, chosen anew by \
         leaving examples out. *Next frame* is what the frame behind it takes over a later one, since the labels' standing against \
         the background is made anew.\n\n"
        .to_owned();
    text += &head(&[
        "core",
        "labels",
        "examples before",
        "teach",
        "encode",
        "without",
        "next frame",
    ]);
    let millions = |count: u64| format!("{:.2}", count as f64 / 1e6);
    for row in rows {
        let cells = [
            core(&row.cpu).to_owned(),
            row.of.labels.to_string(),
            row.of.examples.to_string(),
            millions(row.teach),
            millions(row.encode),
            millions(row.added()),
            millions(row.behind()),
        ];
        line(&mut text, &cells);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::counted::joined;
    use super::*;

    fn printed() -> String {
        let run = |what: &str| {
            format!("{{\"isa\":\"neon\",\"what\":\"{what}\",\"labels\":100,\"examples\":800}}\n")
        };
        ["encode", "teach", "next", "later"].map(run).concat()
    }

    #[test]
    fn an_example_is_told_with_its_encoding_and_without() {
        let counts = [40_000_000, 43_500_000, 52_000_000, 50_750_000];
        let rows = joined("cortex-a72", &printed(), &counts).unwrap();
        let taught = grouped(&rows).unwrap();
        assert!(markdown(&taught).contains("| 100 | 800 | 43.50 | 40.00 | 3.50 | 1.25 |"));
        taught[0].within_limit().unwrap();
    }

    #[test]
    fn one_that_takes_more_than_its_encoding_is_an_error() {
        let rows = joined("cortex-a72", &printed(), &[10, 21, 12, 12]).unwrap();
        let error = grouped(&rows).unwrap()[0].within_limit().unwrap_err();
        assert!(error.to_string().contains("800 on cortex-a72"), "{error}");
        assert!(joined::<Run>("cortex-a72", &printed(), &[1]).is_err());
        let mut swapped = joined("cortex-a72", &printed(), &[1, 2, 3, 4]).unwrap();
        swapped.swap(0, 1);
        assert!(grouped(&swapped).is_err());
    }
}
