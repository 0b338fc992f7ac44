//! Sixteen channels and two neighbouring outputs at a time with SMULL, SMLAL and SADDW.
//!
//! Products of two taps share a 16-bit lane before they are widened: an input is at most 128 in magnitude, and two weights
//! together at most 254, but for two -128. A block of channels that has those widens every product by itself; so do
//! windows of other sizes. Longer runs hold for too few blocks of sixteen channels to be worth their code.

use super::Image;
use super::neon_3x3::{sums_3x3_1, sums_3x3_2};
use super::neon_5x5::{sums_5x5_1, sums_5x5_2};
use super::ring::{BLOCK, Ring, Tiling, block_start, block_starts, blocks_of};
use crate::Columns;
use crate::isa::Neon;
use crate::requantize::Requantize;
use crate::requantize_neon::{Finish, Way};
use crate::stream::bring;
use crate::window::Window;
use alloc::{vec, vec::Vec};
use core::arch::aarch64::*;
use core::ops::Range;

/// The highest window that has a loop of its own.
const LOOP_ROWS: usize = 5;

/// The greatest sum of weights' magnitudes in a lane: `128 * 255` is below 2^15, `128 * 256` is not.
const LANE_BOUND: u32 = 255;

/// Weights in blocks of sixteen channels, `[block][tap][16]`.
#[derive(Clone, Debug)]
pub struct Blocks {
    proof: Neon,
    weights: Vec<i8>,
    /// Whether each block may add two taps in 16 bits.
    in_pairs: Vec<bool>,
    /// What the sums start from.
    bias: Vec<[i32; BLOCK]>,
    multiplier: Vec<[f32; BLOCK]>,
}

impl Blocks {
    pub fn pack(proof: Neon, weights: &[i8], taps: usize, requantize: &Requantize) -> Blocks {
        let channels = requantize.bias.len();
        let blocks = block_starts(channels).count();
        let starts = Way::of(requantize).starts(requantize);
        let mut packed = Blocks {
            proof,
            weights: Vec::with_capacity(blocks * taps * BLOCK),
            in_pairs: Vec::with_capacity(blocks),
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
            packed
                .in_pairs
                .push(fits_in_pairs(&packed.weights[first..]));
            packed.bias[block][..used].copy_from_slice(&starts[start..][..used]);
            packed.multiplier[block][..used]
                .copy_from_slice(&requantize.multiplier[start..][..used]);
        }
        packed
    }

    pub fn bytes(&self) -> usize {
        self.weights.len() + self.in_pairs.len()
    }

    /// See [`PackedDepthwise::run`](super::PackedDepthwise::run), which checked the shapes.
    pub fn run(
        &self,
        window: &Window,
        requantize: &Requantize,
        image: Image,
        rows: Range<usize>,
        out: Columns,
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
        mut out: Columns,
        scratch: &mut [i8],
    ) {
        let way = Way::of(requantize);
        let (finish, short) = (Finish::new(requantize, way), way.is_short());
        let channels = image.dims[2];
        let out_width = out.rows() / rows.len();
        let tiling = Tiling::new(window, out_width, channels);
        let all = out.rows() * channels;
        let blocks = blocks_of(&out);
        for first_block in blocks.clone().step_by(tiling.blocks) {
            let slab = first_block..blocks.end.min(first_block + tiling.blocks);
            let first = block_start(first_block, channels);
            let end = channels.min(block_start(slab.end - 1, channels) + BLOCK);
            for outputs in tiling.strips(out_width) {
                let mut ring = Ring::new(&tiling, window, &outputs, first..end, scratch);
                let paired = kernel(window, channels, outputs.len(), short);
                for (row, y) in rows.clone().enumerate() {
                    let pixels = row * out_width + outputs.start..row * out_width + outputs.end;
                    ring.advance(image, y);
                    if slab.len() == self.in_pairs.len() {
                        let pixels = out.whole_rows(pixels.clone());
                        pixels.into_iter().for_each(|pixels| bring(pixels, all));
                    }
                    let out = out.at(pixels.start, 0);
                    let mut rows = [core::ptr::null(); LOOP_ROWS];
                    for (ky, row) in rows.iter_mut().enumerate().take(window.kernel[0]) {
                        *row = ring.row(ky).as_ptr();
                    }
                    for block in slab.clone() {
                        let start = block_start(block, channels);
                        let tile = Tile {
                            ring: &ring,
                            rows: &rows,
                            window,
                            pitch: ring.pitch(),
                            finish: &finish,
                            weights: &self.weights[block * window.taps() * BLOCK..]
                                [..window.taps() * BLOCK],
                            bias: &self.bias[block],
                            multiplier: &self.multiplier[block],
                            in_ring: start - first,
                            start,
                            channels,
                        };
                        let kernel = if self.in_pairs[block] {
                            paired
                        } else {
                            any(short)
                        };
                        // SAFETY: this function has neon; at `out` are the ring's outputs, and the block's channels are in
                        // both, or the pitch is a block. The kernel is for this window and these runs.
                        unsafe { kernel(&tile, out, pixels.len()) }
                    }
                }
            }
        }
    }
}

/// Whether two neighbouring taps of any channel of a block stay in 16 bits together.
fn fits_in_pairs(weights: &[i8]) -> bool {
    let (taps, _) = weights.as_chunks::<BLOCK>();
    taps.chunks(2).all(|pair| {
        let sum = |c: usize| {
            pair.iter()
                .map(|tap| u32::from(tap[c].unsigned_abs()))
                .sum::<u32>()
        };
        (0..BLOCK).all(|c| sum(c) <= LANE_BOUND)
    })
}

/// Computes a tile into so many outputs, of which channel 0 of the first stands at the pointer, or would.
type Kernel = unsafe fn(&Tile, *mut i8, usize);

/// The kernel for blocks whose taps may be added in pairs.
fn kernel(window: &Window, channels: usize, outputs: usize, short: bool) -> Kernel {
    if channels < BLOCK || outputs < 2 {
        return any(short);
    }
    match (window.kernel, window.strides[1], short) {
        ([3, 3], 1, true) => columns_3x3_1::<true>,
        ([3, 3], 1, false) => columns_3x3_1::<false>,
        ([3, 3], 2, true) => columns_3x3_2::<true>,
        ([3, 3], 2, false) => columns_3x3_2::<false>,
        ([5, 5], 1, true) => columns_5x5_1::<true>,
        ([5, 5], 1, false) => columns_5x5_1::<false>,
        ([5, 5], 2, true) => columns_5x5_2::<true>,
        ([5, 5], 2, false) => columns_5x5_2::<false>,
        _ => any(short),
    }
}

/// The kernel for all blocks.
fn any(short: bool) -> Kernel {
    match short {
        true => any_columns::<true>,
        false => any_columns::<false>,
    }
}

/// A block of channels of one output row.
struct Tile<'a> {
    ring: &'a Ring<'a>,
    /// The first rows of the window, as the ring has them.
    rows: &'a [*const i8; LOOP_ROWS],
    window: &'a Window,
    pitch: usize,
    finish: &'a Finish,
    /// `[tap][16]`
    weights: &'a [i8],
    bias: &'a [i32; BLOCK],
    multiplier: &'a [f32; BLOCK],
    /// The block's first channel, among those of the ring and among all.
    in_ring: usize,
    start: usize,
    channels: usize,
}

/// A kernel over columns of an output row, two at a time; of an odd number the last but one is computed twice.
macro_rules! columns {
    ($name:ident, $two:path, $k:literal x $taps:literal taps, stride $stride:literal) => {
        /// # Safety
        ///
        /// The CPU has neon; the outputs, two at least, have their windows in the ring, which are of this kernel's size; the
        /// image has sixteen channels at least; no two neighbouring taps leave 16 bits; sums can be
        /// finished the `SHORT` way if that is asked.
        #[target_feature(enable = "neon")]
        unsafe fn $name<const SHORT: bool>(tile: &Tile, out: *mut i8, outputs: usize) {
            // SAFETY: the caller's; a block has weights for each tap, biases and multipliers for its sixteen channels.
            unsafe {
                let finish = *tile.finish;
                let multiplier =
                    core::array::from_fn(|q| vld1q_f32(tile.multiplier.as_ptr().add(4 * q)));
                let weights = tile
                    .weights
                    .as_ptr()
                    .cast::<[int8x16_t; $taps]>()
                    .read_unaligned();
                let column = $stride * tile.pitch;
                let mut rows: [*const i8; $k] =
                    core::array::from_fn(|ky| tile.rows[ky].add(tile.in_ring));
                let mut left = outputs;
                let mut out = out.wrapping_add(tile.start);
                loop {
                    let [first, second] = $two(tile.bias, &weights, rows, tile.pitch);
                    vst1q_s8(out, finish.bytes16::<SHORT>(first, multiplier));
                    let out_beside = out.add(tile.channels);
                    vst1q_s8(out_beside, finish.bytes16::<SHORT>(second, multiplier));
                    if left <= 2 {
                        return;
                    }
                    let step = if left == 3 { 1 } else { 2 };
                    rows = rows.map(|row| row.add(step * column));
                    out = out.add(step * tile.channels);
                    left -= step;
                }
            }
        }
    };
}

columns!(columns_3x3_1, sums_3x3_1, 3 x 9 taps, stride 1);
columns!(columns_3x3_2, sums_3x3_2, 3 x 9 taps, stride 2);
columns!(columns_5x5_1, sums_5x5_1, 5 x 25 taps, stride 1);
columns!(columns_5x5_2, sums_5x5_2, 5 x 25 taps, stride 2);

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

/// Windows of any size, images of any channels, weights of any kind: each product is widened by itself.
///
/// # Safety
///
/// The CPU has neon; the outputs have their windows in the ring; sums can be finished the `SHORT` way if that is asked.
#[target_feature(enable = "neon")]
unsafe fn any_columns<const SHORT: bool>(tile: &Tile, out: *mut i8, outputs: usize) {
    let [kh, kw] = tile.window.kernel;
    // SAFETY: the caller's; a block has weights for each tap, biases and multipliers for its sixteen channels.
    unsafe {
        let bias: [int32x4_t; 4] =
            core::array::from_fn(|q| vld1q_s32(tile.bias.as_ptr().add(4 * q)));
        let multiplier = core::array::from_fn(|q| vld1q_f32(tile.multiplier.as_ptr().add(4 * q)));
        for x in 0..outputs {
            let mut sums = bias;
            for ky in 0..kh {
                let row = tile
                    .ring
                    .row(ky)
                    .as_ptr()
                    .add(x * tile.window.strides[1] * tile.pitch + tile.in_ring);
                for kx in 0..kw {
                    let value = vld1q_s8(row.add(kx * tile.pitch));
                    let w = vld1q_s8(tile.weights.as_ptr().add((ky * kw + kx) * BLOCK));
                    let low = vmull_s8(vget_low_s8(value), vget_low_s8(w));
                    sums = add_wide(sums, low, vmull_high_s8(value, w));
                }
            }
            let mut bytes = [0_i8; BLOCK];
            vst1q_s8(
                bytes.as_mut_ptr(),
                tile.finish.bytes16::<SHORT>(sums, multiplier),
            );
            let used = BLOCK.min(tile.channels);
            let out = out.wrapping_add(x * tile.channels + tile.start);
            out.copy_from_nonoverlapping(bytes.as_ptr(), used);
        }
    }
}
