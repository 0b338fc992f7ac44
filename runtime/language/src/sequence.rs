//! The frame of a transformer's text: which pieces stand before and behind it, and to which length it is filled up.

use crate::LanguageError;

/// The frame by the names of its pieces. The default is none: ids of the text's pieces and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    /// The piece before a text, such as `<|startoftext|>` or `[CLS]`.
    pub start: Option<String>,
    /// The piece behind it, such as `<|endoftext|>` or `[SEP]`. A text that is too long is cut before it.
    pub end: Option<String>,
    /// The piece that a text is filled up with, behind `end`; none where `lengths` is empty.
    pub pad: Option<String>,
    /// Rising lengths in ids: a text is filled up to the first that it fits in. None, where texts stay as long as they are.
    pub lengths: Vec<usize>,
}

/// The same by ids.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    start: Option<u32>,
    end: Option<u32>,
    pad: u32,
    lengths: Vec<usize>,
}

impl Frame {
    /// Asks `id_of` for each piece.
    ///
    /// # Errors
    /// [`LanguageError::PieceMissing`].
    pub fn new(
        sequence: &Sequence,
        id_of: impl Fn(&str) -> Option<u32>,
    ) -> Result<Frame, LanguageError> {
        let id = |piece: &Option<String>| match piece {
            None => Ok(None),
            Some(piece) => id_of(piece)
                .map(Some)
                .ok_or_else(|| LanguageError::PieceMissing {
                    piece: piece.clone(),
                }),
        };
        Ok(Frame {
            start: id(&sequence.start)?,
            end: id(&sequence.end)?,
            pad: id(&sequence.pad)?.unwrap_or_default(),
            lengths: sequence.lengths.clone(),
        })
    }

    /// How many ids of a text fit among `max_tokens`.
    pub fn room(&self, max_tokens: usize) -> usize {
        let framing = self.before() + usize::from(self.end.is_some());
        max_tokens.saturating_sub(framing)
    }

    /// How many ids stand before a text.
    pub fn before(&self) -> usize {
        usize::from(self.start.is_some())
    }

    /// `ids` of a text, framed and filled up.
    pub fn around(&self, ids: Vec<u32>) -> Vec<u32> {
        let mut framed: Vec<u32> = self.start.into_iter().chain(ids).chain(self.end).collect();
        if let Some(length) = self.lengths.iter().find(|&&length| length >= framed.len()) {
            framed.resize(*length, self.pad);
        }
        framed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(lengths: &[usize]) -> Frame {
        let sequence = Sequence {
            start: Some("[".into()),
            end: Some("]".into()),
            pad: Some("_".into()),
            lengths: lengths.to_vec(),
        };
        Frame::new(&sequence, |piece| "_[]".find(piece).map(|at| at as u32)).expect("known pieces")
    }

    #[test]
    fn a_text_is_filled_up_to_the_first_length_that_it_fits_in() {
        let frame = frame(&[4, 6]);
        assert_eq!(frame.around(vec![7]), [1, 7, 2, 0]);
        assert_eq!(frame.around(vec![7, 8]), [1, 7, 8, 2]);
        assert_eq!(frame.around(vec![7, 8, 9]), [1, 7, 8, 9, 2, 0]);
        assert_eq!((frame.room(6), frame.room(1)), (4, 0));
    }

    #[test]
    fn without_lengths_a_text_is_as_long_as_it_is() {
        assert_eq!(frame(&[]).around(vec![7]), [1, 7, 2]);
        let bare = Frame::new(&Sequence::default(), |_| None).expect("no pieces");
        assert_eq!(bare.around(vec![7]), [7]);
    }

    #[test]
    fn a_piece_that_the_vocabulary_lacks_is_named() {
        let sequence = Sequence {
            end: Some("</s>".into()),
            ..Sequence::default()
        };
        let error = Frame::new(&sequence, |_| None).unwrap_err();
        assert_eq!(
            error,
            LanguageError::PieceMissing {
                piece: "</s>".into()
            }
        );
    }
}
