//! What each block's mean scores at each token, four blocks by four tokens at a time.

use super::{
    sums_neon::{sums_1, sums_2, sums_3, sums_4},
    tokens::PackedTokens,
};
use core::arch::aarch64::*;

/// Blocks of a tile.
pub const ROWS: usize = 4;

/// Writes the scores of `means`, `[rows, row]`, to the rows of `out`, which lie `out_stride` apart.
///
/// # Safety
///
/// `means` has one row at least and [`ROWS`] at most; `keys` and `scales` are padded to a multiple of four tokens, as
/// `out_stride` is, and `out` has as many rows.
#[target_feature(enable = "neon")]
pub unsafe fn scores(
    means: &[i8],
    tokens: &PackedTokens,
    keys: *const i8,
    scales: *const f32,
    out: *mut f32,
    out_stride: usize,
) {
    let row = tokens.row();
    let mean = |n: usize| means[n * row..].as_ptr();
    for token in (0..tokens.valid_count()).step_by(4) {
        // SAFETY: tokens are below the count rounded up to four.
        unsafe {
            let keys = [0, 1, 2, 3].map(|t| keys.add((token + t) * row));
            let scales = vld1q_f32(scales.add(token));
            let out = out.add(token);
            match means.len() / row {
                1 => write(sums_1(keys, [mean(0)], row), scales, out, out_stride),
                2 => write(sums_2(keys, [0, 1].map(mean), row), scales, out, out_stride),
                3 => write(
                    sums_3(keys, [0, 1, 2].map(mean), row),
                    scales,
                    out,
                    out_stride,
                ),
                _ => write(
                    sums_4(keys, [0, 1, 2, 3].map(mean), row),
                    scales,
                    out,
                    out_stride,
                ),
            }
        }
    }
}

/// # Safety
///
/// There are `N` rows of `out`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn write<const N: usize>(
    sums: [int32x4_t; N],
    scales: float32x4_t,
    out: *mut f32,
    out_stride: usize,
) {
    for (n, sums) in sums.into_iter().enumerate() {
        let scores = vmulq_f32(vcvtq_f32_s32(sums), scales);
        // SAFETY: four places from `out` on are in each row.
        unsafe { vst1q_f32(out.add(n * out_stride), scores) }
    }
}

/// The sums of the lanes of each of four registers.
#[inline]
#[target_feature(enable = "neon")]
pub fn add_up([a, b, c, d]: [int32x4_t; 4]) -> int32x4_t {
    vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d))
}
