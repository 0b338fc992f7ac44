//! Four cells attend to their tokens: scores by SMULL, SMLAL2 and SADALP, values in f32.
//!
//! Cells of a block share each load of a key and a value. Four blocks of one cell share nothing but the lanes.

#![allow(clippy::needless_range_loop)] // registers are numbered

use super::{
    softmax_neon::{keep, softmax},
    sums_neon::{sums_1, sums_2, sums_4},
    values_narrow_neon::{Run, sum_one, sum_two},
    values_neon::{STEP, sum_shared},
    vector::{Cells, Strips},
};
use core::arch::aarch64::*;

/// Writes what the cells attend to, `[4][heads, d]` at `attended` where they are live, and adds up the weights.
///
/// # Safety
///
/// As [`Kernel::attend`](super::vector::Kernel::attend).
#[target_feature(enable = "neon")]
pub unsafe fn attend<const SHARED: bool>(
    cells: &Cells<i8>,
    keys: *const i8,
    values: *const f32,
    strips: &mut Strips,
) {
    for head in 0..cells.heads {
        let at = head * cells.stride;
        // SAFETY: the caller's promise; `at` is inside of a row.
        unsafe {
            let queries = cells.cells.map(|cell| cell.add(at));
            let greatest = score::<SHARED>(cells, queries, keys.add(at), strips);
            if cells.attended.is_none() {
                softmax::<{ keep::NOTHING }>(cells.count, greatest, strips);
                continue;
            }
            softmax::<{ keep::REALS }>(cells.count, greatest, strips);
            attend_values::<i8, SHARED>(cells, head, values.add(at), strips.weights);
        }
    }
}

/// Writes the weighted sums of the values of a head, where they are asked for.
///
/// # Safety
///
/// As [`attend`], with values at the head.
#[inline]
#[target_feature(enable = "neon")]
pub unsafe fn attend_values<Element, const SHARED: bool>(
    cells: &Cells<Element>,
    head: usize,
    values: *const f32,
    weights: &[[f32; 4]],
) {
    let Some(attended) = cells.attended else {
        return;
    };
    let to = attended.map(|cell| cell.wrapping_add(head * cells.d));
    if !cells.d.is_multiple_of(STEP) {
        // SAFETY: the caller's promise.
        return unsafe { sum_values::<Element, SHARED>(cells, values, weights, to) };
    }
    let run = |lane: usize| Run {
        list: cells.lists[lane],
        values,
        weights: weights.as_ptr(),
        count: cells.padded_count,
        to: [to[lane], to[1]],
        d: cells.d,
    };
    // SAFETY: the caller's promise; dimensions were looked at.
    unsafe {
        match (SHARED, cells.live) {
            (_, 1) => sum_one::<0>(run(0)),
            (true, 2) if cells.d.is_multiple_of(32) => sum_two(run(0)),
            (true, _) => sum_shared(cells.lists[0], values, weights, to, cells.d),
            (false, live) => {
                sum_one::<0>(run(0));
                sum_one::<1>(run(1));
                if live > 2 {
                    sum_one::<2>(run(2));
                }
                if live > 3 {
                    sum_one::<3>(run(3));
                }
            }
        }
    }
}

/// Writes the scores of all tokens and gives the greatest.
///
/// # Safety
///
/// As [`attend`], with pointers at a head.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn score<const SHARED: bool>(
    cells: &Cells<i8>,
    queries: [*const i8; 4],
    keys: *const i8,
    strips: &mut Strips,
) -> float32x4_t {
    let mut greatest = vdupq_n_f32(f32::NEG_INFINITY);
    for first in (0..cells.padded_count).step_by(4) {
        // SAFETY: lists have `padded_count` tokens, each a row of keys; cells have `stride` bytes at the head; strips have
        // a place for each token of a list.
        unsafe {
            let four = |cell: usize| {
                let list = cells.lists[cell].add(first);
                [0, 1, 2, 3].map(|t| keys.add(*list.add(t)))
            };
            let one = |cell: usize| {
                let [sum] = sums_1(four(cell), [queries[cell]], cells.stride);
                vcvtq_f32_s32(sum)
            };
            let sums = match (SHARED, cells.live) {
                (_, 1) => transposed([one(0); 4]),
                (true, 2) => {
                    let [a, b] = sums_2(four(0), [queries[0], queries[1]], cells.stride);
                    let [a, b] = [a, b].map(|sums| vcvtq_f32_s32(sums));
                    transposed([a, b, b, b])
                }
                (true, _) => sums_4(queries, four(0), cells.stride).map(|sums| vcvtq_f32_s32(sums)),
                (false, 2) => {
                    let b = one(1);
                    transposed([one(0), b, b, b])
                }
                (false, _) => transposed([0, 1, 2, 3].map(one)),
            };
            greatest = write_scores(sums, greatest, first, strips);
        }
    }
    greatest
}

/// Writes the scores of the four tokens from `first` on, and gives the greatest of each cell.
///
/// # Safety
///
/// The strips have places for them.
#[inline]
#[target_feature(enable = "neon")]
pub unsafe fn write_scores(
    sums: [float32x4_t; 4],
    greatest: float32x4_t,
    first: usize,
    strips: &mut Strips,
) -> float32x4_t {
    // SAFETY: the caller's promise.
    unsafe {
        let multipliers = strips.multipliers.as_ptr().add(first).cast::<f32>();
        // Loads in front of the stores, so that both go in pairs.
        let m = [0, 1, 2, 3].map(|t| vld1q_f32(multipliers.add(4 * t)));
        let scores: [_; 4] = core::array::from_fn(|t| vmulq_f32(sums[t], m[t]));
        let to = strips.weights.as_mut_ptr().add(first).cast::<f32>();
        for (t, score) in scores.into_iter().enumerate() {
            vst1q_f32(to.add(4 * t), score);
        }
        let [a, b, c, d] = scores;
        vmaxq_f32(greatest, vmaxq_f32(vmaxq_f32(a, b), vmaxq_f32(c, d)))
    }
}

/// Lanes as registers.
#[inline]
#[target_feature(enable = "neon")]
pub fn transposed([a, b, c, d]: [float32x4_t; 4]) -> [float32x4_t; 4] {
    let (ac, bd) = (vzipq_f32(a, c), vzipq_f32(b, d));
    let (low, high) = (vzipq_f32(ac.0, bd.0), vzipq_f32(ac.1, bd.1));
    [low.0, low.1, high.0, high.1]
}

/// Writes the weighted sums of the values.
///
/// # Safety
///
/// As [`attend`], with pointers at a head.
#[inline(never)]
#[target_feature(enable = "neon")]
unsafe fn sum_values<Element, const SHARED: bool>(
    cells: &Cells<Element>,
    values: *const f32,
    weights: &[[f32; 4]],
    to: [*mut f32; 4],
) {
    let weights = weights.as_ptr().cast::<f32>();
    for i in (0..cells.d).step_by(STEP) {
        let mut sums = [[vdupq_n_f32(0.0); 4]; 4];
        for t in 0..cells.count {
            // SAFETY: as above; a padded row of values has sixteen elements from i on.
            unsafe {
                let w = vld1q_f32(weights.add(4 * t));
                let value = |cell: usize| {
                    let v = values.add(*cells.lists[cell].add(t) + i);
                    vld1q_f32_x4(v)
                };
                let shared = value(0);
                let of = |cell| if SHARED { shared } else { value(cell) };
                add_scaled::<0>(&mut sums[0], shared, w);
                add_scaled::<1>(&mut sums[1], of(1), w);
                add_scaled::<2>(&mut sums[2], of(2), w);
                add_scaled::<3>(&mut sums[3], of(3), w);
            }
        }
        for cell in 0..cells.live {
            // SAFETY: a live cell has `d` places.
            unsafe { write(sums[cell], to[cell].add(i), cells.d - i) }
        }
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn add_scaled<const LANE: i32>(sums: &mut [float32x4_t; 4], v: float32x4x4_t, w: float32x4_t) {
    sums[0] = vfmaq_laneq_f32::<LANE>(sums[0], v.0, w);
    sums[1] = vfmaq_laneq_f32::<LANE>(sums[1], v.1, w);
    sums[2] = vfmaq_laneq_f32::<LANE>(sums[2], v.2, w);
    sums[3] = vfmaq_laneq_f32::<LANE>(sums[3], v.3, w);
}

/// Writes sixteen sums, or the first `left`.
///
/// # Safety
///
/// There are places for them.
#[inline]
#[target_feature(enable = "neon")]
pub unsafe fn write(sums: [float32x4_t; 4], to: *mut f32, left: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        if left >= STEP {
            for (i, sum) in sums.into_iter().enumerate() {
                vst1q_f32(to.add(4 * i), sum);
            }
            return;
        }
        let mut all = [0.0_f32; STEP];
        for (i, sum) in sums.into_iter().enumerate() {
            vst1q_f32(all.as_mut_ptr().add(4 * i), sum);
        }
        core::ptr::copy_nonoverlapping(all.as_ptr(), to, left);
    }
}
