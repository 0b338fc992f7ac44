//! `[soft_prompts]`: what was learnt to be put before labels, or added to them. `models/README.md` is the specification.

use super::{BundleError, Tensors, check, manifest::Text};
use serde::Deserialize;

/// No bundle has more offsets.
const MOST: usize = 1024;

/// Which soft prompts a bundle has, and how much they count.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoftPrompts {
    /// The file of the tensor `offsets`, f32 `[n, dimension]`, or of `prefix`, f32 `[prefix, dimension]`.
    pub file: String,
    /// Length of a vector: of an offset that of an embedding, of a prefix that of a token's.
    pub dimension: usize,
    /// How many vectors stand between a text's first piece and the label's; left out, the vectors are offsets.
    pub prefix: Option<usize>,
    /// The share of soft prompts in a label's embedding where nobody says another, 0..1.
    pub mix: f32,
}

/// Vectors that were learnt.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum SoftVectors {
    /// None.
    #[default]
    None,
    /// They are added to a label's embedding, `[n][d]`.
    Offsets(Vec<Vec<f32>>),
    /// They stand before a label's tokens.
    Prefix {
        /// `[count, width]`.
        vectors: Vec<f32>,
        /// How many.
        count: usize,
    },
}

impl SoftPrompts {
    pub(super) fn check(&self, text: &Text) -> Result<(), BundleError> {
        let (of, expected) = match (self.prefix, &text.tokens) {
            (None, _) => ("text.dimension", text.dimension),
            (Some(count), Some(tokens)) => {
                let framing = text.sequence.as_ref().map_or(0, |frame| frame.framing());
                // One place at least is the label's.
                let most = text.max_tokens.saturating_sub(framing + 1);
                check::count("soft_prompts.prefix", count, 1..=most)?;
                ("text.tokens.width", tokens.width)
            }
            (Some(count), None) => {
                return check::require("soft_prompts.prefix", false, || {
                    let expected =
                        "nothing where the text encoder takes ids; give it [text.tokens]";
                    (expected.into(), count.to_string())
                });
            }
        };
        check::require("soft_prompts.dimension", self.dimension == expected, || {
            (format!("{of} = {expected}"), self.dimension.to_string())
        })?;
        check::in_range("soft_prompts.mix", self.mix, 0.0, 1.0)
    }

    /// The vectors of the file.
    pub(crate) fn read(&self, bytes: &[u8]) -> Result<SoftVectors, BundleError> {
        let tensors = Tensors::parse(&self.file, bytes)?;
        if let Some(count) = self.prefix {
            let vectors = tensors.f32("prefix", &[Some(count), Some(self.dimension)])?;
            return Ok(SoftVectors::Prefix { vectors, count });
        }
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
        Ok(SoftVectors::Offsets(offsets.map(<[f32]>::to_vec).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        Manifest,
        check::tests::{each_is_named, refused},
    };

    const GOOD: &str = include_str!("../../tests/data/manifest.toml");
    const CLIP: &str = include_str!("../../tests/data/clip.toml");

    #[test]
    fn each_bad_value_is_named() {
        let cases = [
            (
                "dimension = 128                         # d\nmix",
                "dimension = 64\nmix",
                "soft_prompts.dimension",
            ),
            ("mix = 0.5", "mix = nan", "soft_prompts.mix"),
            ("mix = 0.5", "mix = 1.5", "soft_prompts.mix"),
            ("mix = 0.5", "mix = 0.5\nprefix = 4", "soft_prompts.prefix"),
            (
                "file = \"prompts.safetensors\"",
                "file = \"none.safetensors\"",
                "soft_prompts.file",
            ),
        ];
        each_is_named(GOOD, &cases);
    }

    /// The example of a CLIP bundle whose text encoder takes embeddings, with a prefix.
    fn with_prefix(width: usize, count: usize, dimension: usize) -> String {
        // Any file of the bundle will do for a manifest.
        format!(
            "{CLIP}\n[text.tokens]\nfile = \"vocab.txt\"\nwidth = {width}\n\n[soft_prompts]\n\
             file = \"merges.txt\"\nprefix = {count}\ndimension = {dimension}\nmix = 0.5\n"
        )
    }

    #[test]
    fn a_prefix_is_as_wide_as_tokens_and_leaves_room_for_a_label() {
        let manifest = Manifest::parse(&with_prefix(64, 74, 64)).expect("a manifest");
        assert_eq!(manifest.soft_prompts.expect("a table").prefix, Some(74));
        refused(&with_prefix(64, 75, 64), "soft_prompts.prefix");
        refused(&with_prefix(64, 0, 64), "soft_prompts.prefix");
        refused(&with_prefix(64, 4, 48), "soft_prompts.dimension");
        // The embedding's dimension is another thing.
        refused(&with_prefix(64, 4, 512), "soft_prompts.dimension");
        refused(&with_prefix(0, 4, 0), "text.tokens.width");
        let other = with_prefix(64, 4, 64).replace("\"vocab.txt\"\nwidth", "\"none\"\nwidth");
        refused(&other, "text.tokens.file");
    }
}
