//! Unigram pieces: of all ways to cut a text into known pieces the likeliest (Kudo, 2018, SentencePiece).
//!
//! A piece has a logarithm of its probability, a way the sum of its pieces'; the best way is found from left to right
//! (Viterbi). Pieces may hold white space, which is written as U+2581 and stands before a word. A character that no
//! piece has is a piece of its own that is less likely than any, and what follows one another of such is one unknown; where
//! the vocabulary has a piece for every byte, its bytes stand for it.
//!
//! Before that a text may be made [`Canonical`], the vocabulary's [`CharacterMap`] is applied, and white space at the ends and in
//! runs goes.
//!
//! Time is linear in the text, times the length of the longest piece.

use crate::{
    Canonical, LanguageError,
    character_map::CharacterMap,
    vocabulary::{self, MAX_PIECES},
};

/// What white space is written as.
const SPACE: char = '\u{2581}';
/// How much less likely than the least likely piece an unknown character is.
const UNKNOWN_PENALTY: f32 = 10.0;

/// What a vocabulary of unigram pieces is made of.
#[derive(Clone, Copy, Debug)]
pub struct UnigramParts<'a> {
    /// A piece a line, whose number from 0 is the id.
    pub vocabulary: &'a [u8],
    /// The logarithm of each piece's probability, `[pieces]`. A piece with minus infinity is found in no text, such as
    /// `</s>`.
    pub scores: &'a [f32],
    /// SentencePiece's precompiled character map; empty where characters stay as they are.
    pub character_map: &'a [u8],
    /// The piece that stands for what no piece has. None, where the pieces `<0x00>` to `<0xFF>` of its bytes do.
    pub unknown: Option<&'a str>,
}

/// Checked unigram pieces.
#[derive(Clone, Debug)]
pub struct Unigram {
    /// The pieces with their ids in the order of their bytes, without those that are found in no text.
    found: Vec<(Box<str>, u32)>,
    /// By id.
    names: Vec<Box<str>>,
    scores: Vec<f32>,
    unknown: Unknown,
    unknown_score: f32,
    characters: CharacterMap,
    canonical: Canonical,
}

/// What stands for a character that no piece has.
#[derive(Clone, Debug)]
enum Unknown {
    Piece(u32),
    /// The id of each byte.
    Bytes(Vec<u32>),
}

/// A text in pieces.
pub(crate) struct Cut {
    pub ids: Vec<u32>,
    /// What no piece has, without white space around it.
    pub unknown: Vec<String>,
    /// Whether a piece with something else than white space was found.
    pub known: bool,
}

impl Unigram {
    /// Checks the parts of a vocabulary.
    ///
    /// # Errors
    /// Those of a [`Vocabulary`](crate::Vocabulary); [`LanguageError::Scores`] where there is not one a piece,
    /// [`LanguageError::Score`] for one that is no logarithm; [`LanguageError::CharacterMap`];
    /// [`LanguageError::PieceMissing`] for the unknown piece, or a byte's.
    pub fn parse(parts: &UnigramParts<'_>, canonical: Canonical) -> Result<Unigram, LanguageError> {
        let pieces = vocabulary::pieces(parts.vocabulary, MAX_PIECES)?;
        let names: Vec<Box<str>> = pieces
            .map(|piece| piece.map(|(_, name)| name.into()))
            .collect::<Result<_, _>>()?;
        if names.len() != parts.scores.len() {
            return Err(LanguageError::Scores {
                expected: names.len(),
                got: parts.scores.len(),
            });
        }
        let bad = |score: &f32| score.is_nan() || *score == f32::INFINITY;
        if let Some(at) = parts.scores.iter().position(bad) {
            return Err(LanguageError::Score {
                line: at + 1,
                got: parts.scores[at],
            });
        }
        let sorted = in_order(&names)?;
        let id_of = |piece: &str| match sorted.binary_search_by(|(name, _)| (**name).cmp(piece)) {
            Ok(at) => Ok(sorted[at].1),
            Err(_) => Err(LanguageError::PieceMissing {
                piece: piece.into(),
            }),
        };
        let unknown = match parts.unknown {
            Some(piece) => Unknown::Piece(id_of(piece)?),
            None => {
                let bytes = (0..=u8::MAX).map(|byte| id_of(&format!("<0x{byte:02X}>")));
                Unknown::Bytes(bytes.collect::<Result<_, _>>()?)
            }
        };
        let is_found = |id: u32| parts.scores[id as usize].is_finite();
        let found: Vec<_> = sorted.into_iter().filter(|of| is_found(of.1)).collect();
        let scores = found.iter().map(|of| parts.scores[of.1 as usize]);
        let least = scores.fold(f32::INFINITY, f32::min);
        Ok(Unigram {
            unknown_score: if found.is_empty() { 0.0 } else { least } - UNKNOWN_PENALTY,
            found,
            names,
            scores: parts.scores.to_vec(),
            unknown,
            characters: CharacterMap::parse(parts.character_map)?,
            canonical,
        })
    }

    /// How many pieces there are; ids are below it.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Never: an empty file is refused.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The id of a piece by its name, also of one that is found in no text.
    pub(crate) fn id(&self, piece: &str) -> Option<u32> {
        let at = self.names.iter().position(|name| **name == *piece)?;
        Some(at as u32)
    }

    /// The pieces of a text.
    pub(crate) fn cut(&self, text: &str) -> Cut {
        let text = self.written(&self.canonical.of(text));
        let mut cut = Cut {
            ids: Vec::new(),
            unknown: Vec::new(),
            known: false,
        };
        let mut run = String::new();
        for (part, id) in self.best(&text) {
            match (id, &self.unknown) {
                (Some(id), _) => {
                    cut.end_unknown(&mut run);
                    cut.known |= part.contains(|c| c != SPACE);
                    cut.ids.push(id);
                    continue;
                }
                (None, Unknown::Piece(id)) if run.is_empty() => cut.ids.push(*id),
                (None, Unknown::Piece(_)) => {}
                (None, Unknown::Bytes(ids)) => {
                    cut.ids
                        .extend(part.bytes().map(|byte| ids[usize::from(byte)]));
                    cut.known = true;
                }
            }
            run.push_str(part);
        }
        cut.end_unknown(&mut run);
        if matches!(self.unknown, Unknown::Bytes(_)) {
            cut.unknown.clear();
        }
        cut
    }

    /// A text as its pieces are written: characters mapped, white space as [`SPACE`] before each word.
    fn written(&self, text: &str) -> String {
        let mut written = String::with_capacity(text.len() + SPACE.len_utf8());
        let mut rest = text;
        let mut space = true;
        while !rest.is_empty() {
            let (mut to, length) = self.characters.first(rest);
            rest = &rest[length..];
            if space {
                to = to.trim_start_matches(' ');
            }
            if to.is_empty() {
                continue;
            }
            if written.is_empty() {
                written.push(SPACE);
            }
            written.extend(to.chars().map(|c| if c == ' ' { SPACE } else { c }));
            space = to.ends_with(' ');
        }
        let end = written.trim_end_matches(SPACE).len();
        written.truncate(end);
        written
    }

    /// The likeliest way to cut `text`: each part with its id, none where it is a character that no piece has.
    fn best<'t>(&self, text: &'t str) -> Vec<(&'t str, Option<u32>)> {
        #[derive(Clone, Copy)]
        struct Way {
            score: f32,
            from: usize,
            id: Option<u32>,
        }
        // The best way to each place where a way ends; all begin at the start.
        let mut ways: Vec<Option<Way>> = vec![None; text.len() + 1];
        for (at, first) in text.char_indices() {
            let so_far = ways[at].map_or(0.0, |way| way.score);
            let mut alone = false;
            let mut offer = |length: usize, score: f32, id| {
                let way = &mut ways[at + length];
                let score = so_far + score;
                if way.is_none_or(|best| score > best.score) {
                    *way = Some(Way {
                        score,
                        from: at,
                        id,
                    });
                }
            };
            self.each_beginning(&text[at..], |length, id| {
                alone |= length == first.len_utf8();
                offer(length, self.scores[id as usize], Some(id));
            });
            if !alone {
                offer(first.len_utf8(), self.unknown_score, None);
            }
        }
        let mut parts = Vec::new();
        let mut end = text.len();
        while let Some(way) = ways[end] {
            parts.push((&text[way.from..end], way.id));
            end = way.from;
        }
        parts.reverse();
        parts
    }

    /// Every piece that `text` begins with: its length in bytes and its id, shorter ones first.
    fn each_beginning(&self, text: &str, mut see: impl FnMut(usize, u32)) {
        // The pieces that begin as the text does up to some byte stand beside one another.
        let mut range = &self.found[..];
        for (index, byte) in text.bytes().enumerate() {
            let byte_of = |piece: &(Box<str>, u32)| piece.0.as_bytes().get(index).copied();
            let from = range.partition_point(|piece| byte_of(piece) < Some(byte));
            range = &range[from..];
            range = &range[..range.partition_point(|piece| byte_of(piece) == Some(byte))];
            match range.first() {
                None => return,
                Some((name, id)) if name.len() == index + 1 => see(index + 1, *id),
                Some(_) => {}
            }
        }
    }
}

impl Cut {
    /// Takes up a run of unknown characters that is over.
    fn end_unknown(&mut self, run: &mut String) {
        let text = run.trim_matches(SPACE).replace(SPACE, " ");
        run.clear();
        if !text.is_empty() {
            self.unknown.push(text);
        }
    }
}

/// The pieces in the order of their bytes, each with its id.
fn in_order(names: &[Box<str>]) -> Result<Vec<(Box<str>, u32)>, LanguageError> {
    let mut sorted: Vec<(Box<str>, u32)> = names.iter().cloned().zip(0..).collect();
    sorted.sort();
    match sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        None => Ok(sorted),
        Some(pair) => Err(LanguageError::PieceTwice {
            line: pair[1].1 as usize + 1,
            first_line: pair[0].1 as usize + 1,
            piece: pair[0].0.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Canonical = Canonical {
        lowercase: false,
        drop_punctuation: false,
    };
    const PIECES: [(&str, f32); 10] = [
        ("<unk>", f32::NEG_INFINITY),
        ("</s>", f32::NEG_INFINITY),
        ("\u{2581}", -3.0),
        ("\u{2581}cat", -2.0),
        ("\u{2581}ca", -4.0),
        ("ts", -2.0),
        ("t", -5.0),
        ("s", -5.0),
        ("c", -6.0),
        ("a", -6.0),
    ];

    fn unigram(pieces: &[(&str, f32)], unknown: Option<&str>, canonical: Canonical) -> Unigram {
        let (names, scores): (Vec<&str>, Vec<f32>) = pieces.iter().copied().unzip();
        let vocabulary = names.join("\n");
        let parts = UnigramParts {
            vocabulary: vocabulary.as_bytes(),
            scores: &scores,
            character_map: b"",
            unknown,
        };
        Unigram::parse(&parts, canonical).expect("good parts")
    }

    fn names(unigram: &Unigram, text: &str) -> Vec<String> {
        let ids = unigram.cut(text).ids;
        let name = |id: &u32| unigram.names[*id as usize].to_string();
        ids.iter().map(name).collect()
    }

    #[test]
    fn the_likeliest_way_counts_and_not_the_longest_piece() {
        let unigram = unigram(&PIECES, Some("<unk>"), PLAIN);
        assert_eq!(names(&unigram, "cat"), ["\u{2581}cat"]);
        // -4 - 2 is more than -2 - 5.
        assert_eq!(names(&unigram, "cats"), ["\u{2581}ca", "ts"]);
        assert_eq!(names(&unigram, ""), [""; 0]);
    }

    #[test]
    fn white_space_is_written_before_each_word() {
        let unigram = unigram(&PIECES, Some("<unk>"), PLAIN);
        let expected = ["\u{2581}cat", "\u{2581}cat"];
        for text in ["cat cat", "  cat   cat ", "cat \u{20}cat"] {
            assert_eq!(names(&unigram, text), expected, "{text:?}");
        }
        assert_eq!(names(&unigram, "   "), [""; 0]);
    }

    #[test]
    fn what_no_piece_has_is_one_unknown() {
        let unigram = unigram(&PIECES, Some("<unk>"), PLAIN);
        let cut = unigram.cut("cat \u{732b}\u{72ac} cat \u{732b}");
        assert_eq!(cut.ids, [3, 2, 0, 3, 2, 0]);
        assert_eq!(cut.unknown, ["\u{732b}\u{72ac}", "\u{732b}"]);
        assert!(cut.known);
        assert!(!unigram.cut("\u{732b}").known);
        // Pieces that are found in no text are not.
        assert_eq!(unigram.cut("</s>").ids, [2, 0, 7, 0]);
    }

    #[test]
    fn bytes_stand_for_what_no_piece_has_where_there_is_one_for_each() {
        let bytes: Vec<String> = (0..=255).map(|byte| format!("<0x{byte:02X}>")).collect();
        let mut pieces: Vec<(&str, f32)> = bytes
            .iter()
            .map(|name| (name.as_str(), f32::NEG_INFINITY))
            .collect();
        pieces.extend([("\u{2581}", -1.0), ("a", -2.0)]);
        let unigram = unigram(&pieces, None, PLAIN);
        let cut = unigram.cut("a\u{e9}");
        assert_eq!(cut.ids, [256, 257, 0xc3, 0xa9]);
        assert!(cut.known && cut.unknown.is_empty());
    }

    #[test]
    fn a_text_of_100_kb_takes_no_minutes() {
        let unigram = unigram(&PIECES, Some("<unk>"), PLAIN);
        let cut = unigram.cut(&"cats ".repeat(20_000));
        assert_eq!(cut.ids.len(), 40_000);
    }

    #[test]
    fn damaged_parts_are_refused() {
        let parse = |vocabulary: &str, scores: &[f32], unknown| {
            let parts = UnigramParts {
                vocabulary: vocabulary.as_bytes(),
                scores,
                character_map: b"",
                unknown,
            };
            Unigram::parse(&parts, PLAIN).map(|_| ())
        };
        let count = LanguageError::Scores {
            expected: 2,
            got: 1,
        };
        assert_eq!(parse("a\nb", &[-1.0], Some("a")), Err(count));
        for score in [f32::NAN, f32::INFINITY] {
            let error = parse("a\nb", &[-1.0, score], Some("a")).unwrap_err();
            assert!(matches!(error, LanguageError::Score { line: 2, .. }));
        }
        let twice = parse("a\nb\na", &[-1.0; 3], Some("a")).unwrap_err();
        assert!(matches!(twice, LanguageError::PieceTwice { line: 3, .. }));
        for unknown in [Some("<unk>"), None] {
            let missing = parse("a\nb", &[-1.0; 2], unknown).unwrap_err();
            assert!(matches!(missing, LanguageError::PieceMissing { .. }));
        }
    }
}
