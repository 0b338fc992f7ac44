//! The manifest: the one file of a bundle whose name is fixed. `models/README.md` is its specification.
//!
//! Parsing is strict: an unknown key is an error, since a mistyped threshold that is silently ignored would give wrong
//! answers without a sign. What passes [`Manifest::parse`] is in range; nobody checks again.

use super::{
    BundleError, FewShot, ImageFiles, SoftPrompts, TextSequence, TextTokens, UnigramPieces,
};
use serde::Deserialize;

/// The only schema this version reads.
pub const SCHEMA: u32 = 1;
/// The manifest's file name.
pub const MANIFEST: &str = "manifest.toml";

/// A bundle's facts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of this document's layout.
    pub schema: u32,
    /// The bundle's name, `[a-z0-9-]+`.
    pub name: String,
    /// The bundle's own version.
    pub version: String,
    /// SPDX expression over all files.
    pub license: String,
    /// Which packages the weights come from.
    pub provenance: String,
    /// Every file but the manifest.
    #[serde(rename = "file")]
    pub files: Vec<FileEntry>,
    /// The image encoder and how pixels are prepared for it.
    pub image: Image,
    /// The text encoder and how words are prepared for it.
    pub text: Text,
    /// How pooled features become an embedding in the text space.
    pub head: Head,
    /// The calibrated defaults of the resolution policies.
    pub policy: PolicyDefaults,
    /// The calibration of the no-match verdict, where the bundle can tell.
    pub no_match: Option<NoMatch>,
    /// How relevance is computed, where the bundle can tell.
    pub relevance: Option<RelevanceDefaults>,
    /// Soft prompts, where the bundle has any.
    pub soft_prompts: Option<SoftPrompts>,
    /// How examples count beside words, where it was calibrated.
    pub few_shot: Option<FewShot>,
    /// What a board re-computes to prove that it computes what the recipe computed.
    pub golden: Golden,
}

/// One file and its identity.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// A plain file name.
    pub name: String,
    /// SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Size in bytes.
    pub bytes: u64,
}

/// The image encoder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// The ONNX file, or one for each resolution.
    pub file: ImageFiles,
    /// Square input sizes in pixels, rising.
    pub resolutions: Vec<u32>,
    /// Multiply-accumulates of one inference, by resolution.
    pub macs: Vec<u64>,
    /// Channels of the map and length of the pooled features, or of the embedding.
    pub channels: usize,
    /// Side of the centre square over the picture's short side, in (0, 1].
    pub crop_fraction: f64,
    /// Resize filter; only `bicubic` is defined.
    pub filter: String,
    /// `(u8 - mean) / std`, R, G, B.
    pub mean: [f32; 3],
    /// `(u8 - mean) / std`, R, G, B.
    pub std: [f32; 3],
}

/// The text encoder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// The ONNX file.
    pub file: String,
    /// The vocabulary file, one piece a line.
    pub vocabulary: String,
    /// Length of an embedding.
    pub dimension: usize,
    /// Whether text is lower-cased and stripped of accents.
    pub lowercase: bool,
    /// Ids of a text at the most; pieces beyond are cut.
    pub max_tokens: usize,
    /// How texts are cut into unigram pieces, where they are.
    pub unigram: Option<UnigramPieces>,
    /// What stands around the pieces, for a transformer.
    pub sequence: Option<TextSequence>,
    /// The table of tokens, where the encoder takes their embeddings.
    pub tokens: Option<TextTokens>,
    /// Prompt templates, each with one `{}`.
    pub templates: Vec<String>,
    /// `probability = softmax(logit_scale * cosine)`, where there is no bias.
    pub logit_scale: f32,
    /// Where the model was trained on pairs by themselves, as SigLIP was: `probability = sigmoid(logit_scale * cosine +
    /// logit_bias)`, each label's own.
    pub logit_bias: Option<f32>,
}

/// The head that maps what the image encoder gives into the text space.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Head {
    /// A classifier whose best classes' text vectors are mixed (Norouzi et al., 2014).
    Conse {
        /// The tensors.
        file: String,
        /// Class names, one a line.
        classes: String,
        /// `softmax(logits / temperature)`.
        temperature: f32,
        /// How many classes are mixed, at most.
        top_k: usize,
    },
    /// The image encoder gives the embedding itself, as CLIP's does (Radford et al., 2021).
    Embedding {
        /// The background tensors, where there is a `[no_match]` table.
        file: Option<String>,
    },
}

/// Calibrated policy defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyDefaults {
    /// Rising thresholds in bits, one fewer than resolutions.
    pub entropy_bits: Vec<f32>,
    /// Escalate when the answer's margin is smaller, 0..1.
    pub margin: f32,
}

/// Calibration of the no-match verdict.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoMatch {
    /// Slope of the logistic over the standing.
    pub slope: f32,
    /// Its intercept.
    pub intercept: f32,
    /// A match probability below this is no match.
    pub threshold: f32,
}

/// Calibration of block-local cross-attention between the map's cells and the labels.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelevanceDefaults {
    /// A label is looked for as the classes `softmax(sharpness * cosine(class text, label))`; without a classifier it
    /// has no meaning.
    pub sharpness: f32,
    /// Attention is `softmax(scale * query . key)`.
    pub scale: f32,
    /// What everything else than the labels scores in every cell, before `scale`.
    pub floor: f32,
    /// Height and width of a block in cells.
    pub block: [usize; 2],
    /// How many labels a block attends to, at most.
    pub top_k: usize,
}

/// Golden vectors.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// A small PNG picture.
    pub picture: String,
    /// The expected vectors.
    pub vectors: String,
    /// Whole prompts, no template applied.
    pub prompts: Vec<String>,
    /// The least cosine that counts as the same.
    pub min_cosine: f32,
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// [`BundleError::Manifest`] names the key, what it held and what it may hold.
    pub fn parse(text: &str) -> Result<Manifest, BundleError> {
        let manifest: Manifest =
            toml::from_str(text).map_err(|error| BundleError::Syntax(error.to_string()))?;
        manifest.check()?;
        Ok(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::check::tests::each_is_named, *};

    const GOOD: &str = include_str!("../../tests/data/manifest.toml");

    #[test]
    fn the_specified_example_parses() {
        let manifest = Manifest::parse(GOOD).expect("the example is valid");
        assert_eq!(manifest.image.resolutions, [112, 160, 224]);
        assert!(matches!(manifest.head, Head::Conse { top_k: 10, .. }));
    }

    const CLIP: &str = include_str!("../../tests/data/clip.toml");

    #[test]
    fn the_specified_example_of_a_clip_bundle_parses() {
        let manifest = Manifest::parse(CLIP).expect("the example is valid");
        assert_eq!(manifest.image.file.at(2), "image-336.onnx");
        assert!(matches!(manifest.head, Head::Embedding { file: None }));
        assert!(manifest.no_match.is_none() && manifest.relevance.is_none());
        assert_eq!(manifest.text.sequence.expect("a table").lengths, [16, 77]);
    }

    #[test]
    fn each_bad_value_of_a_clip_bundle_is_named() {
        each_is_named(
            CLIP,
            &[
                (
                    "file = [\"image-224.onnx\", \"image-256.onnx\", \"image-336.onnx\"]",
                    "file = [\"image-224.onnx\", \"image-256.onnx\"]",
                    "image.file",
                ),
                (
                    "\"image-256.onnx\", \"image",
                    "\"other.onnx\", \"image",
                    "image.file",
                ),
                ("channels = 512", "channels = 256", "image.channels"),
                (
                    "lengths = [16, 77]",
                    "lengths = [77, 16]",
                    "text.sequence.lengths",
                ),
                (
                    "lengths = [16, 77]",
                    "lengths = [16, 64]",
                    "text.sequence.lengths",
                ),
                (
                    "lengths = [16, 77]",
                    "lengths = [0, 77]",
                    "text.sequence.lengths",
                ),
                ("lengths = [16, 77]", "", "text.sequence.pad"),
                ("pad = \"!\"", "", "text.sequence.pad"),
                (
                    "merges = \"merges.txt\"",
                    "merges = \"m.txt\"",
                    "text.sequence.merges",
                ),
                ("max_tokens = 77", "max_tokens = 2", "text.sequence.lengths"),
                (
                    "kind = \"embedding\"",
                    "kind = \"embedding\"\nfile = \"head.safetensors\"",
                    "head.file",
                ),
                (
                    "[golden]",
                    "[no_match]\nslope = 1.0\nintercept = 0.0\nthreshold = 0.5\n[golden]",
                    "head.file",
                ),
            ],
        );
    }

    #[test]
    fn each_bad_value_is_named() {
        each_is_named(
            GOOD,
            &[
                ("schema = 1", "schema = 2", "schema"),
                ("name = \"ocellus-default\"", "name = \"Ocellus!\"", "name"),
                (
                    "name = \"image.onnx\"",
                    "name = \"../image.onnx\"",
                    "file.name",
                ),
                ("[112, 160, 224]", "[224, 160, 112]", "image.resolutions"),
                ("[112, 160, 224]", "[112, 224]", "image.macs"),
                (
                    "crop_fraction = 0.875",
                    "crop_fraction = nan",
                    "image.crop_fraction",
                ),
                (
                    "std = [128.0, 128.0, 128.0]",
                    "std = [128.0, nan, 128.0]",
                    "image.std",
                ),
                (
                    "std = [128.0, 128.0, 128.0]",
                    "std = [128.0, 0.0, 128.0]",
                    "image.std",
                ),
                (
                    "filter = \"bicubic\"",
                    "filter = \"nearest\"",
                    "image.filter",
                ),
                (
                    "logit_scale = 20.0",
                    "logit_scale = nan",
                    "text.logit_scale",
                ),
                ("temperature = 2.0", "temperature = 0.0", "head.temperature"),
                (
                    "entropy_bits = [4.0, 7.0]",
                    "entropy_bits = [7.0, 4.0]",
                    "policy.entropy_bits",
                ),
                (
                    "entropy_bits = [4.0, 7.0]",
                    "entropy_bits = [4.0]",
                    "policy.entropy_bits",
                ),
                ("margin = 0.3", "margin = 3.0", "policy.margin"),
                ("slope = 1.5", "slope = inf", "no_match.slope"),
                ("scale = 0.3", "scale = 0.0", "relevance.scale"),
                ("floor = 7.0", "floor = nan", "relevance.floor"),
                ("sharpness = 30.0", "sharpness = nan", "relevance.sharpness"),
                ("block = [2, 2]", "block = [2, 0]", "relevance.block"),
                ("top_k = 16", "top_k = 0", "relevance.top_k"),
                (
                    "vocabulary = \"vocab.txt\"",
                    "vocabulary = \"other.txt\"",
                    "text.vocabulary",
                ),
            ],
        );
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let text = GOOD.replacen("margin = 0.3", "margn = 0.3", 1);
        assert!(
            matches!(Manifest::parse(&text), Err(BundleError::Syntax(message)) if message.contains("margn"))
        );
    }
}
