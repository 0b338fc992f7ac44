//! Weights become relevance: what each cell gave to the tokens is added to their labels' grids.

use super::{plan::Task, vector_room::Four};
use core::arch::aarch64::*;

/// Adds `sums`, the weights of the chosen tokens of four cells with the heads added up, to the grids that begin at `grids`.
/// Cells have all the first list of grids, `[1, count]`, or each its own, `[4, count]`.
#[inline]
#[target_feature(enable = "neon")]
pub fn add_relevance<const SHARED: bool>(
    task: &Task,
    four: &Four,
    sums: &[[f32; 4]],
    grids: &[usize],
    relevance: &mut [f32],
) {
    let cell_count = task.plan.map.height * task.plan.map.width;
    let count = task.chosen_count;
    let lists = if SHARED { 1 } else { 4 };
    assert!(sums.len() >= count && grids.len() == lists * count);
    assert!(four.live <= 4 && four.cells.iter().all(|&cell| cell < cell_count));
    assert!(relevance.len() == task.tokens.label_count * cell_count);
    let share = 1.0 / task.tokens.heads as f32;
    let relevance = relevance.as_mut_ptr();
    let [a, b, c, d] = four.cells;
    // SAFETY: `place_list` made each grid that of a label below the count, and cells are below theirs; there is a place for
    // each of both, and for neighbours where those are cells.
    unsafe {
        if SHARED && four.live == 4 && b == a + 1 && d == c + 1 {
            let share = vdupq_n_f32(share);
            let (ab, cd) = (relevance.add(a), relevance.add(c));
            if c == b + 1 {
                for (sums, &grid) in sums.iter().zip(grids) {
                    let shares = vmulq_f32(vld1q_f32(sums.as_ptr()), share);
                    let to = ab.add(grid);
                    vst1q_f32(to, vaddq_f32(vld1q_f32(to), shares));
                }
            } else {
                for (sums, &grid) in sums.iter().zip(grids) {
                    let shares = vmulq_f32(vld1q_f32(sums.as_ptr()), share);
                    let (ab, cd) = (ab.add(grid), cd.add(grid));
                    vst1_f32(ab, vadd_f32(vld1_f32(ab), vget_low_f32(shares)));
                    vst1_f32(cd, vadd_f32(vld1_f32(cd), vget_high_f32(shares)));
                }
            }
            return;
        }
        for lane in 0..four.live {
            let to = relevance.add(four.cells[lane]);
            let grids = &grids[if SHARED { 0 } else { lane * count }..][..count];
            for (sums, &grid) in sums.iter().zip(grids) {
                *to.add(grid) += sums.get_unchecked(lane) * share;
            }
        }
    }
}
