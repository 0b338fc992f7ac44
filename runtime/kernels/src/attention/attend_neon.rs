//! Four cells attend to their tokens: scores by SMULL, SMLAL2 and SADALP, values in f32.
//!
//! Cells of a block share each load of a key and a value. Four blocks of one cell share nothing but the lanes.

#![allow(clippy::needless_range_loop)] // registers are numbered

use super::{
    exp_neon::softmax,
    scores_neon::{add_products, add_up},
    values_neon::sum_shared,
    vector::{Cells, Strips},
};
use core::arch::aarch64::*;

/// Dimensions whose sums of four cells are in registers at a time.
const STEP: usize = 16;

/// Writes what the cells attend to, `[4][heads, d]` at `attended` where they are live, and adds up the weights.
///
/// # Safety
///
/// As [`Kernel::attend`](super::vector::Kernel::attend).
#[target_feature(enable = "neon")]
pub unsafe fn attend<const SHARED: bool>(
    cells: &Cells,
    keys: *const i8,
    values: *const f32,
    strips: &mut Strips,
) {
    for head in 0..cells.heads {
        let at = head * cells.stride;
        // SAFETY: the caller's promise; `at` is inside of a row.
        unsafe {
            let greatest = score::<SHARED>(cells, cells.bytes.add(at), keys.add(at), strips);
            softmax::<false>(cells.count, greatest, strips);
            if let Some(attended) = cells.attended {
                let to = attended.map(|cell| cell.add(head * cells.d));
                if SHARED && cells.d.is_multiple_of(STEP) {
                    let list = cells.lists[0];
                    sum_shared(
                        list,
                        cells.padded_count,
                        values.add(at),
                        strips.weights,
                        to,
                        cells.d,
                    );
                } else {
                    sum_values::<SHARED>(cells, values.add(at), strips.weights, to);
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
    cells: &Cells,
    bytes: *const i8,
    keys: *const i8,
    strips: &mut Strips,
) -> float32x4_t {
    let (row, stride) = (cells.row, cells.stride);
    let mut greatest = vdupq_n_f32(f32::NEG_INFINITY);
    for first in (0..cells.padded_count).step_by(4) {
        // SAFETY: lists have `padded_count` tokens, each a row of keys; cells have `stride` bytes at the head; strips have
        // a place for each token of a list.
        unsafe {
            let list = |cell: usize, t: usize| keys.add(*cells.lists[cell].add(first + t));
            let shared = [list(0, 0), list(0, 1), list(0, 2), list(0, 3)];
            let mut sums = [[vdupq_n_s32(0); 4]; 4];
            for i in (0..stride).step_by(16) {
                let mut q = [vdupq_n_s8(0); 4];
                for cell in 0..4 {
                    q[cell] = vld1q_s8(bytes.add(cell * row + i));
                }
                for t in 0..4 {
                    if SHARED {
                        let k = vld1q_s8(shared[t].add(i));
                        for cell in 0..4 {
                            sums[t][cell] = add_products(sums[t][cell], q[cell], k);
                        }
                    } else {
                        for cell in 0..4 {
                            let k = vld1q_s8(list(cell, t).add(i));
                            sums[t][cell] = add_products(sums[t][cell], q[cell], k);
                        }
                    }
                }
            }
            for t in 0..4 {
                let multiplier = vld1q_f32(strips.multipliers.as_ptr().add(first + t).cast());
                let score = vmulq_f32(vcvtq_f32_s32(add_up(sums[t])), multiplier);
                greatest = vmaxq_f32(greatest, score);
                vst1q_f32(strips.weights.as_mut_ptr().add(first + t).cast(), score);
            }
        }
    }
    greatest
}

/// Writes the weighted sums of the values.
///
/// # Safety
///
/// As [`attend`], with pointers at a head.
#[inline(never)]
#[target_feature(enable = "neon")]
unsafe fn sum_values<const SHARED: bool>(
    cells: &Cells,
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
