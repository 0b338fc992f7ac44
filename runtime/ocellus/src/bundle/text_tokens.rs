//! `[text.tokens]`: the table of tokens of a text encoder that takes their embeddings. `models/README.md` is the specification.

use super::{BundleError, I8Rows, Tensors, check};
use serde::Deserialize;

/// Where a piece's embedding is looked up, before the text encoder. Left out, the encoder takes ids.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextTokens {
    /// The file of the tensors `tokens`, i8 `[pieces, width]`, and `scales`, f32 `[pieces]`.
    pub file: String,
    /// Length of a token's embedding, that of a row of the encoder's input.
    pub width: usize,
}

impl TextTokens {
    pub(super) fn check(&self) -> Result<(), BundleError> {
        check::count("text.tokens.width", self.width, 1..=65_536)
    }

    /// The table, with a row for each of `pieces`.
    pub(crate) fn read(&self, bytes: &[u8], pieces: usize) -> Result<I8Rows, BundleError> {
        let tensors = Tensors::parse(&self.file, bytes)?;
        tensors.i8_rows("tokens", "scales", Some(pieces), self.width)
    }
}
