//! Other runtimes' counts: `tests/reports/peers.toml`.

use crate::cross;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peers {
    pub model: String,
    pub method: String,
    resolutions: Vec<u32>,
    #[serde(rename = "peer")]
    pub peers: Vec<Peer>,
}

/// One runtime with one kind of arithmetic.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    pub name: String,
    pub version: String,
    pub arithmetic: String,
    /// Whether it computes in 8-bit integers.
    int8: bool,
    /// By core, then by resolution.
    millions: BTreeMap<String, Vec<f64>>,
}

/// The count to beat.
#[derive(Debug, PartialEq, Serialize)]
pub struct Best {
    pub name: String,
    pub version: String,
    pub instructions: u64,
}

impl Peers {
    /// Reads the file's text.
    pub fn parse(text: &str) -> Result<Self> {
        let peers: Self = toml::from_str(text)?;
        for peer in &peers.peers {
            for cpu in cross::CPUS {
                let counts = peer.millions.get(cpu);
                let counts = counts.with_context(|| format!("{}: no {cpu}", peer.name))?;
                ensure!(
                    counts.len() == peers.resolutions.len(),
                    "{}: {cpu} has {} counts for {} resolutions",
                    peer.name,
                    counts.len(),
                    peers.resolutions.len()
                );
            }
        }
        Ok(peers)
    }

    /// A peer's count, where it was taken.
    pub fn instructions(&self, peer: &Peer, cpu: &str, resolution: u32) -> Option<u64> {
        let at = self
            .resolutions
            .iter()
            .position(|&side| side == resolution)?;
        let millions = *peer.millions.get(cpu)?.get(at)?;
        // The file has a tenth of a million.
        Some((millions * 10.0).round() as u64 * 100_000)
    }

    /// The fewest instructions among the peers that compute in INT8, or among the others.
    pub fn best(&self, int8: bool, cpu: &str, resolution: u32) -> Option<Best> {
        let counts = self.peers.iter().filter(|peer| peer.int8 == int8);
        let counts =
            counts.filter_map(|peer| Some((self.instructions(peer, cpu, resolution)?, peer)));
        counts
            .min_by_key(|(instructions, _)| *instructions)
            .map(|(instructions, peer)| Best {
                name: peer.name.clone(),
                version: peer.version.clone(),
                instructions,
            })
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::repo;

    /// The committed file.
    pub fn committed() -> Peers {
        let file = repo::root().unwrap().join("tests/reports/peers.toml");
        Peers::parse(&std::fs::read_to_string(file).unwrap()).unwrap()
    }

    #[test]
    fn the_best_peer_differs_by_core() {
        let peers = committed();
        let best = |int8, cpu| peers.best(int8, cpu, 224).unwrap();
        assert_eq!(best(true, "cortex-a53").name, "onnxruntime (MLAS)");
        assert_eq!(best(true, "cortex-a53").instructions, 145_900_000);
        assert_eq!(best(true, "cortex-a76").name, "LiteRT (XNNPACK)");
        assert_eq!(best(false, "cortex-a72").name, "ncnn");
        assert_eq!(peers.best(true, "cortex-a53", 100), None);
        assert_eq!(peers.best(true, "cortex-a7", 224), None);
    }

    #[test]
    fn a_gap_in_the_figures_is_an_error() {
        let text = |millions: &str| {
            format!(
                "model = ''\nmethod = ''\nresolutions = [112, 160]\n[[peer]]\nname = 'x'\nversion = '1'\n\
                 arithmetic = 'int8'\nint8 = true\n[peer.millions]\n{millions}"
            )
        };
        let error = |millions: &str| Peers::parse(&text(millions)).err().map(|e| e.to_string());
        let two = "cortex-a53 = [1, 2]\ncortex-a72 = [1, 2]\n";
        assert_eq!(error(two), Some("x: no cortex-a76".into()));
        let short = error(&format!("{two}cortex-a76 = [1]"));
        assert_eq!(
            short,
            Some("x: cortex-a76 has 1 counts for 2 resolutions".into())
        );
        assert_eq!(error(&format!("{two}cortex-a76 = [1, 2.5]")), None);
    }
}
