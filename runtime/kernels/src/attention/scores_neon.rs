//! What each block's mean scores at each token, four blocks by four tokens at a time.
//!
//! Bytes within -127..=127 let two products share a lane of 16 bits: SMULL, SMLAL2, then SADALP.

#![allow(clippy::needless_range_loop)] // registers are numbered

use super::tokens::PackedTokens;
use core::arch::aarch64::*;

/// Blocks of a tile.
pub const ROWS: usize = 4;

/// Writes the scores of `rows` means, `[rows, row]`, to the rows of `out`, which lie `out_stride` apart.
///
/// # Safety
///
/// `means` has `rows` rows; `keys` and `scales` are padded to a multiple of four tokens, as `out_stride` is, and `out` has
/// `rows` rows.
#[target_feature(enable = "neon")]
pub unsafe fn scores(
    means: *const i8,
    rows: usize,
    tokens: &PackedTokens,
    keys: *const i8,
    scales: *const f32,
    out: *mut f32,
    out_stride: usize,
) {
    let row = tokens.row();
    let count = tokens.valid_count();
    // SAFETY: rows are below `rows`; tokens are below the count rounded up to four.
    unsafe {
        for first in (0..rows).step_by(ROWS) {
            let means = means.add(first * row);
            let out = out.add(first * out_stride);
            for token in (0..count).step_by(4) {
                let keys = keys.add(token * row);
                let scales = vld1q_f32(scales.add(token));
                let out = out.add(token);
                match rows - first {
                    1 => tile::<1>(means, keys, row, scales, out, out_stride),
                    2 => tile::<2>(means, keys, row, scales, out, out_stride),
                    3 => tile::<3>(means, keys, row, scales, out, out_stride),
                    _ => tile::<ROWS>(means, keys, row, scales, out, out_stride),
                }
            }
        }
    }
}

/// # Safety
///
/// There are `N` rows of means and of `out`, and four keys.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn tile<const N: usize>(
    means: *const i8,
    keys: *const i8,
    row: usize,
    scales: float32x4_t,
    out: *mut f32,
    out_stride: usize,
) {
    let mut sums = [[vdupq_n_s32(0); 4]; N];
    for i in (0..row).step_by(16) {
        // SAFETY: a row is a multiple of sixteen, and i below it.
        unsafe {
            let mut m = [vdupq_n_s8(0); N];
            for n in 0..N {
                m[n] = vld1q_s8(means.add(n * row + i));
            }
            for t in 0..4 {
                let k = vld1q_s8(keys.add(t * row + i));
                for n in 0..N {
                    sums[n][t] = add_products(sums[n][t], m[n], k);
                }
            }
        }
    }
    for n in 0..N {
        let sums = add_up(sums[n]);
        // SAFETY: four places from `out` on are in each row.
        unsafe {
            vst1q_f32(
                out.add(n * out_stride),
                vmulq_f32(vcvtq_f32_s32(sums), scales),
            )
        }
    }
}

/// `sum` with sixteen products added to its four lanes; no byte of both may be -128.
#[inline]
#[target_feature(enable = "neon")]
pub fn add_products(sum: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    let products = vmull_s8(vget_low_s8(a), vget_low_s8(b));
    vpadalq_s16(sum, vmlal_high_s8(products, a, b))
}

/// The sums of the lanes of each of four registers.
#[inline]
#[target_feature(enable = "neon")]
pub fn add_up([a, b, c, d]: [int32x4_t; 4]) -> int32x4_t {
    vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d))
}
