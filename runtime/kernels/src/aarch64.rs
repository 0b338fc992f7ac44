//! What the 64-bit ARM kernels share: loads and stores that cannot leave their array, and SDOT.
//!
//! A load takes an array of its own size, so a kernel that is made of these has no pointer to get wrong.

use core::arch::{
    aarch64::{int8x16_t, int32x4_t, vld1q_s8, vst1q_s32},
    asm,
};

/// The bytes of `from`, at any alignment; two registers, so that one LDP can load them.
#[inline]
#[target_feature(enable = "neon")]
pub fn load_s8x32(from: &[i8; 32]) -> [int8x16_t; 2] {
    // SAFETY: the array's type says that 32 bytes can be read; the instruction asks for no alignment.
    unsafe { [vld1q_s8(from.as_ptr()), vld1q_s8(from.as_ptr().add(16))] }
}

/// Writes the four lanes of `value`.
#[inline]
#[target_feature(enable = "neon")]
pub fn store_s32x4(to: &mut [i32; 4], value: int32x4_t) {
    // SAFETY: the array's type says that four lanes can be written.
    unsafe { vst1q_s32(to.as_mut_ptr(), value) }
}

/// `sum` with the products of four neighbouring bytes of `a` and `b` added to each lane.
/// In assembly, because `vdotq_s32` is not stable.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub fn sdot(mut sum: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: the function's target feature says that the CPU has SDOT; the instruction touches these registers only.
    unsafe {
        asm!(
            "sdot {sum:v}.4s, {a:v}.16b, {b:v}.16b",
            sum = inout(vreg) sum,
            a = in(vreg) a,
            b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}

/// `sum` with the products of each four neighbouring bytes of `a` and the four bytes of lane `LANE` of `b` added.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub fn sdot_lane<const LANE: i32>(mut sum: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: the function's target feature says that the CPU has SDOT; the instruction touches these registers only.
    unsafe {
        asm!(
            "sdot {sum:v}.4s, {a:v}.16b, {b:v}.4b[{lane}]",
            sum = inout(vreg) sum,
            a = in(vreg) a,
            b = in(vreg) b,
            lane = const LANE,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}
