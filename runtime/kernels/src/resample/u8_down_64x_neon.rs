//! Sixty-four bytes of a row at a time, then sixteen; a last block looks back. Rows shorter than that are left to the
//! specification.

use super::sums_neon::{Rounding, pair, widened};
use super::u8_down_scalar;
use crate::isa::Neon;
use core::arch::aarch64::*;

/// Bytes of a register.
const LANES: usize = 16;

/// Registers of a large block: their sums take half of all registers, and each weight is loaded for all of them.
const REGISTERS: usize = 4;

/// The source rows of a target row, and their weights.
#[derive(Clone, Copy)]
pub struct Column<'a> {
    /// The rows, from the first one on.
    pub rows: &'a [u8],
    /// Bytes from a row to the next.
    pub stride: usize,
    /// One for each row, and a zero where their number is odd.
    pub weights: &'a [i16],
    /// The number of rows, at least 1.
    pub len: usize,
}

/// See [`super::resample_down`], which checked that the rows are there and as long as `out`.
pub fn run(_proof: Neon, precision: u32, column: Column<'_>, out: &mut [u8]) {
    if out.len() < LANES {
        let weights = &column.weights[..column.len];
        return u8_down_scalar::run(precision, weights, column.rows, column.stride, out);
    }
    // SAFETY: the proof says that the CPU has neon, rows are as long as `out`, and `out` is at least one register.
    unsafe {
        match precision {
            14 => run_blocks::<2, false>(precision, column, out),
            15 => run_blocks::<1, false>(precision, column, out),
            16 => run_blocks::<0, false>(precision, column, out),
            _ => run_blocks::<0, true>(precision, column, out),
        }
    }
}

/// # Safety
///
/// The column must have a row of `out.len()` bytes at every multiple of its stride; `out` must have at least [`LANES`]
/// bytes.
#[target_feature(enable = "neon")]
unsafe fn run_blocks<const UP: i32, const REST: bool>(
    precision: u32,
    column: Column<'_>,
    out: &mut [u8],
) {
    let rounding = Rounding::of(precision);
    let large = out.len() / (LANES * REGISTERS) * LANES * REGISTERS;
    for at in (0..large).step_by(LANES * REGISTERS) {
        // SAFETY: a large block ends inside the row, as the caller's rows do.
        unsafe { block::<UP, REST, REGISTERS>(rounding, column, out, at) }
    }
    for at in (large..out.len()).step_by(LANES) {
        // SAFETY: the start is at least one register before the row's end.
        unsafe { block::<UP, REST, 1>(rounding, column, out, at.min(out.len() - LANES)) }
    }
}

/// Makes `N` registers of bytes from `at` on.
///
/// # Safety
///
/// As [`run_blocks`], and the block must end inside of `out`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn block<const UP: i32, const REST: bool, const N: usize>(
    rounding: Rounding,
    column: Column<'_>,
    out: &mut [u8],
    at: usize,
) {
    let Some(first) = column.weights.first_chunk() else {
        return;
    };
    // After the last tap this may lie outside of the rows; then nobody reads there.
    let mut row = column.rows.as_ptr().wrapping_add(at);
    let mut sums = [[vdupq_n_s32(0); 4]; N];
    let weights = pair(first);
    for (i, sums) in sums.iter_mut().enumerate() {
        // SAFETY: the first row is there, and the block ends inside of it.
        let [low, high] = widened::<UP>(unsafe { vld1q_u8(row.add(LANES * i)) });
        // Products, not sums: nothing has to be set to zero.
        *sums = [
            vmull_lane_s16::<0>(vget_low_s16(low), weights),
            vmull_high_lane_s16::<0>(low, weights),
            vmull_lane_s16::<0>(vget_low_s16(high), weights),
            vmull_high_lane_s16::<0>(high, weights),
        ];
    }
    row = row.wrapping_add(column.stride);
    let mut rest = 1;
    if column.len.is_multiple_of(2) {
        // SAFETY: an even number of rows is at least two.
        unsafe { add_row::<UP, 1, N>(&mut sums, row, weights) }
        row = row.wrapping_add(column.stride);
        rest = 2;
    }
    for weights in column.weights[rest..column.len].as_chunks().0 {
        let weights = pair(weights);
        // SAFETY: each weight has its row.
        unsafe { add_row::<UP, 0, N>(&mut sums, row, weights) }
        row = row.wrapping_add(column.stride);
        // SAFETY: as above.
        unsafe { add_row::<UP, 1, N>(&mut sums, row, weights) }
        row = row.wrapping_add(column.stride);
    }
    for (i, [a, b, c, d]) in sums.into_iter().enumerate() {
        let bytes = vcombine_u8(rounding.bytes::<REST>(a, b), rounding.bytes::<REST>(c, d));
        // SAFETY: the block ends inside of `out`.
        unsafe { vst1q_u8(out.as_mut_ptr().add(at + LANES * i), bytes) }
    }
}

/// Adds `N` registers of a row, times the weight in lane `LANE`.
///
/// # Safety
///
/// That many bytes must be readable at `row`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn add_row<const UP: i32, const LANE: i32, const N: usize>(
    sums: &mut [[int32x4_t; 4]; N],
    row: *const u8,
    weights: int16x4_t,
) {
    for (i, sums) in sums.iter_mut().enumerate() {
        // SAFETY: the caller's word.
        let [low, high] = widened::<UP>(unsafe { vld1q_u8(row.add(LANES * i)) });
        sums[0] = vmlal_lane_s16::<LANE>(sums[0], vget_low_s16(low), weights);
        sums[1] = vmlal_high_lane_s16::<LANE>(sums[1], low, weights);
        sums[2] = vmlal_lane_s16::<LANE>(sums[2], vget_low_s16(high), weights);
        sums[3] = vmlal_high_lane_s16::<LANE>(sums[3], high, weights);
    }
}
