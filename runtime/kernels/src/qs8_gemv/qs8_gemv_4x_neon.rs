//! Four rows at a time with SMULL, SMLAL2 and SADALP.
//!
//! A 16-bit lane holds the sum of two products of `i8` in every case but one: 2 x (-128 x -128) is 32 768. Where `x`
//! has no -128, no product is above 128 x 127 in magnitude, two of them stay within 32 512, and one SADALP widens both.
//! Where it has, each product is widened by itself. Symmetric quantization never makes a -128, so the second way is
//! there to be right, not fast; the look at `x` costs one pass for all rows.

use super::qs8_gemv_scalar;
use super::steps::{STEP, TILE_ROWS, Tail, row_of};
use crate::aarch64::{load_s8x32, store_s32x4};
use crate::isa::Neon;
use core::arch::aarch64::{
    int8x16_t, int32x4_t, vaddvq_s32, vdupq_n_s32, vget_low_s8, vmlal_high_s8, vmull_high_s8,
    vmull_s8, vpadalq_s16, vpaddq_s32,
};

/// See [`qs8_gemv`](super::qs8_gemv); the shapes were checked by the dispatcher.
pub fn run(_proof: Neon, weights: &[i8], x: &[i8], out: &mut [i32]) {
    if x.len() < STEP {
        qs8_gemv_scalar::run(weights, x, out);
    } else {
        // SAFETY: the proof says that the CPU has neon.
        unsafe { run_steps(weights, x, out) }
    }
}

#[target_feature(enable = "neon")]
fn run_steps(weights: &[i8], x: &[i8], out: &mut [i32]) {
    if x.contains(&i8::MIN) {
        run_with(|sum, w, x| add_single(sum, w, x), weights, x, out);
    } else {
        run_with(|sum, w, x| add_paired(sum, w, x), weights, x, out);
    }
}

/// `sum` with the 16 products of `w` and `x`, each widened by itself.
#[inline]
#[target_feature(enable = "neon")]
fn add_single(sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    let low = vmull_s8(vget_low_s8(w), vget_low_s8(x));
    let high = vmull_high_s8(w, x);
    vpadalq_s16(vpadalq_s16(sum, low), high)
}

/// `sum` with the 16 products of `w` and `x`, added in pairs before they are widened; `x` has no -128.
#[inline]
#[target_feature(enable = "neon")]
fn add_paired(sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    let low = vmull_s8(vget_low_s8(w), vget_low_s8(x));
    vpadalq_s16(sum, vmlal_high_s8(low, w, x))
}

#[inline]
#[target_feature(enable = "neon")]
fn run_with(
    add: impl Fn(int32x4_t, int8x16_t, int8x16_t) -> int32x4_t,
    weights: &[i8],
    x: &[i8],
    out: &mut [i32],
) {
    let tail = Tail::of(x);
    let (tiles, rest) = out.as_chunks_mut::<TILE_ROWS>();
    let rest_row = tiles.len() * TILE_ROWS;
    for (t, out) in tiles.iter_mut().enumerate() {
        let rows = core::array::from_fn(|r| row_of(weights, x.len(), t * TILE_ROWS + r));
        let [a, b, c, d] = sums(&add, rows, x, &tail);
        store_s32x4(out, vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d)));
    }
    for (r, out) in rest.iter_mut().enumerate() {
        let [sum] = sums(&add, [row_of(weights, x.len(), rest_row + r)], x, &tail);
        *out = vaddvq_s32(sum);
    }
}

/// Four partial sums of each row's product with `x`.
#[inline]
#[target_feature(enable = "neon")]
fn sums<const ROWS: usize>(
    add: &impl Fn(int32x4_t, int8x16_t, int8x16_t) -> int32x4_t,
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
            sums[r] = add(add(sums[r], w[0], x[0]), w[1], x[1]);
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
