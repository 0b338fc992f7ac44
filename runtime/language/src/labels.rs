//! A list of labels that was checked: what the answer ranks.
//!
//! Labels come from command lines and files, so the checks catch what goes wrong there: a list that was not split, a
//! stray tab or escape, a line twice. Whether the vocabulary knows a label is the tokenizer's question.
//!
//! Limits: labels are compared as written; `Dog` and `dog` are two labels, with one embedding.

use crate::LanguageError;
use std::{collections::HashMap, slice};

/// The most labels in a list. Each costs an embedding's memory and its text encoder's time.
pub const MAX_LABELS: usize = 65_536;

/// The longest label, in bytes of UTF-8.
pub const MAX_LABEL_BYTES: usize = 1000;

/// Checked labels: at least one, none empty, none twice, without white space around them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    labels: Vec<String>,
}

impl Labels {
    /// Trims and checks the labels.
    ///
    /// # Errors
    ///
    /// There is none, or more than [`MAX_LABELS`]; or a label is empty, longer than [`MAX_LABEL_BYTES`], has a control
    /// character inside, or is there for the second time. The error names the label's position.
    pub fn new(labels: Vec<String>) -> Result<Labels, LanguageError> {
        if labels.is_empty() {
            return Err(LanguageError::NoLabels);
        }
        if labels.len() > MAX_LABELS {
            return Err(LanguageError::TooManyLabels { got: labels.len() });
        }
        let checked: Result<Vec<String>, _> = (1..)
            .zip(&labels)
            .map(|(position, label)| checked(position, label.trim()))
            .collect();
        let labels = checked?;
        refuse_twice(&labels)?;
        Ok(Labels { labels })
    }

    /// How many labels there are; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "there are no empty lists")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// The labels in the given order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.labels.iter().map(String::as_str)
    }

    /// The labels in the given order.
    pub fn as_slice(&self) -> &[String] {
        &self.labels
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = &'a String;
    type IntoIter = slice::Iter<'a, String>;

    fn into_iter(self) -> slice::Iter<'a, String> {
        self.labels.iter()
    }
}

fn checked(position: usize, label: &str) -> Result<String, LanguageError> {
    if label.is_empty() {
        return Err(LanguageError::LabelEmpty { position });
    }
    if label.len() > MAX_LABEL_BYTES {
        return Err(LanguageError::LabelTooLong {
            position,
            bytes: label.len(),
            label: label.chars().take(MAX_LABEL_BYTES).collect(),
        });
    }
    match label.chars().find(|c| c.is_control()) {
        None => Ok(label.into()),
        Some(character) => Err(LanguageError::LabelControl {
            position,
            label: label.into(),
            character,
        }),
    }
}

fn refuse_twice(labels: &[String]) -> Result<(), LanguageError> {
    let mut positions = HashMap::with_capacity(labels.len());
    for (position, label) in (1..).zip(labels) {
        if let Some(first_position) = positions.insert(label, position) {
            return Err(LanguageError::LabelTwice {
                position,
                first_position,
                label: label.clone(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(labels: &[&str]) -> Result<Labels, LanguageError> {
        Labels::new(labels.iter().map(|label| label.to_string()).collect())
    }

    #[test]
    fn labels_are_trimmed_and_keep_their_order() {
        let labels = new(&[" a bus", "dog\n", "Dog", "赤い 船"]).unwrap();
        assert_eq!(
            labels.iter().collect::<Vec<_>>(),
            ["a bus", "dog", "Dog", "赤い 船"]
        );
        assert_eq!(labels.len(), 4);
    }

    #[test]
    fn a_bad_label_is_named_by_its_position() {
        let control = |label: &str, character| LanguageError::LabelControl {
            position: 2,
            label: label.into(),
            character,
        };
        let cases = [
            ("", LanguageError::LabelEmpty { position: 2 }),
            (" \t ", LanguageError::LabelEmpty { position: 2 }),
            ("a\tb", control("a\tb", '\t')),
            ("a\u{1b}[31m", control("a\u{1b}[31m", '\u{1b}')),
            ("a\u{0}", control("a\u{0}", '\u{0}')),
        ];
        for (label, expected) in cases {
            assert_eq!(new(&["cat", label]), Err(expected));
        }
        assert_eq!(new(&[]), Err(LanguageError::NoLabels));
    }

    #[test]
    fn a_label_twice_names_both_positions() {
        let expected = LanguageError::LabelTwice {
            position: 4,
            first_position: 2,
            label: "dog".into(),
        };
        assert_eq!(new(&["cat", "dog ", "bus", " dog"]), Err(expected));
    }

    #[test]
    fn a_long_label_is_refused_with_the_limit() {
        assert!(new(&[&"x".repeat(MAX_LABEL_BYTES)]).is_ok());
        for label in [
            "x".repeat(MAX_LABEL_BYTES + 1),
            "x".repeat(100_000),
            "ß".repeat(501),
        ] {
            let error = new(&["cat", &label]).unwrap_err();
            let LanguageError::LabelTooLong {
                position, bytes, ..
            } = error
            else {
                panic!("{error}");
            };
            assert_eq!((position, bytes), (2, label.len()));
            assert!(
                error.to_string().len() < 400 && error.to_string().contains("at most 1000 bytes")
            );
        }
    }

    #[test]
    fn ten_thousand_labels_are_a_list_and_the_number_is_bounded() {
        let many = |count: usize| (0..count).map(|i| format!("label {i}")).collect::<Vec<_>>();
        assert_eq!(Labels::new(many(10_000)).unwrap().len(), 10_000);
        assert_eq!(Labels::new(many(MAX_LABELS)).unwrap().len(), MAX_LABELS);
        let got = MAX_LABELS + 1;
        assert_eq!(
            Labels::new(many(got)),
            Err(LanguageError::TooManyLabels { got })
        );
    }
}
