//! What can be wrong with examples, and with their bytes.

use super::MAX_EXAMPLES;

/// Why examples were refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExamplesError {
    /// The bytes are something else.
    #[error(
        "examples: expected what `ocellus teach` or a session saved, got {got}; give another file"
    )]
    NotExamples {
        /// What they are.
        got: String,
    },
    /// The bytes are of another version of this program.
    #[error(
        "examples: expected version {expected}, got {got}; teach again with this program, or use the one that saved them"
    )]
    Version {
        /// The version that is read here.
        expected: u32,
        /// Theirs.
        got: u32,
    },
    /// The bytes were examples and are damaged.
    #[error(
        "examples: expected whole ones, got damaged ones ({what}); restore a copy, or delete the file and teach again"
    )]
    Damaged {
        /// What was found.
        what: String,
    },
    /// The examples were taught with another bundle: their keys lie in another space.
    #[error(
        "examples: expected ones taught with bundle {expected}, got ones of {got}; \
         use that bundle, or delete the file and teach again"
    )]
    OtherBundle {
        /// SHA-256 of the bundle at hand.
        expected: String,
        /// SHA-256 of the examples' bundle.
        got: String,
    },
    /// A label was to be forgotten that was never taught.
    #[error(
        "label {label:?}: expected one that was taught, {known}, got another; see `ocellus taught`"
    )]
    NotTaught {
        /// The label.
        label: String,
        /// Those that were.
        known: String,
    },
    /// The very picture is another label's example.
    #[error(
        "label {label:?}: expected a picture that teaches nothing else, got one that is taught as {other:?}; forget {other:?} first"
    )]
    Contradiction {
        /// The label that it was to teach.
        label: String,
        /// The label that it teaches.
        other: String,
    },
    /// There are as many examples as there may be.
    #[error("examples: expected at most {MAX_EXAMPLES}, got one more; forget a label first")]
    Full,
}

impl ExamplesError {
    /// A short, stable name of the kind of error, for reports that machines read.
    pub fn kind(&self) -> &'static str {
        match self {
            ExamplesError::NotExamples { .. } => "not-examples",
            ExamplesError::Version { .. } => "version",
            ExamplesError::Damaged { .. } => "damaged",
            ExamplesError::OtherBundle { .. } => "other-bundle",
            ExamplesError::NotTaught { .. } => "not-taught",
            ExamplesError::Contradiction { .. } => "contradiction",
            ExamplesError::Full => "full",
        }
    }
}
