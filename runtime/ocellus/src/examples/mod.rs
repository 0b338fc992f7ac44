//! Examples: pictures that a device was taught labels by, each kept as one key in INT8.
//!
//! A key is what the image encoder's pooled features of a picture are, quantized: it tells one cat from another, which
//! their place in the text space does not. A picture is as similar to an example as the cosine of its features and the
//! key. `ocellus teach` keeps [`Examples`] in a file, firmware wherever it likes: they are bytes ([`Examples::to_bytes`]).
//!
//! After Zhang et al., "Tip-Adapter: Training-free Adaption of CLIP for Few-shot Classification", ECCV 2022: a label's score
//! is its words' cosine plus `weight * exp(sharpness * (similarity - 1))`. There all examples of a label are summed up; here the
//! nearest counts, so that a label that was taught by many is no likelier than one that was taught by few.
//!
//! Limits: keys belong to the bundle that made them. A picture that was taught is not kept, and cannot be had back from its key.

mod blend;
mod cache;
mod error;
mod file;
mod session;

pub use blend::Blend;
pub(crate) use cache::{KeyCache, SimilaritySpace};
pub use error::ExamplesError;

use crate::bundle::{Bundle, FewShot};
use ocellus_kernels::quantize_symmetric;
use std::sync::Arc;

/// The most examples, of all labels together: a frame is compared with each.
pub const MAX_EXAMPLES: usize = 1024;

/// What was taught with a bundle: labels in the order in which they were, at least one key each. Who holds them has
/// keys of that bundle's space, none of them twice.
#[derive(Clone, Debug, PartialEq)]
pub struct Examples {
    bundle: Arc<str>,
    resolution: u32,
    dimension: usize,
    labels: Vec<TaughtLabel>,
}

/// A label and its keys.
#[derive(Clone, Debug, PartialEq)]
struct TaughtLabel {
    label: Arc<str>,
    keys: Vec<Key>,
}

/// Pooled features: `elements[c] * scale`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    /// `[channels]`, never -128, not all zero.
    pub elements: Vec<i8>,
    /// More than zero.
    pub scale: f32,
}

impl Key {
    /// The key of features; none of features without direction.
    fn of(features: &[f32]) -> Option<Key> {
        let mut elements = vec![0; features.len()];
        let scale = quantize_symmetric(features, &mut elements);
        (scale > 0.0).then_some(Key { elements, scale })
    }

    /// The features again, to within half a step.
    fn features(&self) -> Vec<f32> {
        let feature = |&element: &i8| f32::from(element) * self.scale;
        self.elements.iter().map(feature).collect()
    }
}

impl Examples {
    /// None yet, of a bundle.
    pub fn none(bundle: &Bundle) -> Examples {
        let manifest = bundle.manifest();
        Examples {
            bundle: bundle.sha256().into(),
            resolution: FewShot::of(manifest).resolution,
            dimension: manifest.image.channels,
            labels: Vec::new(),
        }
    }

    /// Each label that was taught and by how many examples, in the order in which labels were taught.
    pub fn labels(&self) -> impl ExactSizeIterator<Item = (&str, usize)> {
        let counted = |taught: &'_ TaughtLabel| taught.keys.len();
        self.labels
            .iter()
            .map(move |taught| (&*taught.label, counted(taught)))
    }

    /// How many examples there are, of all labels.
    pub fn len(&self) -> usize {
        self.labels.iter().map(|taught| taught.keys.len()).sum()
    }

    /// Whether nothing was taught.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Side in pixels at which examples are encoded.
    pub fn resolution(&self) -> u32 {
        self.resolution
    }

    /// SHA-256 of the bundle's manifest: whose space the keys are in.
    pub fn bundle(&self) -> &str {
        &self.bundle
    }

    /// Forgets a label, and says by how many examples it was taught.
    ///
    /// # Errors
    /// [`ExamplesError::NotTaught`].
    pub fn forget(&mut self, label: &str) -> Result<usize, ExamplesError> {
        let Some(at) = self.position(label.trim()) else {
            let known: Vec<String> = self
                .labels()
                .map(|(label, _)| format!("{label:?}"))
                .collect();
            return Err(ExamplesError::NotTaught {
                label: label.into(),
                known: match known.is_empty() {
                    true => "of which there is none".into(),
                    false => known.join(", "),
                },
            });
        };
        Ok(self.labels.remove(at).keys.len())
    }

    fn position(&self, label: &str) -> Option<usize> {
        self.labels
            .iter()
            .position(|taught| &*taught.label == label)
    }

    /// Whether a key can be added to a label; false where the label has it already.
    fn admits(&self, label: &str, key: &Key) -> Result<bool, ExamplesError> {
        let holder = self.labels.iter().find(|taught| taught.keys.contains(key));
        match holder {
            Some(taught) if &*taught.label == label => Ok(false),
            Some(taught) => Err(ExamplesError::Contradiction {
                label: label.into(),
                other: taught.label.to_string(),
            }),
            None if self.len() >= MAX_EXAMPLES => Err(ExamplesError::Full),
            None => Ok(true),
        }
    }

    /// Adds a key that was admitted; the label's number.
    fn add(&mut self, label: &str, key: Key) -> usize {
        let at = self.position(label).unwrap_or_else(|| {
            self.labels.push(TaughtLabel {
                label: label.into(),
                keys: Vec::new(),
            });
            self.labels.len() - 1
        });
        self.labels[at].keys.push(key);
        at
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Examples of a bundle whose features have three channels.
    pub fn examples() -> Examples {
        let mut examples = Examples {
            bundle: "ab".repeat(32).into(),
            resolution: 160,
            dimension: 3,
            labels: Vec::new(),
        };
        for (label, features) in [
            ("my cat", [1.0, 0.5, 0.0]),
            ("赤い 船", [0.0, 0.0, 7.0]),
            ("my cat", [0.9, 0.6, 0.1]),
        ] {
            let key = Key::of(&features).expect("a direction");
            assert_eq!(examples.admits(label, &key), Ok(true));
            examples.add(label, key);
        }
        examples
    }

    #[test]
    fn labels_come_in_the_order_in_which_they_were_taught() {
        let mut examples = examples();
        let labels: Vec<_> = examples.labels().collect();
        assert_eq!(labels, [("my cat", 2), ("赤い 船", 1)]);
        assert_eq!(examples.forget(" my cat"), Ok(2));
        assert_eq!((examples.len(), examples.is_empty()), (1, false));
        let error = examples.forget("my cat").unwrap_err();
        assert!(error.to_string().contains("赤い 船"), "{error}");
        assert_eq!(examples.forget("赤い 船"), Ok(1));
        assert!(examples.is_empty());
        let error = examples.forget("my cat").unwrap_err();
        assert!(error.to_string().contains("none"), "{error}");
    }

    #[test]
    fn a_picture_teaches_one_label_once() {
        let examples = examples();
        let again = Key::of(&[1.0, 0.5, 0.0]).expect("a direction");
        assert_eq!(examples.admits("my cat", &again), Ok(false));
        let error = examples.admits("a dog", &again).unwrap_err();
        assert!(
            matches!(error, ExamplesError::Contradiction { .. }),
            "{error}"
        );
        assert!(error.to_string().contains("my cat"), "{error}");
        assert_eq!(Key::of(&[0.0; 3]), None);
    }

    #[test]
    fn there_is_an_end_to_teaching() {
        let mut examples = examples();
        let key = |i: usize| Key {
            elements: vec![1, (i % 100) as i8, (i / 100) as i8],
            scale: 1.0,
        };
        for i in 0..MAX_EXAMPLES - 3 {
            assert_eq!(examples.admits("x", &key(i)), Ok(true));
            examples.add("x", key(i));
        }
        assert_eq!(examples.admits("x", &key(5000)), Err(ExamplesError::Full));
    }
}
