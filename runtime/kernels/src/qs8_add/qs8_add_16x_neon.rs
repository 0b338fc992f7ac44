//! Sixteen elements at a time, by the specification's operations in its order; a last block looks back.

use super::{AddScales, qs8_add_scalar};
use crate::isa::Neon;
use crate::reals_neon::{Real, bytes16};
use core::arch::aarch64::*;

/// Elements of a block.
const BLOCK: usize = 16;

/// See [`qs8_add`](super::qs8_add), which checked the lengths.
pub fn run(_proof: Neon, scales: &AddScales, a: &[i8], b: &[i8], out: &mut [i8]) {
    if out.len() < BLOCK {
        qs8_add_scalar::run(scales, a, b, out);
    } else {
        // SAFETY: the proof says that the CPU has neon.
        unsafe { run_blocks(scales, a, b, out) }
    }
}

#[target_feature(enable = "neon")]
fn run_blocks(scales: &AddScales, a: &[i8], b: &[i8], out: &mut [i8]) {
    let last = out.len() - BLOCK;
    let a_real = Real::new(scales.a_scale, scales.a_zero_point);
    let b_real = Real::new(scales.b_scale, scales.b_zero_point);
    let divisor = vdupq_n_f32(scales.out_scale);
    let zero_point = vdupq_n_s16(scales.out_zero_point.into());
    let (min, max) = (vdupq_n_s8(scales.min), vdupq_n_s8(scales.max));
    for start in (0..last).step_by(BLOCK).chain([last]) {
        // SAFETY: start is at most sixteen below the length, which all three slices have.
        let (a, b) = unsafe {
            (
                vld1q_s8(a.as_ptr().add(start)),
                vld1q_s8(b.as_ptr().add(start)),
            )
        };
        let (a, b) = (a_real.reals16(a), b_real.reals16(b));
        let steps = core::array::from_fn(|i| vdivq_f32(vaddq_f32(a[i], b[i]), divisor));
        let bytes = vminq_s8(vmaxq_s8(bytes16(steps, zero_point), min), max);
        // SAFETY: as above.
        unsafe { vst1q_s8(out.as_mut_ptr().add(start), bytes) }
    }
}
