//! Sixteen bytes of eight rows at a time; a last block looks back. Rows shorter than that are left to the specification.
//!
//! A block is 128 bytes, and its transposition a rotation of their index by three bits. A zip of the first half of the
//! registers with the second half moves the index's top bit to its bottom; an unzip of neighbouring registers moves it back.

use super::{Lane, ROWS_ACROSS, lay_scalar};
use crate::isa::Neon;
use core::arch::aarch64::*;

/// Bytes of a register.
const LANES: usize = 16;

type Block = [uint8x16_t; ROWS_ACROSS];

/// See [`lay_scalar::beside`].
pub fn beside(_proof: Neon, rows: &[u8], lanes: &mut [Lane]) {
    if lanes.len() < LANES {
        lay_scalar::beside(rows, lanes);
    } else {
        // SAFETY: the proof says that the CPU has neon.
        unsafe { lay_beside(rows, lanes) }
    }
}

/// See [`lay_scalar::apart`].
pub fn apart(_proof: Neon, lanes: &[Lane], out: &mut [u8]) {
    if lanes.len() < LANES {
        lay_scalar::apart(lanes, out);
    } else {
        // SAFETY: the proof says that the CPU has neon.
        unsafe { lay_apart(lanes, out) }
    }
}

#[target_feature(enable = "neon")]
fn lay_beside(rows: &[u8], lanes: &mut [Lane]) {
    let len = lanes.len();
    assert!(len >= LANES && rows.len() == ROWS_ACROSS * len);
    for at in (0..len).step_by(LANES) {
        let at = at.min(len - LANES);
        let mut block = [vdupq_n_u8(0); ROWS_ACROSS];
        for (row, register) in block.iter_mut().enumerate() {
            // SAFETY: the block ends inside of the row, by its start, and there are eight rows.
            *register = unsafe { vld1q_u8(rows.as_ptr().add(row * len + at)) };
        }
        let block = zip(zip(zip(block)));
        let to = lanes[at..][..LANES].as_flattened_mut().as_mut_ptr();
        for (i, register) in block.into_iter().enumerate() {
            // SAFETY: sixteen lanes are eight registers.
            unsafe { vst1q_u8(to.add(LANES * i), register) }
        }
    }
}

#[target_feature(enable = "neon")]
fn lay_apart(lanes: &[Lane], out: &mut [u8]) {
    let len = lanes.len();
    assert!(len >= LANES && out.len() <= ROWS_ACROSS * len);
    let rows = out.len() / len;
    for at in (0..len).step_by(LANES) {
        let at = at.min(len - LANES);
        let from = lanes[at..][..LANES].as_flattened().as_ptr();
        let mut block = [vdupq_n_u8(0); ROWS_ACROSS];
        for (i, register) in block.iter_mut().enumerate() {
            // SAFETY: sixteen lanes are eight registers.
            *register = unsafe { vld1q_u8(from.add(LANES * i)) };
        }
        let block = unzip(unzip(unzip(block)));
        for (row, register) in block.into_iter().take(rows).enumerate() {
            // SAFETY: the block ends inside of the row, by its start, and `out` has this row.
            unsafe { vst1q_u8(out.as_mut_ptr().add(row * len + at), register) }
        }
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn zip([a, b, c, d, e, f, g, h]: Block) -> Block {
    [
        vzip1q_u8(a, e),
        vzip2q_u8(a, e),
        vzip1q_u8(b, f),
        vzip2q_u8(b, f),
        vzip1q_u8(c, g),
        vzip2q_u8(c, g),
        vzip1q_u8(d, h),
        vzip2q_u8(d, h),
    ]
}

#[inline]
#[target_feature(enable = "neon")]
fn unzip([a, b, c, d, e, f, g, h]: Block) -> Block {
    [
        vuzp1q_u8(a, b),
        vuzp1q_u8(c, d),
        vuzp1q_u8(e, f),
        vuzp1q_u8(g, h),
        vuzp2q_u8(a, b),
        vuzp2q_u8(c, d),
        vuzp2q_u8(e, f),
        vuzp2q_u8(g, h),
    ]
}
