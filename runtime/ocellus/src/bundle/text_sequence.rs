//! How the ids of a text are laid out for a text encoder that is a transformer: `[text.sequence]`.

use super::{BundleError, check::require, manifest::Text};
use ocellus_language::Sequence;
use serde::Deserialize;

/// What stands around a text's pieces. Left out, ids are the pieces of the text and nothing else.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextSequence {
    /// The merges of byte pairs, two pieces a line. Without it pieces are word pieces.
    pub merges: Option<String>,
    /// The piece before a text.
    pub start: Option<String>,
    /// The piece behind it.
    pub end: Option<String>,
    /// The piece that a text is filled up with.
    pub pad: Option<String>,
    /// Rising lengths in ids, the last of them `max_tokens`: a text is filled up to the first that it fits in. Left out,
    /// a text stays as long as it is.
    #[serde(default)]
    pub lengths: Vec<usize>,
}

impl TextSequence {
    /// The frame around a text's pieces.
    pub(crate) fn sequence(&self) -> Sequence {
        Sequence {
            start: self.start.clone(),
            end: self.end.clone(),
            pad: self.pad.clone(),
            lengths: self.lengths.clone(),
        }
    }

    /// How many pieces stand around a text.
    pub(crate) fn framing(&self) -> usize {
        usize::from(self.start.is_some()) + usize::from(self.end.is_some())
    }

    /// # Errors
    /// [`BundleError::Manifest`] names the key, what it held and what it may hold.
    pub(super) fn check(&self, text: &Text) -> Result<(), BundleError> {
        let lengths = &self.lengths;
        let most = text.max_tokens;
        let rising =
            lengths.windows(2).all(|pair| pair[0] < pair[1]) && lengths.first() != Some(&0);
        let whole = lengths.last().is_none_or(|&last| last == most);
        require("text.sequence.lengths", rising && whole, || {
            let expected =
                format!("rising lengths of 1 and more, the last of them max_tokens, {most}");
            (expected, format!("{lengths:?}"))
        })?;
        require(
            "text.sequence.pad",
            self.pad.is_some() != lengths.is_empty(),
            || {
                let got = format!("{:?} with lengths {lengths:?}", self.pad);
                (
                    "a piece where there are lengths, and only there".into(),
                    got,
                )
            },
        )?;
        let framing = self.framing();
        require("text.max_tokens", most > framing, || {
            let expected = format!("room for a text beside {framing} pieces around it");
            (expected, most.to_string())
        })
    }
}
