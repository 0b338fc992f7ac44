//! The input rows under an output row, padded, in the caller's scratch: a ring of as many rows as the window is high.
//!
//! Padding costs one copy of each row, and the kernels need no case for an edge. Channels lie a whole register apart or
//! more, so a kernel that takes sixteen channels at a time never reads behind a row.

use super::Image;
use crate::window::Window;
use core::ops::Range;

/// Channels that the kernels take at a time.
pub const BLOCK: usize = 16;

/// How the ring lies in the scratch: `[kh][width][channels]`.
#[derive(Clone, Copy)]
pub struct Shape {
    pub kh: usize,
    /// Padded columns that the windows of a row stand on.
    pub width: usize,
    /// The distance of two columns: the channels, at least [`BLOCK`].
    pub pitch: usize,
}

impl Shape {
    pub fn new(window: &Window, out_width: usize, channels: usize) -> Shape {
        let width = (out_width - 1) * window.strides[1] + window.kernel[1];
        Shape {
            kh: window.kernel[0],
            width,
            pitch: channels.max(BLOCK),
        }
    }

    pub fn row_len(&self) -> usize {
        self.width * self.pitch
    }

    pub fn len(&self) -> usize {
        self.kh * self.row_len()
    }
}

/// The ring and which padded rows it holds.
pub struct Ring<'a> {
    shape: Shape,
    window: Window,
    rows: &'a mut [i8],
    /// Padded rows, counted from the top of the padding, that are in the ring or were.
    filled: Range<usize>,
}

impl<'a> Ring<'a> {
    pub fn new(shape: Shape, window: Window, scratch: &'a mut [i8]) -> Ring<'a> {
        Ring {
            shape,
            window,
            rows: &mut scratch[..shape.len()],
            filled: 0..0,
        }
    }

    /// Brings in what output row `y` stands on.
    pub fn advance(&mut self, image: Image, y: usize) {
        let first = y * self.window.strides[0];
        let end = first + self.shape.kh;
        for padded in self.filled.end.max(first)..end {
            self.fill(image, padded);
        }
        self.filled = first..end;
    }

    /// The start of row `ky` of the window of the output row that was advanced to.
    pub fn row(&self, ky: usize) -> &[i8] {
        let slot = (self.filled.start + ky) % self.shape.kh;
        &self.rows[slot * self.shape.row_len()..][..self.shape.row_len()]
    }

    fn fill(&mut self, image: Image, padded: usize) {
        let [h, w, channels] = image.dims;
        let [top, left, ..] = self.window.pads;
        let slot = padded % self.shape.kh;
        let row = &mut self.rows[slot * self.shape.row_len()..][..self.shape.row_len()];
        let Some(y) = padded.checked_sub(top).filter(|&y| y < h) else {
            return row.fill(image.zero_point);
        };
        let left = left.min(self.shape.width);
        let copied = w.min(self.shape.width - left);
        let from = &image.elements[y * w * channels..][..copied * channels];
        let pitch = self.shape.pitch;
        let (before, rest) = row.split_at_mut(left * pitch);
        let (to, after) = rest.split_at_mut(copied * pitch);
        before.fill(image.zero_point);
        after.fill(image.zero_point);
        if pitch == channels {
            to.copy_from_slice(from);
        } else {
            for (to, from) in to.chunks_exact_mut(pitch).zip(from.chunks_exact(channels)) {
                to[..channels].copy_from_slice(from);
                to[channels..].fill(0);
            }
        }
    }
}

/// Where each block of channels starts.
pub fn block_starts(channels: usize) -> impl Iterator<Item = usize> {
    (0..channels.div_ceil(BLOCK)).map(move |block| block_start(block, channels))
}

/// Where a block of channels starts: the last one ends where the channels end, and overlaps the one before.
pub fn block_start(block: usize, channels: usize) -> usize {
    (block * BLOCK).min(channels.saturating_sub(BLOCK))
}
