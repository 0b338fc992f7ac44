//! What every command shares: which bundle, which instruction set, how many threads, which policy.

use crate::Usage;
use anyhow::Context;
use ocellus::{
    Bundle, Engine, Isa, MemoryLimit, Policy, Pool, Resources, Tier, bundle::Manifest, sys::Machine,
};
use ocellus_boards::Profile;
use std::{path::PathBuf, str::FromStr, sync::Arc};

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

    /// The bundle, ready to run on the threads of `pool`.
    pub fn engine(&self, pool: Pool) -> anyhow::Result<Engine> {
        engine(Arc::new(self.load()?), pool)
    }
}

/// `bundle`, ready to run on the threads of `pool`.
pub fn engine(bundle: Arc<Bundle>, pool: Pool) -> anyhow::Result<Engine> {
    let resources = Resources {
        memory: MemoryLimit::NONE,
        pool: Arc::new(pool),
    };
    Ok(Engine::load_with(bundle, isa()?, resources)?)
}

/// How many threads share the image encoder's work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threads {
    /// As many as the board's profile says; one where no profile holds.
    Auto,
    /// 1 to [`Pool::MOST`].
    Count(usize),
}

impl Threads {
    /// Their number on this machine.
    pub fn count(self) -> usize {
        match self {
            Threads::Count(count) => count,
            Threads::Auto => {
                Profile::of(&Machine::this()).map_or(1, |board| board.defaults.threads)
            }
        }
    }

    /// As many threads.
    pub fn pool(self) -> anyhow::Result<Pool> {
        let count = self.count();
        Pool::new(count).with_context(|| format!("{count} threads"))
    }
}

impl FromStr for Threads {
    type Err = String;

    fn from_str(text: &str) -> Result<Threads, String> {
        let count = text.parse().ok().filter(|n| (1..=Pool::MOST).contains(n));
        match (text, count) {
            ("auto", _) => Ok(Threads::Auto),
            (_, Some(count)) => Ok(Threads::Count(count)),
            _ => Err(format!("expected auto or 1 to {}", Pool::MOST)),
        }
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
pub enum PolicyName {
    /// The rule of 4.0 and 7.0 bits for three resolutions; for another number of them, the bundle's thresholds alone.
    Entropy,
    /// From the middle resolution to the highest, by the bundle's margin.
    Cascade,
    /// By the bundle's thresholds and margin.
    EntropyCascade,
}

impl PolicyName {
    /// The policy with the bundle's calibration.
    pub fn of(self, manifest: &Manifest) -> Policy {
        let resolutions = &manifest.image.resolutions;
        match self {
            PolicyName::Entropy => Policy::entropy_of(manifest),
            PolicyName::Cascade => Policy::Cascade {
                start: resolutions[resolutions.len() / 2],
                margin: manifest.policy.margin,
            },
            PolicyName::EntropyCascade => Policy::of(manifest),
        }
    }
}

impl PolicyOptions {
    /// The policy for a bundle.
    pub fn policy(&self, manifest: &Manifest) -> anyhow::Result<Policy> {
        let resolutions = &manifest.image.resolutions;
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
        let mut policy = self.policy.of(manifest);
        if let (
            Policy::Entropy { thresholds_bits }
            | Policy::EntropyCascade {
                thresholds_bits, ..
            },
            Some(bits),
        ) = (&mut policy, &self.thresholds_bits)
        {
            thresholds_bits.clone_from(bits);
        }
        if let (
            Policy::Cascade { margin, .. } | Policy::EntropyCascade { margin, .. },
            Some(least),
        ) = (&mut policy, self.margin)
        {
            *margin = least;
        }
        Ok(policy)
    }
}
