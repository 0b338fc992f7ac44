//! Sixteen elements at a time, by the specification's operations in its order; the last block of a row looks back.

use super::{MulScales, qs8_mul_scalar};
use crate::isa::Neon;
use crate::reals_neon::{bytes16, bytes16_bounded};
use core::arch::aarch64::*;

/// Elements of a block.
const BLOCK: usize = 16;

/// See [`qs8_mul`](super::qs8_mul), which checked the lengths; `b` is not empty.
pub fn run(_proof: Neon, scales: &MulScales, a: &[i8], b: &[i8], out: &mut [i8]) {
    /// Of the difference of two bytes.
    const MOST: f32 = 255.0;
    if b.len() < BLOCK {
        return qs8_mul_scalar::run(scales, a, b, out);
    }
    let rows = a.chunks_exact(b.len()).zip(out.chunks_exact_mut(b.len()));
    // Whether every product is one that `bytes16_bounded` takes.
    if MOST * MOST * scales.multiplier < 32_000.0 {
        // SAFETY: the proof says that the CPU has neon.
        rows.for_each(|(a, out)| unsafe { run_row::<true>(scales, a, b, out) });
    } else {
        // SAFETY: as above.
        rows.for_each(|(a, out)| unsafe { run_row::<false>(scales, a, b, out) });
    }
}

/// All three are of one length, a block at least.
#[inline]
#[target_feature(enable = "neon")]
fn run_row<const BOUNDED: bool>(scales: &MulScales, a: &[i8], b: &[i8], out: &mut [i8]) {
    let last = out.len() - BLOCK;
    let a_zero = vdupq_n_s8(scales.a_zero_point);
    let b_zero = vdupq_n_s8(scales.b_zero_point);
    let multiplier = vdupq_n_f32(scales.multiplier);
    let zero_point = vdupq_n_s16(scales.out_zero_point.into());
    let (min, max) = (vdupq_n_s8(scales.min), vdupq_n_s8(scales.max));
    let mut start = 0;
    loop {
        // SAFETY: start is at most sixteen below the length, which all three slices have.
        let (a, b) = unsafe {
            (
                vld1q_s8(a.as_ptr().add(start)),
                vld1q_s8(b.as_ptr().add(start)),
            )
        };
        let ([a0, a1], [b0, b1]) = (distances(a, a_zero), distances(b, b_zero));
        let products = [
            vmull_s16(vget_low_s16(a0), vget_low_s16(b0)),
            vmull_high_s16(a0, b0),
            vmull_s16(vget_low_s16(a1), vget_low_s16(b1)),
            vmull_high_s16(a1, b1),
        ];
        let steps = products.map(|product| vmulq_f32(vcvtq_f32_s32(product), multiplier));
        let bytes = if BOUNDED {
            bytes16_bounded(steps, zero_point)
        } else {
            bytes16(steps, zero_point)
        };
        let bytes = vminq_s8(vmaxq_s8(bytes, min), max);
        // SAFETY: as above.
        unsafe { vst1q_s8(out.as_mut_ptr().add(start), bytes) }
        if start == last {
            return;
        }
        start = last.min(start + BLOCK);
    }
}

/// How far bytes are from their zero point.
#[inline]
#[target_feature(enable = "neon")]
fn distances(bytes: int8x16_t, zero: int8x16_t) -> [int16x8_t; 2] {
    [
        vsubl_s8(vget_low_s8(bytes), vget_low_s8(zero)),
        vsubl_high_s8(bytes, zero),
    ]
}
