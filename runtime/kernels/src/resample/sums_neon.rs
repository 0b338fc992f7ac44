//! What the two passes share: bytes as factors of 16 bits, and sums of 32 bits as bytes.
//!
//! Weights have fourteen fractional bits or more. Where they have fewer than sixteen, bytes are widened with a shift that
//! makes up for it, at no cost; then a sum's integer part is its upper half, and one instruction rounds and narrows.

use core::arch::aarch64::*;

/// How sums become bytes.
#[derive(Clone, Copy)]
pub struct Rounding {
    half: int32x4_t,
    /// Minus the fractional bits in the upper half of a sum.
    rest: int16x8_t,
}

impl Rounding {
    /// For weights of this precision.
    #[inline]
    #[target_feature(enable = "neon")]
    pub fn of(precision: u32) -> Rounding {
        let bits = precision.max(16);
        Rounding {
            half: vdupq_n_s32(1 << (bits - 1)),
            rest: vdupq_n_s16(16 - bits as i16),
        }
    }

    /// Eight sums, rounded and clamped to 0..=255. `REST` says whether weights have more than sixteen fractional bits.
    #[inline]
    #[target_feature(enable = "neon")]
    pub fn bytes<const REST: bool>(self, low: int32x4_t, high: int32x4_t) -> uint8x8_t {
        let upper = vaddhn_high_s32(vaddhn_s32(low, self.half), high, self.half);
        vqmovun_s16(if REST {
            vshlq_s16(upper, self.rest)
        } else {
            upper
        })
    }
}

/// Sixteen bytes, each times `2^UP`, which is 1, 2 or 4.
#[inline]
#[target_feature(enable = "neon")]
pub fn widened<const UP: i32>(bytes: uint8x16_t) -> [int16x8_t; 2] {
    [
        vreinterpretq_s16_u16(vshll_n_u8::<UP>(vget_low_u8(bytes))),
        vreinterpretq_s16_u16(vshll_high_n_u8::<UP>(bytes)),
    ]
}

/// Two weights, in the first two lanes. As lanes of one load they are operands of multiplications; one weight that is in
/// every lane is not, to compilers.
#[inline]
#[target_feature(enable = "neon")]
pub fn pair(weights: &[i16; 2]) -> int16x4_t {
    // SAFETY: the array's type says that two weights of two bytes can be read; the instruction asks for no alignment.
    vreinterpret_s16_u32(unsafe { vld1_dup_u32(weights.as_ptr().cast()) })
}
