//! Four input rows side by side: sixteen channels of each padded column become sixteen lanes of four vertical taps.
//!
//! SDOT then takes four taps of a channel at once. A quad of rows serves every output row whose window reaches into it,
//! each with its weights shifted, so it is built once for several output rows.

use super::Image;
use super::ring::BLOCK;
use crate::stream::{LINE, bring};
use crate::window::Window;
use core::arch::aarch64::*;
use core::ops::Range;

/// Bytes of a padded column: four taps of sixteen channels.
pub const COLUMN: usize = 4 * BLOCK;

/// What a quad is built from.
pub struct Source<'a> {
    pub image: Image<'a>,
    pub window: &'a Window,
    /// Padded columns of a row.
    pub width: usize,
}

impl Source<'_> {
    /// Brings padded rows in from memory in order, and says which come next: blocks of channels go over them in another.
    pub fn bring(&self, padded: Range<usize>) -> usize {
        let [h, w, channels] = self.image.dims;
        let row = |padded: usize| padded.saturating_sub(self.window.pads[0]).min(h) * w * channels;
        if channels > LINE {
            let rows = &self.image.elements[row(padded.start)..row(padded.end)];
            bring(rows, self.image.elements.len());
        }
        padded.end
    }

    /// Builds the quad of padded rows `first..first + 4` for the sixteen channels from `channel` on, into `quad`, which
    /// is `width` columns.
    ///
    /// # Panics
    ///
    /// If the image has not these channels, or `quad` not these columns.
    #[inline]
    #[target_feature(enable = "neon")]
    pub fn build(&self, first: usize, channel: usize, quad: &mut [i8]) {
        let [h, w, channels] = self.image.dims;
        assert!(channel + BLOCK <= channels && quad.len() == self.width * COLUMN);
        assert!(self.image.elements.len() == h * w * channels);
        let [top, left, ..] = self.window.pads;
        let padding = [self.image.zero_point; BLOCK];
        let left = left.min(self.width);
        let inside = w.min(self.width - left);
        let (before, rest) = quad.split_at_mut(left * COLUMN);
        let (within, after) = rest.split_at_mut(inside * COLUMN);
        before.fill(self.image.zero_point);
        after.fill(self.image.zero_point);
        // A row outside the image is read as one padded column over and over.
        let rows: [(*const i8, usize); 4] =
            core::array::from_fn(|r| match (first + r).checked_sub(top).filter(|&y| y < h) {
                Some(y) => (
                    self.image.elements[y * w * channels + channel..].as_ptr(),
                    channels,
                ),
                None => (padding.as_ptr(), 0),
            });
        let (columns, _) = within.as_chunks_mut::<COLUMN>();
        let [a, b, c, d] = rows.map(|(row, _)| row);
        if rows.iter().all(|&(_, step)| step > 0) {
            for (x, column) in columns.iter_mut().enumerate() {
                // SAFETY: the column and its sixteen channels are in each row, as the image's length was checked.
                let taps = unsafe { [a, b, c, d].map(|row| vld1q_s8(row.add(x * channels))) };
                weave(taps, column);
            }
        } else {
            for (x, column) in columns.iter_mut().enumerate() {
                // SAFETY: as above, or the sixteen bytes of padding.
                let taps = unsafe { rows.map(|(row, step)| vld1q_s8(row.add(x * step))) };
                weave(taps, column);
            }
        }
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn weave([a, b, c, d]: [int8x16_t; 4], column: &mut [i8; COLUMN]) {
    let pairs = [
        vzip1q_s8(a, b),
        vzip1q_s8(c, d),
        vzip2q_s8(a, b),
        vzip2q_s8(c, d),
    ];
    let [low_ab, low_cd, high_ab, high_cd] = pairs.map(|pair| vreinterpretq_s16_s8(pair));
    let quads = [
        vzip1q_s16(low_ab, low_cd),
        vzip2q_s16(low_ab, low_cd),
        vzip1q_s16(high_ab, high_cd),
        vzip2q_s16(high_ab, high_cd),
    ];
    for (i, quad) in quads.into_iter().enumerate() {
        // SAFETY: the array has four registers.
        unsafe { vst1q_s8(column.as_mut_ptr().add(16 * i), vreinterpretq_s8_s16(quad)) }
    }
}
