//! Sixteen elements at a time, by the specification's operations in its order; a last block looks back.

use super::{AddScales, qs8_add_scalar};
use crate::isa::Neon;
use crate::reals_neon::{Real, bytes16, bytes16_bounded};
use core::arch::aarch64::*;

/// Elements of a block.
const BLOCK: usize = 16;

/// See [`qs8_add`](super::qs8_add), which checked the lengths.
pub fn run(_proof: Neon, scales: &AddScales, a: &[i8], b: &[i8], out: &mut [i8]) {
    if out.len() < BLOCK {
        return qs8_add_scalar::run(scales, a, b, out);
    }
    // SAFETY: the proof says that the CPU has neon; what is not fused divides, what is not bounded is not taken for it.
    unsafe {
        match (scales.out_scale.is_fused(), is_bounded(scales)) {
            (true, true) => run_blocks::<true, true>(scales, a, b, out),
            (true, false) => run_blocks::<true, false>(scales, a, b, out),
            (false, _) => run_blocks::<false, false>(scales, a, b, out),
        }
    }
}

/// Whether every sum is one that [`bytes16_bounded`] takes.
fn is_bounded(scales: &AddScales) -> bool {
    255.0 * (scales.a_scale + scales.b_scale) / scales.out_scale.value() < 32_000.0
}

#[target_feature(enable = "neon")]
fn run_blocks<const FUSED: bool, const BOUNDED: bool>(
    scales: &AddScales,
    a: &[i8],
    b: &[i8],
    out: &mut [i8],
) {
    let last = out.len() - BLOCK;
    let a_real = Real::new(scales.a_scale, scales.a_zero_point);
    let b_real = Real::new(scales.b_scale, scales.b_zero_point);
    let division = scales.out_scale.division::<FUSED>();
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
        let (a, b) = (a_real.reals16(a), b_real.reals16(b));
        let steps = core::array::from_fn(|i| division.of(vaddq_f32(a[i], b[i])));
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
