//! Sixteen channels and two neighbouring outputs at a time with SDOT over four vertical taps, for 3 x 3 and 5 x 5.
//!
//! Rows of the window are covered by one quad of input rows (3 x 3) or two (5 x 5); a quad's taps outside the window have
//! zero weights. The quads reach further than one window, so at stride 1 they serve two output rows (3 x 3) or four
//! (5 x 5), and at stride 2 one or two, each with weights shifted down by its distance. All weights of an output row are
//! registers: those of sixteen channels for 3 x 3, of eight at a time for 5 x 5.

use super::Image;
use super::dotprod_loops::{sums_3x3_1, sums_3x3_2, sums_5x5_1, sums_5x5_2};
use super::quads::{COLUMN, Source};
use super::ring::{BLOCK, block_starts};
use crate::aarch64::sdot;
use crate::isa::DotProd;
use crate::requantize::Requantize;
use crate::requantize_neon::{Finish, is_short};
use crate::stream::bring;
use crate::window::Window;
use alloc::{vec, vec::Vec};
use core::arch::aarch64::*;
use core::array;
use core::ops::Range;

/// Weights in blocks of sixteen channels, `[block][output row of a group][part][quad][kx][channel][4]`.
#[derive(Clone, Debug)]
pub struct Blocks {
    proof: DotProd,
    cover: Cover,
    weights: Vec<i8>,
    bias: Vec<[i32; BLOCK]>,
    multiplier: Vec<[f32; BLOCK]>,
}

/// How quads of rows cover windows.
#[derive(Clone, Copy, Debug)]
struct Cover {
    kw: usize,
    quads: usize,
    /// Channels whose weights are registers together.
    part: usize,
    /// Output rows that the same quads serve.
    group: usize,
    stride: usize,
}

impl Cover {
    /// `None` where this kernel is not for the window or the channels.
    fn new(window: &Window, channels: usize) -> Option<Cover> {
        let (quads, kw, part) = match window.kernel {
            [3, 3] => (1, 3, 16),
            [5, 5] => (2, 5, 8),
            _ => return None,
        };
        let stride = window.strides[0];
        if channels < BLOCK || window.strides[1] != stride || stride > 2 {
            return None;
        }
        let group = (4 * quads - kw) / stride + 1;
        Some(Cover {
            kw,
            quads,
            part,
            group,
            stride,
        })
    }

    /// Bytes of weights of one output row of a group, sixteen channels.
    fn row_bytes(&self) -> usize {
        self.quads * self.kw * COLUMN
    }
}

impl Blocks {
    /// `None` where this kernel is not for the window or the channels.
    pub fn pack(
        proof: DotProd,
        weights: &[i8],
        window: &Window,
        requantize: &Requantize,
    ) -> Option<Blocks> {
        let channels = requantize.bias.len();
        let cover = Cover::new(window, channels)?;
        let blocks = block_starts(channels).count();
        let mut packed = Blocks {
            proof,
            cover,
            weights: Vec::with_capacity(blocks * cover.group * cover.row_bytes()),
            bias: vec![[0; BLOCK]; blocks],
            multiplier: vec![[0.0; BLOCK]; blocks],
        };
        for (block, start) in block_starts(channels).enumerate() {
            for row in 0..cover.group {
                for part in (start..start + BLOCK).step_by(cover.part) {
                    for quad in 0..cover.quads {
                        for kx in 0..cover.kw {
                            let taps: [&[i8]; 4] = array::from_fn(|i| {
                                let ky = (4 * quad + i).checked_sub(row * cover.stride);
                                match ky.filter(|&ky| ky < cover.kw) {
                                    Some(ky) => &weights[(ky * cover.kw + kx) * channels + part..],
                                    None => &[0; BLOCK],
                                }
                            });
                            let taps = taps.map(|tap| &tap[..cover.part]);
                            let mut fours = [[0; 4]; BLOCK];
                            let fours = &mut fours[..cover.part];
                            for (c, four) in fours.iter_mut().enumerate() {
                                *four = taps.map(|tap| tap[c]);
                            }
                            packed.weights.extend_from_slice(fours.as_flattened());
                        }
                    }
                }
            }
            packed.bias[block].copy_from_slice(&requantize.bias[start..][..BLOCK]);
            packed.multiplier[block].copy_from_slice(&requantize.multiplier[start..][..BLOCK]);
        }
        Some(packed)
    }

    pub fn bytes(&self) -> usize {
        self.weights.len()
    }

    /// The elements of scratch for an output of this width.
    pub fn scratch_len(&self, out_width: usize) -> usize {
        self.cover.quads * self.width(out_width) * COLUMN
    }

    /// Padded columns under an output row.
    fn width(&self, out_width: usize) -> usize {
        (out_width - 1) * self.cover.stride + self.cover.kw
    }

    /// See [`PackedDepthwise::run`](super::PackedDepthwise::run), which checked the shapes.
    pub fn run(
        &self,
        window: &Window,
        requantize: &Requantize,
        image: Image,
        rows: Range<usize>,
        out: &mut [i8],
        scratch: &mut [i8],
    ) {
        let _ = self.proof;
        let short = is_short(requantize);
        // SAFETY: the proof says that the CPU has neon and dotprod; `kernel` is for the cover's window.
        unsafe {
            let kernel = match (self.cover.kw, self.cover.stride, short) {
                (3, 1, true) => columns_3x3_1::<true>,
                (3, 1, false) => columns_3x3_1::<false>,
                (3, _, true) => columns_3x3_2::<true>,
                (3, _, false) => columns_3x3_2::<false>,
                (_, 1, true) => columns_5x5_1::<true>,
                (_, 1, false) => columns_5x5_1::<false>,
                (_, _, true) => columns_5x5_2::<true>,
                (_, _, false) => columns_5x5_2::<false>,
            };
            self.run_rows(kernel, window, requantize, image, rows, out, scratch)
        }
    }

    /// # Safety
    ///
    /// The CPU has neon and dotprod; `kernel` is for the cover's window.
    #[target_feature(enable = "neon,dotprod")]
    #[allow(clippy::too_many_arguments)] // a run's arguments, and the kernel that was chosen for it
    unsafe fn run_rows(
        &self,
        kernel: unsafe fn(&Tile, &mut [i8]),
        window: &Window,
        requantize: &Requantize,
        image: Image,
        rows: Range<usize>,
        out: &mut [i8],
        scratch: &mut [i8],
    ) {
        let finish = Finish::new(requantize);
        let channels = image.dims[2];
        let row_len = out.len() / rows.len();
        let width = self.width(row_len / channels);
        let source = Source {
            image,
            window,
            width,
        };
        let quads = &mut scratch[..self.cover.quads * width * COLUMN];
        let out_len = out.len();
        let mut brought = 0;
        for (first, out) in rows
            .step_by(self.cover.group)
            .zip(out.chunks_mut(self.cover.group * row_len))
        {
            let top = first * self.cover.stride;
            brought = source.bring(top.max(brought)..top + 4 * self.cover.quads);
            bring(out, out_len);
            for (block, start) in block_starts(channels).enumerate() {
                for (i, quad) in quads.chunks_exact_mut(width * COLUMN).enumerate() {
                    source.build(top + 4 * i, start, quad);
                }
                for (row, out) in out.chunks_exact_mut(row_len).enumerate() {
                    let weights = (block * self.cover.group + row) * self.cover.row_bytes();
                    let tile = Tile {
                        quads,
                        width,
                        weights: &self.weights[weights..][..self.cover.row_bytes()],
                        bias: &self.bias[block],
                        multiplier: &self.multiplier[block],
                        finish: &finish,
                        start,
                        channels,
                    };
                    // SAFETY: the caller's; the tile was cut for this kernel, and `out` is a row of the output.
                    unsafe { kernel(&tile, out) }
                }
            }
        }
    }
}

/// Sixteen channels of one output row.
struct Tile<'a> {
    /// `[quad][width][16][4]`
    quads: &'a [i8],
    width: usize,
    /// `[part][quad][kx][channel][4]`
    weights: &'a [i8],
    bias: &'a [i32; BLOCK],
    multiplier: &'a [f32; BLOCK],
    finish: &'a Finish,
    /// The block's first channel.
    start: usize,
    channels: usize,
}

/// A kernel over the whole output row of a tile, for one window: registers of four channels from a given one of the
/// tile's four on, two outputs at a time.
macro_rules! columns {
    ($name:ident, $two:path, $kw:literal x $quads:literal quads, stride $stride:literal, $registers:literal registers from $($first:literal),+) => {
        /// # Safety
        ///
        /// The CPU has neon and dotprod; the tile is one of this window, and `out` its row; `SHORT` only where sums can be
        /// finished so.
        #[target_feature(enable = "neon,dotprod")]
        unsafe fn $name<const SHORT: bool>(tile: &Tile, out: &mut [i8]) {
            // SAFETY: a tile has weights for each tap, biases and multipliers for its sixteen channels, and the quads
            // have the columns under each output; `out` has the block's channels for each output.
            unsafe {
                $(
                    let weights = tile.weights.as_ptr().add($quads * $kw * 16 * $first);
                    let weights = weights.cast::<[[[int8x16_t; $registers]; $kw]; $quads]>();
                    let weights = weights.read_unaligned();
                    let bias = tile.bias.as_ptr().add(4 * $first);
                    let multiplier = tile.multiplier.as_ptr().add(4 * $first);
                    let multiplier = core::array::from_fn(|r| vld1q_f32(multiplier.add(4 * r)));
                    let mut at = tile.quads.as_ptr().add(16 * $first);
                    let quad_len = tile.width * COLUMN;
                    let outputs = out.len() / tile.channels;
                    let mut to = out.as_mut_ptr().add(tile.start + 4 * $first);
                    for _ in 0..outputs / 2 {
                        let [left, right] = $two(bias, &weights, at, quad_len);
                        store::<$registers, SHORT>(tile.finish, left, multiplier, to);
                        store::<$registers, SHORT>(tile.finish, right, multiplier, to.add(tile.channels));
                        at = at.add(2 * $stride * COLUMN);
                        to = to.wrapping_add(2 * tile.channels);
                    }
                    if outputs % 2 == 1 {
                        let last = one(bias, &weights, at, quad_len);
                        store::<$registers, SHORT>(tile.finish, last, multiplier, to);
                    }
                )+
            }
        }
    };
}

columns!(columns_3x3_1, sums_3x3_1, 3 x 1 quads, stride 1, 4 registers from 0);
columns!(columns_3x3_2, sums_3x3_2, 3 x 1 quads, stride 2, 4 registers from 0);
columns!(columns_5x5_1, sums_5x5_1, 5 x 2 quads, stride 1, 2 registers from 0, 2);
columns!(columns_5x5_2, sums_5x5_2, 5 x 2 quads, stride 2, 2 registers from 0, 2);

/// The sums of one output whose window starts at `at`.
///
/// # Safety
///
/// The CPU has neon and dotprod. `bias` points to as many numbers as there are channels; the columns under the window can
/// be read.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn one<const REGISTERS: usize, const KW: usize, const QUADS: usize>(
    bias: *const i32,
    weights: &[[[int8x16_t; REGISTERS]; KW]; QUADS],
    at: *const i8,
    quad_len: usize,
) -> [int32x4_t; REGISTERS] {
    // SAFETY: the caller's.
    unsafe {
        let mut sums: [int32x4_t; REGISTERS] = core::array::from_fn(|r| vld1q_s32(bias.add(4 * r)));
        for (quad, weights) in weights.iter().enumerate() {
            for (kx, weights) in weights.iter().enumerate() {
                let column = at.add(quad * quad_len + kx * COLUMN);
                for (r, sum) in sums.iter_mut().enumerate() {
                    *sum = sdot(*sum, vld1q_s8(column.add(16 * r)), weights[r]);
                }
            }
        }
        sums
    }
}

/// Writes the bytes of four channels per register.
///
/// # Safety
///
/// `out` points to as many bytes.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn store<const REGISTERS: usize, const SHORT: bool>(
    finish: &Finish,
    sums: [int32x4_t; REGISTERS],
    multiplier: [float32x4_t; REGISTERS],
    out: *mut i8,
) {
    // SAFETY: the caller's.
    unsafe {
        if REGISTERS == 4 {
            let sums = core::array::from_fn(|r| sums[r % REGISTERS]);
            let multiplier = core::array::from_fn(|r| multiplier[r % REGISTERS]);
            vst1q_s8(out, finish.bytes16::<SHORT>(sums, multiplier));
        } else {
            vst1_s8(
                out,
                finish.bytes8::<SHORT>([sums[0], sums[1]], [multiplier[0], multiplier[1]]),
            );
        }
    }
}
