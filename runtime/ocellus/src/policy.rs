//! Policies: at which resolution a frame is encoded.
//!
//! Cost grows with the square of the side, and most frames need little of it. [`Policy::Entropy`] is the simplest rule that
//! looks at the frame at all; a margin tells more than the entropy does, so the default looks at both: the entropy picks
//! the first resolution, and an answer whose margin is too small is computed again at the highest. At most one escalation
//! happens, so the worst case is the first resolution's time plus the last's.

use crate::bundle::{Image, Manifest};
use crate::error::Error;
use std::fmt::{self, Write};

/// How a resolution is chosen. Thresholds are in bits of grey entropy (0..8), margins in probability (0..1).
#[derive(Clone, Debug, PartialEq)]
pub enum Policy {
    /// Always this one.
    Fixed(u32),
    /// The frame's entropy alone: below the first threshold the lowest resolution, below the second the next, and so on.
    Entropy {
        /// Rising, one fewer than the bundle's resolutions.
        thresholds_bits: Vec<f32>,
    },
    /// A fixed first resolution, and the highest where the answer's margin is smaller than `margin`.
    Cascade {
        /// The first resolution.
        start: u32,
        /// The least margin of a sure answer.
        margin: f32,
    },
    /// The entropy picks the first resolution, a small margin escalates to the highest.
    EntropyCascade {
        /// Rising, one fewer than the bundle's resolutions.
        thresholds_bits: Vec<f32>,
        /// The least margin of a sure answer.
        margin: f32,
    },
}

impl Policy {
    /// The rule of 4.0 and 7.0 bits for three resolutions, whatever the bundle's calibration.
    pub const ENTROPY_BITS: [f32; 2] = [4.0, 7.0];

    /// The bundle's calibrated default.
    pub fn of(manifest: &Manifest) -> Policy {
        Policy::EntropyCascade {
            thresholds_bits: manifest.policy.entropy_bits.clone(),
            margin: manifest.policy.margin,
        }
    }

    /// The rule of [`Policy::ENTROPY_BITS`] where the bundle has three resolutions, as that is for; else the entropy
    /// alone by the bundle's thresholds.
    pub fn entropy_of(manifest: &Manifest) -> Policy {
        let calibrated = &manifest.policy.entropy_bits;
        Policy::Entropy {
            thresholds_bits: match calibrated.len() == Policy::ENTROPY_BITS.len() {
                true => Policy::ENTROPY_BITS.to_vec(),
                false => calibrated.clone(),
            },
        }
    }

    /// `fixed`, `entropy`, `cascade` or `entropy-cascade`.
    pub fn name(&self) -> &'static str {
        match self {
            Policy::Fixed(_) => "fixed",
            Policy::Entropy { .. } => "entropy",
            Policy::Cascade { .. } => "cascade",
            Policy::EntropyCascade { .. } => "entropy-cascade",
        }
    }

    /// Checks the policy against a bundle's resolutions.
    pub(crate) fn check(&self, image: &Image) -> Result<(), Error> {
        let resolutions = &image.resolutions;
        let refuse = |expected: String, got: String| {
            Err(Error::Policy {
                policy: self.name(),
                expected,
                got,
            })
        };
        let known = |side: u32| resolutions.contains(&side);
        match self {
            Policy::Fixed(side) | Policy::Cascade { start: side, .. } if !known(*side) => {
                return refuse(
                    format!("one of the bundle's resolutions {resolutions:?}"),
                    side.to_string(),
                );
            }
            Policy::Entropy { thresholds_bits }
            | Policy::EntropyCascade {
                thresholds_bits, ..
            } => {
                let rising = thresholds_bits.windows(2).all(|pair| pair[0] <= pair[1]);
                let in_range = thresholds_bits
                    .iter()
                    .all(|bits| (0.0..=8.0).contains(bits));
                if thresholds_bits.len() + 1 != resolutions.len() || !rising || !in_range {
                    return refuse(
                        format!("{} rising thresholds of 0 to 8 bits", resolutions.len() - 1),
                        format!("{thresholds_bits:?}"),
                    );
                }
            }
            _ => {}
        }
        match self {
            Policy::Cascade { margin, .. } | Policy::EntropyCascade { margin, .. }
                if !(0.0..=1.0).contains(margin) =>
            {
                refuse("a margin of 0 to 1".into(), margin.to_string())
            }
            _ => Ok(()),
        }
    }

    /// The first resolution for a frame of this entropy; writes why.
    pub(crate) fn first(&self, entropy_bits: f32, resolutions: &[u32], reason: &mut String) -> u32 {
        match self {
            Policy::Fixed(side) => {
                say(reason, format_args!("fixed at {side}"));
                *side
            }
            Policy::Cascade { start, .. } => {
                say(reason, format_args!("starts at {start}"));
                *start
            }
            Policy::Entropy { thresholds_bits }
            | Policy::EntropyCascade {
                thresholds_bits, ..
            } => {
                let step = thresholds_bits
                    .iter()
                    .take_while(|&&bits| entropy_bits >= bits)
                    .count();
                let side = resolutions[step];
                say(reason, format_args!("entropy {entropy_bits:.2} bits is "));
                match thresholds_bits.get(step) {
                    Some(bits) => say(reason, format_args!("below {bits:.2}")),
                    None => {
                        let last = thresholds_bits.last().copied().unwrap_or(0.0);
                        say(reason, format_args!("at least {last:.2}"));
                    }
                }
                say(reason, format_args!(", so {side}"));
                side
            }
        }
    }

    /// The resolution to go on with after an answer of this margin at `resolution`; `None` when the answer stands, and
    /// else it adds why.
    pub(crate) fn escalate(
        &self,
        margin: f32,
        resolution: u32,
        resolutions: &[u32],
        reason: &mut String,
    ) -> Option<u32> {
        let least = match self {
            Policy::Cascade { margin, .. } | Policy::EntropyCascade { margin, .. } => *margin,
            Policy::Fixed(_) | Policy::Entropy { .. } => return None,
        };
        let highest = *resolutions.last()?;
        if resolution >= highest || margin >= least {
            return None;
        }
        say(
            reason,
            format_args!("; margin {margin:.2} at {resolution} is below {least:.2}, so {highest}"),
        );
        Some(highest)
    }
}

/// Adds to a text. Only numbers are written, which cannot fail.
pub(crate) fn say(text: &mut String, more: fmt::Arguments<'_>) {
    let _ = text.write_fmt(more);
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESOLUTIONS: [u32; 3] = [112, 160, 224];

    #[test]
    fn the_entropy_rule_is_below_four_below_seven_else() {
        let policy = Policy::Entropy {
            thresholds_bits: Policy::ENTROPY_BITS.to_vec(),
        };
        for (bits, side) in [
            (0.0, 112),
            (3.999, 112),
            (4.0, 160),
            (6.999, 160),
            (7.0, 224),
            (8.0, 224),
        ] {
            assert_eq!(
                policy.first(bits, &RESOLUTIONS, &mut String::new()),
                side,
                "{bits} bits"
            );
            let reason = &mut String::new();
            assert_eq!(policy.escalate(0.0, side, &RESOLUTIONS, reason), None);
        }
    }

    #[test]
    fn a_small_margin_escalates_to_the_highest_once() {
        let policy = Policy::EntropyCascade {
            thresholds_bits: vec![4.0, 7.0],
            margin: 0.3,
        };
        let mut reason = "starts".to_owned();
        let mut escalate = |margin, at| policy.escalate(margin, at, &RESOLUTIONS, &mut reason);
        assert_eq!(escalate(0.30, 112), None);
        assert_eq!(escalate(0.0, 224), None);
        assert_eq!(escalate(0.29, 112), Some(224));
        assert_eq!(reason, "starts; margin 0.29 at 112 is below 0.30, so 224");
    }

    #[test]
    fn a_policy_that_does_not_fit_the_bundle_is_refused() {
        let manifest = Manifest::parse(include_str!("../tests/data/manifest.toml")).expect("valid");
        for policy in [
            Policy::Fixed(128),
            Policy::Cascade {
                start: 96,
                margin: 0.3,
            },
            Policy::Cascade {
                start: 160,
                margin: f32::NAN,
            },
            Policy::Entropy {
                thresholds_bits: vec![4.0],
            },
            Policy::Entropy {
                thresholds_bits: vec![7.0, 4.0],
            },
            Policy::EntropyCascade {
                thresholds_bits: vec![4.0, f32::NAN],
                margin: 0.3,
            },
        ] {
            assert!(policy.check(&manifest.image).is_err(), "{policy:?}");
        }
        assert!(Policy::of(&manifest).check(&manifest.image).is_ok());
    }
}
