//! Four input rows side by side: sixteen channels of each padded column become sixteen lanes of four vertical taps.
//!
//! SDOT then takes four taps of a channel at once. A quad of rows serves every output row whose window reaches into it,
//! each with its weights shifted, so it is built once for several output rows.

use super::Image;
use super::ring::BLOCK;
use crate::stream::{LINE, bring};
use crate::window::Window;
use core::arch::asm;
use core::ops::Range;

/// Bytes of a padded column: four taps of sixteen channels.
pub const COLUMN: usize = 4 * BLOCK;

/// Brings padded rows in from memory in order, and says which come next: blocks of channels go over them in another.
pub fn bring_rows(image: Image, window: &Window, padded: Range<usize>) -> usize {
    let [h, w, channels] = image.dims;
    let row = |padded: usize| padded.saturating_sub(window.pads[0]).min(h) * w * channels;
    if channels > LINE {
        let rows = &image.elements[row(padded.start)..row(padded.end)];
        bring(rows, image.elements.len());
    }
    padded.end
}

/// What a quad is built from.
pub struct Source<'a> {
    pub image: Image<'a>,
    pub window: &'a Window,
    /// Padded columns of a row.
    pub width: usize,
}

impl Source<'_> {
    /// Fills the padded columns of quads; [`build`](Self::build) leaves them as they are.
    pub fn pad(&self, quads: &mut [i8]) {
        let inside = self.inside();
        for quad in quads.chunks_exact_mut(self.width * COLUMN) {
            quad[..inside.start * COLUMN].fill(self.image.zero_point);
            quad[inside.end * COLUMN..].fill(self.image.zero_point);
        }
    }

    /// The padded columns that are the image's.
    fn inside(&self) -> Range<usize> {
        let left = self.window.pads[1].min(self.width);
        left..left + self.image.dims[1].min(self.width - left)
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
        let inside = self.inside();
        if inside.is_empty() {
            return;
        }
        let padding = [self.image.zero_point; BLOCK];
        // A row outside the image is read as one padded column over and over.
        let rows: [(*const i8, usize); 4] =
            core::array::from_fn(|r| match (first + r).checked_sub(self.window.pads[0]) {
                Some(y) if y < h => {
                    let row = &self.image.elements[y * w * channels + channel..];
                    (row.as_ptr(), channels)
                }
                _ => (padding.as_ptr(), 0),
            });
        let to = quad[inside.start * COLUMN..].as_mut_ptr();
        // SAFETY: each row has these columns and their sixteen channels, as the image's length was checked, or is the
        // padding; the quad has them too.
        unsafe { weave(rows, inside.len(), to) }
    }
}

/// Writes `columns` columns, one at least, each of sixteen bytes from four rows, which lie a step apart.
///
/// # Safety
///
/// The CPU has neon; what is read and written exists.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn weave(rows: [(*const i8, usize); 4], columns: usize, to: *mut i8) {
    let [(a, a_step), (b, b_step), (c, c_step), (d, d_step)] = rows;
    // SAFETY: the caller's.
    unsafe {
        asm!(
            "2:",
            "ld1 {{v0.16b}}, [{a}], {a_step}",
            "ld1 {{v1.16b}}, [{b}], {b_step}",
            "ld1 {{v2.16b}}, [{c}], {c_step}",
            "ld1 {{v3.16b}}, [{d}], {d_step}",
            "zip1 v4.16b, v0.16b, v1.16b",
            "zip1 v5.16b, v2.16b, v3.16b",
            "zip2 v6.16b, v0.16b, v1.16b",
            "zip2 v7.16b, v2.16b, v3.16b",
            "zip1 v0.8h, v4.8h, v5.8h",
            "zip2 v1.8h, v4.8h, v5.8h",
            "zip1 v2.8h, v6.8h, v7.8h",
            "zip2 v3.8h, v6.8h, v7.8h",
            "subs {columns}, {columns}, #1",
            "stp q0, q1, [{to}], #32",
            "stp q2, q3, [{to}], #32",
            "b.ne 2b",
            a = inout(reg) a => _, b = inout(reg) b => _, c = inout(reg) c => _, d = inout(reg) d => _,
            a_step = in(reg) a_step, b_step = in(reg) b_step, c_step = in(reg) c_step, d_step = in(reg) d_step,
            columns = inout(reg) columns => _,
            to = inout(reg) to => _,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _,
            out("v6") _, out("v7") _,
            options(nostack),
        );
    }
}
