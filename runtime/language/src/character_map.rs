//! SentencePiece's precompiled character map: which characters become which, before pieces are looked for (Kudo and
//! Richardson, 2018). The map comes with the pieces, so a text is written as it was when they were learnt.
//!
//! ```text
//! u32 length of the trie in bytes | trie, u32 units | texts, each with a NUL behind it
//! ```
//!
//! The trie is a double array in Darts-clone's layout, of keys in UTF-8 to offsets of texts. Numbers are little-endian. What
//! stands nowhere in it stays as it is; where several keys fit, the longest does.
//!
//! Limits: an offset that leads nowhere leaves the character as it is.

use crate::LanguageError;

/// No key of a map is nearly as long.
const LONGEST_KEY: usize = 256;

/// A checked map. The default changes nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct CharacterMap {
    units: Vec<u32>,
    texts: String,
}

impl CharacterMap {
    /// Reads a map; no bytes are a map that changes nothing.
    ///
    /// # Errors
    /// [`LanguageError::CharacterMap`].
    pub fn parse(bytes: &[u8]) -> Result<CharacterMap, LanguageError> {
        let Some((length, rest)) = bytes.split_first_chunk() else {
            return match bytes {
                [] => Ok(CharacterMap::default()),
                _ => Err(refuse("a length of four bytes", bytes.len())),
            };
        };
        let length = u32::from_le_bytes(*length) as usize;
        let (trie, texts) = rest
            .split_at_checked(length)
            .filter(|_| length > 0 && length.is_multiple_of(4))
            .ok_or_else(|| refuse("a trie of whole units that fits in the file", length))?;
        let (units, _) = trie.as_chunks();
        let texts = std::str::from_utf8(texts)
            .map_err(|error| refuse("texts in UTF-8", error.valid_up_to()))?;
        Ok(CharacterMap {
            units: units.iter().map(|unit| u32::from_le_bytes(*unit)).collect(),
            texts: texts.to_owned(),
        })
    }

    /// What `text` begins with is written as, and how many bytes of `text` that stands for; `text` is not empty.
    pub fn first<'t>(&'t self, text: &'t str) -> (&'t str, usize) {
        let own = || {
            let length = text.chars().next().map_or(0, char::len_utf8);
            (&text[..length], length)
        };
        self.longest(text).unwrap_or_else(own)
    }

    fn longest(&self, text: &str) -> Option<(&str, usize)> {
        let mut at = unit::offset(*self.units.first()?);
        let mut found = None;
        for (index, byte) in text.bytes().take(LONGEST_KEY).enumerate() {
            at ^= usize::from(byte);
            let Some(&here) = self.units.get(at) else {
                break;
            };
            if unit::label(here) != u32::from(byte) {
                break;
            }
            at ^= unit::offset(here);
            if unit::has_value(here) {
                found = self
                    .units
                    .get(at)
                    .map(|&leaf| (unit::value(leaf), index + 1));
            }
        }
        let (offset, length) = found.filter(|&(_, length)| text.is_char_boundary(length))?;
        let (written, _) = self.texts.get(offset..)?.split_once('\0')?;
        Some((written, length))
    }
}

fn refuse(expected: &'static str, got: usize) -> LanguageError {
    LanguageError::CharacterMap { expected, got }
}

/// The bits of a unit.
mod unit {
    /// The byte that leads here. A unit with the highest bit holds a value and no byte.
    pub fn label(unit: u32) -> u32 {
        unit & (1 << 31 | 0xff)
    }

    /// What to combine with a byte to find the next unit.
    pub fn offset(unit: u32) -> usize {
        ((unit >> 10) << ((unit & (1 << 9)) >> 6)) as usize
    }

    /// Whether a key ends here; the value is at the offset.
    pub fn has_value(unit: u32) -> bool {
        unit >> 8 & 1 == 1
    }

    /// The value of a unit that holds one.
    pub fn value(unit: u32) -> usize {
        (unit & !(1 << 31)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A map of `A` to `b` and of `AB` to nothing.
    fn map() -> Vec<u8> {
        // The root's offset is 0x100 and `A`'s 0x200, so their children lie at the offset with the byte's bits changed.
        let mut units = vec![0u32; 0x300];
        units[0] = 0x100 << 10;
        units[0x141] = 0x41 | 1 << 8 | (0x141 ^ 0x200) << 10;
        units[0x200] = 1 << 31;
        units[0x242] = 0x42 | 1 << 8 | (0x242 ^ 0x280) << 10;
        units[0x280] = 1 << 31 | 2;
        let mut bytes = (units.len() as u32 * 4).to_le_bytes().to_vec();
        bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        bytes.extend(b"b\0\0");
        bytes
    }

    #[test]
    fn the_longest_key_counts() {
        let map = CharacterMap::parse(&map()).expect("a good map");
        assert_eq!(map.first("ACE"), ("b", 1));
        assert_eq!(map.first("ABC"), ("", 2));
        assert_eq!(map.first("BA"), ("B", 1));
        assert_eq!(map.first("\u{e9}A"), ("\u{e9}", 2));
    }

    #[test]
    fn no_map_changes_nothing() {
        let map = CharacterMap::parse(b"").expect("no map");
        assert_eq!(map.first("\u{ff21}b"), ("\u{ff21}", 3));
    }

    #[test]
    fn a_damaged_map_is_refused_or_changes_nothing() {
        let good = map();
        for length in [1, 3, 4, 100, 0x300 * 4 + 3] {
            let error = CharacterMap::parse(&good[..length]).unwrap_err();
            assert!(
                matches!(error, LanguageError::CharacterMap { .. }),
                "{length}"
            );
        }
        let latin1 = [&good[..], b"\xff"].concat();
        assert!(CharacterMap::parse(&latin1).is_err());
        // Every unit spoilt in turn, and one that leads into itself.
        for at in (4..good.len() - 4).step_by(4) {
            let mut bytes = good.clone();
            bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
            if let Ok(map) = CharacterMap::parse(&bytes) {
                for text in ["A", "AB", "B", "\u{ff21}"] {
                    assert!(map.first(text).1 >= 1);
                }
            }
        }
    }
}
