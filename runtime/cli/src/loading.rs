//! What every command shares: which bundle, which instruction set, which policy.

use crate::Usage;
use anyhow::Context;
use ocellus::{Bundle, Engine, Isa, Policy, Tier, bundle::Manifest};
use std::path::PathBuf;

/// Options that choose the bundle.
#[derive(clap::Args)]
pub struct BundleOption {
    /// A bundle's folder instead of the one inside the program
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
}

impl BundleOption {
    /// The bundle: embedded, or from its folder with sizes and hashes checked.
    pub fn load(&self) -> anyhow::Result<Bundle> {
        match &self.bundle {
            Some(folder) => {
                Bundle::open(folder).with_context(|| format!("bundle {}", folder.display()))
            }
            None => {
                Bundle::embedded(ocellus_models::DEFAULT).context("the bundle inside this program")
            }
        }
    }

    /// The bundle, ready to run.
    pub fn engine(&self) -> anyhow::Result<Engine> {
        Ok(Engine::load(self.load()?, isa()?)?)
    }
}

/// The machine's instruction set, lowered by `OCELLUS_ISA`.
pub fn isa() -> anyhow::Result<Isa> {
    let isa = ocellus::detect_isa();
    let Ok(limit) = std::env::var("OCELLUS_ISA") else {
        return Ok(isa);
    };
    let limit: Tier = limit.parse().map_err(|_| {
        Usage(format!(
            "OCELLUS_ISA: expected scalar, neon or dotprod, got {limit:?}"
        ))
    })?;
    Ok(isa.at_most(limit))
}

/// Options that choose the resolution.
#[derive(clap::Args)]
pub struct PolicyOptions {
    /// Side of the encoder's input: auto (the policy chooses) or one of the bundle's resolutions
    #[arg(long, value_name = "auto|N", default_value = "auto")]
    resolution: String,
    /// How the resolution is chosen; `entropy` is the rule of 4.0 and 7.0 bits, the others use the bundle's calibration
    #[arg(long, value_enum, default_value = "entropy-cascade")]
    policy: PolicyName,
    /// Thresholds in bits that replace those of the policy, rising
    #[arg(long, value_name = "BITS,BITS", value_delimiter = ',')]
    thresholds_bits: Option<Vec<f32>>,
    /// Margin of 0 to 1 that replaces the bundle's
    #[arg(long)]
    margin: Option<f32>,
}

/// The policies that need no further number; a fixed resolution is `--resolution N`.
#[derive(Clone, Copy, clap::ValueEnum)]
enum PolicyName {
    Entropy,
    Cascade,
    EntropyCascade,
}

impl PolicyOptions {
    /// The policy for a bundle.
    pub fn policy(&self, manifest: &Manifest) -> anyhow::Result<Policy> {
        let resolutions = &manifest.image.resolutions;
        let thresholds = |default: &[f32]| {
            self.thresholds_bits
                .clone()
                .unwrap_or_else(|| default.to_vec())
        };
        let margin = self.margin.unwrap_or(manifest.policy.margin);
        if self.resolution != "auto" {
            let side = self
                .resolution
                .parse()
                .ok()
                .filter(|side| resolutions.contains(side));
            let side = side.ok_or_else(|| {
                Usage(format!(
                    "--resolution: expected auto or one of {resolutions:?}, got {:?}",
                    self.resolution
                ))
            })?;
            return Ok(Policy::Fixed(side));
        }
        Ok(match self.policy {
            PolicyName::Entropy => Policy::Entropy {
                thresholds_bits: thresholds(&Policy::ENTROPY_BITS),
            },
            PolicyName::Cascade => Policy::Cascade {
                start: resolutions[resolutions.len() / 2],
                margin,
            },
            PolicyName::EntropyCascade => Policy::EntropyCascade {
                thresholds_bits: thresholds(&manifest.policy.entropy_bits),
                margin,
            },
        })
    }
}
