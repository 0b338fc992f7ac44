//! The specification of block-local attention: cell after cell, head after head, token after token.
//!
//! Every sum is a plain sequence of f32 multiplications and additions, so that other instruction sets can give its bits; but
//! products of f32 queries and keys add up in four lanes of fused ones.

use super::{
    Outputs,
    choose::Choice,
    fused::fused,
    plan::{Room, Task},
    query::{QueryError, are_sound, quantize, scale_of},
    tokens::Keys,
};
use crate::exp::exp2;

/// See [`BlockAttention::run`](super::BlockAttention::run), which checked everything.
pub fn run(
    task: &Task,
    chosen: &mut [u32],
    room: &mut Room,
    mut outputs: Outputs,
) -> Result<(), QueryError> {
    if let Some(relevance) = &mut outputs.relevance {
        relevance.fill(0.0);
    }
    let lists = task.plan.each_block().enumerate();
    for (i, block) in lists {
        let list = &mut chosen[i * task.chosen_count..][..task.chosen_count];
        check_block(task, block.cells())?;
        choose(task, room, block.cells(), list);
        for cell in block.cells() {
            attend(task, room, cell, list, &mut outputs);
        }
    }
    Ok(())
}

fn check_block(task: &Task, mut cells: impl Iterator<Item = usize>) -> Result<(), QueryError> {
    match cells.find(|&cell| !are_sound(query(task, cell))) {
        Some(cell) => Err(task.plan.error(cell)),
        None => Ok(()),
    }
}

/// A cell, `[heads, d]`.
fn query<'a>(task: &Task<'a>, cell: usize) -> &'a [f32] {
    let elements = task.plan.map.heads * task.plan.map.d;
    &task.queries[cell * elements..][..elements]
}

/// Copies a cell into `[heads, stride]`, whose padding is zero.
pub fn pad(task: &Task, cell: usize, padded: &mut [f32]) {
    let d = task.plan.map.d;
    let heads = query(task, cell).chunks_exact(d);
    for (to, head) in padded.chunks_exact_mut(task.tokens.stride).zip(heads) {
        to[..d].copy_from_slice(head);
    }
}

/// Quantizes `x` to `bytes` and gives the scale.
fn quantize_all(x: &[f32], bytes: &mut [i8]) -> f32 {
    let magnitude = x.iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
    let scale = scale_of(magnitude);
    for (byte, &x) in bytes.iter_mut().zip(x) {
        *byte = quantize(x, scale);
    }
    scale
}

fn choose(task: &Task, room: &mut Room, cells: impl Iterator<Item = usize>, chosen: &mut [u32]) {
    let Some(top_k) = task.top_k else {
        for (token, place) in chosen.iter_mut().enumerate() {
            *place = token as u32;
        }
        return;
    };
    room.sum.fill(0.0);
    for cell in cells {
        pad(task, cell, &mut room.cell);
        for (sum, x) in room.sum.iter_mut().zip(&room.cell) {
            *sum += x;
        }
    }
    let row = task.tokens.row();
    let count = task.tokens.valid_count();
    match &task.tokens.keys {
        Keys::Int8 { bytes, scales, .. } => {
            quantize_all(&room.sum, &mut room.bytes);
            for t in 0..count {
                let sum = dot(&room.bytes, &bytes[t * row..][..row]);
                room.scores[t] = sum as f32 * scales[t];
            }
        }
        Keys::F32 { reals, .. } => {
            for t in 0..count {
                room.scores[t] = dot_f32(&room.sum, &reals[t * row..][..row]);
            }
        }
    }
    let choice = Choice {
        scores: &mut room.scores[..count],
        always: &task.tokens.always,
        top_k,
        order: &mut room.order[..count],
    };
    choice.by_sorting(chosen);
}

fn attend(task: &Task, room: &mut Room, cell: usize, chosen: &[u32], outputs: &mut Outputs) {
    let tokens = task.tokens;
    let (row, stride, d) = (tokens.row(), tokens.stride, tokens.d);
    let cell_count = task.plan.map.height * task.plan.map.width;
    let weights = &mut room.scores[..chosen.len()];
    pad(task, cell, &mut room.cell);
    let scale = quantize_all(&room.cell, &mut room.bytes);
    // The sum of each token's weights over the heads.
    let sums = &mut room.sum_of_weights[..chosen.len()];
    sums.fill(0.0);
    for head in 0..tokens.heads {
        let part = head * stride..(head + 1) * stride;
        for (weight, &t) in weights.iter_mut().zip(chosen) {
            let t = t as usize;
            let key = t * row + part.start..t * row + part.end;
            *weight = match &tokens.keys {
                Keys::Int8 {
                    bytes, multipliers, ..
                } => {
                    let sum = dot(&room.bytes[part.clone()], &bytes[key]);
                    sum as f32 * (scale * multipliers[t])
                }
                Keys::F32 { reals, multiplier } => {
                    dot_f32(&room.cell[part.clone()], &reals[key]) * multiplier
                }
            };
        }
        softmax(weights);
        for (sum, weight) in sums.iter_mut().zip(&*weights) {
            *sum += weight;
        }
        let Some(attended) = &mut outputs.attended else {
            continue;
        };
        let attended = &mut attended[(cell * tokens.heads + head) * d..][..d];
        attended.fill(0.0);
        for (weight, &t) in weights.iter().zip(chosen) {
            let value = &tokens.values[t as usize * row + part.start..][..d];
            for (sum, v) in attended.iter_mut().zip(value) {
                *sum += weight * v;
            }
        }
    }
    if let Some(relevance) = &mut outputs.relevance {
        let share = 1.0 / tokens.heads as f32;
        for (sum, &t) in sums.iter().zip(chosen) {
            let label = tokens.labels[t as usize] as usize;
            relevance[label * cell_count + cell] += sum * share;
        }
    }
}

/// Turns powers of two into weights that sum to 1.
fn softmax(x: &mut [f32]) {
    let greatest = x.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
    let mut sum = 0.0;
    for x in &mut *x {
        *x = exp2(*x - greatest);
        sum += *x;
    }
    let share = 1.0 / sum;
    for x in x {
        *x *= share;
    }
}

/// The exact sum of products.
fn dot(a: &[i8], b: &[i8]) -> i32 {
    a.iter()
        .zip(b)
        .map(|(&a, &b)| i32::from(a) * i32::from(b))
        .sum()
}

/// The sum of products of vectors of whole fours: element `i` belongs to the sum `i % 4`, and pairs of sums are added.
fn dot_f32(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 4];
    for (a, b) in a.as_chunks::<4>().0.iter().zip(b.as_chunks::<4>().0) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum = fused(a[lane], b[lane], *sum);
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}
