//! Between bytes and f32, sixteen at a time, for every 64-bit ARM kernel outside of matrix products.

use crate::quantize::ROUNDER;
use core::arch::aarch64::*;

/// What a byte means: `f32(q - zero_point) * scale`.
#[derive(Clone, Copy)]
pub struct Real {
    scale: float32x4_t,
    base: float32x4_t,
    zero: float32x4_t,
}

impl Real {
    #[inline]
    #[target_feature(enable = "neon")]
    pub fn new(scale: f32, zero_point: i8) -> Real {
        Real {
            scale: vdupq_n_f32(scale),
            base: vdupq_n_f32(ROUNDER),
            zero: vdupq_n_f32(ROUNDER + f32::from(zero_point)),
        }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    pub fn reals16(self, q: int8x16_t) -> [float32x4_t; 4] {
        let (low, high) = (vmovl_s8(vget_low_s8(q)), vmovl_high_s8(q));
        // An integer that is added to the bits of a float of unit steps is added to the float.
        let base = vreinterpretq_s32_f32(self.base);
        [
            vaddw_s16(base, vget_low_s16(low)),
            vaddw_high_s16(base, low),
            vaddw_s16(base, vget_low_s16(high)),
            vaddw_high_s16(base, high),
        ]
        .map(|steps| {
            let steps = vsubq_f32(vreinterpretq_f32_s32(steps), self.zero);
            vmulq_f32(steps, self.scale)
        })
    }
}

/// The bytes of sixteen reals in steps of the output: rounded half to even, the zero point added, saturated; NaN is 0.
#[inline]
#[target_feature(enable = "neon")]
pub fn bytes16(steps: [float32x4_t; 4], zero_point: int16x8_t) -> int8x16_t {
    let [a, b, c, d] = steps.map(|steps| vcvtnq_s32_f32(steps));
    let low = vqaddq_s16(vqmovn_high_s32(vqmovn_s32(a), b), zero_point);
    let high = vqaddq_s16(vqmovn_high_s32(vqmovn_s32(c), d), zero_point);
    vqmovn_high_s16(vqmovn_s16(low), high)
}

/// The same for reals within 32 000 steps of 0: a float of unit steps rounds what is added to it half to even, and has the
/// result in its low 16 bits.
#[inline]
#[target_feature(enable = "neon")]
pub fn bytes16_bounded(steps: [float32x4_t; 4], zero_point: int16x8_t) -> int8x16_t {
    let rounder = vdupq_n_f32(ROUNDER);
    let [a, b, c, d] = steps.map(|steps| vreinterpretq_s16_f32(vaddq_f32(steps, rounder)));
    let low = vaddq_s16(vuzp1q_s16(a, b), zero_point);
    let high = vaddq_s16(vuzp1q_s16(c, d), zero_point);
    vqmovn_high_s16(vqmovn_s16(low), high)
}
