//! Products of f32 queries and keys, and what each block's sum scores at each token, four by four at a time.

use super::tokens::PackedTokens;
use core::arch::aarch64::*;

/// Blocks, or cells, and tokens of a tile.
const TILE: usize = 4;

/// Writes the scores of `means`, `[rows, row]`, to the rows of `out`, which lie `out_stride` apart.
///
/// # Safety
///
/// `keys` are padded to a multiple of four tokens, as `out_stride` is, and `out` has as many rows as there are means, at most
/// four.
#[target_feature(enable = "neon")]
pub unsafe fn scores(
    means: &[f32],
    tokens: &PackedTokens,
    keys: *const f32,
    out: *mut f32,
    out_stride: usize,
) {
    let row = tokens.row();
    for token in (0..tokens.valid_count()).step_by(TILE) {
        // SAFETY: tokens are below the count rounded up to four.
        unsafe {
            let keys = [0, 1, 2, 3].map(|t| keys.add((token + t) * row));
            let out = out.add(token);
            match means.len() / row {
                1 => tile::<1>(means, keys, row, out, out_stride),
                2 => tile::<2>(means, keys, row, out, out_stride),
                3 => tile::<3>(means, keys, row, out, out_stride),
                _ => tile::<TILE>(means, keys, row, out, out_stride),
            }
        }
    }
}

/// # Safety
///
/// There are `N` rows of means and of `out`, and the keys have `row` elements.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn tile<const N: usize>(
    means: &[f32],
    keys: [*const f32; 4],
    row: usize,
    out: *mut f32,
    out_stride: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let rows: [_; N] = core::array::from_fn(|n| means.as_ptr().add(n * row));
        for (n, sums) in dots(rows, keys, row).into_iter().enumerate() {
            vst1q_f32(out.add(n * out_stride), add_up(sums));
        }
    }
}

/// The products of rows with keys, of `len` elements each, a multiple of eight: four sums each.
///
/// # Safety
///
/// All pointers have `len` elements.
#[inline]
#[target_feature(enable = "neon")]
pub unsafe fn dots<const N: usize>(
    rows: [*const f32; N],
    keys: [*const f32; 4],
    len: usize,
) -> [[float32x4_t; 4]; N] {
    let mut sums = [[vdupq_n_f32(0.0); 4]; N];
    for i in (0..len).step_by(8) {
        // SAFETY: the caller's promise.
        unsafe {
            let rows = rows.map(|row| load8(row.add(i)));
            for t in 0..4 {
                let key = load8(keys[t].add(i));
                for n in 0..N {
                    sums[n][t] = vfmaq_f32(sums[n][t], rows[n][0], key[0]);
                    sums[n][t] = vfmaq_f32(sums[n][t], rows[n][1], key[1]);
                }
            }
        }
    }
    sums
}

/// # Safety
///
/// `x` has eight elements.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load8(x: *const f32) -> [float32x4_t; 2] {
    // SAFETY: the caller's promise.
    unsafe { [vld1q_f32(x), vld1q_f32(x.add(4))] }
}

/// The sums of the lanes of each of four registers, pairs first.
#[inline]
#[target_feature(enable = "neon")]
pub fn add_up([a, b, c, d]: [float32x4_t; 4]) -> float32x4_t {
    vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d))
}
