//! Weighted sums of values in half precision, for four cells at a time.
//!
//! Up to [`BATCH`] tokens add up in f16, whose sums are then added in f32: a longer run of f16 would lose what later
//! tokens add to a sum.

use super::{
    attend_neon::write,
    vector::{Cells, Strips},
};
use core::arch::aarch64::*;

/// Tokens whose values add up in f16.
pub const BATCH: usize = 16;

/// Writes the weighted sums of the values of one head.
///
/// # Safety
///
/// As [`attend`](super::attend_dotprod::attend), with pointers at a head.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub unsafe fn sum_values<const SHARED: bool>(
    cells: &Cells,
    values: *const u16,
    unscale: f32,
    strips: &mut Strips,
    to: [*mut f32; 4],
) {
    for (weights, halves) in strips
        .weights
        .as_chunks::<2>()
        .0
        .iter()
        .zip(strips.halves.as_chunks_mut::<2>().0)
    {
        // SAFETY: both have eight elements.
        unsafe {
            let low = vcvt_f16_f32(vld1q_f32(weights[0].as_ptr()));
            let both = vcvt_high_f16_f32(low, vld1q_f32(weights[1].as_ptr()));
            vst1q_u16(halves.as_mut_ptr().cast(), vreinterpretq_u16_f16(both));
        }
    }
    let halves = strips.halves.as_ptr().cast::<u16>();
    let mut i = 0;
    // SAFETY: a head of values has `stride` elements, a multiple of sixteen.
    unsafe {
        while cells.stride - i >= 32 {
            sum_part::<4, SHARED>(cells, values.add(i), unscale, halves, to, i);
            i += 32;
        }
        if i < cells.stride {
            sum_part::<2, SHARED>(cells, values.add(i), unscale, halves, to, i);
        }
    }
}

/// `8 * N` dimensions from `i` on.
///
/// # Safety
///
/// As [`sum_values`], with values from `i` on.
#[inline]
#[target_feature(enable = "neon,fp16")]
unsafe fn sum_part<const N: usize, const SHARED: bool>(
    cells: &Cells,
    values: *const u16,
    unscale: f32,
    halves: *const u16,
    to: [*mut f32; 4],
    i: usize,
) {
    let mut total = [[[vdupq_n_f32(0.0); 2]; N]; 4];
    for first in (0..cells.padded_count).step_by(BATCH) {
        let last = cells.padded_count.min(first + BATCH);
        // SAFETY: the caller's promise.
        let sums = unsafe { sum_batch::<N, SHARED>(cells, values, halves, first, last) };
        for cell in 0..4 {
            for n in 0..N {
                let low = vcvt_f32_f16(vget_low_f16(sums[cell][n]));
                let high = vcvt_high_f32_f16(sums[cell][n]);
                if first == 0 {
                    total[cell][n] = [low, high];
                } else {
                    total[cell][n][0] = vaddq_f32(total[cell][n][0], low);
                    total[cell][n][1] = vaddq_f32(total[cell][n][1], high);
                }
            }
        }
    }
    if unscale != 1.0 {
        for sums in total.as_flattened_mut().as_flattened_mut() {
            *sums = vmulq_n_f32(*sums, unscale);
        }
    }
    for cell in 0..cells.live {
        for (n, sums) in total[cell].as_chunks::<2>().0.iter().enumerate() {
            let at = i + 16 * n;
            if at < cells.d {
                let [[a, b], [c, d]] = *sums;
                // SAFETY: a live cell has `d` places.
                unsafe { write([a, b, c, d], to[cell].add(at), cells.d - at) }
            }
        }
    }
}

/// The sums of the tokens from `first` on.
///
/// # Safety
///
/// As [`sum_part`]; the tokens are whole fours.
#[inline]
#[target_feature(enable = "neon,fp16")]
unsafe fn sum_batch<const N: usize, const SHARED: bool>(
    cells: &Cells,
    values: *const u16,
    halves: *const u16,
    first: usize,
    last: usize,
) -> [[float16x8_t; N]; 4] {
    let mut sums = [[zero(); N]; 4];
    for t in (first..last).step_by(2) {
        // SAFETY: lists and halves have places for whole fours of tokens.
        unsafe {
            let w = load(halves.add(4 * t));
            let value = |cell: usize, t: usize| values.add(*cells.lists[cell].add(t));
            let shared = [value(0, t), value(0, t + 1)];
            let at = |cell: usize, i: usize| {
                if SHARED {
                    shared[i]
                } else {
                    value(cell, t + i)
                }
            };
            for n in 0..N {
                let v = load(shared[0].add(8 * n));
                let of = |cell: usize| {
                    if SHARED {
                        v
                    } else {
                        load(at(cell, 0).add(8 * n))
                    }
                };
                sums[0][n] = vfmaq_laneq_f16::<0>(sums[0][n], v, w);
                sums[1][n] = vfmaq_laneq_f16::<1>(sums[1][n], of(1), w);
                sums[2][n] = vfmaq_laneq_f16::<2>(sums[2][n], of(2), w);
                sums[3][n] = vfmaq_laneq_f16::<3>(sums[3][n], of(3), w);
            }
            for n in 0..N {
                let v = load(shared[1].add(8 * n));
                let of = |cell: usize| {
                    if SHARED {
                        v
                    } else {
                        load(at(cell, 1).add(8 * n))
                    }
                };
                sums[0][n] = vfmaq_laneq_f16::<4>(sums[0][n], v, w);
                sums[1][n] = vfmaq_laneq_f16::<5>(sums[1][n], of(1), w);
                sums[2][n] = vfmaq_laneq_f16::<6>(sums[2][n], of(2), w);
                sums[3][n] = vfmaq_laneq_f16::<7>(sums[3][n], of(3), w);
            }
        }
    }
    sums
}

#[inline]
#[target_feature(enable = "neon,fp16")]
fn zero() -> float16x8_t {
    vreinterpretq_f16_u16(vdupq_n_u16(0))
}

/// # Safety
///
/// There are eight halves.
#[inline]
#[target_feature(enable = "neon,fp16")]
unsafe fn load(from: *const u16) -> float16x8_t {
    // SAFETY: the caller's promise.
    vreinterpretq_f16_u16(unsafe { vld1q_u16(from) })
}
