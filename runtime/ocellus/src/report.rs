//! The report: what one frame gave. Field names are the JSON's, carry their units, and stay stable.

use crate::{heads::Probabilities, relevance::Place};
use ocellus_vision::View;
use serde::{Serialize, Serializer};
use std::sync::Arc;

/// What one frame gave.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Every label, best first, also when nothing fits.
    pub labels: Vec<Hit>,
    /// What the labels' probabilities are, which the bundle's model decides.
    pub probabilities: Probabilities,
    /// Nothing fits: `match_probability` is below the bundle's threshold.
    pub no_match: bool,
    /// The calibrated probability that at least one label fits, 0..1, against the bundle's background pictures; 1 where the
    /// bundle has no `[no_match]` table and cannot tell.
    pub match_probability: f32,
    /// Shannon entropy of the grey histogram, 0..8 bits; of several views the largest.
    pub entropy_bits: f32,
    /// Side in pixels of the encoder's input that gave the answer.
    pub resolution: u32,
    /// The policy's name.
    pub policy: &'static str,
    /// Why this resolution.
    pub reason: String,
    /// The answer at the first resolution was unsure, and a higher one was used.
    pub escalated: bool,
    /// The answer at the first resolution was unsure, and the session's budget left no time for a higher one.
    pub degraded: bool,
    /// What the encoder saw, in pixels of the frame.
    pub seen: Vec<Seen>,
    /// Microseconds of each stage.
    pub stages_us: StagesUs,
    /// The instruction set of the kernels: `scalar`, `neon` or `dotprod`.
    pub isa: &'static str,
    /// Which bundle answered.
    pub bundle: BundleId,
    /// What was converted or left out on the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// One label's result.
#[derive(Clone, Debug, Serialize)]
pub struct Hit {
    /// The label as it was given.
    #[serde(serialize_with = "text")]
    pub label: Arc<str>,
    /// Its place in the list that was given, from 0.
    pub index: usize,
    /// Cosine of the label's and the frame's embeddings, -1..1; of a label that was taught, with what its examples add.
    pub score: f32,
    /// Softmax over the labels of the call, 0..1; of a bundle with a logit bias each label's own sigmoid
    /// ([`Report::probabilities`]).
    pub probability: f32,
    /// What it was taught by, if it was.
    #[serde(flatten)]
    pub taught: Option<Taught>,
    /// Where it is, if the session was asked for it.
    #[serde(flatten)]
    pub place: Option<Place>,
}

/// How a label was taught.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Taught {
    /// By how many examples.
    pub examples: usize,
    /// Cosine of the frame's features and the nearest example's, -1..1; of several views the largest.
    pub similarity: f32,
}

/// A rectangle in pixels of the frame (after its EXIF orientation).
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Seen {
    /// Left edge.
    pub x: f64,
    /// Top edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

impl From<View> for Seen {
    fn from(view: View) -> Seen {
        Seen {
            x: view.left,
            y: view.top,
            width: view.width,
            height: view.height,
        }
    }
}

/// Microseconds of each stage. One-off preparation of a resolution's plan is not among them.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct StagesUs {
    /// A picture's bytes, or a camera's pixel format, to RGB of what is looked at.
    pub decode: u64,
    /// The entropy, and the choice of the resolution.
    pub look: u64,
    /// Resize and normalise, over all resolutions that were used.
    pub resize: u64,
    /// The image encoder, over all resolutions that were used.
    pub encode: u64,
    /// Embedding, scores, probabilities, the no-match verdict, relevance.
    pub heads: u64,
    /// From bytes to report.
    pub total: u64,
}

/// Which bundle answered.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BundleId {
    /// Its name.
    #[serde(serialize_with = "text")]
    pub name: Arc<str>,
    /// SHA-256 of its manifest, which names every other file's.
    #[serde(serialize_with = "text")]
    pub sha256: Arc<str>,
}

/// A text that is shared by reports.
fn text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}
