//! Weighted sums of values in half precision for four cells that have each its own tokens.
//!
//! As in [`values_dotprod`](super::values_dotprod), f16 holds the sums of a batch of tokens.

#![allow(clippy::needless_range_loop)] // registers are numbered

use super::{
    values_batches_dotprod::{Run as Batch, sum_one},
    values_dotprod::{BATCH, each_batch},
    vector::{Cells, Strips},
};
use core::arch::aarch64::*;

/// Writes the weighted sums of the values of one head.
///
/// # Safety
///
/// As [`attend`](super::attend_dotprod::attend), with pointers at a head; halves are the weights.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub unsafe fn sum_lone(
    cells: &Cells<i8>,
    values: *const u16,
    unscale: f32,
    strips: &Strips,
    to: [*mut f32; 4],
) {
    if unscale == 1.0 && cells.d.is_multiple_of(64) {
        // SAFETY: the caller's promise; dimensions were looked at.
        return unsafe {
            sum_lane::<0>(cells, values, strips, to);
            sum_lane::<1>(cells, values, strips, to);
            sum_lane::<2>(cells, values, strips, to);
            sum_lane::<3>(cells, values, strips, to)
        };
    }
    let halves = strips.halves.as_ptr().cast::<u16>();
    for lane in 0..cells.live {
        let mut i = 0;
        while i < cells.stride {
            // SAFETY: a head of values has `stride` elements, a multiple of sixteen; lists and halves have `padded_count`
            // places, a live cell has `d`.
            unsafe {
                let (list, halves) = (cells.lists[lane], halves.add(lane));
                let (values, to, left) =
                    (values.add(i), to[lane].add(i), cells.d.saturating_sub(i));
                let count = cells.padded_count;
                if cells.stride - i >= 64 {
                    sum_part::<8>(list, count, values, halves, unscale, to, left);
                    i += 64;
                } else {
                    sum_part::<2>(list, count, values, halves, unscale, to, left);
                    i += 16;
                }
            }
        }
    }
}

/// All dimensions of the cell that is lane `LANE`, where it is live.
///
/// # Safety
///
/// As [`sum_lone`]; there is a multiple of 64 dimensions.
#[inline(never)]
#[target_feature(enable = "neon,fp16")]
unsafe fn sum_lane<const LANE: usize>(
    cells: &Cells<i8>,
    values: *const u16,
    strips: &Strips,
    to: [*mut f32; 4],
) {
    if LANE >= cells.live {
        return;
    }
    let of = |first: usize, count: usize| Batch {
        list: cells.lists[LANE].wrapping_add(first),
        values,
        weights: strips.halves.as_ptr().wrapping_add(first),
        count,
        to: [to[LANE]; 4],
        d: cells.d,
    };
    // SAFETY: the caller's promise.
    unsafe {
        each_batch(
            cells.padded_count,
            |first, count| sum_one::<LANE, false>(of(first, count)),
            |first, count| sum_one::<LANE, true>(of(first, count)),
        )
    }
}

/// `8 * N` dimensions of one cell, of which the first `left` are wanted.
///
/// # Safety
///
/// As [`sum_lone`], with values and halves of the cell.
#[inline]
#[target_feature(enable = "neon,fp16")]
unsafe fn sum_part<const N: usize>(
    list: *const usize,
    count: usize,
    values: *const u16,
    halves: *const u16,
    unscale: f32,
    to: *mut f32,
    left: usize,
) {
    let mut total = [[vdupq_n_f32(0.0); 2]; N];
    for first in (0..count).step_by(BATCH) {
        let mut sums = [vreinterpretq_f16_u16(vdupq_n_u16(0)); N];
        for t in first..count.min(first + BATCH) {
            // SAFETY: the caller's promise.
            unsafe {
                let w = vreinterpretq_f16_u16(vld1q_dup_u16(halves.add(4 * t)));
                let value = values.add(*list.add(t));
                for n in 0..N {
                    let v = vreinterpretq_f16_u16(vld1q_u16(value.add(8 * n)));
                    sums[n] = vfmaq_f16(sums[n], v, w);
                }
            }
        }
        for n in 0..N {
            let low = vcvt_f32_f16(vget_low_f16(sums[n]));
            let high = vcvt_high_f32_f16(sums[n]);
            total[n] = match first {
                0 => [low, high],
                _ => [vaddq_f32(total[n][0], low), vaddq_f32(total[n][1], high)],
            };
        }
    }
    if unscale != 1.0 {
        for sums in total.as_flattened_mut() {
            *sums = vmulq_n_f32(*sums, unscale);
        }
    }
    // SAFETY: there are places for what is wanted.
    unsafe {
        if left >= 8 * N {
            for (i, sums) in total.as_flattened().iter().enumerate() {
                vst1q_f32(to.add(4 * i), *sums);
            }
            return;
        }
        let mut all = [[[0.0_f32; 4]; 2]; N];
        for (all, sums) in all.as_flattened_mut().iter_mut().zip(total.as_flattened()) {
            vst1q_f32(all.as_mut_ptr(), *sums);
        }
        core::ptr::copy_nonoverlapping(all.as_ptr().cast(), to, left);
    }
}
