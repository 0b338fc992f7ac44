//! What can go wrong, in one type for the caller of the library.

use crate::{
    attention::AttentionError, bundle::BundleError, examples::ExamplesError, route::RouteError,
};
use ocellus_encoder::EncoderError;
use ocellus_language::LanguageError;
use ocellus_vision::{DecodeError, FrameError};

/// Every way in which a call of this library can fail. The message says what, where, expected, got and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bundle was refused.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A model was refused, or failed to run.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// The labels cannot be used.
    #[error(transparent)]
    Language(#[from] LanguageError),
    /// The frame's description does not fit its bytes.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The picture cannot be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The policy does not fit the bundle.
    #[error("policy {policy}: expected {expected}, got {got}")]
    Policy {
        /// The policy's name.
        policy: &'static str,
        /// What the bundle allows.
        expected: String,
        /// What was asked for.
        got: String,
    },
    /// A model gave something that is not a direction in the text space.
    #[error(
        "{file}: the {what} is zero or not finite; `ocellus doctor` re-computes the bundle's golden vectors"
    )]
    NotFinite {
        /// The model's file.
        file: String,
        /// Which vector.
        what: &'static str,
    },
    /// Attention over the map failed.
    #[error(transparent)]
    Attention(#[from] AttentionError),
    /// A prompt template was refused.
    #[error(transparent)]
    Template(LanguageError),
    /// The share of soft prompts is none.
    #[error("prompt mix: expected 0 to 1, got {got}")]
    PromptMix {
        /// What was asked for.
        got: f32,
    },
    /// Soft prompts were asked for, and the bundle has none.
    #[error(
        "bundle {bundle}: expected a [soft_prompts] table in its manifest, got none; leave the prompt mix out, or use a bundle that has it"
    )]
    NoSoftPrompts {
        /// The bundle's name.
        bundle: String,
    },
    /// Examples were refused.
    #[error(transparent)]
    Examples(#[from] ExamplesError),
    /// Relevance was asked for, and the bundle has no calibration of it.
    #[error(
        "bundle {bundle}: expected a [relevance] table in its manifest, got none; leave relevance out, or use a bundle that has it"
    )]
    NoRelevance {
        /// The bundle's name.
        bundle: String,
    },
    /// More memory would be kept than the limit allows. What was made is dropped again.
    #[error(
        "{what}: expected at most {limit} bytes of memory, got {used}; raise the limit, or ask for less: a policy with fewer resolutions, fewer labels, smaller frames"
    )]
    Memory {
        /// What was made.
        what: String,
        /// The limit in bytes.
        limit: usize,
        /// What would be used, in bytes.
        used: usize,
    },
    /// A table of routes was refused, or none of them can be taken.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// A frame came before any labels.
    #[error("no labels are set, and none was taught; call set_labels or teach first")]
    NoLabels,
}

impl Error {
    /// A short, stable name of the kind of error, for reports that machines read.
    pub fn kind(&self) -> &'static str {
        match self {
            Error::Bundle(_) => "bundle",
            Error::Encoder(_) => "model",
            Error::Language(_) | Error::NoLabels => "labels",
            Error::Frame(_) => "frame",
            Error::Decode(error) => error.kind(),
            Error::Policy { .. } => "policy",
            Error::NotFinite { .. } => "not-finite",
            Error::Attention(_) => "attention",
            Error::Template(_) | Error::PromptMix { .. } | Error::NoSoftPrompts { .. } => "prompts",
            Error::Examples(error) => error.kind(),
            Error::NoRelevance { .. } => "relevance",
            Error::Memory { .. } => "memory",
            Error::Route(_) => "route",
        }
    }
}
