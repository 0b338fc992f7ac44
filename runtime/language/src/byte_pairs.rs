//! Byte pairs: the bytes of a word, of which the pair that was merged first in training is merged first (Sennrich et al.,
//! 2016), with CLIP's `</w>` behind the last piece of a word.
//!
//! Each of the 256 bytes is written as a printable character, so that pieces are lines of a text file: those that are
//! printable in Latin-1 stand for themselves, the others for U+0100 and up, in their order (Radford et al., 2019, GPT-2).
//! Since every byte is a piece, every text has ids, and no word is unknown.
//!
//! Time is n log n in a word's length.

use crate::{
    LanguageError, clip_text,
    vocabulary::{self, MAX_PIECES},
};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

/// What the last piece of a word ends with.
const WORD_END: &str = "</w>";
/// What may stand on the first line of a file of merges.
const VERSION: &str = "#version";

/// The rank and the id of what a pair of ids becomes.
type Merges = HashMap<(u32, u32), (u32, u32)>;

/// Checked byte pairs.
#[derive(Clone, Debug)]
pub struct BytePairs {
    ids: HashMap<Box<str>, u32>,
    merges: Merges,
    /// The id of each byte inside of a word.
    inside: Vec<u32>,
    /// The id of each byte at the end of a word.
    last: Vec<u32>,
    lowercase: bool,
}

impl BytePairs {
    /// Reads a vocabulary, a piece a line whose number from 0 is the id, and the merges: two pieces a line, separated by a
    /// space, in the order of training. A first line `#version: ...` is passed over.
    ///
    /// # Errors
    /// Those of a [`Vocabulary`](crate::Vocabulary); [`LanguageError::Merge`] for a line that is no pair of pieces whose
    /// union is a piece; [`LanguageError::PieceMissing`] for a byte that is no piece.
    pub fn parse(
        vocabulary: &[u8],
        merges: &[u8],
        lowercase: bool,
    ) -> Result<BytePairs, LanguageError> {
        let mut ids: HashMap<Box<str>, u32> = HashMap::new();
        for piece in vocabulary::pieces(vocabulary, MAX_PIECES)? {
            let (id, piece) = piece?;
            if let Some(first) = ids.insert(piece.into(), id) {
                return Err(LanguageError::PieceTwice {
                    line: id as usize + 1,
                    first_line: first as usize + 1,
                    piece: piece.into(),
                });
            }
        }
        let id_of = |piece: String| match ids.get(&*piece) {
            Some(id) => Ok(*id),
            None => Err(LanguageError::PieceMissing { piece }),
        };
        let letters = letters();
        let inside: Result<_, _> = letters.iter().map(|c| id_of(c.to_string())).collect();
        let last: Result<_, _> = letters
            .iter()
            .map(|c| id_of(format!("{c}{WORD_END}")))
            .collect();
        Ok(BytePairs {
            inside: inside?,
            last: last?,
            merges: parse_merges(merges, &ids)?,
            ids,
            lowercase,
        })
    }

    /// How many pieces there are; ids are below it.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Never: every byte is a piece.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The id of a piece by its name, also of one that no text is cut into, such as `<|endoftext|>`.
    pub(crate) fn id(&self, piece: &str) -> Option<u32> {
        self.ids.get(piece).copied()
    }

    /// The text with its words apart.
    pub(crate) fn cleaned(&self, text: &str) -> String {
        clip_text::cleaned(text, self.lowercase)
    }

    /// The ids of one word of a cleaned text.
    pub(crate) fn pieces(&self, word: &str) -> Vec<u32> {
        let Some((last, inside)) = word.as_bytes().split_last() else {
            return Vec::new();
        };
        let mut ids: Vec<u32> = inside
            .iter()
            .map(|&b| self.inside[usize::from(b)])
            .collect();
        ids.push(self.last[usize::from(*last)]);
        self.merge(ids)
    }

    /// Merges neighbours, the pair of the lowest rank first, of equals the leftmost.
    fn merge(&self, mut ids: Vec<u32>) -> Vec<u32> {
        let count = ids.len();
        // Who stands right of whom, and left; `count` is nobody.
        let mut next: Vec<usize> = (1..=count).collect();
        let mut before: Vec<usize> = (0..count)
            .map(|at| at.checked_sub(1).unwrap_or(count))
            .collect();
        let mut gone = vec![false; count];
        let mut pairs = BinaryHeap::new();
        let offer = |pairs: &mut BinaryHeap<_>, ids: &[u32], left: usize, right: usize| {
            if let Some(&(rank, _)) = self.merges.get(&(ids[left], ids[right])) {
                pairs.push(Reverse((rank, left, right)));
            }
        };
        for right in 1..count {
            offer(&mut pairs, &ids, right - 1, right);
        }
        while let Some(Reverse((rank, left, right))) = pairs.pop() {
            // What was offered may have changed since.
            if gone[left] || gone[right] || next[left] != right {
                continue;
            }
            match self.merges.get(&(ids[left], ids[right])) {
                Some(&(now, id)) if now == rank => ids[left] = id,
                _ => continue,
            }
            gone[right] = true;
            next[left] = next[right];
            if next[left] < count {
                before[next[left]] = left;
                offer(&mut pairs, &ids, left, next[left]);
            }
            if before[left] < count {
                offer(&mut pairs, &ids, before[left], left);
            }
        }
        let mut kept = gone.iter();
        ids.retain(|_| kept.next() == Some(&false));
        ids
    }
}

fn parse_merges(bytes: &[u8], ids: &HashMap<Box<str>, u32>) -> Result<Merges, LanguageError> {
    let mut merges = HashMap::new();
    let lines = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if lines.is_empty() {
        return Ok(merges);
    }
    for (index, line) in lines.split(|&byte| byte == b'\n').enumerate() {
        let refuse = || LanguageError::Merge {
            line: index + 1,
            got: String::from_utf8_lossy(line).into_owned(),
        };
        let text = str::from_utf8(line).map_err(|_| refuse())?;
        if index == 0 && text.starts_with(VERSION) {
            continue;
        }
        if merges.len() == MAX_PIECES {
            return Err(LanguageError::VocabularyTooLong);
        }
        let (left, right) = text.split_once(' ').ok_or_else(refuse)?;
        let known = [left, right, &format!("{left}{right}")].map(|piece| ids.get(piece).copied());
        let [Some(left), Some(right), Some(made)] = known else {
            return Err(refuse());
        };
        let rank = index as u32;
        // A pair that stands there twice has its first place.
        merges.entry((left, right)).or_insert((rank, made));
    }
    Ok(merges)
}

/// The character that each byte is written as.
fn letters() -> Vec<char> {
    let mut invisible = 0x100..;
    let letter = |byte: u8| match byte {
        b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => char::from(byte),
        _ => invisible
            .next()
            .and_then(char::from_u32)
            .unwrap_or_default(),
    };
    (0..=u8::MAX).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes' pieces, then those that `merges` make, then the two special ones.
    fn byte_pairs(merges: &str) -> Result<BytePairs, LanguageError> {
        let letters = letters();
        let mut pieces: Vec<String> = letters.iter().map(char::to_string).collect();
        pieces.extend(letters.iter().map(|c| format!("{c}</w>")));
        pieces.extend(merges.lines().map(|line| line.replace(' ', "")));
        pieces.push("<|endoftext|>".into());
        BytePairs::parse(pieces.join("\n").as_bytes(), merges.as_bytes(), true)
    }

    fn names(pairs: &BytePairs, word: &str) -> Vec<String> {
        let name = |id| {
            pairs
                .ids
                .iter()
                .find(|(_, of)| **of == id)
                .map(|(name, _)| name.to_string())
        };
        pairs.pieces(word).into_iter().filter_map(name).collect()
    }

    #[test]
    fn pairs_merge_in_the_order_of_training() {
        let pairs = byte_pairs("a t</w>\nc at</w>\nc a").expect("good files");
        assert_eq!(names(&pairs, "cat"), ["cat</w>"]);
        assert_eq!(names(&pairs, "cats"), ["ca", "t", "s</w>"]);
        assert_eq!(names(&pairs, "at"), ["at</w>"]);
        assert_eq!(names(&pairs, ""), [""; 0]);
    }

    #[test]
    fn overlapping_pairs_merge_from_the_left() {
        let pairs = byte_pairs("a a\naa aa").expect("good files");
        assert_eq!(names(&pairs, "aaaaaab"), ["aaaa", "aa", "b</w>"]);
        assert_eq!(names(&pairs, "aaab"), ["aa", "a", "b</w>"]);
    }

    #[test]
    fn every_byte_is_a_piece() {
        let pairs = byte_pairs("a b").expect("good files");
        let word: String = ('\u{80}'..'\u{2ff}')
            .chain(['\u{20ac}', '\u{1f600}'])
            .collect();
        assert_eq!(pairs.pieces(&word).len(), word.len());
        assert_eq!(letters()[0], '\u{100}');
        assert_eq!(letters()[usize::from(b' ')], '\u{120}');
        assert_eq!(letters()[0xad], '\u{143}');
    }

    #[test]
    fn a_word_of_100_kb_takes_no_minutes() {
        let pairs = byte_pairs("a a\naa aa\naaaa aaaa").expect("good files");
        assert_eq!(pairs.pieces(&"a".repeat(100_001)).len(), 12_501);
    }

    #[test]
    fn a_damaged_file_is_refused_with_its_line() {
        for (merges, line) in [
            ("a b\nc", 2),
            ("a b\n\na c", 2),
            ("a bb", 1),
            ("a b\n#version: 1", 2),
        ] {
            let pieces = byte_pairs("a b\na c").expect("good files");
            let mut lines: Vec<_> = pieces
                .ids
                .iter()
                .map(|(name, id)| (*id, name.to_string()))
                .collect();
            lines.sort();
            let text: Vec<String> = lines.into_iter().map(|(_, name)| name).collect();
            let error =
                BytePairs::parse(text.join("\n").as_bytes(), merges.as_bytes(), true).unwrap_err();
            assert!(
                matches!(error, LanguageError::Merge { line: at, .. } if at == line),
                "{error}"
            );
        }
        let error = BytePairs::parse(b"a\nb", b"", true).unwrap_err();
        assert_eq!(
            error,
            LanguageError::PieceMissing {
                piece: "\u{100}".into()
            }
        );
    }

    #[test]
    fn a_first_line_with_the_version_is_none_of_the_merges() {
        let with = byte_pairs("a b").expect("good files");
        let mut lines: Vec<_> = with
            .ids
            .iter()
            .map(|(name, id)| (*id, name.to_string()))
            .collect();
        lines.sort();
        let text: Vec<String> = lines.into_iter().map(|(_, name)| name).collect();
        let pairs = BytePairs::parse(text.join("\n").as_bytes(), b"#version: 0.2\na b\n", true)
            .expect("good files");
        assert_eq!(names(&pairs, "abc"), ["ab", "c</w>"]);
    }
}
