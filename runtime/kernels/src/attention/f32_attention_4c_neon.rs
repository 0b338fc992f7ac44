//! Attention in f32 on armv8.0: four cells at a time, for maps and tokens that are not to be quantized.
//!
//! Cells are read where the caller has them. Choice and weights have the specification's bits, because fused products add up
//! in four lanes in both.

use super::{
    QueryError,
    attend_neon::{attend_values, transposed, write_scores},
    attention_scalar::pad,
    plan::Task,
    query::are_sound,
    scores_f32_neon::{ROWS, scores},
    softmax_neon::{keep, softmax},
    sums_f32_neon::{sums_1, sums_2, sums_4},
    tokens::{Keys, PackedTokens},
    vector::{Cells, Kernel, Strips},
    vector_room::{Four, Room},
};
use crate::isa::Neon;
use core::arch::aarch64::*;

/// The kernel, with the proof that it may run.
#[derive(Clone, Copy)]
pub struct F32AttentionNeon(pub Neon);

impl Kernel for F32AttentionNeon {
    type Element = f32;
    const BLOCKS: usize = ROWS;

    fn prepare(self, task: &Task, room: &mut Room, _is_shared: bool) -> Result<(), QueryError> {
        let elements = task.tokens.heads * task.tokens.d;
        let is_sound = |cell: &usize| are_sound(&task.queries[cell * elements..][..elements]);
        let cells = task.plan.map.height * task.plan.map.width;
        if let Some(cell) = (0..cells).find(|cell| !is_sound(cell)) {
            return Err(task.plan.error(cell));
        }
        let Keys::F32 { multiplier, .. } = task.tokens.keys else {
            unreachable!("bytes are another kernel's")
        };
        let padded_count = task.chosen_count.next_multiple_of(4);
        room.multipliers[..padded_count].fill([multiplier; 4]);
        Ok(())
    }

    fn means<'a>(
        self,
        task: &Task<'a>,
        room: &'a mut Room,
        first: usize,
        rows: usize,
    ) -> &'a [f32] {
        let row = task.tokens.row();
        let is_padded = task.tokens.stride != task.tokens.d;
        if !task.is_shared() && !is_padded {
            return &task.queries[first * row..][..rows * row];
        }
        let sums = &mut room.sums_of_cells[..rows * row];
        sums.fill(0.0);
        for (block, sum) in (first..).zip(sums.chunks_exact_mut(row)) {
            for cell in task.plan.block(block).cells() {
                let query = match is_padded {
                    true => {
                        pad(task, cell, &mut room.cells[..row]);
                        &room.cells[..row]
                    }
                    false => &task.queries[cell * row..][..row],
                };
                for (sum, x) in sum.iter_mut().zip(query) {
                    *sum += x;
                }
            }
        }
        sums
    }

    unsafe fn scores(self, tokens: &PackedTokens, means: &[f32], out: *mut f32, out_stride: usize) {
        // SAFETY: the proof says that the CPU has neon; keys are packed for sixteen tokens at a time; the rest is the
        // caller's promise.
        unsafe { scores(means, tokens, keys(tokens), out, out_stride) }
    }

    /// All products have one multiplier, see [`prepare`](Self::prepare).
    fn multiply<const SHARED: bool>(
        self,
        _tokens: &PackedTokens,
        _room: &mut Room,
        _group: usize,
        _lists: [&[u32]; 4],
    ) {
    }

    fn cells(self, task: &Task, room: &mut Room, _group: usize, four: &Four) -> [*const f32; 4] {
        let row = task.tokens.row();
        if task.tokens.stride == task.tokens.d {
            return four
                .cells
                .map(|cell| task.queries[cell * row..][..row].as_ptr());
        }
        for (lane, &cell) in four.cells.iter().enumerate() {
            pad(task, cell, &mut room.cells[lane * row..][..row]);
        }
        [0, 1, 2, 3].map(|lane| room.cells[lane * row..][..row].as_ptr())
    }

    unsafe fn attend<const SHARED: bool>(
        self,
        tokens: &PackedTokens,
        cells: &Cells<f32>,
        strips: &mut Strips,
    ) {
        // SAFETY: the proof says that the CPU has neon; the rest is the caller's promise.
        unsafe { attend::<SHARED>(cells, keys(tokens), tokens.values.as_ptr(), strips) }
    }
}

fn keys(tokens: &PackedTokens) -> *const f32 {
    let Keys::F32 { reals, .. } = &tokens.keys else {
        unreachable!("bytes are another kernel's")
    };
    reals.as_ptr()
}

/// Writes what the cells attend to at `attended` where they are live, and adds up the weights.
///
/// # Safety
///
/// As [`Kernel::attend`].
#[target_feature(enable = "neon")]
unsafe fn attend<const SHARED: bool>(
    cells: &Cells<f32>,
    keys: *const f32,
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
            attend_values::<f32, SHARED>(cells, head, values.add(at), strips.weights);
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
    cells: &Cells<f32>,
    queries: [*const f32; 4],
    keys: *const f32,
    strips: &mut Strips,
) -> float32x4_t {
    let mut greatest = vdupq_n_f32(f32::NEG_INFINITY);
    for first in (0..cells.padded_count).step_by(4) {
        // SAFETY: lists have `padded_count` tokens, each a row of keys; cells have `stride` elements at the head; strips have
        // a place for each token of a list.
        unsafe {
            let four = |cell: usize| {
                let list = cells.lists[cell].add(first);
                [0, 1, 2, 3].map(|t| keys.add(*list.add(t)))
            };
            let one = |cell: usize| sums_1(four(cell), [queries[cell]], cells.stride)[0];
            let sums = match (SHARED, cells.live) {
                (_, 1) => transposed([one(0); 4]),
                (true, 2) => {
                    let [a, b] = sums_2(four(0), [queries[0], queries[1]], cells.stride);
                    transposed([a, b, b, b])
                }
                (true, _) => sums_4(queries, four(0), cells.stride),
                (false, _) => transposed([0, 1, 2, 3].map(one)),
            };
            greatest = write_scores(sums, greatest, first, strips);
        }
    }
    greatest
}
