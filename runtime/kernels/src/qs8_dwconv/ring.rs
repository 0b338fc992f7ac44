//! The input rows under an output row, padded, in the caller's scratch: a ring of as many rows as the window is high.
//!
//! Padding costs one copy of each row, and the kernels need no case for an edge. Channels lie a whole register apart or
//! more, so a kernel that takes sixteen channels at a time never reads behind a row.
//!
//! A ring stays in the first-level cache while rows go through it: where an image's rows are too large for that, they are
//! cut into tiles, by columns as long as those are enough for a loop, else by channels.

use super::Image;
use crate::Columns;
use crate::window::Window;
use core::ops::Range;

/// Channels that the kernels take at a time.
pub const BLOCK: usize = 16;

/// About the bytes of a ring: what the smallest first-level data cache of the boards has beside weights and outputs.
const RING_BYTES: usize = 20 * 1024;

/// Outputs of a row that are worth a loop of their own.
const OUTPUTS: usize = 8;

/// Blocks of channels that fill whole lines of cache.
const LINE_BLOCKS: usize = 4;

/// How an image is cut into tiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tiling {
    kernel: [usize; 2],
    stride: usize,
    /// Outputs of a row of a tile, at most: an even number, but for all of a row.
    pub outputs: usize,
    /// Blocks of channels of a tile, at most.
    pub blocks: usize,
}

impl Tiling {
    pub fn new(window: &Window, out_width: usize, channels: usize) -> Tiling {
        let mut tiling = Tiling {
            kernel: window.kernel,
            stride: window.strides[1],
            outputs: out_width,
            blocks: channels.div_ceil(BLOCK),
        };
        // The outputs for whose columns a ring of so many blocks has room.
        let fitting = |blocks: usize| {
            let columns = RING_BYTES / (tiling.kernel[0] * blocks * BLOCK);
            (columns + tiling.stride).saturating_sub(tiling.kernel[1]) / tiling.stride
        };
        let least = OUTPUTS.min(out_width);
        if fitting(tiling.blocks) < least {
            let lines = (1..tiling.blocks.div_ceil(LINE_BLOCKS)).rev();
            let blocks = lines.map(|line| line * LINE_BLOCKS);
            let most = |blocks: &usize| fitting(*blocks) >= out_width.min(2 * OUTPUTS);
            tiling.blocks = blocks.into_iter().find(most).unwrap_or(LINE_BLOCKS);
        }
        if fitting(tiling.blocks) < out_width {
            let strips = out_width.div_ceil(fitting(tiling.blocks).max(least));
            tiling.outputs = out_width.div_ceil(strips).next_multiple_of(2);
        }
        tiling
    }

    /// The elements of a ring.
    pub fn ring_len(&self) -> usize {
        self.kernel[0] * self.columns(self.outputs + 1) * self.blocks * BLOCK
    }

    /// Padded columns under neighbouring outputs.
    fn columns(&self, outputs: usize) -> usize {
        (outputs - 1) * self.stride + self.kernel[1]
    }

    /// The tiles of a row of `out_width` outputs; no last one has a single output, if another has more.
    pub fn strips(&self, out_width: usize) -> impl Iterator<Item = Range<usize>> {
        let outputs = self.outputs;
        let count = if out_width % outputs == 1 {
            out_width / outputs
        } else {
            out_width.div_ceil(outputs)
        };
        (0..count.max(1)).map(move |strip| {
            let end = if strip + 1 >= count {
                out_width
            } else {
                (strip + 1) * outputs
            };
            strip * outputs..end
        })
    }
}

/// The ring and which padded rows it holds.
pub struct Ring<'a> {
    window: Window,
    rows: &'a mut [i8],
    row_len: usize,
    /// The padded columns that are in the ring.
    columns: Range<usize>,
    channels: Range<usize>,
    /// The distance of two columns: the channels, at least [`BLOCK`].
    pitch: usize,
    /// Padded rows, counted from the top of the padding, that are in the ring or were.
    filled: Range<usize>,
}

impl<'a> Ring<'a> {
    /// For some outputs of rows, and some channels.
    pub fn new(
        tiling: &Tiling,
        window: &Window,
        outputs: &Range<usize>,
        channels: Range<usize>,
        scratch: &'a mut [i8],
    ) -> Ring<'a> {
        let first = outputs.start * tiling.stride;
        let width = tiling.columns(outputs.len());
        let pitch = channels.len().max(BLOCK);
        Ring {
            window: *window,
            rows: &mut scratch[..window.kernel[0] * width * pitch],
            row_len: width * pitch,
            columns: first..first + width,
            channels,
            pitch,
            filled: 0..0,
        }
    }

    /// The distance of two columns.
    pub fn pitch(&self) -> usize {
        self.pitch
    }

    /// Brings in what output row `y` stands on.
    pub fn advance(&mut self, image: Image, y: usize) {
        let first = y * self.window.strides[0];
        let end = first + self.window.kernel[0];
        for padded in self.filled.end.max(first)..end {
            self.fill(image, padded);
        }
        self.filled = first..end;
    }

    /// The start of row `ky` of the window of the output row that was advanced to.
    pub fn row(&self, ky: usize) -> &[i8] {
        let slot = (self.filled.start + ky) % self.window.kernel[0];
        &self.rows[slot * self.row_len..][..self.row_len]
    }

    fn fill(&mut self, image: Image, padded: usize) {
        let [h, w, channels] = image.dims;
        let [top, left, ..] = self.window.pads;
        let slot = padded % self.window.kernel[0];
        let row = &mut self.rows[slot * self.row_len..][..self.row_len];
        let Some(y) = padded.checked_sub(top).filter(|&y| y < h) else {
            return row.fill(image.zero_point);
        };
        // The image's columns, counted from its left side, that are in the ring.
        let first = self.columns.start.saturating_sub(left).min(w);
        let end = self.columns.end.saturating_sub(left).clamp(first, w);
        let before = left
            .saturating_sub(self.columns.start)
            .min(self.columns.len());
        let (before, rest) = row.split_at_mut(before * self.pitch);
        let (to, after) = rest.split_at_mut((end - first) * self.pitch);
        before.fill(image.zero_point);
        after.fill(image.zero_point);
        let from = &image.elements[(y * w + first) * channels..][..(end - first) * channels];
        if self.channels.len() == channels && self.pitch == channels {
            return to.copy_from_slice(from);
        }
        let pixels = to
            .chunks_exact_mut(self.pitch)
            .zip(from.chunks_exact(channels));
        for (to, from) in pixels {
            let from = &from[self.channels.clone()];
            let (to, rest) = to.split_at_mut(from.len());
            copy_blocks(from, to);
            rest.fill(0);
        }
    }
}

/// Copies; of whole blocks of channels without a call.
fn copy_blocks(from: &[i8], to: &mut [i8]) {
    let (blocks, rest) = from.as_chunks::<BLOCK>();
    let (to_blocks, to_rest) = to.as_chunks_mut::<BLOCK>();
    for (from, to) in blocks.iter().zip(to_blocks) {
        *to = *from;
    }
    if !rest.is_empty() {
        to_rest.copy_from_slice(rest);
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

/// The blocks of channels that are written: all of them, or some of those that do not overlap.
pub fn blocks_of(out: &Columns) -> Range<usize> {
    out.range().start / BLOCK..out.range().end.div_ceil(BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_every_output_once_and_fit_their_ring() {
        for kernel in [1, 3, 5] {
            for stride in [1, 2, 3] {
                let window = Window {
                    kernel: [kernel; 2],
                    strides: [stride; 2],
                    pads: [0; 4],
                };
                for out_width in (1..40).chain([56, 112, 301]) {
                    for channels in [1, 16, 23, 96, 144, 672, 1152] {
                        let tiling = Tiling::new(&window, out_width, channels);
                        let mut next = 0;
                        for outputs in tiling.strips(out_width) {
                            assert_eq!(outputs.start, next);
                            next = outputs.end;
                            assert!(outputs.len() > 1 || out_width == 1, "{tiling:?}");
                            let ring =
                                tiling.columns(outputs.len()) * kernel * tiling.blocks * BLOCK;
                            assert!(ring <= tiling.ring_len(), "{tiling:?} {outputs:?}");
                        }
                        assert_eq!(next, out_width, "{tiling:?}");
                    }
                }
            }
        }
    }
}
