//! `[text.unigram]`: SentencePiece's unigram pieces. `models/README.md` is the specification.

use super::{BundleError, Tensors, check::require, manifest::Text};
use serde::Deserialize;

/// How texts are cut into unigram pieces. Left out, pieces are word pieces or byte pairs.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct UnigramPieces {
    /// The file of the tensors `scores`, f32 `[pieces]`, and `characters`, u8 `[bytes]`.
    pub file: String,
    /// The piece that stands for what no piece has. Left out, the pieces of its bytes do.
    pub unknown: Option<String>,
    /// Whether punctuation of ASCII goes from a text, and `_` becomes a space.
    #[serde(default)]
    pub drop_punctuation: bool,
}

impl UnigramPieces {
    /// # Errors
    /// [`BundleError::Manifest`] where the text has merges too.
    pub(super) fn check(&self, text: &Text) -> Result<(), BundleError> {
        let merges = text.sequence.as_ref().and_then(|of| of.merges.as_ref());
        require("text.sequence.merges", merges.is_none(), || {
            let expected = "none, where there are unigram pieces";
            (expected.into(), format!("{merges:?}"))
        })
    }

    /// Each piece's score, and the character map.
    ///
    /// # Errors
    /// [`BundleError::Contents`].
    pub(crate) fn tensors<'b>(
        &'b self,
        bytes: &'b [u8],
    ) -> Result<(Vec<f32>, &'b [u8]), BundleError> {
        let tensors = Tensors::parse(&self.file, bytes)?;
        Ok((tensors.logarithms("scores")?, tensors.bytes("characters")?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Manifest, check::tests::each_is_named};

    const SIGLIP: &str = include_str!("../../tests/data/siglip.toml");

    #[test]
    fn the_specified_example_of_a_siglip_bundle_parses() {
        let text = Manifest::parse(SIGLIP).expect("the example is valid").text;
        let pieces = text.unigram.expect("a table");
        assert_eq!(pieces.unknown.as_deref(), Some("<unk>"));
        assert!(pieces.drop_punctuation);
        assert_eq!(text.logit_bias, Some(-12.93));
    }

    #[test]
    fn each_bad_value_is_named() {
        let cases = [
            ("logit_bias = -12.93", "logit_bias = nan", "text.logit_bias"),
            ("logit_bias = -12.93", "logit_bias = 1e5", "text.logit_bias"),
            (
                "file = \"unigram.safetensors\"",
                "file = \"none.safetensors\"",
                "text.unigram.file",
            ),
            (
                "[text.sequence]",
                "[text.sequence]\nmerges = \"vocab.txt\"",
                "text.sequence.merges",
            ),
        ];
        each_is_named(SIGLIP, &cases);
    }
}
