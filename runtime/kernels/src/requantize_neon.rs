//! The epilogue on sixteen channels at a time, for every 64-bit ARM kernel.
//!
//! Three ways to the same bits. The plain way converts with SCVTF, rounds with FCVTNS, narrows with saturation, adds the
//! zero point and clamps.
//!
//! The short way needs a proof, made when the weights were packed: where no input can scale a sum beyond +-2^15 and the
//! zero point is even, adding 1.5 x 2^23 + zero point in f32 rounds half to even (ties go to even results, which are
//! even before and after an even zero point) and leaves the result in the low 16 bits, where UZP1 finds it. The last
//! narrowing saturates to -128..=127, so a clamp inside of that needs the plain way. And where no sum reaches 2^22, it
//! starts from the bits of that same float: an integer added to the bits of a float of unit steps is added to the float,
//! and a subtraction converts the sum, which cores do twice as often as SCVTF or more.
//!
//! The positive way is the short one where the zero point is -128: a negative sum becomes -128 whatever it is. Sums start
//! from the bits of 2^23, below which a float's steps are halves: a negative sum counts half, a positive one is exact. The
//! product of 2^23 and a multiplier is a float, so `x * m - 2^23 * m` in one FMLA is the scaled sum, rounded once.

use crate::quantize::ROUNDER;
use crate::requantize::{HUGE_SUM, Requantize};
use alloc::vec::Vec;
use core::arch::aarch64::*;

/// The constants of the ways, in registers; assembly reads them in this order.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Finish {
    /// Of the short ways: what is added to round.
    rounder: float32x4_t,
    zero_point: int16x8_t,
    min: int8x16_t,
    max: int8x16_t,
    /// Of the short ways: what sums start from.
    base: float32x4_t,
}

/// A way from sums to bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Plain,
    Short,
    Positive,
}

/// What sums start from where they go the positive way.
const POSITIVE_BASE: f32 = 8_388_608.0;

impl Way {
    /// The short way where every sum of these channels can take it, else the plain one.
    pub fn of(requantize: &Requantize) -> Way {
        let is_short = requantize.scaled_bound < 32_000.0
            && requantize.sum_bound < HUGE_SUM
            && requantize.zero_point % 2 == 0
            && (requantize.min, requantize.max) == (i8::MIN, i8::MAX);
        if is_short { Way::Short } else { Way::Plain }
    }

    /// The positive way where every sum can take it, else one of the others.
    pub fn with_shifts(requantize: &Requantize) -> Way {
        match Way::of(requantize) {
            Way::Short if requantize.zero_point == i8::MIN => Way::Positive,
            way => way,
        }
    }

    pub fn is_short(self) -> bool {
        self != Way::Plain
    }

    /// The float from whose bits sums start.
    fn base(self, requantize: &Requantize) -> f32 {
        match self {
            Way::Plain => 0.0,
            Way::Short => rounder(requantize),
            Way::Positive => POSITIVE_BASE,
        }
    }

    /// `[channels]`: what sums start from, biases included.
    pub fn starts(self, requantize: &Requantize) -> Vec<i32> {
        let base = self.base(requantize).to_bits() as i32;
        requantize.bias.iter().map(|bias| base + bias).collect()
    }

    /// `[channels]`: what the positive way adds to the products of sums and multipliers.
    pub fn shifts(requantize: &Requantize) -> Vec<f32> {
        let shift = |multiplier: &f32| -POSITIVE_BASE * multiplier;
        requantize.multiplier.iter().map(shift).collect()
    }
}

fn rounder(requantize: &Requantize) -> f32 {
    ROUNDER + f32::from(requantize.zero_point)
}

impl Finish {
    #[inline]
    #[target_feature(enable = "neon")]
    pub fn new(requantize: &Requantize, way: Way) -> Finish {
        Finish {
            rounder: vdupq_n_f32(rounder(requantize)),
            zero_point: vdupq_n_s16(requantize.zero_point.into()),
            min: vdupq_n_s8(requantize.min),
            max: vdupq_n_s8(requantize.max),
            base: vdupq_n_f32(way.base(requantize)),
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
            base: vdupq_n_f32(0.0),
        }
    }

    /// The bytes of sixteen sums. `SHORT` only where they go a short way, which the positive one is.
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
        let low = vmulq_f32(self.real::<SHORT>(sums[0]), multiplier[0]);
        let high = vmulq_f32(self.real::<SHORT>(sums[1]), multiplier[1]);
        if SHORT {
            let low = vreinterpretq_s16_f32(vaddq_f32(low, self.rounder));
            let high = vreinterpretq_s16_f32(vaddq_f32(high, self.rounder));
            vuzp1q_s16(low, high)
        } else {
            let (low, high) = (vcvtnq_s32_f32(low), vcvtnq_s32_f32(high));
            vqaddq_s16(vqmovn_high_s32(vqmovn_s32(low), high), self.zero_point)
        }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn real<const SHORT: bool>(&self, sum: int32x4_t) -> float32x4_t {
        if SHORT {
            vsubq_f32(vreinterpretq_f32_s32(sum), self.base)
        } else {
            vcvtq_f32_s32(sum)
        }
    }
}
