//! How CLIP cleans a text and cuts it into words (Radford et al., 2021): before any vocabulary is asked.
//!
//! Cleaning makes one text of the ways to type it: full-width letters, typographic quotes and ligatures become plain ones,
//! the text is composed (NFC), white space becomes single spaces, and letters are lower-cased. A word is then a run of
//! letters, one digit, a run of anything else that is not white space, or an English ending with its apostrophe.
//!
//! Limits: the reference also guesses at text that was decoded wrongly ("cafÃ©"), and takes "&amp;" for "&". A label is
//! neither of them.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// What is cut off a word as a word of its own. Behind an apostrophe nothing else is.
const ENDINGS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

/// `text` as the words are cut from it.
pub(crate) fn cleaned(text: &str, lowercase: bool) -> String {
    let composed = plain(text).nfc();
    let mut cleaned = String::with_capacity(text.len());
    let mut space = false;
    for c in composed {
        if c.is_whitespace() {
            space = !cleaned.is_empty();
            continue;
        }
        if std::mem::take(&mut space) {
            cleaned.push(' ');
        }
        cleaned.push(c);
    }
    match lowercase {
        true => cleaned.to_lowercase(),
        false => cleaned,
    }
}

/// The words of a cleaned text.
pub(crate) fn words(cleaned: &str) -> impl Iterator<Item = &str> {
    let mut rest = cleaned;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let end = word_end(rest)?;
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

/// Where the first word of `text` ends, which begins with it; `None` where there is no more.
fn word_end(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    if let Some(ending) = ENDINGS.iter().find(|ending| text.starts_with(**ending)) {
        return Some(ending.len());
    }
    let kind = Kind::of(first);
    let run = |kind| {
        let past = text.char_indices().find(|&(_, c)| Kind::of(c) != kind);
        past.map_or(text.len(), |(at, _)| at)
    };
    Some(match kind {
        Kind::Number => first.len_utf8(),
        kind => run(kind),
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Letter,
    Number,
    Space,
    Other,
}

impl Kind {
    fn of(c: char) -> Kind {
        match c {
            'a'..='z' | 'A'..='Z' => Kind::Letter,
            _ if c.is_whitespace() => Kind::Space,
            _ if c.is_numeric() => Kind::Number,
            _ if is_letter(c) => Kind::Letter,
            _ => Kind::Other,
        }
    }
}

/// Unicode's general category L. It is what is alphabetic, less the numbers, marks and circled letters that are so too.
fn is_letter(c: char) -> bool {
    let circled = matches!(c, '\u{24b6}'..='\u{24e9}' | '\u{1f130}'..='\u{1f149}' | '\u{1f150}'..='\u{1f169}' | '\u{1f170}'..='\u{1f189}');
    c.is_alphabetic() && !c.is_numeric() && !is_combining_mark(c) && !circled
}

/// Each character in its plain form; invisible controls are left out.
fn plain(text: &str) -> impl Iterator<Item = char> {
    text.chars()
        .filter(|c| !is_invisible(*c))
        .flat_map(|c| match c {
            // Forms of half and full width, and letters that are printed as one.
            '\u{ff01}'..='\u{ffef}'
            | '\u{132}'
            | '\u{133}'
            | '\u{149}'
            | '\u{1c4}'..='\u{1cc}'
            | '\u{1f1}'..='\u{1f3}'
            | '\u{fb00}'..='\u{fb06}' => Form::Compatible(c.nfkc()),
            _ => Form::Same(Some(c)),
        })
        .map(|c| match c {
            '\u{2bc}' | '\u{2018}'..='\u{201b}' => '\'',
            '\u{201c}'..='\u{201f}' => '"',
            _ => c,
        })
}

/// One character, or those of its compatibility decomposition, composed again.
enum Form<I> {
    Same(Option<char>),
    Compatible(I),
}

impl<I: Iterator<Item = char>> Iterator for Form<I> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        match self {
            Form::Same(c) => c.take(),
            Form::Compatible(characters) => characters.next(),
        }
    }
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{e}'..='\u{1f}' | '\u{7f}' | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffc}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<String> {
        words(&cleaned(text, true)).map(str::to_owned).collect()
    }

    #[test]
    fn words_are_letters_single_digits_and_the_rest() {
        assert_eq!(
            cut("A photo of 2 CATS!!"),
            ["a", "photo", "of", "2", "cats", "!!"]
        );
        assert_eq!(cut("42nd st."), ["4", "2", "nd", "st", "."]);
        assert_eq!(
            cut("don't we've o'clock"),
            ["don", "'t", "we", "'ve", "o", "'", "clock"]
        );
        assert_eq!(cut("!'s ''s"), ["!'", "s", "''", "s"]);
    }

    #[test]
    fn the_ways_to_type_a_text_are_one() {
        assert_eq!(
            cut("  it\u{2019}s\u{3000}\t\u{ff21}\u{fb01}x \u{201c}e\u{301}\u{201d}"),
            ["it", "'s", "afix", "\"", "\u{e9}", "\""]
        );
        assert_eq!(cleaned("a\u{feff}\u{7}b", true), "ab");
        assert_eq!(cleaned("A  B", false), "A B");
    }

    #[test]
    fn nothing_is_nothing() {
        for text in ["", " \t\u{3000}", "\u{feff}"] {
            assert_eq!(cut(text), [""; 0], "{text:?}");
        }
    }

    #[test]
    fn circled_letters_and_marks_are_no_letters() {
        assert_eq!(cut("\u{24d0}b"), ["\u{24d0}", "b"]);
        assert_eq!(cut("\u{93f}\u{928}"), ["\u{93f}", "\u{928}"]);
        assert_eq!(cut("\u{216f}x"), ["\u{217f}", "x"]);
    }
}
