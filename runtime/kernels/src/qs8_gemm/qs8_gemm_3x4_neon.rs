//! Tiles of three rows by four channels with SMULL, SMLAL2 and SADALP, sixteen `k` in lanes.
//!
//! Products stay in 16-bit lanes for a whole run, which [`runs`](super::runs) proves safe for the panel's weights; a
//! panel with two -128 in one lane has no schedule, and each product is widened by itself. Four panels give the sixteen
//! channels that the epilogue takes at a time.
//!
//! A row's end that is not whole sixteens is read by one load of eight or sixteen bytes that ends where the row ends,
//! against weights that are zero where it looks back. Nothing is read outside a row; a shorter row is copied first.

use super::Matrix;
use super::neon_3x4_loop::Group;
use super::neon_3x4_resident::ShortGroup;
use super::rows::block_rows;
use super::runs::schedule;
use crate::isa::Neon;
use crate::requantize::Requantize;
use crate::requantize_neon::{Finish, is_short};
use alloc::{vec, vec::Vec};
use core::arch::aarch64::*;

/// Elements of `k` that one load of a row brings.
pub(super) const STEP: usize = 16;

/// Channels of a panel, and of a group of panels.
pub(super) const CHANNELS: usize = 4;
pub(super) const GROUP: usize = 16;

/// Rows of a tile.
const ROWS: usize = 3;

/// Weights in panels of four channels, `[panel][k step][channel][16]`, and the epilogue padded to whole groups.
#[derive(Clone, Debug)]
pub struct Panels {
    proof: Neon,
    pub(super) k: usize,
    pub(super) n: usize,
    /// The steps of a panel: whole ones, and one for what is left.
    pub(super) steps: usize,
    pub(super) weights: Vec<i8>,
    /// The runs of every panel, one after the other, each panel's ended by a 0.
    runs: Vec<u16>,
    /// Where each group's runs start in `runs`; `None` where one of its panels has no schedule.
    pub(super) schedules: Vec<Option<usize>>,
    /// For rows of two steps, whether each panel's products of both stay in 16 bits.
    together: Vec<u8>,
    bias: Vec<i32>,
    /// Each panel's biases, in the first of the four partial sums of a channel.
    pub(super) spread_bias: Vec<[i32; 16]>,
    pub(super) multiplier: Vec<f32>,
}

impl Panels {
    pub fn pack(proof: Neon, weights: &[i8], k: usize, requantize: &Requantize) -> Panels {
        let n = requantize.bias.len();
        let whole = k / STEP;
        let left = k % STEP;
        let steps = whole + usize::from(left > 0);
        let mut packed = Vec::new();
        let (mut runs, mut schedules, mut together) = (Vec::new(), Vec::new(), Vec::new());
        for first in (0..n).step_by(CHANNELS) {
            let start = packed.len();
            for step in 0..steps {
                for c in first..first + CHANNELS {
                    for i in 0..STEP {
                        let j = if step < whole {
                            Some(step * STEP + i)
                        } else {
                            tail_element(k, left, i)
                        };
                        packed.push(j.filter(|_| c < n).map_or(0, |j| weights[c * k + j]));
                    }
                }
            }
            let steps: Vec<&[i8]> = packed[start..].chunks_exact(CHANNELS * STEP).collect();
            together.push(u8::from(
                schedule(&steps).is_some_and(|runs| runs.len() == 1),
            ));
            let (whole_steps, tail) = steps.split_at(whole);
            if first % GROUP == 0 {
                schedules.push((k >= STEP).then_some(runs.len()));
            }
            match schedule(whole_steps) {
                Some(panel_runs) if schedule(tail).is_some() => {
                    runs.extend(panel_runs);
                    runs.push(0);
                }
                _ => schedules[first / GROUP] = None,
            }
        }
        let mut spread_bias = vec![[0; 16]; n.div_ceil(CHANNELS)];
        for (c, &value) in requantize.bias.iter().enumerate() {
            spread_bias[c / CHANNELS][c % CHANNELS * 4] = value;
        }
        let mut bias = requantize.bias.clone();
        bias.resize(n.next_multiple_of(GROUP), 0);
        let mut multiplier = requantize.multiplier.clone();
        multiplier.resize(n.next_multiple_of(GROUP), 0.0);
        Panels {
            proof,
            k,
            n,
            steps,
            weights: packed,
            runs,
            schedules,
            together,
            bias,
            spread_bias,
            multiplier,
        }
    }

    pub fn bytes(&self) -> usize {
        self.weights.len()
            + 2 * self.runs.len()
            + size_of_val(&*self.schedules)
            + 65 * self.together.len()
    }

    /// See [`PackedGemm::run`](super::PackedGemm::run), which checked the shapes.
    pub fn run(&self, requantize: &Requantize, a: Matrix, out: &mut [i8], out_stride: usize) {
        let _ = self.proof;
        // SAFETY: the proof says that the CPU has neon; the dispatcher checked that `a` holds its rows of `k` and `out`
        // as many of `n`.
        unsafe {
            if is_short(requantize) {
                self.run_blocks::<true>(requantize, a, out, out_stride)
            } else {
                self.run_blocks::<false>(requantize, a, out, out_stride)
            }
        }
    }

    /// # Safety
    ///
    /// The CPU has neon; `a` holds `a.rows` rows of `k`, `out` as many of `n`.
    #[target_feature(enable = "neon")]
    unsafe fn run_blocks<const SHORT: bool>(
        &self,
        requantize: &Requantize,
        a: Matrix,
        out: &mut [i8],
        out_stride: usize,
    ) {
        let finish = Finish::new(requantize);
        let block = block_rows(self.k, ROWS);
        for start in (0..a.rows).step_by(block) {
            let rows = block.min(a.rows - start);
            for first in (0..self.n).step_by(GROUP) {
                // SAFETY: row start + rows is at most a.rows, so the rows are in `a` and `out`.
                unsafe {
                    let a = (a.elements.as_ptr().add(start * a.stride), a.stride);
                    let out = (out.as_mut_ptr().add(start * out_stride + first), out_stride);
                    let done = if self.n - first >= GROUP {
                        self.run_tiles::<SHORT, true>(first, &finish, a, out, rows)
                    } else {
                        self.run_tiles::<SHORT, false>(first, &finish, a, out, rows)
                    };
                    self.run_rest::<SHORT>(first, &finish, a, out, done..rows);
                }
            }
        }
    }

    /// Whole tiles of the group of channels that starts at `first`, where it has a schedule, in the assembly loops; gives
    /// the rows that are done. A `FULL` group has sixteen channels.
    ///
    /// # Safety
    ///
    /// `a` points to `rows` rows of `k`, `out` to as many of the channels from `first` on, at the given strides.
    #[inline(never)]
    #[target_feature(enable = "neon")]
    unsafe fn run_tiles<const SHORT: bool, const FULL: bool>(
        &self,
        first: usize,
        finish: &Finish,
        (mut a, a_stride): (*const i8, usize),
        (mut out, out_stride): (*mut i8, usize),
        rows: usize,
    ) -> usize {
        let Some(start) = self.schedules[first / GROUP] else {
            return 0;
        };
        let finish = *finish;
        let panel = first / CHANNELS;
        let channels = (self.n - first).min(GROUP);
        let group = Group {
            bias: self.spread_bias[panel..].as_ptr(),
            weights: self.weights[panel * self.steps * CHANNELS * STEP..].as_ptr(),
            runs: self.runs[start..].as_ptr(),
            panels: channels.div_ceil(CHANNELS),
            k: self.k,
        };
        let short = ShortGroup {
            bias: self.bias[first..].as_ptr(),
            weights: group.weights,
            together: self.together[panel..].as_ptr(),
            panels: group.panels,
            k: self.k,
        };
        let multiplier = &self.multiplier[first..][..GROUP];
        let mut sums = [[vdupq_n_s32(0); ROWS]; GROUP / CHANNELS];
        for _ in 0..rows / ROWS {
            // SAFETY: the caller's; the tiles are the rows in order. Biases, weights and runs were packed for the group,
            // multipliers are padded to whole groups.
            unsafe {
                let row = |r: usize| a.wrapping_add(r * a_stride);
                if self.k <= 2 * STEP {
                    short.sums([row(0), row(1), row(2)], &mut sums);
                } else {
                    group.sums([row(0), row(1), row(2)], &mut sums);
                }
                let multiplier =
                    core::array::from_fn(|p| vld1q_f32(multiplier.as_ptr().add(p * CHANNELS)));
                for r in 0..ROWS {
                    let sums = [sums[0][r], sums[1][r], sums[2][r], sums[3][r]];
                    let bytes = finish.bytes16::<SHORT>(sums, multiplier);
                    let channels = if FULL { GROUP } else { channels };
                    store(bytes, channels, out.wrapping_add(r * out_stride));
                }
            }
            a = a.wrapping_add(ROWS * a_stride);
            out = out.wrapping_add(ROWS * out_stride);
        }
        rows / ROWS * ROWS
    }
}

/// Writes the first `channels` bytes, at most sixteen.
///
/// # Safety
///
/// `out` points to `channels` bytes.
#[inline]
#[target_feature(enable = "neon")]
pub(super) unsafe fn store(bytes: int8x16_t, channels: usize, out: *mut i8) {
    // SAFETY: the caller's.
    unsafe {
        if channels == GROUP {
            vst1q_s8(out, bytes);
        } else if channels == GROUP / 2 {
            vst1_s8(out, vget_low_s8(bytes));
        } else {
            let mut lanes = [0_i8; GROUP];
            vst1q_s8(lanes.as_mut_ptr(), bytes);
            out.copy_from_nonoverlapping(lanes.as_ptr(), channels);
        }
    }
}

/// Which element of `k` the tail's lane `i` multiplies: the last `left` ones, at the end of a half step where that is
/// enough, else of a whole one.
fn tail_element(k: usize, left: usize, i: usize) -> Option<usize> {
    let end = if left <= 8 { 8 } else { STEP };
    (end - left..end).contains(&i).then(|| k + i - end)
}
