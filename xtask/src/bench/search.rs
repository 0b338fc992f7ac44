//! `cargo xtask bench --report`, third part: a search through 100 000 photos on every emulated core.
//!
//! Writes `tests/reports/search.json`, every figure, and `search.md`.

use super::counted::{Counted, count};
use super::report::{core, head, json, line};
use crate::counter::Counter;
use crate::scratch::Scratch;
use crate::{build, cross, repo};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::fs;

/// What a scan may take, over the ideal.
const LIMIT: f64 = 1.5;

/// What the example prints for each of its runs, in order.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Run {
    isa: String,
    /// `scan`, of rows in memory, or `search`, of an index on the disk.
    what: String,
    rows: u64,
    dimension: u64,
    macs: u64,
    instructions_ideal: u64,
}

type Row = Counted<Run>;

impl Row {
    fn over_ideal(&self) -> f64 {
        self.instructions as f64 / self.of.instructions_ideal as f64
    }
}

/// Counts and writes; a scan over its limit is an error, and is written all the same.
pub fn write(profile: &str, counter: &Counter) -> Result<()> {
    let dir = repo::root()?.join("tests/reports");
    let program = build::arm_example(profile, "ocellus-album", "scan_counts")?;
    let mut rows = Vec::new();
    for cpu in cross::CPUS {
        let scratch = Scratch::beside(&build::target_dir()?.join("searched"))?;
        let folder = scratch.path.to_str().context("a path in UTF-8")?.to_owned();
        rows.extend(count(counter, cpu, &program, &[folder])?);
    }
    fs::write(dir.join("search.json"), json(&rows)?)?;
    fs::write(dir.join("search.md"), markdown(&rows))?;
    within_limit(&rows)
}

fn within_limit(rows: &[Row]) -> Result<()> {
    for row in rows.iter().filter(|row| row.of.what == "scan") {
        ensure!(
            row.over_ideal() <= LIMIT,
            "a scan of {} rows of {} on {} takes {:.3} of the ideal, and may take {LIMIT}",
            row.of.rows,
            row.of.dimension,
            row.cpu,
            row.over_ideal()
        );
    }
    Ok(())
}

fn markdown(rows: &[Row]) -> String {
    let mut text = "# Instructions of a search\n\n\
         Made by `cargo xtask bench --report`: guest instructions of one query under QEMU's user mode, in thousands. *Scan* is the \
         kernel and the choice of the best ten, over rows in memory; *search* a whole query of an index on the disk, with \
         what SQLite takes. *Ideal* is the products and nothing else: 16 in an instruction with dot product, 8 without.\n\n"
        .to_owned();
    text += &head(&[
        "core",
        "what",
        "photos",
        "dimension",
        "ours",
        "ideal",
        "over ideal",
    ]);
    let thousands = |count: u64| format!("{:.0}", count as f64 / 1e3);
    for row in rows {
        let cells = [
            core(&row.cpu).to_owned(),
            row.of.what.clone(),
            row.of.rows.to_string(),
            row.of.dimension.to_string(),
            thousands(row.instructions),
            thousands(row.of.instructions_ideal),
            format!("{:.2}", row.over_ideal()),
        ];
        line(&mut text, &cells);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::counted::joined;
    use super::*;

    #[test]
    fn a_scan_is_held_to_its_limit_and_a_search_is_not() {
        let printed = |what: &str| {
            format!(
                "{{\"isa\":\"neon\",\"what\":\"{what}\",\"rows\":100,\"dimension\":128,\"macs\":12800,\
                 \"instructions_ideal\":1600}}\n"
            )
        };
        let text = [printed("scan"), printed("search")].concat();
        let rows = joined("cortex-a72", &text, &[2400, 9000]).unwrap();
        within_limit(&rows).unwrap();
        assert!(markdown(&rows).contains("| scan | 100 | 128 | 2 | 2 | 1.50 |"));
        let slower = joined("cortex-a72", &text, &[2401, 9000]).unwrap();
        let error = within_limit(&slower).unwrap_err().to_string();
        assert!(error.contains("100 rows of 128 on cortex-a72"), "{error}");
        assert!(joined::<Run>("cortex-a72", &text, &[1]).is_err());
    }
}
