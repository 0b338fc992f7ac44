//! Word pieces: the longest known piece first, then the longest that goes on (Devlin et al., 2018, BERT; the search is
//! that of Schuster and Nakajima, 2012).
//!
//! A word that cannot be cut into known pieces to its end is left out, where BERT would put `[UNK]`: a static text
//! table has no direction for "some word", and a vector of it would make all unknown words alike. What was left out is
//! reported, and a text of which nothing is left has its own question, [`Tokenizer::require_known`]. The other kinds of pieces
//! have files of their own: byte pairs know every word, unigram pieces have one for what they do not know.
//!
//! Time is linear in the text: a word costs at most its characters times the longest piece's, and a word above 100
//! characters is not searched at all. Nothing is looked at behind the last piece that fits.

use crate::{
    BytePairs, LanguageError, Normalization, Sequence, Unigram, Vocabulary, clip_text,
    normalize::{is_punctuation, words},
    sequence::Frame,
};

/// Longer words are unknown, as in the reference. It bounds the search inside a word.
const MAX_WORD_CHARS: usize = 100;

/// Cuts text into the pieces of a vocabulary.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    pieces: Pieces,
    frame: Frame,
    max_tokens: usize,
}

/// What text is cut into.
#[derive(Clone, Debug)]
enum Pieces {
    Words(WordPieces),
    Bytes(BytePairs),
    Unigram(Unigram),
}

#[derive(Clone, Debug)]
struct WordPieces {
    vocabulary: Vocabulary,
    normalization: Normalization,
}

/// The pieces of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// The ids of the pieces, in the text's order; at most the tokenizer's `max_tokens`, those of its [`Sequence`] among
    /// them, and then what fills it up.
    pub ids: Vec<u32>,
    /// The words that were left out, normalised, in the text's order up to where it was cut. Punctuation that the
    /// vocabulary lacks is left out too, but is no word. Of unigram pieces: what stands there as unknown.
    pub unknown: Vec<String>,
    /// Whether there were more pieces than fit.
    pub truncated: bool,
}

impl Tokenizer {
    /// A tokenizer of word pieces that gives at most `max_tokens` ids for a text.
    pub fn new(
        vocabulary: Vocabulary,
        normalization: Normalization,
        max_tokens: usize,
    ) -> Tokenizer {
        let pieces = WordPieces {
            vocabulary,
            normalization,
        };
        Tokenizer {
            pieces: Pieces::Words(pieces),
            frame: Frame::default(),
            max_tokens,
        }
    }

    /// A tokenizer of byte pairs that gives at most `max_tokens` ids for a text.
    pub fn of_byte_pairs(pairs: BytePairs, max_tokens: usize) -> Tokenizer {
        Tokenizer {
            pieces: Pieces::Bytes(pairs),
            frame: Frame::default(),
            max_tokens,
        }
    }

    /// A tokenizer of unigram pieces that gives at most `max_tokens` ids for a text.
    pub fn of_unigram(unigram: Unigram, max_tokens: usize) -> Tokenizer {
        Tokenizer {
            pieces: Pieces::Unigram(unigram),
            frame: Frame::default(),
            max_tokens,
        }
    }

    /// The same with a frame around every text.
    ///
    /// # Errors
    /// [`LanguageError::PieceMissing`] for a piece of the frame that the vocabulary lacks.
    pub fn with_sequence(self, sequence: &Sequence) -> Result<Tokenizer, LanguageError> {
        let frame = Frame::new(sequence, |piece| match &self.pieces {
            Pieces::Words(words) => words.vocabulary.id(piece),
            Pieces::Bytes(pairs) => pairs.id(piece),
            Pieces::Unigram(unigram) => unigram.id(piece),
        })?;
        Ok(Tokenizer { frame, ..self })
    }

    /// How many pieces the vocabulary has; ids are below it.
    pub fn vocabulary_len(&self) -> usize {
        match &self.pieces {
            Pieces::Words(words) => words.vocabulary.len(),
            Pieces::Bytes(pairs) => pairs.len(),
            Pieces::Unigram(unigram) => unigram.len(),
        }
    }

    /// The pieces of `text`. Any text has an answer; it may be empty but for what is around every text.
    pub fn tokenize(&self, text: &str) -> Tokens {
        self.tokenize_behind(0, text).0
    }

    /// The pieces of `text` behind as many places, which stand behind the piece before every text and hold the id 0; and
    /// where the first place is. The text has so many ids fewer.
    pub fn tokenize_behind(&self, places: usize, text: &str) -> (Tokens, usize) {
        let room = self.frame.room(self.max_tokens).saturating_sub(places);
        let mut tokens = match &self.pieces {
            Pieces::Words(pieces) => pieces.tokenize(text, room),
            Pieces::Bytes(pairs) => {
                let mut tokens = Tokens::default();
                let cleaned = pairs.cleaned(text);
                for word in clip_text::words(&cleaned) {
                    tokens.ids.extend(pairs.pieces(word));
                    if tokens.cut(room) {
                        break;
                    }
                }
                tokens
            }
            Pieces::Unigram(unigram) => {
                let cut = unigram.cut(text);
                let mut tokens = Tokens {
                    ids: cut.ids,
                    unknown: cut.unknown,
                    truncated: false,
                };
                tokens.cut(room);
                tokens
            }
        };
        let mut ids = vec![0; places];
        ids.append(&mut tokens.ids);
        tokens.ids = self.frame.around(ids);
        (tokens, self.frame.before())
    }

    /// Whether the vocabulary knows at least one word of `label`.
    ///
    /// Ask it of the label itself: within a template the template's own words are known, and a label of which nothing
    /// is left would get the template's direction.
    ///
    /// # Errors
    ///
    /// [`LanguageError::UnknownLabel`], where no word is known or there is no word.
    pub fn require_known(&self, label: &str) -> Result<(), LanguageError> {
        let unknown = match &self.pieces {
            Pieces::Words(pieces) => pieces.unknown_in(label),
            Pieces::Bytes(pairs) => pairs.cleaned(label).is_empty().then(Vec::new),
            Pieces::Unigram(unigram) => {
                let cut = unigram.cut(label);
                (!cut.known).then_some(cut.unknown)
            }
        };
        match unknown {
            None => Ok(()),
            Some(words) => Err(LanguageError::UnknownLabel {
                label: label.into(),
                words,
            }),
        }
    }
}

impl Tokens {
    /// Cuts the ids to `room`; whether there were more.
    fn cut(&mut self, room: usize) -> bool {
        self.truncated = self.ids.len() > room;
        self.ids.truncate(room);
        self.truncated
    }
}

impl WordPieces {
    fn tokenize(&self, text: &str, room: usize) -> Tokens {
        let mut tokens = Tokens::default();
        for word in words(text, self.normalization) {
            match self.pieces(&word) {
                Some(ids) => tokens.ids.extend(ids),
                None if word.starts_with(is_punctuation) => {}
                None => tokens.unknown.push(word),
            }
            if tokens.cut(room) {
                break;
            }
        }
        tokens
    }

    /// The words of `label` where none of them is known.
    fn unknown_in(&self, label: &str) -> Option<Vec<String>> {
        let mut unknown = Vec::new();
        for word in words(label, self.normalization) {
            if self.pieces(&word).is_some() {
                return None;
            }
            unknown.push(word);
        }
        Some(unknown)
    }

    /// The ids of one normalised word; `None` where some of it is in no piece.
    fn pieces(&self, word: &str) -> Option<Vec<u32>> {
        if word.chars().nth(MAX_WORD_CHARS).is_some() {
            return None;
        }
        let (first, mut used) = self.longest(word, |text| self.vocabulary.start(text))?;
        let mut ids = vec![first];
        while used < word.len() {
            let rest = &word[used..];
            let (id, bytes) = self.longest(rest, |text| self.vocabulary.continuation(text))?;
            ids.push(id);
            used += bytes;
        }
        Some(ids)
    }

    /// The longest beginning of `text` that `id_of` knows: its id and its length in bytes.
    fn longest(&self, text: &str, id_of: impl Fn(&str) -> Option<u32>) -> Option<(u32, usize)> {
        let ends = text.char_indices().map(|(start, c)| start + c.len_utf8());
        let mut ends: Vec<usize> = ends.take(self.vocabulary.longest_chars()).collect();
        while let Some(end) = ends.pop() {
            if let Some(id) = id_of(&text[..end]) {
                return Some((id, end));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokenizer(lowercase: bool, max_tokens: usize) -> Tokenizer {
        let pieces = "un\n##aff\n##able\n##a\na\nab\nred\n,\n##é\n##s";
        let vocabulary = Vocabulary::parse(pieces.as_bytes()).unwrap();
        Tokenizer::new(vocabulary, Normalization { lowercase }, max_tokens)
    }

    fn ids(text: &str) -> Vec<u32> {
        tokenizer(true, 128).tokenize(text).ids
    }

    #[test]
    fn the_longest_piece_comes_first() {
        assert_eq!(ids("unaffable"), [0, 1, 2]);
        assert_eq!(ids("abs a as"), [5, 9, 4, 4, 9]);
        assert_eq!(ids("aa"), [4, 3]);
    }

    #[test]
    fn a_search_never_goes_back() {
        // `ab` is taken first, so that `a` and `##ble` would not be tried even if they were known.
        assert_eq!(ids("abable"), [5, 2]);
        assert_eq!(ids("abble"), [0; 0]);
    }

    #[test]
    fn a_word_with_an_unknown_end_is_left_out_whole() {
        let tokens = tokenizer(true, 128).tokenize("red unz, Zebra's red!");
        assert_eq!(tokens.ids, [6, 7, 6]);
        assert_eq!(tokens.unknown, ["unz", "zebra", "s"]);
        assert!(!tokens.truncated);
    }

    #[test]
    fn pieces_are_cut_between_characters() {
        assert_eq!(tokenizer(false, 128).tokenize("aé").ids, [4, 8]);
        assert_eq!(tokenizer(false, 128).tokenize("aéé").ids, [4, 8, 8]);
        assert_eq!(ids("aé"), [0; 0]);
    }

    #[test]
    fn pieces_beyond_the_limit_are_cut() {
        for (max_tokens, expected) in [(0, &[][..]), (1, &[0]), (2, &[0, 1]), (4, &[0, 1, 2, 6])] {
            let tokens = tokenizer(true, max_tokens).tokenize("unaffable red red");
            assert_eq!(tokens.ids, expected);
            assert!(tokens.truncated);
        }
        let tokens = tokenizer(true, 5).tokenize("unaffable red red zzz");
        assert_eq!((tokens.ids.len(), tokens.truncated), (5, false));
    }

    #[test]
    fn places_stand_before_a_text_and_take_room_from_it() {
        let (tokens, at) = tokenizer(true, 5).tokenize_behind(2, "unaffable red");
        assert_eq!((&tokens.ids[..], at), (&[0, 0, 0, 1, 2][..], 0));
        assert!(tokens.truncated);
        let sequence = Sequence {
            start: Some("a".into()),
            end: Some(",".into()),
            ..Sequence::default()
        };
        let framed = tokenizer(true, 9).with_sequence(&sequence).unwrap();
        let (tokens, at) = framed.tokenize_behind(2, "red");
        assert_eq!((&tokens.ids[..], at), (&[4, 0, 0, 6, 7][..], 1));
    }

    #[test]
    fn a_word_of_a_hundred_characters_is_the_longest() {
        assert_eq!(ids(&"a".repeat(100)).len(), 100);
        assert_eq!(ids(&"a".repeat(101)), [0; 0]);
    }

    #[test]
    fn a_label_needs_one_known_word() {
        let tokenizer = tokenizer(true, 128);
        for known in ["red", "RED", "a zebra", "zebra, red", ",", "zebra red"] {
            assert_eq!(tokenizer.require_known(known), Ok(()), "{known:?}");
        }
        for (label, words) in [
            ("", &[][..]),
            (" \u{200b}\t", &[]),
            ("Zebra", &["zebra"]),
            ("!? zed", &["!", "?", "zed"]),
        ] {
            let error = tokenizer.require_known(label).unwrap_err();
            let words = words.iter().map(|word| word.to_string()).collect();
            let label = label.into();
            assert_eq!(error, LanguageError::UnknownLabel { label, words });
        }
    }

    #[test]
    fn the_limit_does_not_make_a_label_unknown() {
        assert_eq!(tokenizer(true, 0).require_known("red"), Ok(()));
    }

    #[test]
    fn a_text_of_100_kb_is_cut_like_a_short_one() {
        // A search quadratic in the text would take minutes here.
        let bytes = 100_000;
        for text in [
            "a".repeat(bytes),
            format!("{} ", "a".repeat(99) + "z").repeat(bytes / 101),
            format!("{} ", "ab".repeat(49) + "z").repeat(bytes / 100),
            "e\u{301}".repeat(bytes / 3),
            format!("e{}", "\u{301}".repeat(bytes / 2)),
            "!".repeat(bytes),
        ] {
            let tokens = tokenizer(true, 128).tokenize(&text);
            assert!(tokens.ids.len() <= 128);
        }
    }
}
