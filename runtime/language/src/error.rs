//! What can be wrong with words.
//!
//! Lines, labels, templates and vectors are counted from 1, as people count them. Text from outside is quoted, escaped
//! and cut, so that a message stays one short line whatever was given.

use crate::{MAX_LABEL_BYTES, MAX_LABELS, MAX_PIECES};

/// Why a vocabulary, a template, a label or an embedding was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LanguageError {
    /// The vocabulary has no line.
    #[error(
        "vocabulary: expected one word piece a line, got an empty file; restore the bundle's file"
    )]
    VocabularyEmpty,
    /// The vocabulary has more lines than [`MAX_PIECES`].
    #[error(
        "vocabulary: expected at most {MAX_PIECES} lines, got more; this is no word-piece vocabulary"
    )]
    VocabularyTooLong,
    /// A line is not UTF-8.
    #[error("vocabulary line {line}: expected UTF-8, got other bytes; save the file as UTF-8")]
    PieceNotUtf8 {
        /// The line.
        line: usize,
    },
    /// A line holds no piece.
    #[error(
        "vocabulary line {line}: expected a word piece, got an empty line; \
         a line's number is its piece's id, so restore the file rather than delete the line"
    )]
    PieceEmpty {
        /// The line.
        line: usize,
    },
    /// A line holds a character that no piece can have.
    #[error(
        "vocabulary line {line}: expected a word piece, got {character:?} in it; \
         save the file with LF line ends and without a byte order mark"
    )]
    PieceCharacter {
        /// The line.
        line: usize,
        /// A carriage return or a byte order mark.
        character: char,
    },
    /// A piece stands on two lines.
    #[error(
        "vocabulary line {line}: expected each piece once, got {} twice, first on line {first_line}; restore the file",
        quote(.piece)
    )]
    PieceTwice {
        /// The later line.
        line: usize,
        /// The earlier line.
        first_line: usize,
        /// The piece.
        piece: String,
    },

    /// A piece that the tokenizer needs is not in the vocabulary.
    #[error("vocabulary: expected the piece {}, got none; restore the bundle's file", quote(.piece))]
    PieceMissing {
        /// The piece.
        piece: String,
    },
    /// A line of the merges is no pair of pieces whose union is a piece.
    #[error(
        "merges line {line}: expected two pieces of the vocabulary whose union is one too, separated by a space, got {}; \
         restore the bundle's file, or take merges and vocabulary from one tokenizer",
        quote(.got)
    )]
    Merge {
        /// The line.
        line: usize,
        /// What it holds.
        got: String,
    },

    /// There is not one score for each unigram piece.
    #[error(
        "unigram pieces: expected {expected} scores, one a piece, got {got}; take both from one tokenizer"
    )]
    Scores {
        /// How many pieces there are.
        expected: usize,
        /// How many scores.
        got: usize,
    },
    /// A unigram piece's score is no logarithm of a probability.
    #[error(
        "unigram piece on line {line}: expected a number or minus infinity as its score, got {got}; restore the bundle's file"
    )]
    Score {
        /// The piece's line.
        line: usize,
        /// Its score.
        got: f32,
    },
    /// A precompiled character map is damaged.
    #[error("character map: expected {expected}, got {got}; restore the bundle's file")]
    CharacterMap {
        /// What should be there.
        expected: &'static str,
        /// A length or a place in bytes.
        got: usize,
    },

    /// There are no templates.
    #[error("templates: expected at least one, got none; \"{{}}\" uses the label as it is")]
    NoTemplates,
    /// A template does not say where the label goes.
    #[error("template {position} {}: expected {{}} once, for the label, got it {holes} times", quote(.template))]
    TemplateHoles {
        /// Which template.
        position: usize,
        /// The template.
        template: String,
        /// How often `{}` stands in it.
        holes: usize,
    },

    /// There are no labels.
    #[error("labels: expected at least one, got none")]
    NoLabels,
    /// There are more labels than [`MAX_LABELS`].
    #[error("labels: expected at most {MAX_LABELS}, got {got}; split the list")]
    TooManyLabels {
        /// How many there are.
        got: usize,
    },
    /// A label is empty, or all white space.
    #[error("label {position}: expected words, got an empty label; remove it")]
    LabelEmpty {
        /// Which label.
        position: usize,
    },
    /// A label is longer than [`MAX_LABEL_BYTES`].
    #[error(
        "label {position} {}: expected at most {MAX_LABEL_BYTES} bytes, got {bytes}; shorten it, \
         or put one label on a line if this is a list",
        quote(.label)
    )]
    LabelTooLong {
        /// Which label.
        position: usize,
        /// The label's length.
        bytes: usize,
        /// How it begins.
        label: String,
    },
    /// A label has a control character in it, such as a tab or an escape.
    #[error("label {position} {}: expected text, got the control character {character:?}; remove it", quote(.label))]
    LabelControl {
        /// Which label.
        position: usize,
        /// The label.
        label: String,
        /// The character.
        character: char,
    },
    /// A label stands twice in the list, white space around it aside.
    #[error(
        "label {position}: expected each label once, got {} twice, first as label {first_position}; remove one",
        quote(.label)
    )]
    LabelTwice {
        /// The later one.
        position: usize,
        /// The earlier one.
        first_position: usize,
        /// The label.
        label: String,
    },
    /// The vocabulary knows no word of the label, so the label would have no direction.
    #[error(
        "label {}: expected a word that the bundle's vocabulary knows, got {}; \
         say it in other words, or in the bundle's language",
        quote(.label),
        quote_words(.words)
    )]
    UnknownLabel {
        /// The label.
        label: String,
        /// Its words, normalised; none where it is made of white space and control characters.
        words: Vec<String>,
    },

    /// There are no embeddings to take the mean of.
    #[error("ensemble: expected at least one embedding, got none")]
    NoEmbeddings,
    /// Embeddings differ in length.
    #[error(
        "ensemble: expected {expected} dimensions as in embedding 1, got {got} in embedding {position}"
    )]
    EmbeddingDimension {
        /// Which embedding.
        position: usize,
        /// The first one's dimensions.
        expected: usize,
        /// This one's.
        got: usize,
    },
    /// An embedding has no direction: it is zero, or has a NaN or an infinity in it.
    #[error(
        "ensemble: expected a direction, got {length} as the length of embedding {position}; \
         the text encoder is broken: verify the bundle"
    )]
    EmbeddingLength {
        /// Which embedding.
        position: usize,
        /// Its Euclidean length.
        length: f64,
    },
    /// The embeddings' mean has no direction, because they point in opposite ones.
    #[error(
        "ensemble: expected prompts that agree, got a mean of length {length}; use fewer templates"
    )]
    EmbeddingsCancel {
        /// The mean's Euclidean length.
        length: f64,
    },
}

/// The longest text that a message quotes, in characters.
const QUOTED_CHARS: usize = 60;

/// The most words that a message lists.
const QUOTED_WORDS: usize = 8;

/// The text's beginning, quoted and escaped.
fn quote(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

fn quote_words(words: &[String]) -> String {
    if words.is_empty() {
        return "no word at all".into();
    }
    let mut quoted: Vec<String> = words
        .iter()
        .take(QUOTED_WORDS)
        .map(|word| quote(word))
        .collect();
    if words.len() > QUOTED_WORDS {
        quoted.push(format!("and {} more", words.len() - QUOTED_WORDS));
    }
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_short_line() {
        let word = "w\n".repeat(50_000);
        let error = LanguageError::UnknownLabel {
            label: word.clone(),
            words: vec![word; 1000],
        };
        let message = error.to_string();
        assert!(message.len() < 2000 && !message.contains('\n'), "{message}");
        assert!(message.contains("and 992 more"));
    }

    #[test]
    fn a_message_tells_the_remedy() {
        let error = LanguageError::UnknownLabel {
            label: "qzx".into(),
            words: vec![],
        };
        assert_eq!(
            error.to_string(),
            "label \"qzx\": expected a word that the bundle's vocabulary knows, got no word at all; \
             say it in other words, or in the bundle's language"
        );
    }
}
