//! The SDOTs of two neighbouring outputs, as one piece of assembly for each window: a compiler that sees single
//! instructions with tied operands copies half of the registers around.
//!
//! `a` and `b` are the sums of the left and the right output, `w` the weights of `[quad][kx]`, `t` a column of a quad.

use core::arch::{aarch64::*, asm};

/// A column's products with one tap of four registers.
macro_rules! tap4 {
    ($sum:literal, $w0:literal, $w1:literal, $w2:literal, $w3:literal) => {
        concat!(tap2!($sum, $w0, $w1), tap2!($sum "2" "3", $w2, $w3))
    };
}

/// A column's products with one tap of two registers.
macro_rules! tap2 {
    ($sum:literal, $w0:literal, $w1:literal) => { tap2!($sum "0" "1", $w0, $w1) };
    ($sum:literal $r0:literal $r1:literal, $w0:literal, $w1:literal) => {
        concat!(
            "sdot {", $sum, $r0, ":v}.4s, {t", $r0, ":v}.16b, {", $w0, ":v}.16b\n",
            "sdot {", $sum, $r1, ":v}.4s, {t", $r1, ":v}.16b, {", $w1, ":v}.16b\n",
        )
    };
}

/// The sums of two outputs, 3 x 3 at stride 1, 16 channels.
///
/// # Safety
///
/// The CPU has neon and dotprod. `bias` points to as many numbers as there are channels; the columns under both windows,
/// the first of which starts at `at` in a first quad of `quad_len` bytes, can be read.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub unsafe fn sums_3x3_1(
    bias: *const i32,
    weights: &[[[int8x16_t; 4]; 3]; 1],
    at: *const i8,
    quad_len: usize,
) -> [[int32x4_t; 4]; 2] {
    let a0: int32x4_t;
    let a1: int32x4_t;
    let a2: int32x4_t;
    let a3: int32x4_t;
    let b0: int32x4_t;
    let b1: int32x4_t;
    let b2: int32x4_t;
    let b3: int32x4_t;
    let _ = quad_len;
    // SAFETY: the caller's. Nothing is written to memory.
    unsafe {
        asm!(
                "ldp {a0:q}, {a1:q}, [{bias}]",
                "ldp {a2:q}, {a3:q}, [{bias}, #32]",
                "ldp {b0:q}, {b1:q}, [{bias}]",
                "ldp {b2:q}, {b3:q}, [{bias}, #32]",
                "ldp {t0:q}, {t1:q}, [{at}, #0]",
                "ldp {t2:q}, {t3:q}, [{at}, #32]",
                tap4!("a", "w0", "w1", "w2", "w3"),
                "ldp {t0:q}, {t1:q}, [{at}, #64]",
                "ldp {t2:q}, {t3:q}, [{at}, #96]",
                tap4!("a", "w4", "w5", "w6", "w7"),
                tap4!("b", "w0", "w1", "w2", "w3"),
                "ldp {t0:q}, {t1:q}, [{at}, #128]",
                "ldp {t2:q}, {t3:q}, [{at}, #160]",
                tap4!("a", "w8", "w9", "w10", "w11"),
                tap4!("b", "w4", "w5", "w6", "w7"),
                "ldp {t0:q}, {t1:q}, [{at}, #192]",
                "ldp {t2:q}, {t3:q}, [{at}, #224]",
                tap4!("b", "w8", "w9", "w10", "w11"),
            bias = in(reg) bias, at = in(reg) at,
            w0 = in(vreg) weights[0][0][0], w1 = in(vreg) weights[0][0][1], w2 = in(vreg) weights[0][0][2], w3 = in(vreg) weights[0][0][3], w4 = in(vreg) weights[0][1][0], w5 = in(vreg) weights[0][1][1], w6 = in(vreg) weights[0][1][2], w7 = in(vreg) weights[0][1][3], w8 = in(vreg) weights[0][2][0], w9 = in(vreg) weights[0][2][1], w10 = in(vreg) weights[0][2][2], w11 = in(vreg) weights[0][2][3],
            a0 = out(vreg) a0, a1 = out(vreg) a1, a2 = out(vreg) a2, a3 = out(vreg) a3, b0 = out(vreg) b0, b1 = out(vreg) b1, b2 = out(vreg) b2, b3 = out(vreg) b3,
            t0 = out(vreg) _, t1 = out(vreg) _, t2 = out(vreg) _, t3 = out(vreg) _,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    [[a0, a1, a2, a3], [b0, b1, b2, b3]]
}

/// The sums of two outputs, 3 x 3 at stride 2, 16 channels.
///
/// # Safety
///
/// The CPU has neon and dotprod. `bias` points to as many numbers as there are channels; the columns under both windows,
/// the first of which starts at `at` in a first quad of `quad_len` bytes, can be read.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub unsafe fn sums_3x3_2(
    bias: *const i32,
    weights: &[[[int8x16_t; 4]; 3]; 1],
    at: *const i8,
    quad_len: usize,
) -> [[int32x4_t; 4]; 2] {
    let a0: int32x4_t;
    let a1: int32x4_t;
    let a2: int32x4_t;
    let a3: int32x4_t;
    let b0: int32x4_t;
    let b1: int32x4_t;
    let b2: int32x4_t;
    let b3: int32x4_t;
    let _ = quad_len;
    // SAFETY: the caller's. Nothing is written to memory.
    unsafe {
        asm!(
                "ldp {a0:q}, {a1:q}, [{bias}]",
                "ldp {a2:q}, {a3:q}, [{bias}, #32]",
                "ldp {b0:q}, {b1:q}, [{bias}]",
                "ldp {b2:q}, {b3:q}, [{bias}, #32]",
                "ldp {t0:q}, {t1:q}, [{at}, #0]",
                "ldp {t2:q}, {t3:q}, [{at}, #32]",
                tap4!("a", "w0", "w1", "w2", "w3"),
                "ldp {t0:q}, {t1:q}, [{at}, #64]",
                "ldp {t2:q}, {t3:q}, [{at}, #96]",
                tap4!("a", "w4", "w5", "w6", "w7"),
                "ldp {t0:q}, {t1:q}, [{at}, #128]",
                "ldp {t2:q}, {t3:q}, [{at}, #160]",
                tap4!("a", "w8", "w9", "w10", "w11"),
                tap4!("b", "w0", "w1", "w2", "w3"),
                "ldp {t0:q}, {t1:q}, [{at}, #192]",
                "ldp {t2:q}, {t3:q}, [{at}, #224]",
                tap4!("b", "w4", "w5", "w6", "w7"),
                "ldp {t0:q}, {t1:q}, [{at}, #256]",
                "ldp {t2:q}, {t3:q}, [{at}, #288]",
                tap4!("b", "w8", "w9", "w10", "w11"),
            bias = in(reg) bias, at = in(reg) at,
            w0 = in(vreg) weights[0][0][0], w1 = in(vreg) weights[0][0][1], w2 = in(vreg) weights[0][0][2], w3 = in(vreg) weights[0][0][3], w4 = in(vreg) weights[0][1][0], w5 = in(vreg) weights[0][1][1], w6 = in(vreg) weights[0][1][2], w7 = in(vreg) weights[0][1][3], w8 = in(vreg) weights[0][2][0], w9 = in(vreg) weights[0][2][1], w10 = in(vreg) weights[0][2][2], w11 = in(vreg) weights[0][2][3],
            a0 = out(vreg) a0, a1 = out(vreg) a1, a2 = out(vreg) a2, a3 = out(vreg) a3, b0 = out(vreg) b0, b1 = out(vreg) b1, b2 = out(vreg) b2, b3 = out(vreg) b3,
            t0 = out(vreg) _, t1 = out(vreg) _, t2 = out(vreg) _, t3 = out(vreg) _,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    [[a0, a1, a2, a3], [b0, b1, b2, b3]]
}

/// The sums of two outputs, 5 x 5 at stride 1, 8 channels.
///
/// # Safety
///
/// The CPU has neon and dotprod. `bias` points to as many numbers as there are channels; the columns under both windows,
/// the first of which starts at `at` in a first quad of `quad_len` bytes, can be read.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub unsafe fn sums_5x5_1(
    bias: *const i32,
    weights: &[[[int8x16_t; 2]; 5]; 2],
    at: *const i8,
    quad_len: usize,
) -> [[int32x4_t; 2]; 2] {
    let a0: int32x4_t;
    let a1: int32x4_t;
    let b0: int32x4_t;
    let b1: int32x4_t;
    let below = at.wrapping_add(quad_len);
    // SAFETY: the caller's. Nothing is written to memory.
    unsafe {
        asm!(
                "ldp {a0:q}, {a1:q}, [{bias}]",
                "ldp {b0:q}, {b1:q}, [{bias}]",
                "ldp {t0:q}, {t1:q}, [{at}, #0]",
                tap2!("a", "w0", "w1"),
                "ldp {t0:q}, {t1:q}, [{at}, #64]",
                tap2!("a", "w2", "w3"),
                tap2!("b", "w0", "w1"),
                "ldp {t0:q}, {t1:q}, [{at}, #128]",
                tap2!("a", "w4", "w5"),
                tap2!("b", "w2", "w3"),
                "ldp {t0:q}, {t1:q}, [{at}, #192]",
                tap2!("a", "w6", "w7"),
                tap2!("b", "w4", "w5"),
                "ldp {t0:q}, {t1:q}, [{at}, #256]",
                tap2!("a", "w8", "w9"),
                tap2!("b", "w6", "w7"),
                "ldp {t0:q}, {t1:q}, [{at}, #320]",
                tap2!("b", "w8", "w9"),
                "ldp {t0:q}, {t1:q}, [{below}, #0]",
                tap2!("a", "w10", "w11"),
                "ldp {t0:q}, {t1:q}, [{below}, #64]",
                tap2!("a", "w12", "w13"),
                tap2!("b", "w10", "w11"),
                "ldp {t0:q}, {t1:q}, [{below}, #128]",
                tap2!("a", "w14", "w15"),
                tap2!("b", "w12", "w13"),
                "ldp {t0:q}, {t1:q}, [{below}, #192]",
                tap2!("a", "w16", "w17"),
                tap2!("b", "w14", "w15"),
                "ldp {t0:q}, {t1:q}, [{below}, #256]",
                tap2!("a", "w18", "w19"),
                tap2!("b", "w16", "w17"),
                "ldp {t0:q}, {t1:q}, [{below}, #320]",
                tap2!("b", "w18", "w19"),
            bias = in(reg) bias, at = in(reg) at, below = in(reg) below,
            w0 = in(vreg) weights[0][0][0], w1 = in(vreg) weights[0][0][1], w2 = in(vreg) weights[0][1][0], w3 = in(vreg) weights[0][1][1], w4 = in(vreg) weights[0][2][0], w5 = in(vreg) weights[0][2][1], w6 = in(vreg) weights[0][3][0], w7 = in(vreg) weights[0][3][1], w8 = in(vreg) weights[0][4][0], w9 = in(vreg) weights[0][4][1], w10 = in(vreg) weights[1][0][0], w11 = in(vreg) weights[1][0][1], w12 = in(vreg) weights[1][1][0], w13 = in(vreg) weights[1][1][1], w14 = in(vreg) weights[1][2][0], w15 = in(vreg) weights[1][2][1], w16 = in(vreg) weights[1][3][0], w17 = in(vreg) weights[1][3][1], w18 = in(vreg) weights[1][4][0], w19 = in(vreg) weights[1][4][1],
            a0 = out(vreg) a0, a1 = out(vreg) a1, b0 = out(vreg) b0, b1 = out(vreg) b1,
            t0 = out(vreg) _, t1 = out(vreg) _,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    [[a0, a1], [b0, b1]]
}

/// The sums of two outputs, 5 x 5 at stride 2, 8 channels.
///
/// # Safety
///
/// The CPU has neon and dotprod. `bias` points to as many numbers as there are channels; the columns under both windows,
/// the first of which starts at `at` in a first quad of `quad_len` bytes, can be read.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub unsafe fn sums_5x5_2(
    bias: *const i32,
    weights: &[[[int8x16_t; 2]; 5]; 2],
    at: *const i8,
    quad_len: usize,
) -> [[int32x4_t; 2]; 2] {
    let a0: int32x4_t;
    let a1: int32x4_t;
    let b0: int32x4_t;
    let b1: int32x4_t;
    let below = at.wrapping_add(quad_len);
    // SAFETY: the caller's. Nothing is written to memory.
    unsafe {
        asm!(
                "ldp {a0:q}, {a1:q}, [{bias}]",
                "ldp {b0:q}, {b1:q}, [{bias}]",
                "ldp {t0:q}, {t1:q}, [{at}, #0]",
                tap2!("a", "w0", "w1"),
                "ldp {t0:q}, {t1:q}, [{at}, #64]",
                tap2!("a", "w2", "w3"),
                "ldp {t0:q}, {t1:q}, [{at}, #128]",
                tap2!("a", "w4", "w5"),
                tap2!("b", "w0", "w1"),
                "ldp {t0:q}, {t1:q}, [{at}, #192]",
                tap2!("a", "w6", "w7"),
                tap2!("b", "w2", "w3"),
                "ldp {t0:q}, {t1:q}, [{at}, #256]",
                tap2!("a", "w8", "w9"),
                tap2!("b", "w4", "w5"),
                "ldp {t0:q}, {t1:q}, [{at}, #320]",
                tap2!("b", "w6", "w7"),
                "ldp {t0:q}, {t1:q}, [{at}, #384]",
                tap2!("b", "w8", "w9"),
                "ldp {t0:q}, {t1:q}, [{below}, #0]",
                tap2!("a", "w10", "w11"),
                "ldp {t0:q}, {t1:q}, [{below}, #64]",
                tap2!("a", "w12", "w13"),
                "ldp {t0:q}, {t1:q}, [{below}, #128]",
                tap2!("a", "w14", "w15"),
                tap2!("b", "w10", "w11"),
                "ldp {t0:q}, {t1:q}, [{below}, #192]",
                tap2!("a", "w16", "w17"),
                tap2!("b", "w12", "w13"),
                "ldp {t0:q}, {t1:q}, [{below}, #256]",
                tap2!("a", "w18", "w19"),
                tap2!("b", "w14", "w15"),
                "ldp {t0:q}, {t1:q}, [{below}, #320]",
                tap2!("b", "w16", "w17"),
                "ldp {t0:q}, {t1:q}, [{below}, #384]",
                tap2!("b", "w18", "w19"),
            bias = in(reg) bias, at = in(reg) at, below = in(reg) below,
            w0 = in(vreg) weights[0][0][0], w1 = in(vreg) weights[0][0][1], w2 = in(vreg) weights[0][1][0], w3 = in(vreg) weights[0][1][1], w4 = in(vreg) weights[0][2][0], w5 = in(vreg) weights[0][2][1], w6 = in(vreg) weights[0][3][0], w7 = in(vreg) weights[0][3][1], w8 = in(vreg) weights[0][4][0], w9 = in(vreg) weights[0][4][1], w10 = in(vreg) weights[1][0][0], w11 = in(vreg) weights[1][0][1], w12 = in(vreg) weights[1][1][0], w13 = in(vreg) weights[1][1][1], w14 = in(vreg) weights[1][2][0], w15 = in(vreg) weights[1][2][1], w16 = in(vreg) weights[1][3][0], w17 = in(vreg) weights[1][3][1], w18 = in(vreg) weights[1][4][0], w19 = in(vreg) weights[1][4][1],
            a0 = out(vreg) a0, a1 = out(vreg) a1, b0 = out(vreg) b0, b1 = out(vreg) b1,
            t0 = out(vreg) _, t1 = out(vreg) _,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    [[a0, a1], [b0, b1]]
}
