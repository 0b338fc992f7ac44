//! A block of sixteen channels of one output row with SDOT, 3 x 3 at stride 2, straight from the image: each column is
//! woven in registers, since no other row needs it and only one other output does.
//!
//! v0-v11: weights, as [`dotprod_rows`](super::dotprod_rows) has them; v12-v15: multipliers; v16 or v29-v31: the epilogue's
//! constants; v17-v20: sums; v21-v24: rows of a column; v25-v28: the woven column, whose fourth row has no weight.
//!
//! Limits: at most one padded column on each side.

use super::Image;
use super::dotprod_rows::{Params, load, tap};
use super::quads::bring_rows;
use super::ring::BLOCK;
use crate::finish_text::{narrow, plain, positive, short};
use crate::requantize_neon::{Finish, Way};
use crate::window::Window;
use core::arch::asm;

/// Weaves the rows of a column: four rows of a channel side by side.
macro_rules! weave {
    () => {
        concat!(
            "zip1 v24.16b, v21.16b, v22.16b\n",
            "zip2 v21.16b, v21.16b, v22.16b\n",
            "zip1 v22.16b, v23.16b, v23.16b\n",
            "zip2 v23.16b, v23.16b, v23.16b\n",
            "zip1 v25.8h, v24.8h, v22.8h\n",
            "zip2 v26.8h, v24.8h, v22.8h\n",
            "zip1 v27.8h, v21.8h, v23.8h\n",
            "zip2 v28.8h, v21.8h, v23.8h\n",
        )
    };
}

/// Loads the next column of each row, and weaves it.
macro_rules! column {
    () => {
        concat!(
            "ld1 {{v21.16b}}, [{r0}], {s0}\n",
            "ld1 {{v22.16b}}, [{r1}], {s1}\n",
            "ld1 {{v23.16b}}, [{r2}], {s2}\n",
            weave!(),
        )
    };
}

/// Starts an output with the column that ended the one before, or the first.
macro_rules! start {
    () => {
        concat!(
            load!("params", [17 18 19 20], [0 32]),
            tap!([17 18 19 20] [25 26 27 28] [0 1 2 3]),
        )
    };
}

/// An image whose rows of output can be computed in this way.
pub struct Source<'a> {
    image: Image<'a>,
    window: &'a Window,
    /// Padded columns on the left side, and on the right one: none or one.
    left: usize,
    right: usize,
    outputs: usize,
    padding: [i8; BLOCK],
}

/// What a block of channels has for all rows.
pub struct Block<'a> {
    /// `[kx][channel][4]`
    pub weights: &'a [i8],
    pub params: &'a Params,
    pub finish: &'a Finish,
    /// The first channel.
    pub channel: usize,
}

impl<'a> Source<'a> {
    /// `None` where more columns are padded.
    pub fn new(image: Image<'a>, window: &'a Window, outputs: usize) -> Option<Source<'a>> {
        let left = window.pads[1];
        let right = (2 * outputs + 1).saturating_sub(left + image.dims[1]);
        let fits = window.kernel == [3, 3] && window.strides == [2, 2] && left <= 1 && right <= 1;
        fits.then_some(Source {
            image,
            window,
            left,
            right,
            outputs,
            padding: [image.zero_point; BLOCK],
        })
    }

    pub fn channels(&self) -> usize {
        self.image.dims[2]
    }

    /// Brings in the rows under output row `y` that are not among the first `brought`.
    pub fn bring(&self, y: usize, brought: usize) -> usize {
        bring_rows(self.image, self.window, brought.max(2 * y)..2 * y + 3)
    }

    /// Row `r` of the windows of output row `y`: its first column of sixteen channels from `channel` on, and the distance of
    /// the next. A row outside the image is one padded column over and over.
    fn row(&self, y: usize, r: usize, channel: usize) -> (*const i8, usize) {
        let [h, w, channels] = self.image.dims;
        match (2 * y + r).checked_sub(self.window.pads[0]) {
            Some(y) if y < h => {
                let row = &self.image.elements[y * w * channels..][..w * channels];
                (row[channel..].as_ptr(), channels)
            }
            _ => (self.padding.as_ptr(), 0),
        }
    }

    /// Computes output row `y`, whose channel 0 stands at `out` or would.
    ///
    /// # Safety
    ///
    /// The CPU has neon and dotprod; image and output have the block's sixteen channels of each pixel, and the block is for
    /// this way.
    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    pub unsafe fn run(&self, way: Way, block: &Block, y: usize, out: *mut i8) {
        let rows = [0, 1, 2].map(|r| self.row(y, r, block.channel));
        // The first column is loaded apart from the others.
        let others = rows.map(|(row, step)| row.wrapping_add((1 - self.left) * step));
        let first = rows.map(|(row, _)| {
            if self.left == 1 {
                self.padding.as_ptr()
            } else {
                row
            }
        });
        macro_rules! row {
            ($finish:ident $($shift:ident)?, $constants:tt) => {
                asm!(
                    load!("w", [0 1 2 3 4 5 6 7 8 9 10 11], [0 32 64 96 128 160]),
                    load!("params", [12 13 14 15], [64 96]),
                    $finish!(load $constants),
                    "ldr q21, [{f0}]",
                    "ldr q22, [{f1}]",
                    "ldr q23, [{f2}]",
                    weave!(),
                    start!(),
                    "cbnz {inside}, 2f",
                    "b 3f",
                    // No page ends within the loop.
                    ".p2align 9",
                    "2:",
                    column!(),
                    tap!([17 18 19 20] [25 26 27 28] [4 5 6 7]),
                    column!(),
                    tap!([17 18 19 20] [25 26 27 28] [8 9 10 11]),
                    $finish!([17 18 19 20] [12 13 14 15] [21 22] $constants),
                    "subs {inside}, {inside}, #1",
                    start!(),
                    "b.ne 2b",
                    "3:",
                    "cbz {right}, 4f",
                    column!(),
                    tap!([17 18 19 20] [25 26 27 28] [4 5 6 7]),
                    "ldr q25, [{padding}]",
                    tap!([17 18 19 20] [25 25 25 25] [8 9 10 11]),
                    $finish!([17 18 19 20] [12 13 14 15] [21 22] $constants),
                    "4:",
                    w = in(reg) block.weights.as_ptr(),
                    params = in(reg) block.params,
                    $($shift = in(reg) &block.params.shift,)?
                    finish = in(reg) block.finish,
                    f0 = in(reg) first[0], f1 = in(reg) first[1], f2 = in(reg) first[2],
                    r0 = inout(reg) others[0] => _, r1 = inout(reg) others[1] => _, r2 = inout(reg) others[2] => _,
                    s0 = in(reg) rows[0].1, s1 = in(reg) rows[1].1, s2 = in(reg) rows[2].1,
                    padding = in(reg) self.padding.as_ptr(),
                    inside = inout(reg) self.outputs - self.right => _,
                    right = in(reg) self.right,
                    out = inout(reg) out.wrapping_add(block.channel) => _,
                    out_stride = in(reg) self.image.dims[2],
                    out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _,
                    out("v6") _, out("v7") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _,
                    out("v12") _, out("v13") _, out("v14") _, out("v15") _, out("v16") _, out("v17") _,
                    out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _,
                    out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _, out("v29") _,
                    out("v30") _, out("v31") _,
                    options(nostack),
                )
            };
        }
        // SAFETY: the caller's: each column but the padded ones is the image's, and each output is in the row.
        unsafe {
            match way {
                Way::Plain => row!(plain, [29 30 31]),
                Way::Short => row!(short, [16]),
                Way::Positive => row!(positive shift, [16]),
            }
        }
    }
}
