//! `[soft_prompts]`: directions that were learnt to be added to labels. `models/README.md` is the specification.

use super::{BundleError, Tensors, check};
use serde::Deserialize;

/// No bundle has more of them.
const MOST: usize = 1024;

/// Which soft prompts a bundle has, and how much they count.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoftPrompts {
    /// The file of the tensor `offsets`, f32 `[n, dimension]`.
    pub file: String,
    /// Length of an offset, that of an embedding.
    pub dimension: usize,
    /// The share of soft prompts in a label's embedding where nobody says another, 0..1.
    pub mix: f32,
}

impl SoftPrompts {
    pub(super) fn check(&self, dimension: usize) -> Result<(), BundleError> {
        check::require(
            "soft_prompts.dimension",
            self.dimension == dimension,
            || {
                (
                    format!("text.dimension = {dimension}"),
                    self.dimension.to_string(),
                )
            },
        )?;
        check::in_range("soft_prompts.mix", self.mix, 0.0, 1.0)
    }

    /// The offsets `[n][dimension]`, at least one.
    pub(crate) fn read(&self, bytes: &[u8]) -> Result<Vec<Vec<f32>>, BundleError> {
        let tensors = Tensors::parse(&self.file, bytes)?;
        let offsets = tensors.f32("offsets", &[None, Some(self.dimension)])?;
        let count = offsets.len() / self.dimension;
        if !(1..=MOST).contains(&count) {
            return Err(BundleError::Contents {
                file: self.file.clone(),
                what: "offsets".into(),
                expected: format!("1 to {MOST} of them"),
                got: count.to_string(),
            });
        }
        let offsets = offsets.chunks_exact(self.dimension);
        Ok(offsets.map(<[f32]>::to_vec).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Manifest, *};

    const GOOD: &str = include_str!("../../tests/data/manifest.toml");

    #[test]
    fn each_bad_value_is_named() {
        for (from, to, key) in [
            (
                "dimension = 128                         # d\nmix",
                "dimension = 64\nmix",
                "soft_prompts.dimension",
            ),
            ("mix = 0.5", "mix = nan", "soft_prompts.mix"),
            ("mix = 0.5", "mix = 1.5", "soft_prompts.mix"),
            (
                "file = \"prompts.safetensors\"",
                "file = \"none.safetensors\"",
                "soft_prompts.file",
            ),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from} is not in the example");
            match Manifest::parse(&text) {
                Err(BundleError::Manifest { key: found, .. }) => assert_eq!(found, key),
                other => panic!("{to}: expected an error at {key}, got {other:?}"),
            }
        }
    }
}
