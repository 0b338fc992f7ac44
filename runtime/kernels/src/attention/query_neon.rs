//! Up to four cells at a time become bytes with a scale each, and are added to their block's sum on the way.
//!
//! The first pass reads the cells for the greatest magnitudes, of which only the high halves matter, and for the sum;
//! the second adds the number that rounds, see [`query`](super::query), and stores the low bytes.

use super::{
    query::{LEAST_EXPONENT, MAX_MAGNITUDE},
    query_passes_neon as passes,
};
use core::arch::aarch64::*;

/// How the bytes of four cells lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `[4][row]`; rows of cells that are not there are left as they are.
    Rows,
    /// `[row / 4][4][4]`: four elements of each cell in turn, zeros of cells that are not there.
    Quads,
}

/// What the cells are added to.
pub enum Sum<'a> {
    /// Nothing.
    None,
    /// `[row]`: set to the cells' sum.
    Start(&'a mut [f32]),
    /// `[row]`: the cells are added.
    Add(&'a mut [f32]),
}

/// Quantizes the first `live` of `cells`, each of `row` elements, a multiple of sixteen, to `bytes`, `[4 * row]` in the given
/// layout. Gives the scales and the high half of the greatest magnitude of the sum, or the lane of
/// an unsound cell.
///
/// # Safety
///
/// Each of those cells has a quarter of the bytes' elements.
#[inline]
#[target_feature(enable = "neon")]
pub unsafe fn quantize_cells(
    cells: [*const f32; 4],
    live: usize,
    sum: Sum,
    layout: Layout,
    bytes: &mut [i8],
) -> Result<([f32; 4], u16), usize> {
    let row = bytes.len() / 4;
    assert!(row > 0 && row.is_multiple_of(16));
    // SAFETY: each cell has `row` elements, as has the sum.
    let tops = unsafe {
        match sum {
            Sum::None => {
                let none = core::ptr::null_mut();
                match live {
                    1 => passes::tops_1(cells, none, row),
                    2 => passes::tops_2(cells, none, row),
                    3 => passes::tops_3(cells, none, row),
                    _ => passes::tops_4(cells, none, row),
                }
            }
            Sum::Start(sum) => {
                assert!(sum.len() == row);
                match live {
                    1 => passes::tops_start_1(cells, sum.as_mut_ptr(), row),
                    2 => passes::tops_start_2(cells, sum.as_mut_ptr(), row),
                    3 => passes::tops_start_3(cells, sum.as_mut_ptr(), row),
                    _ => passes::tops_start_4(cells, sum.as_mut_ptr(), row),
                }
            }
            Sum::Add(sum) => {
                assert!(sum.len() == row);
                match live {
                    1 => passes::tops_add_1(cells, sum.as_mut_ptr(), row),
                    2 => passes::tops_add_2(cells, sum.as_mut_ptr(), row),
                    3 => passes::tops_add_3(cells, sum.as_mut_ptr(), row),
                    _ => passes::tops_add_4(cells, sum.as_mut_ptr(), row),
                }
            }
        }
    };
    let [a, b, c, d, sum] = tops;
    let sum_top = vmaxvq_u16(sum) >> 1;
    // The greatest of each cell, in the order of the cells.
    let pairs = vpmaxq_u16(vpmaxq_u16(a, b), vpmaxq_u16(c, d));
    let tops = vshr_n_u16::<1>(vget_low_u16(vpmaxq_u16(pairs, pairs)));
    let limit = (MAX_MAGNITUDE.to_bits() >> 16) as u16;
    if vmaxv_u16(tops) >= limit {
        let unsound = vget_lane_u64::<0>(vreinterpret_u64_u16(vcge_u16(tops, vdup_n_u16(limit))));
        return Err(unsound.trailing_zeros() as usize / 16);
    }
    // As in `exponent_of` and `rounder_of`.
    let carried = vaddq_u32(vmovl_u16(tops), vdupq_n_u32(1));
    let exponents = vmaxq_u32(vshrq_n_u32::<7>(carried), vdupq_n_u32(LEAST_EXPONENT));
    let rounders = vshlq_n_u32::<23>(vaddq_u32(exponents, vdupq_n_u32(17)));
    let rounders = vreinterpretq_f32_u32(vorrq_u32(rounders, vdupq_n_u32(1 << 22)));
    let scales = vshlq_n_u32::<23>(vsubq_u32(exponents, vdupq_n_u32(6)));
    let to = bytes.as_mut_ptr();
    // SAFETY: each cell has `row` elements, and the bytes four times as many.
    unsafe {
        match (layout, live) {
            (Layout::Quads, 1) => passes::quads_1(cells, rounders, to, row),
            (Layout::Quads, 2) => passes::quads_2(cells, rounders, to, row),
            (Layout::Quads, 3) => passes::quads_3(cells, rounders, to, row),
            (Layout::Quads, _) => passes::quads_4(cells, rounders, to, row),
            (Layout::Rows, 1) => passes::rows_1(cells, rounders, to, row),
            (Layout::Rows, 2) => passes::rows_2(cells, rounders, to, row),
            (Layout::Rows, 3) => passes::rows_3(cells, rounders, to, row),
            (Layout::Rows, _) => passes::rows_4(cells, rounders, to, row),
        }
    }
    let mut four = [0.0; 4];
    // SAFETY: the array has four elements.
    unsafe { vst1q_f32(four.as_mut_ptr(), vreinterpretq_f32_u32(scales)) }
    Ok((four, sum_top))
}

/// Quantizes `x`, whose greatest magnitude has the high half `top`.
#[inline]
#[target_feature(enable = "neon")]
pub fn quantize_sum(x: &[f32], top: u16, bytes: &mut [i8]) {
    assert!(x.len() == bytes.len() && !x.is_empty() && x.len().is_multiple_of(16));
    let rounder = rounder_of(exponent_of(top));
    // SAFETY: both have as many elements, a multiple of sixteen.
    unsafe {
        passes::rows_1(
            [x.as_ptr(); 4],
            vdupq_n_f32(rounder),
            bytes.as_mut_ptr(),
            x.len(),
        )
    }
}

/// As in [`scale_of`](super::query::scale_of).
#[inline]
fn exponent_of(top: u16) -> u32 {
    ((u32::from(top) + 1) >> 7).max(LEAST_EXPONENT)
}

/// The bits of `1.5 * 2^23 * scale`.
#[inline]
fn rounder_of(exponent: u32) -> f32 {
    f32::from_bits((exponent + 17) << 23 | 1 << 22)
}
