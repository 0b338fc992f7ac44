//! Sixteen channels and two neighbouring outputs at a time with SMULL, SMLAL and SADDW.
//!
//! Products of several taps stay in 16-bit lanes. How many is decided when weights are packed: an input is at most 128
//! in magnitude, so a lane may take taps while the sum of their weights' magnitudes stays within 255 (see the matrix
//! kernel's runs). A block of channels uses the longest of a few runs within a row of taps that holds for all of them; a
//! block with two neighbouring -128 widens every product by itself.

use super::Image;
use super::ring::{BLOCK, Ring, Shape, block_starts};
use crate::isa::Neon;
use crate::requantize::Requantize;
use crate::requantize_neon::{Finish, is_short};
use crate::window::Window;
use alloc::{vec, vec::Vec};
use core::arch::aarch64::*;
use core::ops::Range;

/// Bytes of the ring that all blocks of channels pass over before the next columns: they stay in the first-level cache.
const BAND_BYTES: usize = 12 * 1024;

/// The greatest sum of weights' magnitudes in a lane: `128 * 255` is below 2^15, `128 * 256` is not.
const LANE_BOUND: u32 = 255;

/// Weights in blocks of sixteen channels, `[block][tap][16]`.
#[derive(Clone, Debug)]
pub struct Blocks {
    proof: Neon,
    weights: Vec<i8>,
    /// How many taps of a row each block may add in 16 bits.
    runs: Vec<usize>,
    bias: Vec<[i32; BLOCK]>,
    multiplier: Vec<[f32; BLOCK]>,
}

impl Blocks {
    pub fn pack(
        proof: Neon,
        weights: &[i8],
        [kh, kw]: [usize; 2],
        requantize: &Requantize,
    ) -> Blocks {
        let taps = kh * kw;
        let channels = requantize.bias.len();
        let blocks = block_starts(channels).count();
        let mut packed = Blocks {
            proof,
            weights: Vec::with_capacity(blocks * taps * BLOCK),
            runs: Vec::with_capacity(blocks),
            bias: vec![[0; BLOCK]; blocks],
            multiplier: vec![[0.0; BLOCK]; blocks],
        };
        for (block, start) in block_starts(channels).enumerate() {
            let first = packed.weights.len();
            let used = BLOCK.min(channels - start);
            for tap in 0..taps {
                let weights = &weights[tap * channels + start..][..used];
                packed.weights.extend_from_slice(weights);
                packed.weights.extend((used..BLOCK).map(|_| 0));
            }
            packed.runs.push(longest_run(&packed.weights[first..], kw));
            packed.bias[block][..used].copy_from_slice(&requantize.bias[start..][..used]);
            packed.multiplier[block][..used]
                .copy_from_slice(&requantize.multiplier[start..][..used]);
        }
        packed
    }

    pub fn bytes(&self) -> usize {
        self.weights.len() + 8 * self.runs.len()
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
        // SAFETY: the proof says that the CPU has neon.
        unsafe { self.run_rows(window, requantize, image, rows, out, scratch) }
    }

    #[target_feature(enable = "neon")]
    fn run_rows(
        &self,
        window: &Window,
        requantize: &Requantize,
        image: Image,
        rows: Range<usize>,
        out: &mut [i8],
        scratch: &mut [i8],
    ) {
        let finish = Finish::new(requantize);
        let short = is_short(requantize);
        let channels = image.dims[2];
        let out_width = out.len() / rows.len() / channels;
        let shape = Shape::new(window, out_width, channels);
        let band = (BAND_BYTES / (shape.kh * shape.pitch * window.strides[1])).max(2) & !1;
        let mut ring = Ring::new(shape, *window, scratch);
        for (y, out) in rows.zip(out.chunks_exact_mut(out_width * channels)) {
            ring.advance(image, y);
            for x in (0..out_width).step_by(band) {
                let columns = x..(x + band).min(out_width);
                for (block, start) in block_starts(channels).enumerate() {
                    let tile = Tile {
                        ring: &ring,
                        window,
                        pitch: shape.pitch,
                        finish,
                        weights: &self.weights[block * window.taps() * BLOCK..]
                            [..window.taps() * BLOCK],
                        bias: &self.bias[block],
                        multiplier: &self.multiplier[block],
                        start,
                        channels,
                    };
                    let kernel = kernel(window, self.runs[block], short);
                    // SAFETY: this function has neon; the columns are in the output, their windows in the ring, and the
                    // block's channels in both, or the pitch is a block. The kernel is for this window and these runs.
                    unsafe { kernel(&tile, columns.clone(), out) }
                }
            }
        }
    }
}

/// The longest run within a row of taps that holds for every channel of a block: the whole row, three, two or one.
fn longest_run(weights: &[i8], kw: usize) -> usize {
    let fits = |run: usize| {
        let taps: Vec<&[i8]> = weights.chunks_exact(BLOCK).collect();
        taps.chunks_exact(kw)
            .flat_map(|row| row.chunks(run))
            .all(|run| {
                let sum = |c: usize| {
                    run.iter()
                        .map(|tap| u32::from(tap[c].unsigned_abs()))
                        .sum::<u32>()
                };
                (0..BLOCK).all(|c| sum(c) <= LANE_BOUND)
            })
    };
    [kw, 3, 2]
        .into_iter()
        .filter(|&run| run <= kw)
        .find(|&run| fits(run))
        .unwrap_or(1)
}

type Kernel = unsafe fn(&Tile, Range<usize>, &mut [i8]);

fn kernel(window: &Window, run: usize, short: bool) -> Kernel {
    let [kh, kw] = window.kernel;
    match (kh, kw, window.strides[1], run, short) {
        (3, 3, 1, 3, true) => columns::<3, 3, 1, 3, true>,
        (3, 3, 1, 3, false) => columns::<3, 3, 1, 3, false>,
        (3, 3, 1, 2, true) => columns::<3, 3, 1, 2, true>,
        (3, 3, 1, 2, false) => columns::<3, 3, 1, 2, false>,
        (3, 3, 2, 3, true) => columns::<3, 3, 2, 3, true>,
        (3, 3, 2, 3, false) => columns::<3, 3, 2, 3, false>,
        (3, 3, 2, 2, true) => columns::<3, 3, 2, 2, true>,
        (3, 3, 2, 2, false) => columns::<3, 3, 2, 2, false>,
        (5, 5, 1, 5, true) => columns::<5, 5, 1, 5, true>,
        (5, 5, 1, 5, false) => columns::<5, 5, 1, 5, false>,
        (5, 5, 1, 3, true) => columns::<5, 5, 1, 3, true>,
        (5, 5, 1, 3, false) => columns::<5, 5, 1, 3, false>,
        (5, 5, 1, 2, true) => columns::<5, 5, 1, 2, true>,
        (5, 5, 1, 2, false) => columns::<5, 5, 1, 2, false>,
        (5, 5, 2, 5, true) => columns::<5, 5, 2, 5, true>,
        (5, 5, 2, 5, false) => columns::<5, 5, 2, 5, false>,
        (5, 5, 2, 3, true) => columns::<5, 5, 2, 3, true>,
        (5, 5, 2, 3, false) => columns::<5, 5, 2, 3, false>,
        (5, 5, 2, 2, true) => columns::<5, 5, 2, 2, true>,
        (5, 5, 2, 2, false) => columns::<5, 5, 2, 2, false>,
        _ => any_columns,
    }
}

/// A block of channels of one output row.
struct Tile<'a> {
    ring: &'a Ring<'a>,
    window: &'a Window,
    pitch: usize,
    finish: Finish,
    /// `[tap][16]`
    weights: &'a [i8],
    bias: &'a [i32; BLOCK],
    multiplier: &'a [f32; BLOCK],
    /// The block's first channel.
    start: usize,
    channels: usize,
}

impl Tile<'_> {
    /// Writes the bytes of output column `x`.
    ///
    /// # Safety
    ///
    /// `out` is a row of the output that has column `x`.
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn store<const SHORT: bool>(
        &self,
        sums: [int32x4_t; 4],
        multiplier: [float32x4_t; 4],
        x: usize,
        out: *mut i8,
    ) {
        let bytes = self.finish.bytes16::<SHORT>(sums, multiplier);
        // SAFETY: a block has sixteen channels of the column, or the image has fewer in all and these are written.
        unsafe {
            let out = out.add(x * self.channels + self.start);
            if self.channels >= BLOCK {
                return vst1q_s8(out, bytes);
            }
            let mut lanes = [0_i8; BLOCK];
            vst1q_s8(lanes.as_mut_ptr(), bytes);
            out.copy_from_nonoverlapping(lanes.as_ptr(), self.channels);
        }
    }
}

/// # Safety
///
/// The CPU has neon; `columns` are in `out` and have their windows in the ring, for `KH` by `KW` taps of stride `S`; no
/// run of `RUN` taps within a row leaves 16 bits; sums can be finished the `SHORT` way if that is asked.
#[target_feature(enable = "neon")]
unsafe fn columns<
    const KH: usize,
    const KW: usize,
    const S: usize,
    const RUN: usize,
    const SHORT: bool,
>(
    tile: &Tile,
    columns: Range<usize>,
    out: &mut [i8],
) {
    // SAFETY: the caller's; a block has weights for each tap, biases and multipliers for its sixteen channels.
    unsafe {
        let rows: [*const i8; KH] =
            core::array::from_fn(|ky| tile.ring.row(ky).as_ptr().add(tile.start));
        let bias: [int32x4_t; 4] =
            core::array::from_fn(|q| vld1q_s32(tile.bias.as_ptr().add(4 * q)));
        let multiplier = core::array::from_fn(|q| vld1q_f32(tile.multiplier.as_ptr().add(4 * q)));
        let out = out.as_mut_ptr();
        let mut x = columns.start;
        while x + 2 <= columns.end {
            let at = rows.map(|row| row.add(x * S * tile.pitch));
            let sums = sums::<KH, KW, S, RUN, 2>(tile, at, bias);
            tile.store::<SHORT>(sums[0], multiplier, x, out);
            tile.store::<SHORT>(sums[1], multiplier, x + 1, out);
            x += 2;
        }
        if x < columns.end {
            let at = rows.map(|row| row.add(x * S * tile.pitch));
            let [sums] = sums::<KH, KW, S, RUN, 1>(tile, at, bias);
            tile.store::<SHORT>(sums, multiplier, x, out);
        }
    }
}

/// The sums of `OUTS` neighbouring outputs.
///
/// # Safety
///
/// As for [`columns`]; `rows` are where the first output's window stands.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn sums<
    const KH: usize,
    const KW: usize,
    const S: usize,
    const RUN: usize,
    const OUTS: usize,
>(
    tile: &Tile,
    rows: [*const i8; KH],
    bias: [int32x4_t; 4],
) -> [[int32x4_t; 4]; OUTS] {
    let mut sums = [bias; OUTS];
    for (ky, row) in rows.into_iter().enumerate() {
        // SAFETY: no bits of a vector of integers are invalid.
        let mut low: [int16x8_t; OUTS] = unsafe { core::mem::zeroed() };
        let mut high = low;
        for kx in 0..KW {
            // SAFETY: the caller's: the block has a register of weights per tap, the ring the window's columns.
            let w = unsafe { vld1q_s8(tile.weights.as_ptr().add((ky * KW + kx) * BLOCK)) };
            for o in 0..OUTS {
                // SAFETY: as above.
                let value = unsafe { vld1q_s8(row.add((kx + o * S) * tile.pitch)) };
                if kx % RUN == 0 {
                    low[o] = vmull_s8(vget_low_s8(value), vget_low_s8(w));
                    high[o] = vmull_high_s8(value, w);
                } else {
                    low[o] = vmlal_s8(low[o], vget_low_s8(value), vget_low_s8(w));
                    high[o] = vmlal_high_s8(high[o], value, w);
                }
                if kx % RUN == RUN - 1 || kx == KW - 1 {
                    sums[o] = add_wide(sums[o], low[o], high[o]);
                }
            }
        }
    }
    sums
}

#[inline]
#[target_feature(enable = "neon")]
fn add_wide(sums: [int32x4_t; 4], low: int16x8_t, high: int16x8_t) -> [int32x4_t; 4] {
    [
        vaddw_s16(sums[0], vget_low_s16(low)),
        vaddw_high_s16(sums[1], low),
        vaddw_s16(sums[2], vget_low_s16(high)),
        vaddw_high_s16(sums[3], high),
    ]
}

/// Windows of any size and weights of any kind: each product is widened by itself.
///
/// # Safety
///
/// The CPU has neon; `columns` are in `out` and have their windows in the ring.
#[target_feature(enable = "neon")]
unsafe fn any_columns(tile: &Tile, columns: Range<usize>, out: &mut [i8]) {
    let [kh, kw] = tile.window.kernel;
    // SAFETY: the caller's; a block has weights for each tap, biases and multipliers for its sixteen channels.
    unsafe {
        let bias: [int32x4_t; 4] =
            core::array::from_fn(|q| vld1q_s32(tile.bias.as_ptr().add(4 * q)));
        let multiplier = core::array::from_fn(|q| vld1q_f32(tile.multiplier.as_ptr().add(4 * q)));
        for x in columns {
            let mut sums = bias;
            for ky in 0..kh {
                let row = tile
                    .ring
                    .row(ky)
                    .as_ptr()
                    .add(x * tile.window.strides[1] * tile.pitch + tile.start);
                for kx in 0..kw {
                    let value = vld1q_s8(row.add(kx * tile.pitch));
                    let w = vld1q_s8(tile.weights.as_ptr().add((ky * kw + kx) * BLOCK));
                    let low = vmull_s8(vget_low_s8(value), vget_low_s8(w));
                    sums = add_wide(sums, low, vmull_high_s8(value, w));
                }
            }
            tile.store::<false>(sums, multiplier, x, out.as_mut_ptr());
        }
    }
}
