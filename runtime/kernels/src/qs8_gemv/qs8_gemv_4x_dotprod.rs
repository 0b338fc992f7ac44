//! Four rows at a time with SDOT: sixteen products a lane group, summed in 32 bits at once.

use super::qs8_gemv_scalar;
use super::steps::{STEP, TILE_ROWS, Tail, row_of};
use crate::aarch64::{load_s8x32, sdot, store_s32x4};
use crate::isa::DotProd;
use core::arch::aarch64::{int32x4_t, vaddvq_s32, vdupq_n_s32, vpaddq_s32};

/// See [`qs8_gemv`](super::qs8_gemv); the shapes were checked by the dispatcher.
pub fn run(_proof: DotProd, weights: &[i8], x: &[i8], out: &mut [i32]) {
    if x.len() < STEP {
        qs8_gemv_scalar::run(weights, x, out);
    } else {
        // SAFETY: the proof says that the CPU has neon and dotprod.
        unsafe { run_steps(weights, x, out) }
    }
}

#[target_feature(enable = "neon,dotprod")]
fn run_steps(weights: &[i8], x: &[i8], out: &mut [i32]) {
    let tail = Tail::of(x);
    let (tiles, rest) = out.as_chunks_mut::<TILE_ROWS>();
    let rest_row = tiles.len() * TILE_ROWS;
    for (t, out) in tiles.iter_mut().enumerate() {
        let rows = core::array::from_fn(|r| row_of(weights, x.len(), t * TILE_ROWS + r));
        let [a, b, c, d] = sums(rows, x, &tail);
        store_s32x4(out, vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d)));
    }
    for (r, out) in rest.iter_mut().enumerate() {
        let [sum] = sums([row_of(weights, x.len(), rest_row + r)], x, &tail);
        *out = vaddvq_s32(sum);
    }
}

/// Four partial sums of each row's product with `x`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn sums<const ROWS: usize>(
    rows: [&[i8]; ROWS],
    x: &[i8],
    tail: &Option<Tail>,
) -> [int32x4_t; ROWS] {
    let (x_steps, _) = x.as_chunks::<STEP>();
    let row_steps = rows.map(|row| &row.as_chunks::<STEP>().0[..x_steps.len()]);
    let mut sums = [vdupq_n_s32(0); ROWS];
    let mut add_step = |x: &[i8; STEP], w: [&[i8; STEP]; ROWS]| {
        let x = load_s8x32(x);
        for r in 0..ROWS {
            let w = load_s8x32(w[r]);
            sums[r] = sdot(sdot(sums[r], w[0], x[0]), w[1], x[1]);
        }
    };
    for (i, x) in x_steps.iter().enumerate() {
        add_step(x, row_steps.map(|steps| &steps[i]));
    }
    if let Some(tail) = tail {
        add_step(&tail.x, rows.map(|row| tail.step_of(row)));
    }
    sums
}
