//! What the loops of the armv8.0 kernel leave: rows below a whole tile, rows shorter than a register, and channels with
//! two -128 in one lane, whose products are widened one by one.

#![allow(clippy::needless_range_loop)] // registers are numbered

use super::qs8_gemm_3x4_neon::{CHANNELS, GROUP, Panels, STEP, store};
use crate::requantize_neon::Finish;
use core::arch::aarch64::*;
use core::ops::Range;

impl Panels {
    /// What the assembly loop leaves: rows below a whole tile, and groups without a schedule.
    ///
    /// # Safety
    ///
    /// As for [`run_tiles`](Self::run_tiles); `rows` are among the rows.
    #[inline(never)]
    #[target_feature(enable = "neon")]
    pub(super) unsafe fn run_rest<const SHORT: bool>(
        &self,
        first: usize,
        finish: &Finish,
        (a, a_stride): (*const i8, usize),
        (out, out_stride): (*mut i8, usize),
        rows: Range<usize>,
    ) {
        for row in rows.clone().step_by(2) {
            // SAFETY: the caller's.
            unsafe {
                let a = (a.add(row * a_stride), a_stride);
                let out = (out.add(row * out_stride), out_stride);
                if row + 1 < rows.end {
                    self.tile::<2, SHORT>(first, finish, a, out);
                } else {
                    self.tile::<1, SHORT>(first, finish, a, out);
                }
            }
        }
    }

    /// Computes `HEIGHT` rows of the group of channels that starts at `first`.
    ///
    /// # Safety
    ///
    /// `a` points to `HEIGHT` rows of `k`, `out` to as many of the channels from `first` on, at the given strides.
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn tile<const HEIGHT: usize, const SHORT: bool>(
        &self,
        first: usize,
        finish: &Finish,
        (a, a_stride): (*const i8, usize),
        (out, out_stride): (*mut i8, usize),
    ) {
        let channels = (self.n - first).min(GROUP);
        let rows: [*const i8; HEIGHT] = core::array::from_fn(|r| a.wrapping_add(r * a_stride));
        // SAFETY: no bits of a vector of integers are invalid.
        let mut sums: [[int32x4_t; HEIGHT]; GROUP / CHANNELS] = unsafe { core::mem::zeroed() };
        let paired = self.schedules[first / GROUP].is_some();
        for (p, sums) in sums
            .iter_mut()
            .enumerate()
            .take(channels.div_ceil(CHANNELS))
        {
            // SAFETY: the caller's.
            *sums = unsafe { self.panel_sums(first / CHANNELS + p, rows, paired) };
        }
        // SAFETY: multipliers are padded to whole groups; a row of `out` has `channels` more bytes, and no more are
        // written.
        unsafe {
            let multiplier = self.multiplier.as_ptr().add(first);
            let multiplier = core::array::from_fn(|p| vld1q_f32(multiplier.add(p * CHANNELS)));
            for r in 0..HEIGHT {
                let row = finish
                    .bytes16::<SHORT>([sums[0][r], sums[1][r], sums[2][r], sums[3][r]], multiplier);
                store(row, channels, out.add(r * out_stride));
            }
        }
    }

    /// The sums of a panel's four channels for each row.
    ///
    /// # Safety
    ///
    /// Each of `rows` points to `k` elements.
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn panel_sums<const HEIGHT: usize>(
        &self,
        panel: usize,
        mut rows: [*const i8; HEIGHT],
        paired: bool,
    ) -> [int32x4_t; HEIGHT] {
        // SAFETY: whole steps read the first `k / STEP * STEP` elements of each row, the tail the last of them; the runs
        // of a panel add up to its whole steps, and it has weights for each step and the tail.
        unsafe {
            let mut weights = self
                .weights
                .as_ptr()
                .add(panel * self.steps * CHANNELS * STEP);
            let bias = self.spread_bias[panel].as_ptr();
            let bias = core::array::from_fn(|c| vld1q_s32(bias.add(4 * c)));
            let mut sums: [[int32x4_t; CHANNELS]; HEIGHT] = [bias; HEIGHT];
            for _ in 0..self.k / STEP {
                let values = rows.map(|row| vld1q_s8(row));
                if paired {
                    add_pair(&mut sums, values, weights);
                } else {
                    add_single(&mut sums, values, weights);
                }
                rows = rows.map(|row| row.add(STEP));
                weights = weights.add(CHANNELS * STEP);
            }
            let left = self.k % STEP;
            if left > 0 {
                self.add_tail(&mut sums, rows, weights, paired);
            }
            sums.map(|[a, b, c, d]| vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d)))
        }
    }

    /// Adds the products of the last `k % STEP` elements.
    ///
    /// # Safety
    ///
    /// Each of `rows` points to the last `k % STEP` elements of a row of `k`, `weights` to the tail's.
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn add_tail<const HEIGHT: usize>(
        &self,
        sums: &mut [[int32x4_t; CHANNELS]; HEIGHT],
        rows: [*const i8; HEIGHT],
        weights: *const i8,
        paired: bool,
    ) {
        let left = self.k % STEP;
        // SAFETY: a load ends where the row ends, and starts within the row, which has as many elements or is copied.
        unsafe {
            if left <= 8 && self.k >= 8 {
                for c in 0..CHANNELS {
                    let weights = vld1_s8(weights.add(c * STEP));
                    for r in 0..HEIGHT {
                        let product = vmull_s8(vld1_s8(rows[r].add(left).sub(8)), weights);
                        sums[r][c] = vpadalq_s16(sums[r][c], product);
                    }
                }
                return;
            }
            let values = rows.map(|row| {
                if self.k >= STEP {
                    vld1q_s8(row.add(left).sub(STEP))
                } else {
                    let mut padded = [0_i8; STEP];
                    let at = if left <= 8 { 8 - left } else { STEP - left };
                    row.copy_to_nonoverlapping(padded[at..].as_mut_ptr(), left);
                    vld1q_s8(padded.as_ptr())
                }
            });
            if paired {
                add_pair(sums, values, weights);
            } else {
                add_single(sums, values, weights);
            }
        }
    }
}

/// Adds one step whose halves fit 16 bits together.
///
/// # Safety
///
/// `weights` points to a step.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn add_pair<const HEIGHT: usize>(
    sums: &mut [[int32x4_t; CHANNELS]; HEIGHT],
    values: [int8x16_t; HEIGHT],
    weights: *const i8,
) {
    for c in 0..CHANNELS {
        // SAFETY: the caller's.
        let w = unsafe { vld1q_s8(weights.add(c * STEP)) };
        for r in 0..HEIGHT {
            let low = vmull_s8(vget_low_s8(values[r]), vget_low_s8(w));
            sums[r][c] = vpadalq_s16(sums[r][c], vmlal_high_s8(low, values[r], w));
        }
    }
}

/// Adds one step, each half widened by itself.
///
/// # Safety
///
/// `weights` points to a step.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn add_single<const HEIGHT: usize>(
    sums: &mut [[int32x4_t; CHANNELS]; HEIGHT],
    values: [int8x16_t; HEIGHT],
    weights: *const i8,
) {
    for c in 0..CHANNELS {
        // SAFETY: the caller's.
        let w = unsafe { vld1q_s8(weights.add(c * STEP)) };
        for r in 0..HEIGHT {
            let low = vmull_s8(vget_low_s8(values[r]), vget_low_s8(w));
            let high = vmull_high_s8(values[r], w);
            sums[r][c] = vpadalq_s16(vpadalq_s16(sums[r][c], low), high);
        }
    }
}
