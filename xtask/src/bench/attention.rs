//! `cargo xtask bench --report`, second part: the attention kernels on every emulated core, block-local beside dense, the
//! scalar twin and other runtimes.
//!
//! Writes `tests/reports/attention.json`, every figure, and `attention.md`.

use super::report::{core, head, line};
use crate::counter::Counter;
use crate::{build, cross, repo};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;

/// What one exponential may take: twelve instructions for four lanes.
const PER_EXPONENTIAL: u64 = 3;

/// What the example prints for each of its runs, in order.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Configuration {
    isa: String,
    /// `height x width x heads x d`.
    map: String,
    tokens: u64,
    /// Side of a block; nothing where all cells attend to all tokens.
    block: Option<u64>,
    top_k: u64,
    /// Whether values are attended to as well, or relevance is all that is asked for.
    attended: bool,
    macs_choice: u64,
    macs_scores: u64,
    macs_values: u64,
    exponentials: u64,
    /// Without exponentials.
    instructions_ideal: u64,
}

/// One configuration, counted.
#[derive(Debug, Serialize)]
struct Row {
    cpu: String,
    #[serde(flatten)]
    of: Configuration,
    instructions: u64,
}

impl Row {
    /// Instructions over the ideal, exponentials at what they may take left out of both.
    fn over_ideal(&self) -> f64 {
        let rest = self.instructions as f64 - (PER_EXPONENTIAL * self.of.exponentials) as f64;
        rest / self.of.instructions_ideal as f64
    }
}

/// Other runtimes' counts: `tests/reports/attention_peers.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Peers {
    method: String,
    tokens: Vec<u64>,
    #[serde(rename = "peer")]
    peers: Vec<Peer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Peer {
    name: String,
    version: String,
    map: String,
    /// By core, then by tokens.
    thousands: BTreeMap<String, Vec<u64>>,
}

impl Peers {
    fn parse(text: &str) -> Result<Peers> {
        let peers: Peers = toml::from_str(text)?;
        for peer in &peers.peers {
            for cpu in cross::CPUS {
                let counts = peer.thousands.get(cpu).map(Vec::len);
                ensure!(
                    counts == Some(peers.tokens.len()),
                    "{}, {}: {cpu} has {counts:?} counts for {} numbers of tokens",
                    peer.name,
                    peer.map,
                    peers.tokens.len()
                );
            }
        }
        Ok(peers)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for peer in &self.peers {
            let name = format!("{} {}", peer.name, peer.version);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The count of the peer called `name` where it was taken.
    fn instructions(&self, name: &str, cpu: &str, map: &str, tokens: u64) -> Option<u64> {
        let at = self.tokens.iter().position(|&count| count == tokens)?;
        let peer = self
            .peers
            .iter()
            .find(|peer| format!("{} {}", peer.name, peer.version) == name && peer.map == map)?;
        Some(peer.thousands.get(cpu)?.get(at)? * 1000)
    }
}

/// Counts and writes.
pub fn write(profile: &str, counter: &Counter) -> Result<()> {
    let dir = repo::root()?.join("tests/reports");
    let text = fs::read_to_string(dir.join("attention_peers.toml"))?;
    let peers = Peers::parse(&text).context("attention_peers.toml")?;
    let program = build::arm_example(profile, "ocellus-kernels", "attention_counts")?;
    let mut rows = Vec::new();
    for cpu in cross::CPUS {
        let (counts, printed) = counter.run(cpu, &program, &[])?;
        rows.extend(joined(cpu, &printed, &counts.regions)?);
    }
    let lines = rows
        .iter()
        .map(serde_json::to_string)
        .collect::<Result<Vec<_>, _>>()?;
    let json = format!("[\n{}\n]\n", lines.join(",\n"));
    fs::write(dir.join("attention.json"), json)?;
    fs::write(dir.join("attention.md"), markdown(&rows, &peers))?;
    Ok(())
}

/// Puts what the example printed and what was counted together.
fn joined(cpu: &str, printed: &str, counts: &[u64]) -> Result<Vec<Row>> {
    let configurations = printed
        .lines()
        .map(|text| serde_json::from_str(text).with_context(|| format!("it printed {text:?}")))
        .collect::<Result<Vec<Configuration>>>()?;
    ensure!(
        configurations.len() == counts.len(),
        "the example names {} configurations and {} were counted",
        configurations.len(),
        counts.len()
    );
    let row = |(of, &instructions)| Row {
        cpu: cpu.to_owned(),
        of,
        instructions,
    };
    Ok(configurations.into_iter().zip(counts).map(row).collect())
}

fn markdown(rows: &[Row], peers: &Peers) -> String {
    let mut text = format!(
        "# Instructions of block-local attention\n\n\
         Made by `cargo xtask bench --report`: guest instructions of one call under QEMU's user mode, in thousands; `attention.json` \
         has every figure, `attention_peers.toml` the other runtimes'. A call takes f32 cells, quantizes them, chooses tokens, and \
         writes attended values and relevance in f32; keys and values were packed before. *Ideal* is the products and nothing else: \
         of bytes 16 in an instruction with dot product and 8 without, of values 8 (f16, with dot product) or 4 (f32). *Over ideal* \
         leaves exponentials out, {PER_EXPONENTIAL} instructions for each (twelve for four lanes). *Dense over ours*: our own kernel \
         with every cell attending to every token, over the row. *Scalar over ours*: the specification compiled for the core.\n\n\
         **The others.** {}\n",
        peers.method
    );
    let names = peers.names();
    let mut maps: Vec<&str> = rows.iter().map(|row| row.of.map.as_str()).collect();
    maps.sort_unstable();
    maps.dedup();
    for attended in [true, false] {
        for cpu in cross::CPUS {
            for map in &maps {
                let shown: Vec<&Row> = rows
                    .iter()
                    .filter(|row| {
                        row.cpu == cpu
                            && row.of.map == *map
                            && row.of.attended == attended
                            && row.of.isa != "scalar"
                    })
                    .collect();
                if shown.is_empty() {
                    continue;
                }
                let asked = match attended {
                    true => "values and relevance",
                    false => "relevance alone",
                };
                text += &format!("\n## {}, {map}, {asked}\n\n", core(cpu));
                text += &table(&shown, rows, peers, if attended { &names } else { &[] });
            }
        }
    }
    text
}

fn table(shown: &[&Row], rows: &[Row], peers: &Peers, names: &[String]) -> String {
    let others: Vec<String> = names
        .iter()
        .map(|name| format!("{name} over ours"))
        .collect();
    let columns = [
        "tokens",
        "block",
        "top k",
        "ours",
        "exponentials",
        "ideal",
        "over ideal",
        "dense over ours",
        "scalar over ours",
    ];
    let columns: Vec<&str> = columns
        .into_iter()
        .chain(others.iter().map(String::as_str))
        .collect();
    let mut text = head(&columns);
    for row in shown {
        let of = &row.of;
        let like = |isa: &str, block: Option<u64>, top_k: u64| {
            rows.iter().find(|other| {
                other.cpu == row.cpu
                    && other.of.map == of.map
                    && other.of.tokens == of.tokens
                    && other.of.attended == of.attended
                    && other.of.isa == isa
                    && (other.of.block, other.of.top_k) == (block, top_k)
            })
        };
        let ratio = |other: Option<u64>| {
            other.map_or("-".to_owned(), |other| {
                format!("{:.2}", other as f64 / row.instructions as f64)
            })
        };
        let thousands = |count: u64| format!("{:.1}", count as f64 / 1e3);
        let dense = of.block.and(like(&of.isa, None, of.tokens));
        let scalar = like("scalar", of.block, of.top_k);
        let mut cells = vec![
            of.tokens.to_string(),
            of.block
                .map_or("all".into(), |side| format!("{side} x {side}")),
            of.top_k.to_string(),
            thousands(row.instructions),
            thousands(PER_EXPONENTIAL * of.exponentials),
            thousands(of.instructions_ideal),
            format!("{:.2}", row.over_ideal()),
            ratio(dense.map(|row| row.instructions)),
            ratio(scalar.map(|row| row.instructions)),
        ];
        for name in names {
            cells.push(ratio(
                peers.instructions(name, &row.cpu, &of.map, of.tokens),
            ));
        }
        line(&mut text, &cells);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(isa: &str, block: &str, top_k: u64) -> String {
        format!(
            "{{\"isa\":\"{isa}\",\"map\":\"7x7x1x128\",\"tokens\":32,\"block\":{block},\"top_k\":{top_k},\"attended\":true,\
             \"macs_choice\":0,\"macs_scores\":1600,\"macs_values\":1600,\"exponentials\":100,\"instructions_ideal\":300}}\n"
        )
    }

    #[test]
    fn a_row_stands_beside_dense_the_scalar_twin_and_the_others() {
        let text = [
            printed("neon", "null", 32),
            printed("neon", "2", 8),
            printed("scalar", "2", 8),
        ]
        .concat();
        let rows = joined("cortex-a72", &text, &[3000, 900, 9000]).unwrap();
        assert_eq!(rows[1].over_ideal(), 2.0);
        let peers = Peers::parse(&format!(
            "method = 'm'\ntokens = [32]\n[[peer]]\nname = 'x'\nversion = '1'\nmap = '7x7x1x128'\n[peer.thousands]\n{}",
            cross::CPUS.map(|cpu| format!("{cpu} = [4]\n")).concat()
        ))
        .unwrap();
        let text = markdown(&rows, &peers);
        let expected = "| 32 | 2 x 2 | 8 | 0.9 | 0.3 | 0.3 | 2.00 | 3.33 | 10.00 | 4.44 |";
        assert!(text.contains(expected), "{text}");
        assert!(joined("cortex-a72", &printed("neon", "2", 8), &[1, 2]).is_err());
    }

    #[test]
    fn the_committed_figures_are_whole() {
        let dir = repo::root().unwrap().join("tests/reports");
        let text = fs::read_to_string(dir.join("attention_peers.toml")).unwrap();
        let peers = Peers::parse(&text).unwrap();
        assert_eq!(peers.names().len(), 2);
        let name = &peers.names()[0];
        assert!(
            peers
                .instructions(name, "cortex-a76", "14x14x8x64", 77)
                .is_some()
        );
        assert!(
            peers
                .instructions(name, "cortex-a76", "14x14x8x64", 78)
                .is_none()
        );
    }
}
