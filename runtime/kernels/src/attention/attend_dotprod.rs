//! Four cells attend to their tokens: scores by SDOT, values in half precision.
//!
//! Cells that share their tokens lie as quads, so that a register of queries has four elements of all four and a key's
//! bytes are taken by element: the sums come out with cells as lanes. Values add up in f16 over [`BATCH`] tokens, then
//! in f32.

use super::{
    exp_neon::softmax,
    scores_neon::add_up,
    values_dotprod::sum_values,
    vector::{Cells, Strips},
};
use crate::aarch64::{sdot, sdot_lane};
use core::arch::aarch64::*;

/// Writes what the cells attend to at `attended` where they are live, and adds up the weights. `unscale` is what the values
/// were divided by.
///
/// # Safety
///
/// As [`Kernel::attend`](super::vector::Kernel::attend); `values` lie as the keys do.
#[target_feature(enable = "neon,dotprod,fp16")]
pub unsafe fn attend<const SHARED: bool>(
    cells: &Cells,
    keys: *const i8,
    values: *const u16,
    unscale: f32,
    strips: &mut Strips,
) {
    let count = cells.count;
    for head in 0..cells.heads {
        let at = head * cells.stride;
        // SAFETY: the caller's promise; `at` is inside of a row, and four cells as quads have four bytes an element.
        unsafe {
            let greatest = if SHARED {
                score_quads(cells, cells.bytes.add(4 * at), keys.add(at), strips)
            } else {
                score_rows(cells, cells.bytes.add(at), keys.add(at), strips)
            };
            softmax(
                &mut strips.weights[..count],
                greatest,
                strips.sums.as_deref_mut(),
            );
            strips.weights[count..].fill([0.0; 4]);
            if let Some(attended) = cells.attended {
                let to = attended.map(|cell| cell.add(head * cells.d));
                sum_values::<SHARED>(cells, values.add(at), unscale, strips, to);
            }
        }
    }
}

/// Registers of sixteen elements of keys whose queries are in registers at a time.
const RESIDENT: usize = 4;

/// Writes the scores of all tokens and gives the greatest.
///
/// # Safety
///
/// As [`attend`], with pointers at a head.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn score_quads(
    cells: &Cells,
    bytes: *const i8,
    keys: *const i8,
    strips: &mut Strips,
) -> float32x4_t {
    let mut greatest = vdupq_n_f32(f32::NEG_INFINITY);
    for at in (0..cells.stride).step_by(16 * RESIDENT) {
        let left = (cells.stride - at) / 16;
        // SAFETY: `at` is inside of the head.
        unsafe {
            let (bytes, keys) = (bytes.add(4 * at), keys.add(at));
            greatest = match (at, left) {
                (0, 1) => part::<1, true, true>(cells, bytes, keys, strips, greatest),
                (0, 2) => part::<2, true, true>(cells, bytes, keys, strips, greatest),
                (0, 3) => part::<3, true, true>(cells, bytes, keys, strips, greatest),
                (0, 4) => part::<4, true, true>(cells, bytes, keys, strips, greatest),
                (0, _) => part::<4, true, false>(cells, bytes, keys, strips, greatest),
                (_, 1) => part::<1, false, true>(cells, bytes, keys, strips, greatest),
                (_, 2) => part::<2, false, true>(cells, bytes, keys, strips, greatest),
                (_, 3) => part::<3, false, true>(cells, bytes, keys, strips, greatest),
                (_, 4) => part::<4, false, true>(cells, bytes, keys, strips, greatest),
                _ => part::<4, false, false>(cells, bytes, keys, strips, greatest),
            };
        }
    }
    greatest
}

/// Adds the products of `16 * N` elements to the sums in the strip of weights, which it starts with the first part and turns
/// into scores with the last.
///
/// # Safety
///
/// As [`attend`], with pointers at a part of a head.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn part<const N: usize, const FIRST: bool, const LAST: bool>(
    cells: &Cells,
    bytes: *const i8,
    keys: *const i8,
    strips: &mut Strips,
    mut greatest: float32x4_t,
) -> float32x4_t {
    let list = cells.lists[0];
    let weights = strips.weights.as_mut_ptr().cast::<f32>();
    let multipliers = strips.multipliers.as_ptr().cast::<f32>();
    // SAFETY: lists and strips have `padded_count` places, a multiple of four; a part has 16 N elements.
    unsafe {
        let mut q = [[vdupq_n_s8(0); 4]; N];
        for n in 0..N {
            for lane in 0..4 {
                q[n][lane] = vld1q_s8(bytes.add(64 * n + 16 * lane));
            }
        }
        for first in (0..cells.padded_count).step_by(4) {
            for t in first..first + 4 {
                let key = keys.add(*list.add(t));
                let mut sum = if FIRST {
                    vdupq_n_s32(0)
                } else {
                    vld1q_s32(weights.add(4 * t).cast())
                };
                for n in 0..N {
                    let k = vld1q_s8(key.add(16 * n));
                    sum = sdot_lane::<0>(sum, q[n][0], k);
                    sum = sdot_lane::<1>(sum, q[n][1], k);
                    sum = sdot_lane::<2>(sum, q[n][2], k);
                    sum = sdot_lane::<3>(sum, q[n][3], k);
                }
                if LAST {
                    let multiplier = vld1q_f32(multipliers.add(4 * t));
                    let score = vmulq_f32(vcvtq_f32_s32(sum), multiplier);
                    greatest = vmaxq_f32(greatest, score);
                    vst1q_f32(weights.add(4 * t), score);
                } else {
                    vst1q_s32(weights.add(4 * t).cast(), sum);
                }
            }
        }
    }
    greatest
}

/// The same for cells that lie as rows and have each its own tokens.
///
/// # Safety
///
/// As [`attend`], with pointers at a head.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn score_rows(
    cells: &Cells,
    bytes: *const i8,
    keys: *const i8,
    strips: &mut Strips,
) -> float32x4_t {
    let mut greatest = vdupq_n_f32(f32::NEG_INFINITY);
    let weights = strips.weights.as_mut_ptr().cast::<f32>();
    let multipliers = strips.multipliers.as_ptr().cast::<f32>();
    for first in (0..cells.padded_count).step_by(4) {
        let mut sums = [[vdupq_n_s32(0); 4]; 4];
        for cell in 0..4 {
            // SAFETY: lists have `padded_count` places, a multiple of four; a head has `stride` elements.
            unsafe {
                let list = cells.lists[cell].add(first);
                let keys = [0, 1, 2, 3].map(|t| keys.add(*list.add(t)));
                let bytes = bytes.add(cell * cells.row);
                for i in (0..cells.stride).step_by(16) {
                    let q = vld1q_s8(bytes.add(i));
                    for t in 0..4 {
                        sums[t][cell] = sdot(sums[t][cell], vld1q_s8(keys[t].add(i)), q);
                    }
                }
            }
        }
        for t in 0..4 {
            // SAFETY: strips have `padded_count` places.
            unsafe {
                let multiplier = vld1q_f32(multipliers.add(4 * (first + t)));
                let score = vmulq_f32(vcvtq_f32_s32(add_up(sums[t])), multiplier);
                greatest = vmaxq_f32(greatest, score);
                vst1q_f32(weights.add(4 * (first + t)), score);
            }
        }
    }
    greatest
}
