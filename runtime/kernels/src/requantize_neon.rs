//! The epilogue on sixteen channels at a time, for every 64-bit ARM kernel.
//!
//! Two ways to the same bits. The plain way rounds with FCVTNS, narrows with saturation, adds the zero point and clamps.
//! The short way needs a proof, made when the weights were packed: where no input can scale a sum beyond +-2^15 and the
//! zero point is even, adding 1.5 x 2^23 + zero point in f32 rounds half to even (ties go to even results, which are
//! even before and after an even zero point) and leaves the result in the low 16 bits, where UZP1 finds it. The last
//! narrowing saturates to -128..=127, so a clamp inside of that needs the plain way.

use crate::{quantize::ROUNDER, requantize::Requantize};
use core::arch::aarch64::*;

/// The constant of a short way, the zero point and clamp of a plain one, in registers; assembly reads them in this order.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Finish {
    rounder: float32x4_t,
    zero_point: int16x8_t,
    min: int8x16_t,
    max: int8x16_t,
}

/// Whether every sum of these channels can take the short way.
pub fn is_short(requantize: &Requantize) -> bool {
    requantize.scaled_bound < 32_000.0
        && requantize.zero_point % 2 == 0
        && (requantize.min, requantize.max) == (i8::MIN, i8::MAX)
}

impl Finish {
    #[inline]
    #[target_feature(enable = "neon")]
    pub fn new(requantize: &Requantize) -> Finish {
        Finish {
            rounder: vdupq_n_f32(ROUNDER + f32::from(requantize.zero_point)),
            zero_point: vdupq_n_s16(requantize.zero_point.into()),
            min: vdupq_n_s8(requantize.min),
            max: vdupq_n_s8(requantize.max),
        }
    }

    /// For outputs that are no bytes.
    #[inline]
    #[target_feature(enable = "neon")]
    pub fn unused() -> Finish {
        Finish {
            rounder: vdupq_n_f32(0.0),
            zero_point: vdupq_n_s16(0),
            min: vdupq_n_s8(0),
            max: vdupq_n_s8(0),
        }
    }

    /// The bytes of sixteen sums, bias included. `SHORT` only where [`is_short`] says so.
    #[inline]
    #[target_feature(enable = "neon")]
    pub fn bytes16<const SHORT: bool>(
        &self,
        sums: [int32x4_t; 4],
        multiplier: [float32x4_t; 4],
    ) -> int8x16_t {
        let low = self.halves::<SHORT>([sums[0], sums[1]], [multiplier[0], multiplier[1]]);
        let high = self.halves::<SHORT>([sums[2], sums[3]], [multiplier[2], multiplier[3]]);
        let bytes = vqmovn_high_s16(vqmovn_s16(low), high);
        if SHORT {
            bytes
        } else {
            vminq_s8(vmaxq_s8(bytes, self.min), self.max)
        }
    }

    /// The bytes of eight sums, as [`bytes16`](Self::bytes16).
    #[inline]
    #[target_feature(enable = "neon")]
    pub fn bytes8<const SHORT: bool>(
        &self,
        sums: [int32x4_t; 2],
        multiplier: [float32x4_t; 2],
    ) -> int8x8_t {
        let bytes = vqmovn_s16(self.halves::<SHORT>(sums, multiplier));
        if SHORT {
            bytes
        } else {
            let (min, max) = (vget_low_s8(self.min), vget_low_s8(self.max));
            vmin_s8(vmax_s8(bytes, min), max)
        }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn halves<const SHORT: bool>(
        &self,
        sums: [int32x4_t; 2],
        multiplier: [float32x4_t; 2],
    ) -> int16x8_t {
        let low = vmulq_f32(vcvtq_f32_s32(sums[0]), multiplier[0]);
        let high = vmulq_f32(vcvtq_f32_s32(sums[1]), multiplier[1]);
        if SHORT {
            let low = vreinterpretq_s16_f32(vaddq_f32(low, self.rounder));
            let high = vreinterpretq_s16_f32(vaddq_f32(high, self.rounder));
            vuzp1q_s16(low, high)
        } else {
            let (low, high) = (vcvtnq_s32_f32(low), vcvtnq_s32_f32(high));
            vqaddq_s16(vqmovn_high_s32(vqmovn_s32(low), high), self.zero_point)
        }
    }
}
