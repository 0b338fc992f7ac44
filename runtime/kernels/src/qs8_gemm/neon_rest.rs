//! What no assembly loop computes: rows shorter than a register, a last panel that is not full, and panels with two -128
//! in one lane. Each product is widened by itself.

use super::endings::{SHORT, element};
use super::qs8_gemm_3x4_neon::{CHANNELS, Panels, Params, STEP};
use super::real::RealParams;
use crate::requantize_neon::Finish;
use core::arch::aarch64::*;

/// Finishes a row's sums of one panel and stores the first `channels` bytes.
///
/// # Safety
///
/// The CPU has neon. `out` points to `channels` bytes, at most four.
#[inline]
#[target_feature(enable = "neon")]
pub unsafe fn store_row<const SHORT: bool>(
    finish: &Finish,
    params: &Params,
    sums: int32x4_t,
    out: *mut i8,
    channels: usize,
) {
    // SAFETY: the caller's; there are as many biases and multipliers as a register has lanes.
    unsafe {
        let sums = vaddq_s32(sums, vld1q_s32(params.bias.as_ptr()));
        let multiplier = vld1q_f32(params.multiplier.as_ptr());
        let bytes = finish.bytes8::<SHORT>([sums; 2], [multiplier; 2]);
        let mut lanes = [0_i8; 8];
        vst1_s8(lanes.as_mut_ptr(), bytes);
        out.copy_from_nonoverlapping(lanes.as_ptr(), channels);
    }
}

/// A panel's numbers, and what they make of its sums.
pub trait StoreRow {
    /// Finishes a row's sums and stores the first `channels` elements.
    ///
    /// # Safety
    ///
    /// The CPU has neon. `out` points to `channels` elements that `ENDING` makes, at most four.
    unsafe fn store_row<const ENDING: u8>(
        &self,
        finish: &Finish,
        sums: int32x4_t,
        out: *mut i8,
        channels: usize,
    );
}

impl StoreRow for Params {
    #[inline]
    unsafe fn store_row<const ENDING: u8>(
        &self,
        finish: &Finish,
        sums: int32x4_t,
        out: *mut i8,
        channels: usize,
    ) {
        // SAFETY: the caller's.
        unsafe {
            match ENDING {
                SHORT => store_row::<true>(finish, self, sums, out, channels),
                _ => store_row::<false>(finish, self, sums, out, channels),
            }
        }
    }
}

impl StoreRow for RealParams {
    #[inline]
    unsafe fn store_row<const ENDING: u8>(
        &self,
        _: &Finish,
        sums: int32x4_t,
        out: *mut i8,
        channels: usize,
    ) {
        let mut reals = [0.0_f32; CHANNELS];
        // SAFETY: the caller's; there are as many numbers as a register has lanes.
        unsafe {
            let sums = vaddq_s32(sums, vld1q_s32(self.bias.as_ptr()));
            let scaled = vmulq_f32(vcvtq_f32_s32(sums), vld1q_f32(self.multiplier.as_ptr()));
            let real = vaddq_f32(scaled, vld1q_f32(self.addend.as_ptr()));
            vst1q_f32(reals.as_mut_ptr(), real);
            out.copy_from_nonoverlapping(reals.as_ptr().cast(), channels * size_of::<f32>());
        }
    }
}

impl Panels {
    /// Computes all rows of one panel.
    ///
    /// # Safety
    ///
    /// The CPU has neon. `a` points to `rows` rows of `k`, `out` to where channel 0 of as
    /// many stands or would, at the given strides.
    #[inline(never)]
    #[target_feature(enable = "neon")]
    pub(super) unsafe fn run_rest<const ENDING: u8, P: StoreRow>(
        &self,
        panel: usize,
        params: &P,
        finish: &Finish,
        (a, a_stride): (*const i8, usize),
        (out, out_stride): (*mut i8, usize),
        rows: usize,
    ) {
        let first = panel * CHANNELS;
        let channels = (self.n - first).min(CHANNELS);
        for row in 0..rows {
            // SAFETY: the caller's.
            unsafe {
                let sums = self.row_sums(panel, a.add(row * a_stride));
                let out = out.wrapping_add(row * out_stride + first * element(ENDING));
                params.store_row::<ENDING>(finish, sums, out, channels);
            }
        }
    }

    /// The sums of a row's products with a panel's four channels.
    ///
    /// # Safety
    ///
    /// The CPU has neon. `row` points to `k` elements.
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn row_sums(&self, panel: usize, row: *const i8) -> int32x4_t {
        let (whole, left) = (self.k / STEP, self.k % STEP);
        let mut sums = [vdupq_n_s32(0); CHANNELS];
        for (i, step) in self.weights[panel * self.steps..][..self.steps]
            .iter()
            .enumerate()
        {
            let mut values = [0_i8; STEP];
            let (from, to, len) = if i < whole {
                (i * STEP, 0, STEP)
            } else {
                // Where the tail's weights stand.
                (whole * STEP, if left <= 8 { 8 } else { STEP } - left, left)
            };
            // SAFETY: the caller's; a step has sixteen weights for each of four channels.
            unsafe {
                row.add(from)
                    .copy_to_nonoverlapping(values[to..].as_mut_ptr(), len);
                let values = vld1q_s8(values.as_ptr());
                for (c, sum) in sums.iter_mut().enumerate() {
                    let weights = vld1q_s8(step[c * STEP..].as_ptr());
                    let low = vmull_s8(vget_low_s8(values), vget_low_s8(weights));
                    *sum = vpadalq_s16(vpadalq_s16(*sum, low), vmull_high_s8(values, weights));
                }
            }
        }
        let [a, b, c, d] = sums;
        vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d))
    }
}
