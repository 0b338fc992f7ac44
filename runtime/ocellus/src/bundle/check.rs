//! Whether a manifest's values are in range. What passes here is not checked again.

use super::{
    BundleError,
    manifest::{Head, MANIFEST, Manifest, SCHEMA},
};
use std::ops::RangeInclusive;

impl Manifest {
    /// # Errors
    /// [`BundleError::Manifest`] names the key, what it held and what it may hold.
    pub(super) fn check(&self) -> Result<(), BundleError> {
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
        self.check_relevance()?;
        if let Some(soft_prompts) = &self.soft_prompts {
            soft_prompts.check(&self.text)?;
        }
        if let Some(few_shot) = &self.few_shot {
            few_shot.check(&self.image.resolutions)?;
        }
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
        self.check_no_match()?;
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
            check_name("file.name", name)?;
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
        image.file.check(resolutions.len())?;
        require("image.macs", image.macs.len() == resolutions.len(), || {
            (
                format!("{} numbers, one a resolution", resolutions.len()),
                format!("{}", image.macs.len()),
            )
        })?;
        count("image.channels", image.channels, 1..=65_536)?;
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
        count("text.dimension", text.dimension, 1..=65_536)?;
        count("text.max_tokens", text.max_tokens, 1..=4096)?;
        if let Some(sequence) = &text.sequence {
            sequence.check(text)?;
        }
        if let Some(unigram) = &text.unigram {
            unigram.check(text)?;
        }
        if let Some(bias) = text.logit_bias {
            in_range("text.logit_bias", bias, -1e4, 1e4)?;
        }
        if let Some(tokens) = &text.tokens {
            tokens.check()?;
        }
        in_range("text.logit_scale", text.logit_scale, f32::MIN_POSITIVE, 1e4)
    }

    fn check_no_match(&self) -> Result<(), BundleError> {
        let Some(no_match) = &self.no_match else {
            return Ok(());
        };
        in_range("no_match.threshold", no_match.threshold, 0.0, 1.0)?;
        in_range("no_match.slope", no_match.slope, f32::MIN_POSITIVE, 1e3)?;
        in_range("no_match.intercept", no_match.intercept, -1e3, 1e3)?;
        let without = matches!(self.head, Head::Embedding { file: None });
        require("head.file", !without, || {
            let expected = "the background tensors that [no_match] is measured against";
            (expected.into(), "no file".into())
        })
    }

    fn check_head(&self) -> Result<(), BundleError> {
        let Head::Conse {
            temperature, top_k, ..
        } = &self.head
        else {
            let (channels, dimension) = (self.image.channels, self.text.dimension);
            return require("image.channels", channels == dimension, || {
                let expected = format!("{dimension}, the text space's, where the head is none");
                (expected, channels.to_string())
            });
        };
        in_range("head.temperature", *temperature, 1e-3, 1e3)?;
        count("head.top_k", *top_k, 1..=usize::MAX)
    }

    fn check_relevance(&self) -> Result<(), BundleError> {
        let Some(relevance) = &self.relevance else {
            return Ok(());
        };
        in_range("relevance.sharpness", relevance.sharpness, 0.0, 1e3)?;
        in_range("relevance.scale", relevance.scale, f32::MIN_POSITIVE, 1e3)?;
        in_range("relevance.floor", relevance.floor, -1e6, 1e6)?;
        let block = relevance.block;
        require(
            "relevance.block",
            block.iter().all(|side| (1..=4096).contains(side)),
            || ("two sides of 1 to 4096 cells".into(), format!("{block:?}")),
        )?;
        count("relevance.top_k", relevance.top_k, 1..=usize::MAX)
    }

    /// Every file that a key refers to, with that key.
    pub(crate) fn references(&self) -> Vec<(&'static str, &str)> {
        let mut files = vec![
            ("text.file", self.text.file.as_str()),
            ("text.vocabulary", &self.text.vocabulary),
            ("golden.picture", &self.golden.picture),
            ("golden.vectors", &self.golden.vectors),
        ];
        let images = self.image.file.all().iter();
        files.extend(images.map(|file| ("image.file", file.as_str())));
        let merges = self
            .text
            .sequence
            .as_ref()
            .and_then(|of| of.merges.as_ref());
        files.extend(merges.map(|file| ("text.sequence.merges", file.as_str())));
        if let Some(unigram) = &self.text.unigram {
            files.push(("text.unigram.file", &unigram.file));
        }
        if let Some(tokens) = &self.text.tokens {
            files.push(("text.tokens.file", &tokens.file));
        }
        if let Some(soft_prompts) = &self.soft_prompts {
            files.push(("soft_prompts.file", &soft_prompts.file));
        }
        match &self.head {
            Head::Conse { file, classes, .. } => {
                files.extend([("head.file", file.as_str()), ("head.classes", classes)])
            }
            Head::Embedding { file } => {
                files.extend(file.as_ref().map(|file| ("head.file", file.as_str())));
            }
        }
        files
    }
}

/// # Errors
/// [`BundleError::Manifest`] at `key` for anything but a plain file name.
pub(crate) fn check_name(key: &'static str, name: &str) -> Result<(), BundleError> {
    let bad = name.is_empty()
        || name.starts_with('.')
        || name.contains(['/', '\\', ':', '\0'])
        || name == MANIFEST;
    require(key, !bad, || {
        ("a plain file name".into(), format!("{name:?}"))
    })
}

/// # Errors
/// [`BundleError::Manifest`] at `key` with `words`, what it may hold and what it held, where it does not hold.
pub(super) fn require(
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

/// A number of things.
pub(super) fn count(
    key: &'static str,
    value: usize,
    range: RangeInclusive<usize>,
) -> Result<(), BundleError> {
    require(key, range.contains(&value), || {
        let (least, most) = range.into_inner();
        let expected = match most {
            usize::MAX => format!("at least {least}"),
            most => format!("{least} to {most}"),
        };
        (expected, value.to_string())
    })
}

pub(super) fn in_range(
    key: &'static str,
    value: f32,
    least: f32,
    most: f32,
) -> Result<(), BundleError> {
    require(key, value >= least && value <= most, || {
        (format!("{least} to {most}"), value.to_string())
    })
}

fn rising(
    key: &'static str,
    values: &[f32],
    range: RangeInclusive<f32>,
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
pub(super) mod tests {
    use super::*;

    /// Asserts that a manifest is refused at a key.
    #[track_caller]
    pub fn refused(text: &str, key: &str) {
        match Manifest::parse(text) {
            Err(BundleError::Manifest { key: found, .. }) => assert_eq!(found, key),
            other => panic!("expected an error at {key}, got {other:?}"),
        }
    }

    /// Asserts that an example is refused with what each case, `(from, to, key)`, replaces in it.
    #[track_caller]
    pub fn each_is_named(example: &str, cases: &[(&str, &str, &str)]) {
        for (from, to, key) in cases {
            let text = example.replacen(from, to, 1);
            assert_ne!(text, example, "{from} is not in the example");
            refused(&text, key);
        }
    }
}
