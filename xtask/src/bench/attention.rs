//! `cargo xtask bench --report`, second part: the attention kernels on every emulated core, block-local beside dense, the
//! scalar twin and other runtimes.
//!
//! Writes `tests/reports/attention.json`, every figure, and `attention.md`, see [`attention_tables`](super::attention_tables).

use super::attention_tables::markdown;
use super::counted::{Counted, count};
use super::report::json;
use crate::counter::Counter;
use crate::{build, cross, repo};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;

/// What one exponential may take: twelve instructions for four lanes.
pub(super) const PER_EXPONENTIAL: u64 = 3;

/// What sixteen elements of the queries take to become bytes, by the two passes that a scale shared by a cell asks for: they are
/// read twice by pairs (4), their magnitudes are narrowed, freed of signs and compared (6), they are rounded (4), narrowed (3) and
/// stored (1).
pub(super) const PER_SIXTEEN_QUERIES: u64 = 18;

/// What the example prints for each of its runs, in order.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Configuration {
    pub isa: String,
    /// `int8` or `f32`.
    pub precision: String,
    /// `height x width x heads x d`.
    pub map: String,
    pub tokens: u64,
    /// Side of a block; nothing where all cells attend to all tokens.
    pub block: Option<u64>,
    pub top_k: u64,
    /// Whether values are attended to as well, or relevance is all that is asked for.
    pub attended: bool,
    macs_choice: u64,
    macs_scores: u64,
    macs_values: u64,
    pub exponentials: u64,
    /// Of the queries.
    elements: u64,
    /// Without exponentials.
    pub instructions_ideal: u64,
}

/// One configuration, counted.
pub(super) type Row = Counted<Configuration>;

impl Row {
    /// Instructions over the ideal, exponentials at what they may take left out of both.
    pub fn over_ideal(&self) -> f64 {
        self.without_exponentials() / self.of.instructions_ideal as f64
    }

    /// The same with what quantizing the queries takes added to the ideal.
    pub fn over_ideal_and_queries(&self) -> Option<f64> {
        let ideal = self.of.instructions_ideal + self.queries()?;
        Some(self.without_exponentials() / ideal as f64)
    }

    /// What quantizing the queries takes, where they are.
    fn queries(&self) -> Option<u64> {
        (self.of.precision == "int8").then_some(PER_SIXTEEN_QUERIES * self.of.elements / 16)
    }

    fn without_exponentials(&self) -> f64 {
        self.instructions as f64 - (PER_EXPONENTIAL * self.of.exponentials) as f64
    }

    /// Whether the targets speak of it.
    pub fn is_measured(&self) -> bool {
        self.of.precision == "int8" && self.of.attended && self.of.isa != "scalar"
    }

    /// What no kernel goes below: products, exponentials, and the queries as bytes.
    pub fn least(&self) -> u64 {
        let exponentials = PER_EXPONENTIAL * self.of.exponentials;
        self.of.instructions_ideal + exponentials + self.queries().unwrap_or_default()
    }
}

/// Other runtimes' counts: `tests/reports/attention_peers.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Peers {
    pub method: String,
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
    pub fn parse(text: &str) -> Result<Peers> {
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

    pub fn names(&self) -> Vec<String> {
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
    pub fn instructions(&self, name: &str, cpu: &str, map: &str, tokens: u64) -> Option<u64> {
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
        rows.extend(count(counter, cpu, &program, &[])?);
    }
    fs::write(dir.join("attention.json"), json(&rows)?)?;
    fs::write(dir.join("attention.md"), markdown(&rows, &peers))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
