//! Between bytes and f32, sixteen at a time, for every 64-bit ARM kernel outside of matrix products.

use core::arch::aarch64::*;

/// What a byte means: `f32(q - zero_point) * scale`.
#[derive(Clone, Copy)]
pub struct Real {
    scale: float32x4_t,
    zero_point: int8x16_t,
}

impl Real {
    #[inline]
    #[target_feature(enable = "neon")]
    pub fn new(scale: f32, zero_point: i8) -> Real {
        Real {
            scale: vdupq_n_f32(scale),
            zero_point: vdupq_n_s8(zero_point),
        }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    pub fn reals16(self, q: int8x16_t) -> [float32x4_t; 4] {
        let low = vsubl_s8(vget_low_s8(q), vget_low_s8(self.zero_point));
        let high = vsubl_high_s8(q, self.zero_point);
        [
            vmovl_s16(vget_low_s16(low)),
            vmovl_high_s16(low),
            vmovl_s16(vget_low_s16(high)),
            vmovl_high_s16(high),
        ]
        .map(|steps| vmulq_f32(vcvtq_f32_s32(steps), self.scale))
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
