//! [`exp2`](crate::exp::exp2) of four lanes, with the same bits.

use crate::exp::{A, B, C, FLOOR};
use crate::quantize::ROUNDER;
use core::arch::aarch64::*;

#[inline]
#[target_feature(enable = "neon")]
pub fn exp2(x: float32x4_t) -> float32x4_t {
    let rounder = vdupq_n_f32(ROUNDER);
    let x = vmaxnmq_f32(x, vdupq_n_f32(FLOOR));
    let shifted = vaddq_f32(x, rounder);
    let r = vsubq_f32(x, vsubq_f32(shifted, rounder));
    let quadratic = vaddq_f32(vmulq_f32(r, vaddq_f32(r, vdupq_n_f32(B))), vdupq_n_f32(C));
    let root = vmulq_f32(vaddq_f32(r, vdupq_n_f32(A)), quadratic);
    let exponent = vshlq_n_s32::<23>(vreinterpretq_s32_f32(shifted));
    let power = vreinterpretq_s32_f32(vmulq_f32(root, root));
    vreinterpretq_f32_s32(vaddq_s32(power, exponent))
}
