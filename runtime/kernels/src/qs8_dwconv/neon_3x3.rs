//! The sums of two neighbouring outputs of a 3 x 3 window, as one piece of assembly for each stride.

use super::neon_taps::{first, second, tap, widen};
use core::arch::{aarch64::*, asm};

/// The sums of two outputs, 3 x 3 at stride 1.
///
/// # Safety
///
/// The CPU has neon; from each row 4 columns of sixteen bytes can be read, `pitch` bytes apart; no two neighbouring
/// taps leave 16 bits.
#[inline]
#[target_feature(enable = "neon")]
pub unsafe fn sums_3x3_1(
    bias: &[i32; 16],
    weights: &[int8x16_t; 9],
    rows: [*const i8; 3],
    pitch: usize,
) -> [[int32x4_t; 4]; 2] {
    let a0: int32x4_t;
    let a1: int32x4_t;
    let a2: int32x4_t;
    let a3: int32x4_t;
    let b0: int32x4_t;
    let b1: int32x4_t;
    let b2: int32x4_t;
    let b3: int32x4_t;
    // SAFETY: the caller's. Nothing is written to memory.
    unsafe {
        asm!(
            "ldp {a0:q}, {a1:q}, [{bias}]",
            "ldp {a2:q}, {a3:q}, [{bias}, #32]",
            "ldp {b0:q}, {b1:q}, [{bias}]",
            "ldp {b2:q}, {b3:q}, [{bias}, #32]",
            "ldr {d0:q}, [{r0}]",
            "ldr {d1:q}, [{r0}, {c1}]",
            "ldr {d2:q}, [{r0}, {c2}]",
            "ldr {d3:q}, [{r0}, {c3}]",
            first!("w0", "d0", "d1"),
            second!("w1", "d1", "d2"),
            widen!(),
            first!("w2", "d2", "d3"),
            "ldr {d0:q}, [{r1}]",
            "ldr {d1:q}, [{r1}, {c1}]",
            "ldr {d2:q}, [{r1}, {c2}]",
            "ldr {d3:q}, [{r1}, {c3}]",
            second!("w3", "d0", "d1"),
            widen!(),
            first!("w4", "d1", "d2"),
            second!("w5", "d2", "d3"),
            widen!(),
            "ldr {d0:q}, [{r2}]",
            "ldr {d1:q}, [{r2}, {c1}]",
            "ldr {d2:q}, [{r2}, {c2}]",
            "ldr {d3:q}, [{r2}, {c3}]",
            first!("w6", "d0", "d1"),
            second!("w7", "d1", "d2"),
            widen!(),
            first!("w8", "d2", "d3"),
            widen!(),
            bias = in(reg) bias.as_ptr(),
            r0 = in(reg) rows[0], r1 = in(reg) rows[1], r2 = in(reg) rows[2],
            c1 = in(reg) pitch, c2 = in(reg) 2 * pitch, c3 = in(reg) 3 * pitch,
            w0 = in(vreg) weights[0], w1 = in(vreg) weights[1], w2 = in(vreg) weights[2], w3 = in(vreg) weights[3], w4 = in(vreg) weights[4], w5 = in(vreg) weights[5], w6 = in(vreg) weights[6], w7 = in(vreg) weights[7], w8 = in(vreg) weights[8],
            d0 = out(vreg) _, d1 = out(vreg) _, d2 = out(vreg) _, d3 = out(vreg) _,
            al = out(vreg) _, ah = out(vreg) _, bl = out(vreg) _, bh = out(vreg) _,
            a0 = out(vreg) a0, a1 = out(vreg) a1, a2 = out(vreg) a2, a3 = out(vreg) a3, b0 = out(vreg) b0, b1 = out(vreg) b1, b2 = out(vreg) b2, b3 = out(vreg) b3,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    [[a0, a1, a2, a3], [b0, b1, b2, b3]]
}

/// The sums of two outputs, 3 x 3 at stride 2.
///
/// # Safety
///
/// The CPU has neon; from each row 5 columns of sixteen bytes can be read, `pitch` bytes apart; no two neighbouring
/// taps leave 16 bits.
#[inline]
#[target_feature(enable = "neon")]
pub unsafe fn sums_3x3_2(
    bias: &[i32; 16],
    weights: &[int8x16_t; 9],
    rows: [*const i8; 3],
    pitch: usize,
) -> [[int32x4_t; 4]; 2] {
    let a0: int32x4_t;
    let a1: int32x4_t;
    let a2: int32x4_t;
    let a3: int32x4_t;
    let b0: int32x4_t;
    let b1: int32x4_t;
    let b2: int32x4_t;
    let b3: int32x4_t;
    // SAFETY: the caller's. Nothing is written to memory.
    unsafe {
        asm!(
            "ldp {a0:q}, {a1:q}, [{bias}]",
            "ldp {a2:q}, {a3:q}, [{bias}, #32]",
            "ldp {b0:q}, {b1:q}, [{bias}]",
            "ldp {b2:q}, {b3:q}, [{bias}, #32]",
            "ldr {d0:q}, [{r0}]",
            "ldr {d1:q}, [{r0}, {c1}]",
            "ldr {d2:q}, [{r0}, {c2}]",
            "ldr {d3:q}, [{r0}, {c3}]",
            "ldr {d4:q}, [{r0}, {c4}]",
            first!("w0", "d0", "d2"),
            second!("w1", "d1", "d3"),
            widen!(),
            first!("w2", "d2", "d4"),
            "ldr {d0:q}, [{r1}]",
            "ldr {d1:q}, [{r1}, {c1}]",
            "ldr {d2:q}, [{r1}, {c2}]",
            "ldr {d3:q}, [{r1}, {c3}]",
            "ldr {d4:q}, [{r1}, {c4}]",
            second!("w3", "d0", "d2"),
            widen!(),
            first!("w4", "d1", "d3"),
            second!("w5", "d2", "d4"),
            widen!(),
            "ldr {d0:q}, [{r2}]",
            "ldr {d1:q}, [{r2}, {c1}]",
            "ldr {d2:q}, [{r2}, {c2}]",
            "ldr {d3:q}, [{r2}, {c3}]",
            "ldr {d4:q}, [{r2}, {c4}]",
            first!("w6", "d0", "d2"),
            second!("w7", "d1", "d3"),
            widen!(),
            first!("w8", "d2", "d4"),
            widen!(),
            bias = in(reg) bias.as_ptr(),
            r0 = in(reg) rows[0], r1 = in(reg) rows[1], r2 = in(reg) rows[2],
            c1 = in(reg) pitch, c2 = in(reg) 2 * pitch, c3 = in(reg) 3 * pitch, c4 = in(reg) 4 * pitch,
            w0 = in(vreg) weights[0], w1 = in(vreg) weights[1], w2 = in(vreg) weights[2], w3 = in(vreg) weights[3], w4 = in(vreg) weights[4], w5 = in(vreg) weights[5], w6 = in(vreg) weights[6], w7 = in(vreg) weights[7], w8 = in(vreg) weights[8],
            d0 = out(vreg) _, d1 = out(vreg) _, d2 = out(vreg) _, d3 = out(vreg) _, d4 = out(vreg) _,
            al = out(vreg) _, ah = out(vreg) _, bl = out(vreg) _, bh = out(vreg) _,
            a0 = out(vreg) a0, a1 = out(vreg) a1, a2 = out(vreg) a2, a3 = out(vreg) a3, b0 = out(vreg) b0, b1 = out(vreg) b1, b2 = out(vreg) b2, b3 = out(vreg) b3,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    [[a0, a1, a2, a3], [b0, b1, b2, b3]]
}
