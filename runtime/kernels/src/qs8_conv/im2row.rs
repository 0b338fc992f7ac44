//! Output pixels as rows of a matrix: each the bytes under its window, tap row after tap row.
//!
//! Limits: portable code. A tap row of at most sixteen bytes is copied as sixteen where the input has them; what is too
//! much is overwritten by the next tap row or the next pixel, or ends in the spare bytes.

use crate::window::Window;
use core::ops::Range;

/// Bytes behind the last row that a copy may touch.
pub const SPARE: usize = 16;

/// An input, `[h, w, channels]`, and the window that slides over it.
pub struct Source<'a> {
    pub input: &'a [i8],
    pub dims: [usize; 3],
    pub zero_point: i8,
    pub window: Window,
    pub out_width: usize,
}

impl Source<'_> {
    /// Writes the rows of the output pixels `pixels`, counted line by line, to the start of `rows`, which is
    /// [`SPARE`] bytes longer than they are.
    pub fn gather(&self, pixels: Range<usize>, rows: &mut [i8]) {
        let row_len = self.window.taps() * self.dims[2];
        let (mut y, mut x) = (pixels.start / self.out_width, pixels.start % self.out_width);
        let mut at = 0;
        for _ in pixels {
            self.gather_pixel(y, x, &mut rows[at..at + row_len + SPARE]);
            at += row_len;
            x += 1;
            if x == self.out_width {
                (y, x) = (y + 1, 0);
            }
        }
    }

    #[inline]
    fn gather_pixel(&self, y: usize, x: usize, row: &mut [i8]) {
        let [h, w, channels] = self.dims;
        let [kh, kw] = self.window.kernel;
        let [top, left, ..] = self.window.pads;
        let tap_row_len = kw * channels;
        let (y0, x0) = (y * self.window.strides[0], x * self.window.strides[1]);
        if y0 >= top && y0 - top + kh <= h && x0 >= left && x0 - left + kw <= w {
            let mut from = ((y0 - top) * w + x0 - left) * channels;
            let mut to = 0;
            for _ in 0..kh {
                copy(&self.input[from..], &mut row[to..], tap_row_len);
                from += w * channels;
                to += tap_row_len;
            }
        } else {
            self.gather_edge(y, x, row);
        }
    }

    /// A pixel whose window stands partly outside the input.
    #[cold]
    fn gather_edge(&self, y: usize, x: usize, row: &mut [i8]) {
        let [h, w, channels] = self.dims;
        let [kh, kw] = self.window.kernel;
        for ky in 0..kh {
            for kx in 0..kw {
                let tap = &mut row[(ky * kw + kx) * channels..][..channels];
                let at = (
                    self.window.source(0, y, ky, h),
                    self.window.source(1, x, kx, w),
                );
                match at {
                    (Some(y), Some(x)) => {
                        tap.copy_from_slice(&self.input[(y * w + x) * channels..][..channels])
                    }
                    _ => tap.fill(self.zero_point),
                }
            }
        }
    }
}

/// Copies `len` bytes, and up to sixteen where that is one move.
#[inline]
fn copy(from: &[i8], to: &mut [i8], len: usize) {
    match (from.first_chunk::<16>(), to.first_chunk_mut::<16>()) {
        (Some(from), Some(to)) if len <= 16 => *to = *from,
        _ => to[..len].copy_from_slice(&from[..len]),
    }
}
