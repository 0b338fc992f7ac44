//! `cargo xtask bench --report-transformers DIR`: quantized ViTs on every emulated core, beside the peers.
//!
//! The models are no part of the project: they are whoever's who makes the report, and `transformers_peers.toml` says which files
//! the peers' figures are of. Writes `tests/reports/transformers.md`.

use super::emulated::{Bench, Row, Subject};
use super::report::{core, head, line};
use crate::{cross, repo};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// What `transformers_peers.toml` holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Peers {
    method: String,
    #[serde(rename = "model")]
    models: Vec<Model>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    file: String,
    what: String,
    #[serde(rename = "peer")]
    peers: Vec<Peer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Peer {
    name: String,
    arithmetic: String,
    /// By core, where it was counted.
    millions: BTreeMap<String, f64>,
}

/// Counts and writes.
pub fn write(profile: &str, models: &Path) -> Result<()> {
    let dir = repo::root()?.join("tests/reports");
    let text = fs::read_to_string(dir.join("transformers_peers.toml"))
        .with_context(|| format!("{} has no transformers_peers.toml", dir.display()))?;
    let peers: Peers = toml::from_str(&text).context("transformers_peers.toml")?;
    for model in &peers.models {
        let file = models.join(&model.file);
        ensure!(file.is_file(), "no file {}", file.display());
    }
    let bench = Bench::ready(profile)?;
    let mut counted = Vec::new();
    for model in &peers.models {
        let file = models.join(&model.file);
        let subject = Subject {
            model: Some(&file),
            ..Subject::default()
        };
        let mut rows = Vec::new();
        for cpu in cross::CPUS {
            rows.push(bench.count(cpu, &subject)?.remove(0));
        }
        counted.push(rows);
    }
    fs::write(dir.join("transformers.md"), markdown(&peers, &counted))?;
    Ok(())
}

fn markdown(peers: &Peers, counted: &[Vec<Row>]) -> String {
    let mut text = "# Instructions of one inference of a transformer\n\nMade by `cargo xtask bench --report-transformers DIR`: \
        guest instructions under QEMU's user mode, one thread, millions. The models are no part of the project; \
        `transformers_peers.toml` says which they are, and has the other runtimes' figures, which are data.\n"
        .to_owned();
    let _ = writeln!(text, "\n{}", peers.method);
    for (model, rows) in peers.models.iter().zip(counted) {
        let _ = writeln!(text, "\n## {}\n\n`{}`\n", model.what, model.file);
        let cores: Vec<String> = cross::CPUS.iter().map(|cpu| core(cpu)).collect();
        let names = ["runtime", "arithmetic"].map(str::to_owned);
        let columns: Vec<String> = names.into_iter().chain(cores).collect();
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        text.push_str(&head(&columns));
        let ours = rows.iter().map(|row| row.instructions_encode as f64 / 1e6);
        let ours: Vec<f64> = ours.collect();
        counts(&mut text, "**Ocellus**", "as the file says", |at| {
            Some(ours[at])
        });
        for peer in &model.peers {
            let of = |at: usize| peer.millions.get(cross::CPUS[at]).copied();
            counts(&mut text, &peer.name, &peer.arithmetic, of);
        }
        let best = |at: usize| {
            let counts = model
                .peers
                .iter()
                .filter_map(|peer| peer.millions.get(cross::CPUS[at]));
            counts.copied().min_by(f64::total_cmp)
        };
        let ratio = |at: usize| Some(format!("{:.2}", ours[at] / best(at)?));
        cells(&mut text, "ratio to the least", "", ratio);
    }
    for (model, rows) in peers.models.iter().zip(counted) {
        for row in rows.iter().filter(|row| row.cpu != "cortex-a72") {
            let _ = writeln!(
                text,
                "\n## {} on {}, by operator\n",
                model.file,
                core(&row.cpu)
            );
            text.push_str(&head(&[
                "operator",
                "kernel",
                "how often",
                "M instructions",
                "share",
                "M MACs",
            ]));
            for ((op, kernel), [count, instructions, macs]) in operators(row) {
                let share = 100.0 * instructions as f64 / row.instructions_encode as f64;
                if share >= 0.05 {
                    let cells = [
                        op.to_owned(),
                        kernel.to_owned(),
                        count.to_string(),
                        format!("{:.2}", instructions as f64 / 1e6),
                        format!("{share:.1} %"),
                        format!("{:.1}", macs as f64 / 1e6),
                    ];
                    line(&mut text, &cells);
                }
            }
        }
    }
    text
}

/// How often, instructions and multiply-accumulates of each operator and kernel, the costliest first.
fn operators(row: &Row) -> Vec<((&str, &str), [u64; 3])> {
    let mut by: BTreeMap<(&str, &str), [u64; 3]> = BTreeMap::new();
    for step in &row.steps {
        let sums = by.entry((&step.op, &step.kernel)).or_default();
        for (sum, more) in sums.iter_mut().zip([1, step.instructions, step.macs]) {
            *sum += more;
        }
    }
    let mut by: Vec<_> = by.into_iter().collect();
    by.sort_by_key(|(_, sums)| std::cmp::Reverse(sums[1]));
    by
}

fn counts(text: &mut String, name: &str, arithmetic: &str, of: impl Fn(usize) -> Option<f64>) {
    cells(text, name, arithmetic, |at| Some(format!("{:.1}", of(at)?)));
}

fn cells(text: &mut String, name: &str, arithmetic: &str, of: impl Fn(usize) -> Option<String>) {
    let cells = (0..cross::CPUS.len()).map(|at| of(at).unwrap_or_else(|| "-".to_owned()));
    let names = [name, arithmetic].map(str::to_owned);
    line(text, &names.into_iter().chain(cells).collect::<Vec<_>>());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::emulated::tests::made_up;

    #[test]
    fn the_peers_are_read_and_ours_stands_before_them() {
        let root = repo::root().unwrap();
        let text = fs::read_to_string(root.join("tests/reports/transformers_peers.toml")).unwrap();
        let peers: Peers = toml::from_str(&text).unwrap();
        let row = |cpu: &&str| Row {
            cpu: (*cpu).to_owned(),
            ..made_up().remove(0)
        };
        let rows = || cross::CPUS.iter().map(row).collect();
        let counted: Vec<Vec<Row>> = peers.models.iter().map(|_| rows()).collect();
        let text = markdown(&peers, &counted);
        for word in [
            "**Ocellus**",
            "onnxruntime",
            "ratio to the least",
            "| Conv | k |",
        ] {
            assert!(text.contains(word), "{word} is not in {text}");
        }
        for model in &peers.models {
            assert!(text.contains(&model.file));
            assert!(model.peers.iter().all(|peer| !peer.millions.is_empty()));
        }
    }
}
