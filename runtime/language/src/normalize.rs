//! From text to words, as BERT's normaliser and pre-tokenizer cut them.
//!
//! In this order, because each step sees what the one before it left: control characters go, white space becomes a
//! space, ideographs stand alone; where case does not count, accents are stripped and letters lowered, one by one;
//! then white space separates words and every punctuation character is a word of its own.
//!
//! It is one lazy chain over the characters: time is linear in the text, and who stops early pays for no more.
//!
//! Limits: the categories are those of the reference tokenizer, which knows no later Unicode than its tables. The
//! decompositions are newer than its; they differ for letters of scripts that no vocabulary of its time has.

use unicode_categories::UnicodeCategories;
use unicode_normalization::UnicodeNormalization;

/// How text is made uniform before it is cut into pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Normalization {
    /// Whether upper and lower case are one, and accents are stripped with it, as in BERT's uncased vocabularies.
    pub lowercase: bool,
}

/// The words of `text`, normalised, in order.
pub(crate) fn words(text: &str, normalization: Normalization) -> impl Iterator<Item = String> {
    Words {
        characters: normalized(text, normalization),
        pending: None,
    }
}

fn normalized(text: &str, normalization: Normalization) -> Box<dyn Iterator<Item = char> + '_> {
    let clean = text.chars().filter(|&c| !is_dropped(c)).flat_map(spaced);
    if normalization.lowercase {
        let bare = clean.nfd().filter(|c| !c.is_mark_nonspacing());
        Box::new(bare.flat_map(char::to_lowercase))
    } else {
        Box::new(clean)
    }
}

/// Whether the reference leaves a character out: controls, formats, private use, and what stands for broken text.
fn is_dropped(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => false,
        '\u{0}' | '\u{fffd}' => true,
        _ => c.is_other(),
    }
}

/// The character, with spaces around it where it is an ideograph.
fn spaced(c: char) -> impl Iterator<Item = char> {
    let space = is_ideograph(c).then_some(' ');
    space.into_iter().chain([c]).chain(space)
}

/// The blocks that the reference takes for Chinese; kana and Hangul are written with spaces or not at all, and are not
/// among them. 2B820..=2B91F is missing there too.
fn is_ideograph(c: char) -> bool {
    matches!(
        c,
        '\u{4e00}'..='\u{9fff}'
            | '\u{3400}'..='\u{4dbf}'
            | '\u{20000}'..='\u{2a6df}'
            | '\u{2a700}'..='\u{2b73f}'
            | '\u{2b740}'..='\u{2b81f}'
            | '\u{2b920}'..='\u{2ceaf}'
            | '\u{f900}'..='\u{faff}'
            | '\u{2f800}'..='\u{2fa1f}'
    )
}

/// Whether a character is a word of its own.
pub(crate) fn is_punctuation(c: char) -> bool {
    // ASCII symbols such as $ and + are no punctuation to Unicode, but they are to BERT.
    c.is_ascii_punctuation() || c.is_punctuation()
}

/// Cuts normalised characters into words.
struct Words<C> {
    characters: C,
    /// A punctuation character that ended the last word and is the next one.
    pending: Option<char>,
}

impl<C: Iterator<Item = char>> Iterator for Words<C> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        if let Some(c) = self.pending.take() {
            return Some(c.into());
        }
        let mut word = String::new();
        for c in self.characters.by_ref() {
            if is_punctuation(c) {
                if word.is_empty() {
                    return Some(c.into());
                }
                self.pending = Some(c);
                return Some(word);
            }
            if !c.is_whitespace() {
                word.push(c);
            } else if !word.is_empty() {
                return Some(word);
            }
        }
        (!word.is_empty()).then_some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uncased(text: &str) -> Vec<String> {
        words(text, Normalization { lowercase: true }).collect()
    }

    fn cased(text: &str) -> Vec<String> {
        words(text, Normalization { lowercase: false }).collect()
    }

    #[test]
    fn words_end_at_space_and_punctuation() {
        assert_eq!(
            uncased("A red, double-decker bus!"),
            ["a", "red", ",", "double", "-", "decker", "bus", "!"]
        );
        assert_eq!(uncased(" \t\r\n"), [""; 0]);
        assert_eq!(uncased("...$+"), [".", ".", ".", "$", "+"]);
        assert_eq!(uncased(""), [""; 0]);
    }

    #[test]
    fn accents_go_only_with_case() {
        assert_eq!(uncased("Café ÅNGSTRÖM İ"), ["cafe", "angstrom", "i"]);
        assert_eq!(cased("Café ÅNGSTRÖM"), ["Café", "ÅNGSTRÖM"]);
    }

    #[test]
    fn lowering_is_by_letter_not_by_word() {
        assert_eq!(uncased("ΣΟΦΟΣ"), ["σοφοσ"]);
    }

    #[test]
    fn ideographs_stand_alone() {
        assert_eq!(
            uncased("野口里佳 Noguchi"),
            ["野", "口", "里", "佳", "noguchi"]
        );
        assert_eq!(cased("ひらがな"), ["ひらがな"]);
    }

    #[test]
    fn control_characters_vanish_before_space_is_looked_for() {
        assert_eq!(
            uncased("ca\u{0}t\u{fffd}s\u{200b} a\u{85}b\u{b}c x\u{a0}y\u{3000}z"),
            ["cats", "abc", "x", "y", "z"]
        );
    }

    /// The effect of a character between two letters, in the terms of `tests/reference/make_characters.py`.
    fn effect(c: char, normalization: Normalization) -> &'static str {
        let words: Vec<String> = words(&format!("a{c}b"), normalization).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["ab"] => "nothing",
            ["a", "b"] => "space",
            ["a", _, "b"] => "apart",
            [_] => "part",
            _ => panic!("{c:?} gives {words:?}"),
        }
    }

    #[test]
    fn every_character_cuts_as_in_the_reference() {
        let reference = include_str!("../tests/reference/characters.txt");
        for lowercase in [true, false] {
            let mode = if lowercase { "uncased " } else { "cased " };
            let mut expected = vec!["part"; 0x11_0000];
            for line in reference.lines().filter_map(|line| line.strip_prefix(mode)) {
                let (effect, ranges) = line.split_once(' ').unwrap();
                for range in ranges.split(' ') {
                    let (first, last) = range.split_once('-').unwrap_or((range, range));
                    let [first, last] =
                        [first, last].map(|hex| usize::from_str_radix(hex, 16).unwrap());
                    expected[first..=last].fill(effect);
                }
            }
            let kinds = ["part", "nothing", "space", "apart"];
            assert!(kinds.iter().all(|kind| expected.contains(kind)));
            // Behind the second plane there are long runs of ideographs and of private use: their ends, and samples.
            let at_an_end = |point: usize| {
                let around = &expected[point.saturating_sub(1)..(point + 2).min(expected.len())];
                around.iter().any(|&other| other != expected[point])
            };
            let looked_at =
                |point: usize| point < 0x2_0000 || point.is_multiple_of(251) || at_an_end(point);
            for c in ('\0'..=char::MAX).filter(|&c| looked_at(c as usize)) {
                let effect = effect(c, Normalization { lowercase });
                assert_eq!(effect, expected[c as usize], "{mode}U+{:04X}", c as u32);
            }
        }
    }
}
