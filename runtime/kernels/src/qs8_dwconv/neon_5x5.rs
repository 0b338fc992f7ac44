//! The sums of two neighbouring outputs of a 5 x 5 window, as one piece of assembly for each stride.

use super::neon_taps::{first, second, tap, widen};
use core::arch::{aarch64::*, asm};

/// The sums of two outputs, 5 x 5 at stride 1.
///
/// # Safety
///
/// The CPU has neon; from each row 6 columns of sixteen bytes can be read, `pitch` bytes apart; no two neighbouring
/// taps leave 16 bits.
#[inline]
#[target_feature(enable = "neon")]
pub unsafe fn sums_5x5_1(
    bias: &[i32; 16],
    weights: &[int8x16_t; 25],
    rows: [*const i8; 5],
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
            "ldr {d5:q}, [{r0}, {c5}]",
            "ldp {w0:q}, {w1:q}, [{w}, #0]",
            first!("w0", "d0", "d1"),
            second!("w1", "d1", "d2"),
            widen!(),
            "ldp {w0:q}, {w1:q}, [{w}, #32]",
            first!("w0", "d2", "d3"),
            second!("w1", "d3", "d4"),
            widen!(),
            "ldp {w0:q}, {w1:q}, [{w}, #64]",
            first!("w0", "d4", "d5"),
            "ldr {d0:q}, [{r1}]",
            "ldr {d1:q}, [{r1}, {c1}]",
            "ldr {d2:q}, [{r1}, {c2}]",
            "ldr {d3:q}, [{r1}, {c3}]",
            "ldr {d4:q}, [{r1}, {c4}]",
            "ldr {d5:q}, [{r1}, {c5}]",
            second!("w1", "d0", "d1"),
            widen!(),
            "ldp {w0:q}, {w1:q}, [{w}, #96]",
            first!("w0", "d1", "d2"),
            second!("w1", "d2", "d3"),
            widen!(),
            "ldp {w0:q}, {w1:q}, [{w}, #128]",
            first!("w0", "d3", "d4"),
            second!("w1", "d4", "d5"),
            widen!(),
            "ldr {d0:q}, [{r2}]",
            "ldr {d1:q}, [{r2}, {c1}]",
            "ldr {d2:q}, [{r2}, {c2}]",
            "ldr {d3:q}, [{r2}, {c3}]",
            "ldr {d4:q}, [{r2}, {c4}]",
            "ldr {d5:q}, [{r2}, {c5}]",
            "ldp {w0:q}, {w1:q}, [{w}, #160]",
            first!("w0", "d0", "d1"),
            second!("w1", "d1", "d2"),
            widen!(),
            "ldp {w0:q}, {w1:q}, [{w}, #192]",
            first!("w0", "d2", "d3"),
            second!("w1", "d3", "d4"),
            widen!(),
            "ldp {w0:q}, {w1:q}, [{w}, #224]",
            first!("w0", "d4", "d5"),
            "ldr {d0:q}, [{r3}]",
            "ldr {d1:q}, [{r3}, {c1}]",
            "ldr {d2:q}, [{r3}, {c2}]",
            "ldr {d3:q}, [{r3}, {c3}]",
            "ldr {d4:q}, [{r3}, {c4}]",
            "ldr {d5:q}, [{r3}, {c5}]",
            second!("w1", "d0", "d1"),
            widen!(),
            "ldp {w0:q}, {w1:q}, [{w}, #256]",
            first!("w0", "d1", "d2"),
            second!("w1", "d2", "d3"),
            widen!(),
            "ldp {w0:q}, {w1:q}, [{w}, #288]",
            first!("w0", "d3", "d4"),
            second!("w1", "d4", "d5"),
            widen!(),
            "ldr {d0:q}, [{r4}]",
            "ldr {d1:q}, [{r4}, {c1}]",
            "ldr {d2:q}, [{r4}, {c2}]",
            "ldr {d3:q}, [{r4}, {c3}]",
            "ldr {d4:q}, [{r4}, {c4}]",
            "ldr {d5:q}, [{r4}, {c5}]",
            "ldp {w0:q}, {w1:q}, [{w}, #320]",
            first!("w0", "d0", "d1"),
            second!("w1", "d1", "d2"),
            widen!(),
            "ldp {w0:q}, {w1:q}, [{w}, #352]",
            first!("w0", "d2", "d3"),
            second!("w1", "d3", "d4"),
            widen!(),
            "ldr {w0:q}, [{w}, #384]",
            first!("w0", "d4", "d5"),
            widen!(),
            bias = in(reg) bias.as_ptr(),
            r0 = in(reg) rows[0], r1 = in(reg) rows[1], r2 = in(reg) rows[2], r3 = in(reg) rows[3], r4 = in(reg) rows[4],
            c1 = in(reg) pitch, c2 = in(reg) 2 * pitch, c3 = in(reg) 3 * pitch, c4 = in(reg) 4 * pitch, c5 = in(reg) 5 * pitch,
            w = in(reg) weights.as_ptr(), w0 = out(vreg) _, w1 = out(vreg) _,
            d0 = out(vreg) _, d1 = out(vreg) _, d2 = out(vreg) _, d3 = out(vreg) _, d4 = out(vreg) _, d5 = out(vreg) _,
            al = out(vreg) _, ah = out(vreg) _, bl = out(vreg) _, bh = out(vreg) _,
            a0 = out(vreg) a0, a1 = out(vreg) a1, a2 = out(vreg) a2, a3 = out(vreg) a3, b0 = out(vreg) b0, b1 = out(vreg) b1, b2 = out(vreg) b2, b3 = out(vreg) b3,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    [[a0, a1, a2, a3], [b0, b1, b2, b3]]
}

/// The sums of two outputs, 5 x 5 at stride 2.
///
/// # Safety
///
/// The CPU has neon; from each row 7 columns of sixteen bytes can be read, `pitch` bytes apart; no two neighbouring
/// taps leave 16 bits.
#[inline]
#[target_feature(enable = "neon")]
pub unsafe fn sums_5x5_2(
    bias: &[i32; 16],
    weights: &[int8x16_t; 25],
    rows: [*const i8; 5],
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
            "ldr {d5:q}, [{r0}, {c5}]",
            "ldr {d6:q}, [{r0}, {c6}]",
            "ldp {w0:q}, {w1:q}, [{w}, #0]",
            first!("w0", "d0", "d2"),
            second!("w1", "d1", "d3"),
            widen!(),
            "ldp {w0:q}, {w1:q}, [{w}, #32]",
            first!("w0", "d2", "d4"),
            second!("w1", "d3", "d5"),
            widen!(),
            "ldp {w0:q}, {w1:q}, [{w}, #64]",
            first!("w0", "d4", "d6"),
            "ldr {d0:q}, [{r1}]",
            "ldr {d1:q}, [{r1}, {c1}]",
            "ldr {d2:q}, [{r1}, {c2}]",
            "ldr {d3:q}, [{r1}, {c3}]",
            "ldr {d4:q}, [{r1}, {c4}]",
            "ldr {d5:q}, [{r1}, {c5}]",
            "ldr {d6:q}, [{r1}, {c6}]",
            second!("w1", "d0", "d2"),
            widen!(),
            "ldp {w0:q}, {w1:q}, [{w}, #96]",
            first!("w0", "d1", "d3"),
            second!("w1", "d2", "d4"),
            widen!(),
            "ldp {w0:q}, {w1:q}, [{w}, #128]",
            first!("w0", "d3", "d5"),
            second!("w1", "d4", "d6"),
            widen!(),
            "ldr {d0:q}, [{r2}]",
            "ldr {d1:q}, [{r2}, {c1}]",
            "ldr {d2:q}, [{r2}, {c2}]",
            "ldr {d3:q}, [{r2}, {c3}]",
            "ldr {d4:q}, [{r2}, {c4}]",
            "ldr {d5:q}, [{r2}, {c5}]",
            "ldr {d6:q}, [{r2}, {c6}]",
            "ldp {w0:q}, {w1:q}, [{w}, #160]",
            first!("w0", "d0", "d2"),
            second!("w1", "d1", "d3"),
            widen!(),
            "ldp {w0:q}, {w1:q}, [{w}, #192]",
            first!("w0", "d2", "d4"),
            second!("w1", "d3", "d5"),
            widen!(),
            "ldp {w0:q}, {w1:q}, [{w}, #224]",
            first!("w0", "d4", "d6"),
            "ldr {d0:q}, [{r3}]",
            "ldr {d1:q}, [{r3}, {c1}]",
            "ldr {d2:q}, [{r3}, {c2}]",
            "ldr {d3:q}, [{r3}, {c3}]",
            "ldr {d4:q}, [{r3}, {c4}]",
            "ldr {d5:q}, [{r3}, {c5}]",
            "ldr {d6:q}, [{r3}, {c6}]",
            second!("w1", "d0", "d2"),
            widen!(),
            "ldp {w0:q}, {w1:q}, [{w}, #256]",
            first!("w0", "d1", "d3"),
            second!("w1", "d2", "d4"),
            widen!(),
            "ldp {w0:q}, {w1:q}, [{w}, #288]",
            first!("w0", "d3", "d5"),
            second!("w1", "d4", "d6"),
            widen!(),
            "ldr {d0:q}, [{r4}]",
            "ldr {d1:q}, [{r4}, {c1}]",
            "ldr {d2:q}, [{r4}, {c2}]",
            "ldr {d3:q}, [{r4}, {c3}]",
            "ldr {d4:q}, [{r4}, {c4}]",
            "ldr {d5:q}, [{r4}, {c5}]",
            "ldr {d6:q}, [{r4}, {c6}]",
            "ldp {w0:q}, {w1:q}, [{w}, #320]",
            first!("w0", "d0", "d2"),
            second!("w1", "d1", "d3"),
            widen!(),
            "ldp {w0:q}, {w1:q}, [{w}, #352]",
            first!("w0", "d2", "d4"),
            second!("w1", "d3", "d5"),
            widen!(),
            "ldr {w0:q}, [{w}, #384]",
            first!("w0", "d4", "d6"),
            widen!(),
            bias = in(reg) bias.as_ptr(),
            r0 = in(reg) rows[0], r1 = in(reg) rows[1], r2 = in(reg) rows[2], r3 = in(reg) rows[3], r4 = in(reg) rows[4],
            c1 = in(reg) pitch, c2 = in(reg) 2 * pitch, c3 = in(reg) 3 * pitch, c4 = in(reg) 4 * pitch, c5 = in(reg) 5 * pitch, c6 = in(reg) 6 * pitch,
            w = in(reg) weights.as_ptr(), w0 = out(vreg) _, w1 = out(vreg) _,
            d0 = out(vreg) _, d1 = out(vreg) _, d2 = out(vreg) _, d3 = out(vreg) _, d4 = out(vreg) _, d5 = out(vreg) _, d6 = out(vreg) _,
            al = out(vreg) _, ah = out(vreg) _, bl = out(vreg) _, bh = out(vreg) _,
            a0 = out(vreg) a0, a1 = out(vreg) a1, a2 = out(vreg) a2, a3 = out(vreg) a3, b0 = out(vreg) b0, b1 = out(vreg) b1, b2 = out(vreg) b2, b3 = out(vreg) b3,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    [[a0, a1, a2, a3], [b0, b1, b2, b3]]
}
