//! Tiles of six rows by sixteen channels, or eight by eight, with SDOT.
//!
//! A register of weights holds four channels of four neighbouring `k`; a row's sixteen bytes serve four of them, lane
//! by lane. A row's end that is not whole sixteens is read by one load that ends where the row ends: its lanes count
//! from the end, and the weights are zero where a lane looks back at what was counted already. Nothing is read outside
//! a row. A row shorter than sixteen is copied behind zeros first.

#![allow(clippy::needless_range_loop)] // registers are numbered

use super::Matrix;
use super::dotprod_6x16_loop;
use super::endings::{PLAIN, REAL, SHORT, element};
use super::real::{Numbers, RealOutput};
use super::rows::{Tiles, block_rows, runs_of_tiles, tiles};
use crate::Columns;
use crate::aarch64::sdot_lane;
use crate::isa::DotProd;
use crate::requantize::Requantize;
use crate::requantize_neon::{Finish, Way};
use crate::stream::{LINE, bring};
use alloc::{vec, vec::Vec};
use core::arch::aarch64::*;

/// Elements of `k` that one load of a row brings.
const STEP: usize = 16;

/// The bytes of a block of rows with their outputs: what stays in the first-level cache of the cores that have SDOT, beside
/// the panel of weights.
const BLOCK_BYTES: usize = 56 * 1024;

/// The quads of sixteen channels; a last panel of at most eight has two.
const WIDE: usize = 4;
const NARROW: usize = 2;

/// Weights in panels of channels, `[panel][k quad][channel][4]`, and the epilogue padded to whole panels.
#[derive(Clone, Debug)]
pub struct Panels {
    proof: DotProd,
    k: usize,
    weights: Vec<[i8; 4]>,
    way: Way,
    /// What the sums start from.
    bias: Vec<i32>,
    multiplier: Vec<f32>,
    /// Of the positive way.
    shift: Vec<f32>,
}

impl Panels {
    pub fn pack(proof: DotProd, weights: &[i8], k: usize, requantize: &Requantize) -> Panels {
        let way = Way::with_shifts(requantize);
        Panels {
            way,
            bias: padded(&way.starts(requantize)),
            multiplier: padded(&requantize.multiplier),
            shift: padded(&Way::shifts(requantize)),
            ..Panels::pack_weights(proof, weights, [requantize.bias.len(), k])
        }
    }

    /// The weights alone, `[n, k]`: for sums that become reals, whose numbers come with a run.
    pub fn pack_weights(proof: DotProd, weights: &[i8], [n, k]: [usize; 2]) -> Panels {
        let quads = k.div_ceil(4);
        let whole = k / STEP * STEP;
        // The rest of a row stands at the end of its quads.
        let rest = (quads - whole / 4) * 4 - (k - whole);
        let mut packed = vec![[0; 4]; quads * n.next_multiple_of(8)];
        let mut panel = &mut packed[..];
        for first in (0..n).step_by(4 * WIDE) {
            let channels = 4 * quads_of(n - first);
            let (this, others) = panel.split_at_mut(quads * channels);
            panel = others;
            for c in first..n.min(first + channels) {
                let (body, tail) = weights[c * k..][..k].split_at(whole);
                let mut to = this.iter_mut().skip(c - first).step_by(channels);
                for (from, to) in body.as_chunks::<4>().0.iter().zip(to.by_ref()) {
                    *to = *from;
                }
                for (i, to) in to.enumerate() {
                    for (lane, to) in to.iter_mut().enumerate() {
                        let at = (4 * i + lane).checked_sub(rest);
                        *to = at.map_or(0, |at| tail[at]);
                    }
                }
            }
        }
        Panels {
            proof,
            k,
            weights: packed,
            way: Way::Plain,
            bias: Vec::new(),
            multiplier: Vec::new(),
            shift: Vec::new(),
        }
    }

    pub fn bytes(&self) -> usize {
        size_of_val(&*self.weights) + size_of_val(&*self.shift)
    }

    /// See [`PackedGemm::run`](super::PackedGemm::run), which checked the shapes.
    pub fn run(&self, requantize: &Requantize, a: Matrix, out: Columns) {
        let _ = self.proof;
        // SAFETY: the proof says that the CPU has neon and dotprod; the dispatcher checked that `a` holds its rows of
        // `k` and `out` as many of its columns, which are whole panels.
        unsafe {
            if self.way.is_short() {
                self.run_blocks::<SHORT>(requantize, a, out)
            } else {
                self.run_blocks::<PLAIN>(requantize, a, out)
            }
        }
    }

    /// See [`PackedRealGemm::run`](super::PackedRealGemm::run), which checked the shapes. The numbers are padded to whole
    /// panels.
    pub fn run_real(&self, numbers: &Numbers, a: Matrix, out: RealOutput) {
        let _ = self.proof;
        // SAFETY: the proof says that the CPU has neon and dotprod; the dispatcher checked that `a` holds its rows of `k`
        // and `out` as many of all channels.
        unsafe { self.run_real_blocks(numbers, a, out) }
    }

    /// # Safety
    ///
    /// The CPU has neon and dotprod; `a` holds `a.rows` rows of `k`, `out` as many of `n`.
    #[target_feature(enable = "neon,dotprod")]
    unsafe fn run_real_blocks(&self, numbers: &Numbers, a: Matrix, out: RealOutput) {
        let block = block_rows(
            a.rows,
            self.k + size_of::<f32>() * out.columns,
            BLOCK_BYTES,
            6,
        );
        for start in (0..a.rows).step_by(block) {
            let rows = block.min(a.rows - start);
            for first in (0..out.columns).step_by(4 * WIDE) {
                let panel = Panel {
                    weights: self.weights[first * self.k.div_ceil(4)..].as_ptr().cast(),
                    bias: numbers.bias[first..].as_ptr(),
                    multiplier: numbers.multiplier[first..].as_ptr(),
                    shift: core::ptr::null(),
                    way: Way::Plain,
                    k: self.k,
                    channels: out.columns - first,
                    finish: Finish::unused(),
                    addend: numbers.addend[first..].as_ptr(),
                    a_stride: a.stride,
                    out_stride: size_of::<f32>() * out.stride,
                };
                // SAFETY: row start + rows is at most a.rows, so the rows are in `a` and `out`; the panel's weights were
                // packed for `quads_of(channels)` quads, and there are as many numbers.
                unsafe {
                    let a = a.elements.as_ptr().add(start * a.stride);
                    let out = out.elements[start * out.stride + first..].as_mut_ptr();
                    panel.run::<REAL>(a, out.cast(), rows);
                }
            }
        }
    }

    /// # Safety
    ///
    /// The CPU has neon and dotprod; `a` holds `a.rows` rows of `k`, `out` as many of its columns, which are whole panels.
    #[target_feature(enable = "neon,dotprod")]
    unsafe fn run_blocks<const ENDING: u8>(
        &self,
        requantize: &Requantize,
        a: Matrix,
        mut out: Columns,
    ) {
        let columns = out.range();
        let n = columns.len();
        let finish = Finish::new(requantize, self.way);
        let block = block_rows(a.rows, self.k + n, BLOCK_BYTES, 6);
        for start in (0..a.rows).step_by(block) {
            let rows = block.min(a.rows - start);
            // The first panel leaves lines of wide rows out.
            if let Some(rows) = out.whole_rows(start..start + rows).filter(|_| n > LINE) {
                bring(rows, a.rows * n);
            }
            for first in columns.clone().step_by(4 * WIDE) {
                let panel = Panel {
                    weights: self.weights[first * self.k.div_ceil(4)..].as_ptr().cast(),
                    bias: self.bias[first..].as_ptr(),
                    multiplier: self.multiplier[first..].as_ptr(),
                    shift: self.shift[first..].as_ptr(),
                    way: self.way,
                    k: self.k,
                    channels: columns.end - first,
                    finish,
                    addend: core::ptr::null(),
                    a_stride: a.stride,
                    out_stride: out.stride(),
                };
                // SAFETY: row start + rows is at most a.rows, so the rows are in `a` and `out`; the panel's weights,
                // biases and multipliers were packed for `quads_of(channels)` quads.
                unsafe {
                    let a = a.elements.as_ptr().add(start * a.stride);
                    panel.run::<ENDING>(a, out.at(start, first), rows);
                }
            }
        }
    }
}

/// The quads of channels in the panel that starts where `channels` are left.
fn quads_of(channels: usize) -> usize {
    if channels <= 4 * NARROW { NARROW } else { WIDE }
}

/// `numbers` up to whole panels.
fn padded<T: Copy + Default>(numbers: &[T]) -> Vec<T> {
    let mut padded = numbers.to_vec();
    padded.resize(numbers.len().next_multiple_of(4 * WIDE), T::default());
    padded
}

/// One panel of weights and all that its tiles share. Strides are in bytes.
struct Panel {
    weights: *const i8,
    bias: *const i32,
    multiplier: *const f32,
    shift: *const f32,
    way: Way,
    k: usize,
    channels: usize,
    finish: Finish,
    /// What is added to each channel of a real output.
    addend: *const f32,
    a_stride: usize,
    out_stride: usize,
}

impl Panel {
    /// All rows, in the tiles that suit them.
    ///
    /// # Safety
    ///
    /// `a` points to `rows` rows of `k`, `out` to as many of the panel's channels, of elements that `ENDING` makes.
    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    unsafe fn run<const ENDING: u8>(&self, a: *const i8, out: *mut i8, rows: usize) {
        // SAFETY: the caller's.
        unsafe {
            if quads_of(self.channels) == NARROW {
                self.run_narrow::<ENDING>(a, out, rows);
            } else if self.channels >= 4 * WIDE && self.k >= STEP && rows > 4 {
                self.run_full::<ENDING>(a, out, rows);
            } else {
                self.run_wide::<ENDING>(a, out, rows);
            }
        }
    }

    /// Rows of sixteen channels, in the assembly loops.
    ///
    /// # Safety
    ///
    /// `a` points to `rows` rows of `k`, `out` to as many of the panel's channels; there are five rows, sixteen `k` and
    /// sixteen channels at least.
    #[inline(never)]
    #[target_feature(enable = "neon,dotprod")]
    unsafe fn run_full<const ENDING: u8>(&self, mut a: *const i8, mut out: *mut i8, rows: usize) {
        let panel = dotprod_6x16_loop::Panel {
            bias: self.bias,
            multiplier: self.multiplier,
            shift: self.shift,
            weights: self.weights,
            k: self.k,
            finish: match ENDING {
                REAL => self.addend.cast(),
                _ => (&raw const self.finish).cast(),
            },
        };
        for (height, count) in runs_of_tiles(rows, 6) {
            let tiles = Tiles {
                a,
                a_stride: self.a_stride,
                out,
                out_stride: self.out_stride,
                count,
            };
            // SAFETY: the caller's; the tiles cover the rows in order.
            unsafe {
                match height {
                    6 => dotprod_6x16_loop::run::<6, ENDING>(self.way, &panel, tiles),
                    5 => dotprod_6x16_loop::run::<5, ENDING>(self.way, &panel, tiles),
                    // A few numbers of rows below twenty: seven are four and three.
                    _ => self.run_wide::<ENDING>(a, out, height * count),
                }
            }
            a = a.wrapping_add(height * count * self.a_stride);
            out = out.wrapping_add(height * count * self.out_stride);
        }
    }

    /// Rows of nine to sixteen channels.
    ///
    /// # Safety
    ///
    /// `a` points to `rows` rows of `k`, `out` to as many of the panel's channels.
    #[inline(never)]
    #[target_feature(enable = "neon,dotprod")]
    unsafe fn run_wide<const ENDING: u8>(&self, a: *const i8, out: *mut i8, rows: usize) {
        for (row, height) in tiles(rows, 4) {
            // SAFETY: the caller's.
            unsafe {
                let (a, out) = (a.add(row * self.a_stride), out.add(row * self.out_stride));
                match height {
                    4 => self.tile::<4, WIDE, ENDING>(a, out),
                    3 => self.tile::<3, WIDE, ENDING>(a, out),
                    2 => self.tile::<2, WIDE, ENDING>(a, out),
                    _ => self.tile::<1, WIDE, ENDING>(a, out),
                }
            }
        }
    }

    /// Rows of at most eight channels.
    ///
    /// # Safety
    ///
    /// `a` points to `rows` rows of `k`, `out` to as many of the panel's channels.
    #[inline(never)]
    #[target_feature(enable = "neon,dotprod")]
    unsafe fn run_narrow<const ENDING: u8>(&self, a: *const i8, out: *mut i8, rows: usize) {
        for (row, height) in tiles(rows, 8) {
            // SAFETY: the caller's.
            unsafe {
                let (a, out) = (a.add(row * self.a_stride), out.add(row * self.out_stride));
                match height {
                    8 => self.tile::<8, NARROW, ENDING>(a, out),
                    7 => self.tile::<7, NARROW, ENDING>(a, out),
                    6 => self.tile::<6, NARROW, ENDING>(a, out),
                    5 => self.tile::<5, NARROW, ENDING>(a, out),
                    4 => self.tile::<4, NARROW, ENDING>(a, out),
                    3 => self.tile::<3, NARROW, ENDING>(a, out),
                    2 => self.tile::<2, NARROW, ENDING>(a, out),
                    _ => self.tile::<1, NARROW, ENDING>(a, out),
                }
            }
        }
    }

    /// # Safety
    ///
    /// `a` points to `ROWS` rows of `k`, `out` to as many of the panel's channels.
    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    unsafe fn tile<const ROWS: usize, const QUADS: usize, const ENDING: u8>(
        &self,
        a: *const i8,
        out: *mut i8,
    ) {
        // SAFETY: the panel has bias and multiplier for each of its quads. Loads of a row end within its `k` elements:
        // whole steps from the start, or one step that ends with the row where it has one step at least; a shorter row
        // is copied. Each quad of the panel's weights is read once, in the order they were packed.
        unsafe {
            let bias: [int32x4_t; QUADS] =
                core::array::from_fn(|q| vld1q_s32(self.bias.add(4 * q)));
            let mut sums = [bias; ROWS];
            let mut weights = self.weights;
            let steps = self.k / STEP;
            let mut rows: [*const i8; ROWS] = core::array::from_fn(|r| a.add(r * self.a_stride));
            for _ in 0..steps {
                let values = rows.map(|row| vld1q_s8(row));
                rows = rows.map(|row| row.add(STEP));
                add_quad::<0, ROWS, QUADS>(&mut sums, values, weights);
                add_quad::<1, ROWS, QUADS>(&mut sums, values, weights.add(16 * QUADS));
                add_quad::<2, ROWS, QUADS>(&mut sums, values, weights.add(32 * QUADS));
                add_quad::<3, ROWS, QUADS>(&mut sums, values, weights.add(48 * QUADS));
                weights = weights.add(64 * QUADS);
            }
            let left = self.k % STEP;
            if left > 0 {
                let values: [int8x16_t; ROWS] = if steps > 0 {
                    rows.map(|row| vld1q_s8(row.add(left).sub(STEP)))
                } else {
                    rows.map(|row| {
                        let mut padded = [0_i8; STEP];
                        row.copy_to_nonoverlapping(padded[STEP - left..].as_mut_ptr(), left);
                        vld1q_s8(padded.as_ptr())
                    })
                };
                if left > 12 {
                    add_quad::<0, ROWS, QUADS>(&mut sums, values, weights);
                    weights = weights.add(16 * QUADS);
                }
                if left > 8 {
                    add_quad::<1, ROWS, QUADS>(&mut sums, values, weights);
                    weights = weights.add(16 * QUADS);
                }
                if left > 4 {
                    add_quad::<2, ROWS, QUADS>(&mut sums, values, weights);
                    weights = weights.add(16 * QUADS);
                }
                add_quad::<3, ROWS, QUADS>(&mut sums, values, weights);
            }
            let multiplier: [float32x4_t; QUADS] =
                core::array::from_fn(|q| vld1q_f32(self.multiplier.add(4 * q)));
            for (r, sums) in sums.iter().enumerate() {
                self.store_row::<QUADS, ENDING>(sums, &multiplier, out.add(r * self.out_stride));
            }
        }
    }

    /// # Safety
    ///
    /// `out` points to the panel's channels of a row, of elements that `ENDING` makes.
    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    unsafe fn store_row<const QUADS: usize, const ENDING: u8>(
        &self,
        sums: &[int32x4_t; QUADS],
        multiplier: &[float32x4_t; QUADS],
        out: *mut i8,
    ) {
        if ENDING == REAL {
            let mut reals = [0.0_f32; 4 * WIDE];
            // SAFETY: the caller's; there is a number to be added for each channel of the quads.
            return unsafe {
                for q in 0..QUADS {
                    let scaled = vmulq_f32(vcvtq_f32_s32(sums[q]), multiplier[q]);
                    let real = vaddq_f32(scaled, vld1q_f32(self.addend.add(4 * q)));
                    vst1q_f32(reals[4 * q..].as_mut_ptr(), real);
                }
                let bytes = self.channels.min(4 * QUADS) * element(REAL);
                out.copy_from_nonoverlapping(reals.as_ptr().cast(), bytes);
            };
        }
        let mut bytes = [0_i8; 4 * WIDE];
        // SAFETY: the whole register is written where the row has its channels, else the bytes that it has.
        unsafe {
            if QUADS == WIDE {
                let sums = [sums[0], sums[1], sums[2], sums[3]];
                let multiplier = [multiplier[0], multiplier[1], multiplier[2], multiplier[3]];
                let row = match ENDING {
                    SHORT => self.finish.bytes16::<true>(sums, multiplier),
                    _ => self.finish.bytes16::<false>(sums, multiplier),
                };
                if self.channels >= 4 * WIDE {
                    return vst1q_s8(out, row);
                }
                vst1q_s8(bytes.as_mut_ptr(), row);
            } else {
                let (sums, multiplier) = ([sums[0], sums[1]], [multiplier[0], multiplier[1]]);
                let row = match ENDING {
                    SHORT => self.finish.bytes8::<true>(sums, multiplier),
                    _ => self.finish.bytes8::<false>(sums, multiplier),
                };
                if self.channels >= 4 * NARROW {
                    return vst1_s8(out, row);
                }
                vst1_s8(bytes.as_mut_ptr(), row);
            }
            out.copy_from_nonoverlapping(bytes.as_ptr(), self.channels);
        }
    }
}

/// Adds the products of lane `LANE` of each row with a quad of `k` of every channel.
///
/// # Safety
///
/// `weights` points to `QUADS` registers.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn add_quad<const LANE: i32, const ROWS: usize, const QUADS: usize>(
    sums: &mut [[int32x4_t; QUADS]; ROWS],
    values: [int8x16_t; ROWS],
    weights: *const i8,
) {
    for q in 0..QUADS {
        // SAFETY: the caller's.
        let weights = unsafe { vld1q_s8(weights.add(16 * q)) };
        for r in 0..ROWS {
            sums[r][q] = sdot_lane::<LANE>(sums[r][q], weights, values[r]);
        }
    }
}
