//! Four cells attend to their tokens: scores by SDOT, values in half precision.
//!
//! Cells that share their tokens lie as quads, so that a register of queries has four elements of all four and a key's
//! bytes are taken by element: the sums come out with cells as lanes. Values add up in f16 over [`BATCH`](super::values_dotprod::BATCH) tokens, then
//! in f32.

#![allow(clippy::needless_range_loop)] // registers are numbered

use super::{
    quads_dotprod::score_quads,
    scores_neon::add_up,
    softmax_neon::{keep, softmax},
    values_dotprod::sum_shared,
    values_lone_dotprod::sum_lone,
    vector::{Cells, Strips},
};
use crate::aarch64::sdot;
use core::arch::aarch64::*;

/// Writes what the cells attend to at `attended` where they are live, and adds up the weights. `unscale` is what the values
/// were divided by.
///
/// # Safety
///
/// As [`Kernel::attend`](super::vector::Kernel::attend); `values` lie as the keys do.
#[target_feature(enable = "neon,dotprod,fp16")]
pub unsafe fn attend<const SHARED: bool>(
    cells: &Cells<i8>,
    keys: *const i8,
    values: *const u16,
    unscale: f32,
    strips: &mut Strips,
) {
    for head in 0..cells.heads {
        let at = head * cells.stride;
        // SAFETY: the caller's promise; `at` is inside of a row, and four cells as quads have four bytes an element.
        unsafe {
            let greatest = if SHARED {
                score_quads(cells, cells.cells[0].add(4 * at), keys.add(at), strips)
            } else {
                let queries = cells.cells.map(|cell| cell.add(at));
                score_rows(cells, queries, keys.add(at), strips)
            };
            let Some(attended) = cells.attended else {
                softmax::<{ keep::NOTHING }>(cells.count, greatest, strips);
                continue;
            };
            softmax::<{ keep::HALVES }>(cells.count, greatest, strips);
            let to = attended.map(|cell| cell.add(head * cells.d));
            if SHARED {
                sum_shared(cells, values.add(at), unscale, strips, to);
            } else {
                sum_lone(cells, values.add(at), unscale, strips, to);
            }
        }
    }
}

/// Writes the scores of cells that lie as rows and have each its own tokens, and gives the greatest.
///
/// # Safety
///
/// As [`attend`], with pointers at a head.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn score_rows(
    cells: &Cells<i8>,
    queries: [*const i8; 4],
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
                let bytes = queries[cell];
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
