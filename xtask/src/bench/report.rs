//! `cargo xtask bench --report`: the default bundle on every emulated core, beside the peers.
//!
//! Writes `tests/reports/instructions.json`, every figure, and `instructions.md`, the tables, of which the first also
//! stands in the README; a test holds the two to each other. `threads.json` and `threads.md` say what threads share,
//! `caches.json` and `caches.md` what goes through the caches.

use super::attention;
use super::caches;
use super::emulated::{Bench, Row, Subject};
use super::peers::{Best, Peers};
use super::search;
use super::table::{millions, times};
use super::teach;
use super::threads;
use crate::{cross, repo};
use anyhow::{Context, Result};
use serde::Serialize;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The resolution whose steps the tables show.
const SHOWN: u32 = 224;

/// A row beside its peers.
#[derive(Serialize)]
struct Compared {
    #[serde(flatten)]
    row: Row,
    best_int8_peer: Option<Best>,
    /// `instructions_encode` over the best INT8 peer's.
    ratio_to_best_int8_peer: Option<f64>,
    best_float_peer: Option<Best>,
    ratio_to_best_float_peer: Option<f64>,
}

/// Counts and writes.
pub fn write(profile: &str) -> Result<()> {
    let dir = repo::root()?.join("tests/reports");
    let text = fs::read_to_string(dir.join("peers.toml"))
        .with_context(|| format!("{} has no peers.toml", dir.display()))?;
    let peers = Peers::parse(&text).context("peers.toml")?;
    let bench = Bench::ready(profile)?;
    let subject = Subject::default();
    let mut rows = Vec::new();
    for cpu in cross::CPUS {
        rows.extend(bench.count(cpu, &subject)?);
    }
    shared(&bench, &dir, &rows)?;
    let rows: Vec<_> = rows.into_iter().map(|row| compare(row, &peers)).collect();
    fs::write(dir.join("instructions.json"), json(&rows)?)?;
    fs::write(dir.join("instructions.md"), markdown(&rows, &peers))?;
    attention::write(profile, bench.counter())?;
    search::write(profile, bench.counter())?;
    teach::write(profile, bench.counter())?;
    println!("{}", summary(&rows));
    Ok(())
}

/// Counts what threads share and what goes through the caches, and writes that alone.
pub fn write_threads(profile: &str) -> Result<()> {
    let bench = Bench::ready(profile)?;
    let mut rows = Vec::new();
    for cpu in cross::CPUS {
        rows.extend(bench.count(cpu, &Subject::default())?);
    }
    shared(&bench, &repo::root()?.join("tests/reports"), &rows)
}

/// The same into `dir`, where one thread was counted.
fn shared(bench: &Bench, dir: &Path, one: &[Row]) -> Result<()> {
    let (mut shared, mut moved) = (Vec::new(), Vec::new());
    for of_cpu in one.chunk_by(|a, b| a.cpu == b.cpu) {
        for count in threads::COUNTS {
            shared.extend(threads::count(bench, &Subject::default(), of_cpu, count)?);
        }
        moved.extend(caches::count(bench, &of_cpu[0].cpu)?);
    }
    fs::write(dir.join("threads.json"), json(&shared)?)?;
    fs::write(dir.join("threads.md"), threads::markdown(&shared))?;
    fs::write(dir.join("caches.json"), json(&moved)?)?;
    fs::write(dir.join("caches.md"), caches::markdown(&moved))?;
    Ok(())
}

fn compare(row: Row, peers: &Peers) -> Compared {
    let best = |int8| peers.best(int8, &row.cpu, row.resolution);
    let (best_int8_peer, best_float_peer) = (best(true), best(false));
    let ratio = |best: &Option<Best>| {
        let ratio = row.instructions_encode as f64 / best.as_ref()?.instructions as f64;
        Some((ratio * 1e4).round() / 1e4)
    };
    Compared {
        ratio_to_best_int8_peer: ratio(&best_int8_peer),
        ratio_to_best_float_peer: ratio(&best_float_peer),
        best_int8_peer,
        best_float_peer,
        row,
    }
}

/// A line for each row, so that a new report differs in the lines that differ.
pub(super) fn json(rows: &[impl Serialize]) -> Result<String> {
    let lines = rows
        .iter()
        .map(serde_json::to_string)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(format!("[\n{}\n]\n", lines.join(",\n")))
}

fn markdown(rows: &[Compared], peers: &Peers) -> String {
    let mut text = format!(
        "# Instructions of one inference\n\n\
         Made by `cargo xtask bench --report`: guest instructions under QEMU's user mode, one thread. `instructions.json` has every \
         figure, `peers.toml` the other runtimes'.\n\n\
         **Instructions are not time.** Cores retire some kinds faster than others: an f32 FMA of four lanes costs a Cortex-A72 twice \
         what a SMULL of eight bytes costs, so compare INT8 with INT8 first, and measure on the board.\n\n\
         **Ours** is the default bundle's image encoder and the head's classifier, release build, one warm inference: f32 NCHW image \
         in, last map, pooled features and logits in f32 out. *Ideal* is the multiply-accumulates and nothing else, 16 for an SDOT, 8 \
         for a SMULL or SMLAL.\n\n\
         **The others.** {}. {}\n\n\
         ## Beside the best peer, millions\n\n{}",
        peers.model,
        peers.method,
        summary(rows)
    );
    text += &all(rows, peers);
    text += &figures(rows);
    for compared in rows
        .iter()
        .filter(|compared| compared.row.resolution == SHOWN)
    {
        text += &steps(&compared.row);
    }
    text
}

/// The table that the README has too.
fn summary(rows: &[Compared]) -> String {
    let mut text = head(&[
        "core",
        "size",
        "Ocellus",
        "best INT8 peer",
        "ratio",
        "best float peer",
        "ratio",
    ]);
    for Compared {
        row,
        best_int8_peer,
        ratio_to_best_int8_peer,
        best_float_peer,
        ratio_to_best_float_peer,
    } in rows
    {
        let best = |best: &Option<Best>| match best {
            Some(best) => format!("{:.1} ({})", best.instructions as f64 / 1e6, best.name),
            None => "-".to_owned(),
        };
        let ratio = |ratio: &Option<f64>| ratio.map_or("-".to_owned(), |r| format!("{r:.2}"));
        line(
            &mut text,
            &[
                core(&row.cpu),
                row.resolution.to_string(),
                millions(row.instructions_encode),
                best(best_int8_peer),
                ratio(ratio_to_best_int8_peer),
                best(best_float_peer),
                ratio(ratio_to_best_float_peer),
            ],
        );
    }
    text
}

/// Every runtime, by core and resolution.
fn all(rows: &[Compared], peers: &Peers) -> String {
    let mut text = "\n## Every runtime, millions\n\n".to_owned();
    let places: Vec<(&str, u32)> = rows
        .iter()
        .map(|compared| (compared.row.cpu.as_str(), compared.row.resolution))
        .collect();
    let names = places
        .iter()
        .map(|(cpu, side)| format!("{} {side}", core(cpu)));
    let heads: Vec<String> = ["runtime", "arithmetic"]
        .map(str::to_owned)
        .into_iter()
        .chain(names)
        .collect();
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    text += &head(&heads);
    let ours = ["**Ocellus**".to_owned(), "int8".to_owned()].into_iter();
    let counts = rows
        .iter()
        .map(|compared| millions(compared.row.instructions_encode));
    line(&mut text, &ours.chain(counts).collect::<Vec<_>>());
    for peer in &peers.peers {
        let name = format!("{} {}", peer.name, peer.version);
        let counts = places.iter().map(|(cpu, side)| {
            let count = peers.instructions(peer, cpu, *side);
            count.map_or("-".to_owned(), |count| format!("{:.1}", count as f64 / 1e6))
        });
        let words = [name, peer.arithmetic.clone()].into_iter().chain(counts);
        line(&mut text, &words.collect::<Vec<_>>());
    }
    let ideal = ["ideal".to_owned(), "int8".to_owned()].into_iter();
    let counts = rows
        .iter()
        .map(|compared| millions(compared.row.instructions_ideal));
    line(&mut text, &ideal.chain(counts).collect::<Vec<_>>());
    text
}

/// Our figures, from three starting points.
fn figures(rows: &[Compared]) -> String {
    let mut text = "\n## From where to where, millions\n\n\
        *Encode* is the figure above. *From pixels* starts at u8 RGB of the resolution. *Total* is the whole label job of a frame in \
        memory, the bundle's golden picture with its three prompts: look, resize, encode, heads. *Camera* is the same job of a \
        camera's frame, 1920x1080 in NV12. \
        *Load* is from the encoder's bytes to plans for all of its resolutions, once; hashing and words are apart.\n\n"
        .to_owned();
    text += &head(&[
        "core",
        "kernels",
        "size",
        "encode",
        "from pixels",
        "total",
        "camera",
        "ideal",
        "encode x ideal",
        "beyond the steps",
        "load",
    ]);
    for Compared { row, .. } in rows {
        line(
            &mut text,
            &[
                core(&row.cpu),
                row.isa.clone(),
                row.resolution.to_string(),
                millions(row.instructions_encode),
                millions(row.instructions_from_pixels),
                millions(row.instructions_total),
                row.instructions_camera.map(millions).unwrap_or_default(),
                millions(row.instructions_ideal),
                times(row.instructions_encode, row.instructions_ideal),
                format!("{:.3}", row.instructions_beyond() as f64 / 1e6),
                millions(row.instructions_load),
            ],
        );
    }
    text
}

/// The steps of one row.
fn steps(row: &Row) -> String {
    let mut text = format!(
        "\n## {} at {}, step by step\n\n",
        core(&row.cpu),
        row.resolution
    );
    text += &head(&[
        "step",
        "operator",
        "kernel",
        "M instructions",
        "share",
        "M MACs",
        "MACs/instruction",
        "x ideal",
    ]);
    for step in &row.steps {
        line(
            &mut text,
            &[
                step.name.clone(),
                step.op.clone(),
                step.kernel.clone(),
                format!("{:.3}", step.instructions as f64 / 1e6),
                format!("{:.1} %", step.share * 100.0),
                format!("{:.3}", step.macs as f64 / 1e6),
                format!("{:.2}", step.macs_per_instruction),
                times(step.instructions, step.macs / row.macs_per_ideal()),
            ],
        );
    }
    text
}

/// `cortex-a53` as people write it.
pub(super) fn core(cpu: &str) -> String {
    cpu.replace("cortex-a", "Cortex-A")
}

pub(super) fn head(names: &[&str]) -> String {
    let rule = vec!["---"; names.len()];
    format!("| {} |\n| {} |\n", names.join(" | "), rule.join(" | "))
}

pub(super) fn line(text: &mut String, cells: &[String]) {
    // Writing to a string cannot fail.
    writeln!(text, "| {} |", cells.join(" | ")).unwrap_or(());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::emulated::tests::made_up;
    use crate::bench::peers::tests::committed;

    #[test]
    fn a_row_stands_beside_the_best_peers() {
        let mut row = made_up().remove(0);
        row.instructions_encode = 8_500_000;
        let compared = compare(row, &committed());
        assert_eq!(compared.ratio_to_best_int8_peer, Some(0.5));
        let text = summary(&[compared]);
        let line = text.lines().nth(2).unwrap();
        assert!(
            line.starts_with("| Cortex-A76 | 112 | 8.50 | 17.0 (LiteRT (XNNPACK)) | 0.50 |"),
            "{line}"
        );
    }

    #[test]
    fn a_resolution_that_no_peer_has_is_left_open() {
        let mut row = made_up().remove(0);
        row.resolution = 96;
        let compared = compare(row, &committed());
        assert!(summary(&[compared]).contains("| - | - | - | - |"));
    }

    #[test]
    fn the_json_is_a_list_of_rows() {
        let peers = committed();
        let rows: Vec<_> = made_up()
            .into_iter()
            .map(|row| compare(row, &peers))
            .collect();
        let parsed: serde_json::Value = serde_json::from_str(&json(&rows).unwrap()).unwrap();
        assert_eq!(parsed[1]["cpu"], "cortex-a76");
        assert_eq!(parsed[0]["steps"][0]["macs_per_instruction"], 4.0);
        assert_eq!(parsed[0]["best_int8_peer"]["instructions"], 17_000_000);
    }

    #[test]
    fn the_readme_has_the_report_s_figures() {
        let root = repo::root().unwrap();
        let read = |file: &str| fs::read_to_string(root.join(file)).unwrap();
        let (readme, report) = (read("README.md"), read("tests/reports/instructions.md"));
        let table = report
            .lines()
            .skip_while(|line| !line.starts_with("| core "));
        let table: Vec<&str> = table.take_while(|line| line.starts_with('|')).collect();
        assert!(table.len() > cross::CPUS.len(), "{table:?}");
        assert!(
            readme.contains(&table.join("\n")),
            "copy the first table of tests/reports/instructions.md into README.md"
        );
    }
}
