//! Four cells at a time become bytes with a scale each, and are added to their block's sum on the way.
//!
//! The first pass reads the cells for the greatest magnitudes, of which only the high halves matter, and for the sum;
//! the second adds the number that rounds, see [`query`](super::query), and stores the low bytes.

use super::query::{LEAST_EXPONENT, MAX_MAGNITUDE};
use core::arch::aarch64::*;

/// How the bytes of four cells lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `[4][row]`
    Rows,
    /// `[row / 4][4][4]`: four elements of each cell in turn.
    #[allow(dead_code)]
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

/// Quantizes `cells`, each of `row` elements, a multiple of sixteen, to `bytes`, `[4 * row]` in the given layout. Gives the
/// scales and the high half of the greatest magnitude of the sum, or the lane of an unsound cell.
#[inline]
#[target_feature(enable = "neon")]
pub fn quantize_cells(
    cells: [&[f32]; 4],
    sum: Sum,
    layout: Layout,
    bytes: &mut [i8],
) -> Result<([f32; 4], u16), usize> {
    let row = cells[0].len();
    assert!(row.is_multiple_of(16) && bytes.len() == 4 * row);
    assert!(cells.iter().all(|cell| cell.len() == row));
    let pointers = cells.map(|cell| cell.as_ptr());
    // SAFETY: each pointer has `row` elements, as has the sum.
    let (tops, sum_top) = unsafe {
        match sum {
            Sum::None => tops::<false, false>(pointers, core::ptr::null_mut(), row),
            Sum::Start(sum) => {
                assert!(sum.len() == row);
                tops::<true, false>(pointers, sum.as_mut_ptr(), row)
            }
            Sum::Add(sum) => {
                assert!(sum.len() == row);
                tops::<true, true>(pointers, sum.as_mut_ptr(), row)
            }
        }
    };
    let limit = (MAX_MAGNITUDE.to_bits() >> 16) as u16;
    if let Some(lane) = tops.iter().position(|&top| top >= limit) {
        return Err(lane);
    }
    let exponents = tops.map(exponent_of);
    let rounders = exponents.map(|e| vdupq_n_f32(rounder_of(e)));
    let to = bytes.as_mut_ptr();
    for i in (0..row).step_by(16) {
        // SAFETY: i is at least sixteen below the row's length.
        unsafe {
            let a = bytes16(pointers[0].add(i), rounders[0]);
            let b = bytes16(pointers[1].add(i), rounders[1]);
            let c = bytes16(pointers[2].add(i), rounders[2]);
            let d = bytes16(pointers[3].add(i), rounders[3]);
            match layout {
                Layout::Rows => {
                    vst1q_s8(to.add(i), a);
                    vst1q_s8(to.add(row + i), b);
                    vst1q_s8(to.add(2 * row + i), c);
                    vst1q_s8(to.add(3 * row + i), d);
                }
                Layout::Quads => {
                    let quads = [a, b, c, d].map(|bytes| vreinterpretq_s32_s8(bytes));
                    let quads = int32x4x4_t(quads[0], quads[1], quads[2], quads[3]);
                    vst4q_s32(to.add(4 * i).cast(), quads);
                }
            }
        }
    }
    Ok((exponents.map(|e| f32::from_bits((e - 6) << 23)), sum_top))
}

/// Quantizes `x`, whose greatest magnitude has the high half `top`.
#[inline]
#[target_feature(enable = "neon")]
pub fn quantize_sum(x: &[f32], top: u16, bytes: &mut [i8]) {
    assert!(x.len() == bytes.len() && x.len().is_multiple_of(16));
    let rounder = vdupq_n_f32(rounder_of(exponent_of(top)));
    for i in (0..x.len()).step_by(16) {
        // SAFETY: i is at least sixteen below the length of both.
        unsafe {
            vst1q_s8(
                bytes.as_mut_ptr().add(i),
                bytes16(x.as_ptr().add(i), rounder),
            )
        }
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

/// The high halves of the greatest magnitudes of four cells, and of their sum.
///
/// # Safety
///
/// Each cell has `row` elements, and the sum where it is asked for.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn tops<const SUM: bool, const ADD: bool>(
    cells: [*const f32; 4],
    sum: *mut f32,
    row: usize,
) -> ([u16; 4], u16) {
    let mut tops = [vdupq_n_u16(0); 4];
    let mut sum_top = vdupq_n_u16(0);
    for i in (0..row).step_by(16) {
        // SAFETY: the row is a multiple of sixteen, and i below it.
        unsafe {
            let mut total = if ADD {
                load16(sum.add(i))
            } else {
                load16(cells[0].add(i))
            };
            for lane in 0..4 {
                let [a, b, c, d] = load16(cells[lane].add(i));
                tops[lane] = vmaxq_u16(tops[lane], magnitudes(a, b));
                tops[lane] = vmaxq_u16(tops[lane], magnitudes(c, d));
                if SUM && (ADD || lane > 0) {
                    total[0] = vaddq_f32(total[0], a);
                    total[1] = vaddq_f32(total[1], b);
                    total[2] = vaddq_f32(total[2], c);
                    total[3] = vaddq_f32(total[3], d);
                }
            }
            if SUM {
                let [a, b, c, d] = total;
                sum_top = vmaxq_u16(sum_top, magnitudes(a, b));
                sum_top = vmaxq_u16(sum_top, magnitudes(c, d));
                vst1q_f32(sum.add(i), a);
                vst1q_f32(sum.add(i + 4), b);
                vst1q_f32(sum.add(i + 8), c);
                vst1q_f32(sum.add(i + 12), d);
            }
        }
    }
    let greatest = |tops| vmaxvq_u16(tops) >> 1;
    (tops.map(greatest), greatest(sum_top))
}

/// Twice the high halves of eight magnitudes: the shift drops the sign.
#[inline]
#[target_feature(enable = "neon")]
fn magnitudes(a: float32x4_t, b: float32x4_t) -> uint16x8_t {
    let high = vuzp2q_u16(vreinterpretq_u16_f32(a), vreinterpretq_u16_f32(b));
    vaddq_u16(high, high)
}

/// The bytes of sixteen elements.
///
/// # Safety
///
/// `x` has sixteen elements.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn bytes16(x: *const f32, rounder: float32x4_t) -> int8x16_t {
    // SAFETY: the caller's promise.
    let x = unsafe { load16(x) };
    let [a, b, c, d] = x.map(|x| vreinterpretq_s16_f32(vaddq_f32(x, rounder)));
    let (low, high) = (vuzp1q_s16(a, b), vuzp1q_s16(c, d));
    vuzp1q_s8(vreinterpretq_s8_s16(low), vreinterpretq_s8_s16(high))
}

/// # Safety
///
/// `x` has sixteen elements.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load16(x: *const f32) -> [float32x4_t; 4] {
    // SAFETY: the caller's promise.
    unsafe {
        [
            vld1q_f32(x),
            vld1q_f32(x.add(4)),
            vld1q_f32(x.add(8)),
            vld1q_f32(x.add(12)),
        ]
    }
}
