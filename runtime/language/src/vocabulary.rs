//! The word pieces that a text encoder knows, and their ids.
//!
//! The file is BERT's: a piece a line, the line's number from 0 is the id, and `##` in front marks a piece that goes on
//! with a word. It is read strictly, because a line too few or a foreign line end moves every id behind it and the
//! answers would be wrong without a sign.

use crate::LanguageError;
use std::collections::HashMap;

/// The most lines a vocabulary may have; the largest published ones have a quarter of it.
pub const MAX_PIECES: usize = 1 << 20;

/// Checked word pieces.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    /// Pieces that begin a word.
    starts: HashMap<Box<str>, u32>,
    /// Pieces that go on with a word, without their `##`.
    continuations: HashMap<Box<str>, u32>,
    longest_chars: usize,
}

impl Vocabulary {
    /// Reads a vocabulary file. The last line may end with a line feed or not.
    ///
    /// # Errors
    ///
    /// The file is empty or has more than [`MAX_PIECES`] lines; or a line is empty, not UTF-8, there for the second
    /// time, or has a carriage return or a byte order mark in it. The error names the line.
    pub fn parse(bytes: &[u8]) -> Result<Vocabulary, LanguageError> {
        Vocabulary::parse_at_most(MAX_PIECES, bytes)
    }

    fn parse_at_most(max_pieces: usize, bytes: &[u8]) -> Result<Vocabulary, LanguageError> {
        let mut vocabulary = Vocabulary {
            starts: HashMap::new(),
            continuations: HashMap::new(),
            longest_chars: 0,
        };
        for piece in pieces(bytes, max_pieces)? {
            let (id, piece) = piece?;
            vocabulary.insert(piece, id)?;
        }
        Ok(vocabulary)
    }

    /// How many pieces there are; ids are below it.
    pub fn len(&self) -> usize {
        self.starts.len() + self.continuations.len()
    }

    /// Never: an empty file is refused.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The id of a piece as it stands in the file.
    pub(crate) fn id(&self, piece: &str) -> Option<u32> {
        match piece.strip_prefix("##") {
            Some(text) => self.continuation(text),
            None => self.start(piece),
        }
    }

    /// The id of a piece that begins a word.
    pub(crate) fn start(&self, text: &str) -> Option<u32> {
        self.starts.get(text).copied()
    }

    /// The id of a piece that goes on with a word; `text` is without the `##`.
    pub(crate) fn continuation(&self, text: &str) -> Option<u32> {
        self.continuations.get(text).copied()
    }

    /// The length of the longest piece, without its `##`.
    pub(crate) fn longest_chars(&self) -> usize {
        self.longest_chars
    }

    fn insert(&mut self, piece: &str, id: u32) -> Result<(), LanguageError> {
        let (pieces, text) = match piece.strip_prefix("##") {
            Some(text) => (&mut self.continuations, text),
            None => (&mut self.starts, piece),
        };
        self.longest_chars = self.longest_chars.max(text.chars().count());
        match pieces.insert(text.into(), id) {
            None => Ok(()),
            Some(first) => Err(LanguageError::PieceTwice {
                line: id as usize + 1,
                first_line: first as usize + 1,
                piece: piece.into(),
            }),
        }
    }
}

/// The pieces of a vocabulary file with their ids, each checked by itself.
///
/// # Errors
/// [`LanguageError::VocabularyEmpty`]; of a piece, whatever is wrong with its line.
pub(crate) fn pieces(
    bytes: &[u8],
    max_pieces: usize,
) -> Result<impl Iterator<Item = Result<(u32, &str), LanguageError>>, LanguageError> {
    let lines = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if lines.is_empty() {
        return Err(LanguageError::VocabularyEmpty);
    }
    let lines = lines.split(|&byte| byte == b'\n').enumerate();
    Ok(lines.map(move |(id, line)| match id < max_pieces {
        true => Ok((id as u32, checked_piece(id + 1, line)?)),
        false => Err(LanguageError::VocabularyTooLong),
    }))
}

fn checked_piece(line: usize, bytes: &[u8]) -> Result<&str, LanguageError> {
    let piece = str::from_utf8(bytes).map_err(|_| LanguageError::PieceNotUtf8 { line })?;
    if piece.is_empty() {
        return Err(LanguageError::PieceEmpty { line });
    }
    match piece.chars().find(|&c| c == '\r' || c == '\u{feff}') {
        None => Ok(piece),
        Some(character) => Err(LanguageError::PieceCharacter { line, character }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_piece_and_its_number_the_id() {
        for bytes in ["a\ncat\n##s\n##", "a\ncat\n##s\n##\n"] {
            let vocabulary = Vocabulary::parse(bytes.as_bytes()).unwrap();
            assert_eq!(vocabulary.len(), 4);
            assert_eq!(vocabulary.start("cat"), Some(1));
            assert_eq!(vocabulary.start("s"), None);
            assert_eq!(vocabulary.continuation("s"), Some(2));
            assert_eq!(vocabulary.continuation("cat"), None);
            assert_eq!(vocabulary.longest_chars(), 3);
        }
    }

    #[test]
    fn the_same_text_may_begin_a_word_and_go_on_with_one() {
        let vocabulary = Vocabulary::parse(b"s\n##s").unwrap();
        assert_eq!(
            (vocabulary.start("s"), vocabulary.continuation("s")),
            (Some(0), Some(1))
        );
    }

    #[test]
    fn a_damaged_file_is_refused_with_its_line() {
        let carriage_return = |line| LanguageError::PieceCharacter {
            line,
            character: '\r',
        };
        let twice = |piece: &str| LanguageError::PieceTwice {
            line: 3,
            first_line: 1,
            piece: piece.into(),
        };
        let cases: [(&[u8], LanguageError); 10] = [
            (b"", LanguageError::VocabularyEmpty),
            (b"\n", LanguageError::VocabularyEmpty),
            (b"\na", LanguageError::PieceEmpty { line: 1 }),
            (b"a\n\nb", LanguageError::PieceEmpty { line: 2 }),
            (b"a\nb\n\n", LanguageError::PieceEmpty { line: 3 }),
            (b"a\r\nb\r\n", carriage_return(1)),
            (b"a\nb\rc\n", carriage_return(2)),
            (b"a\n\xff\n", LanguageError::PieceNotUtf8 { line: 2 }),
            (b"a\nb\na\n", twice("a")),
            (b"##a\na\n##a\n", twice("##a")),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Vocabulary::parse(bytes).unwrap_err(), expected, "{bytes:?}");
        }
        let marked = Vocabulary::parse("\u{feff}a\nb".as_bytes()).unwrap_err();
        let expected = LanguageError::PieceCharacter {
            line: 1,
            character: '\u{feff}',
        };
        assert_eq!(marked, expected);
    }

    #[test]
    fn the_number_of_pieces_is_bounded() {
        assert_eq!(Vocabulary::parse_at_most(3, b"a\nb\nc\n").unwrap().len(), 3);
        let over = Vocabulary::parse_at_most(2, b"a\nb\nc\n").unwrap_err();
        assert_eq!(over, LanguageError::VocabularyTooLong);
    }
}
