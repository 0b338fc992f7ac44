//! SigLIP's canonical text (Zhai et al., 2023): the ways to type a caption are one before any piece is looked for.

/// What is done to a text before its characters are mapped. The default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Canonical {
    /// Letters become lower case.
    pub lowercase: bool,
    /// Punctuation of ASCII goes, but for `_`, which becomes a space.
    pub drop_punctuation: bool,
}

impl Canonical {
    /// The text made so; where anything is done to it, white space becomes single spaces.
    pub(crate) fn of(self, text: &str) -> String {
        let mut kept = text.to_owned();
        if self == Canonical::default() {
            return kept;
        }
        if self.drop_punctuation {
            kept = kept.replace('_', " ");
            kept.retain(|c| !c.is_ascii_punctuation());
        }
        if self.lowercase {
            kept = kept.to_lowercase();
        }
        // These separators are white space to the reference as well.
        let words = kept.split(|c: char| c.is_whitespace() || matches!(c, '\x1c'..='\x1f'));
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_is_lower_case_without_punctuation() {
        let siglip = Canonical {
            lowercase: true,
            drop_punctuation: true,
        };
        assert_eq!(
            siglip.of(" A  Photo_of (2) CATS!\u{1f}x "),
            "a photo of 2 cats x"
        );
        assert_eq!(siglip.of("\u{2026}\u{3000}\u{c9}"), "\u{2026} \u{e9}");
        assert_eq!(siglip.of("?!"), "");
    }

    #[test]
    fn what_is_not_asked_for_is_left_alone() {
        assert_eq!(Canonical::default().of(" A_b "), " A_b ");
        let lowercase = Canonical {
            lowercase: true,
            drop_punctuation: false,
        };
        assert_eq!(lowercase.of(" A_b! "), "a_b!");
    }
}
