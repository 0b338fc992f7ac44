//! The manifest: the one file of a bundle whose name is fixed. `models/README.md` is its specification.
//!
//! Parsing is strict: an unknown key is an error, since a mistyped threshold that is silently ignored would give wrong
//! answers without a sign. What passes [`Manifest::parse`] is in range; nobody checks again.

use super::BundleError;
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
    /// The calibration of the no-match verdict.
    pub no_match: NoMatch,
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
    /// The ONNX file.
    pub file: String,
    /// Square input sizes in pixels, rising.
    pub resolutions: Vec<u32>,
    /// Multiply-accumulates of one inference, by resolution.
    pub macs: Vec<u64>,
    /// Channels of the map and length of the pooled features.
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
    /// Pieces beyond this many are cut.
    pub max_tokens: usize,
    /// Prompt templates, each with one `{}`.
    pub templates: Vec<String>,
    /// `probability = softmax(logit_scale * cosine)`.
    pub logit_scale: f32,
}

/// The head that maps pooled features into the text space.
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
    /// The pooled features are the embedding.
    None {
        /// The background tensors.
        file: String,
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

    fn check(&self) -> Result<(), BundleError> {
        require("schema", self.schema == SCHEMA, || {
            (format!("{SCHEMA}"), format!("{}", self.schema))
        })?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        require(
            "name",
            !self.name.is_empty() && self.name.chars().all(plain),
            || {
                (
                    "letters a-z, digits and hyphens".into(),
                    format!("{:?}", self.name),
                )
            },
        )?;
        self.check_files()?;
        self.check_image()?;
        self.check_text()?;
        self.check_head()?;
        let policy = &self.policy;
        rising("policy.entropy_bits", &policy.entropy_bits, 0.0..=8.0)?;
        require(
            "policy.entropy_bits",
            policy.entropy_bits.len() + 1 == self.image.resolutions.len(),
            || {
                (
                    format!(
                        "{} thresholds, one fewer than resolutions",
                        self.image.resolutions.len() - 1
                    ),
                    format!("{}", policy.entropy_bits.len()),
                )
            },
        )?;
        in_range("policy.margin", policy.margin, 0.0, 1.0)?;
        in_range("no_match.threshold", self.no_match.threshold, 0.0, 1.0)?;
        in_range(
            "no_match.slope",
            self.no_match.slope,
            f32::MIN_POSITIVE,
            1e3,
        )?;
        in_range("no_match.intercept", self.no_match.intercept, -1e3, 1e3)?;
        in_range("golden.min_cosine", self.golden.min_cosine, 0.0, 1.0)?;
        for (key, file) in self.references() {
            require(
                key,
                self.files.iter().any(|entry| entry.name == file),
                || {
                    (
                        "a file that has a [[file]] entry".into(),
                        format!("{file:?}"),
                    )
                },
            )?;
        }
        Ok(())
    }

    fn check_files(&self) -> Result<(), BundleError> {
        for (index, entry) in self.files.iter().enumerate() {
            let name = &entry.name;
            let bad = name.is_empty()
                || name.starts_with('.')
                || name.contains(['/', '\\', ':', '\0'])
                || name == MANIFEST;
            require("file.name", !bad, || {
                ("a plain file name".into(), format!("{name:?}"))
            })?;
            require(
                "file.name",
                self.files[..index].iter().all(|other| other.name != *name),
                || ("each file once".into(), format!("{name:?} twice")),
            )?;
            let hex = entry.sha256.len() == 64
                && entry
                    .sha256
                    .bytes()
                    .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            require("file.sha256", hex, || {
                (
                    "64 lower-case hexadecimal digits".into(),
                    format!("{:?} for {name:?}", entry.sha256),
                )
            })?;
        }
        Ok(())
    }

    fn check_image(&self) -> Result<(), BundleError> {
        let image = &self.image;
        let resolutions = &image.resolutions;
        let sane = !resolutions.is_empty()
            && resolutions.windows(2).all(|pair| pair[0] < pair[1])
            && resolutions.iter().all(|&side| (16..=1024).contains(&side));
        require("image.resolutions", sane, || {
            (
                "rising sizes of 16 to 1024 pixels".into(),
                format!("{resolutions:?}"),
            )
        })?;
        require("image.macs", image.macs.len() == resolutions.len(), || {
            (
                format!("{} numbers, one a resolution", resolutions.len()),
                format!("{}", image.macs.len()),
            )
        })?;
        require(
            "image.channels",
            (1..=65_536).contains(&image.channels),
            || ("1 to 65536".into(), image.channels.to_string()),
        )?;
        require(
            "image.crop_fraction",
            image.crop_fraction > 0.0 && image.crop_fraction <= 1.0,
            || {
                (
                    "more than 0, at most 1".into(),
                    image.crop_fraction.to_string(),
                )
            },
        )?;
        require("image.filter", image.filter == "bicubic", || {
            ("\"bicubic\"".into(), format!("{:?}", image.filter))
        })?;
        for (mean, std) in image.mean.iter().zip(&image.std) {
            in_range("image.mean", *mean, -1e6, 1e6)?;
            in_range("image.std", *std, f32::MIN_POSITIVE, 1e6)?;
        }
        Ok(())
    }

    fn check_text(&self) -> Result<(), BundleError> {
        let text = &self.text;
        require(
            "text.dimension",
            (1..=65_536).contains(&text.dimension),
            || ("1 to 65536".into(), text.dimension.to_string()),
        )?;
        require(
            "text.max_tokens",
            (1..=4096).contains(&text.max_tokens),
            || ("1 to 4096".into(), text.max_tokens.to_string()),
        )?;
        in_range("text.logit_scale", text.logit_scale, f32::MIN_POSITIVE, 1e4)
    }

    fn check_head(&self) -> Result<(), BundleError> {
        let Head::Conse {
            temperature, top_k, ..
        } = &self.head
        else {
            return Ok(());
        };
        in_range("head.temperature", *temperature, 1e-3, 1e3)?;
        require("head.top_k", *top_k > 0, || {
            ("at least 1".into(), top_k.to_string())
        })
    }

    /// Every file that a key refers to, with that key.
    fn references(&self) -> Vec<(&'static str, &str)> {
        let mut files = vec![
            ("image.file", self.image.file.as_str()),
            ("text.file", &self.text.file),
            ("text.vocabulary", &self.text.vocabulary),
            ("golden.picture", &self.golden.picture),
            ("golden.vectors", &self.golden.vectors),
        ];
        match &self.head {
            Head::Conse { file, classes, .. } => {
                files.extend([("head.file", file.as_str()), ("head.classes", classes)])
            }
            Head::None { file } => files.push(("head.file", file)),
        }
        files
    }
}

fn require(
    key: &'static str,
    holds: bool,
    words: impl FnOnce() -> (String, String),
) -> Result<(), BundleError> {
    if holds {
        return Ok(());
    }
    let (expected, got) = words();
    Err(BundleError::Manifest { key, expected, got })
}

fn in_range(key: &'static str, value: f32, least: f32, most: f32) -> Result<(), BundleError> {
    require(key, value >= least && value <= most, || {
        (format!("{least} to {most}"), value.to_string())
    })
}

fn rising(
    key: &'static str,
    values: &[f32],
    range: std::ops::RangeInclusive<f32>,
) -> Result<(), BundleError> {
    let sane = values.iter().all(|value| range.contains(value))
        && values.windows(2).all(|pair| pair[0] <= pair[1]);
    require(key, sane, || {
        (
            format!("rising numbers of {} to {}", range.start(), range.end()),
            format!("{values:?}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../tests/data/manifest.toml");

    #[test]
    fn the_specified_example_parses() {
        let manifest = Manifest::parse(GOOD).expect("the example is valid");
        assert_eq!(manifest.image.resolutions, [112, 160, 224]);
        assert!(matches!(manifest.head, Head::Conse { top_k: 10, .. }));
    }

    #[test]
    fn each_bad_value_is_named() {
        for (from, to, key) in [
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
            (
                "vocabulary = \"vocab.txt\"",
                "vocabulary = \"other.txt\"",
                "text.vocabulary",
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

    #[test]
    fn an_unknown_key_is_an_error() {
        let text = GOOD.replacen("margin = 0.3", "margn = 0.3", 1);
        assert!(
            matches!(Manifest::parse(&text), Err(BundleError::Syntax(message)) if message.contains("margn"))
        );
    }
}
