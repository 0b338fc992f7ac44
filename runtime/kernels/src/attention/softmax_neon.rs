//! The softmax of four cells at a time, as assembly: lanes are cells, so nothing is added up across lanes, and a head costs
//! little besides its exponentials.
//!
//! The first pass, with [`exp2`](crate::exp::exp2): v0-v3 are scores, then powers of two, v4-v11 what they need, v16-v20 the
//! constants, v24 the greatest scores, v25 the sums of the powers. The second: v0-v3 are weights, v4-v7 those of all heads,
//! v25 what weights are multiplied by.

use super::vector::Strips;
use crate::exp::{A, B, C, FLOOR};
use crate::quantize::ROUNDER;
use core::arch::{aarch64::*, asm};

/// The constants, four lanes each, in the order of their registers.
static CONSTANTS: [[f32; 4]; 5] = [[FLOOR; 4], [ROUNDER; 4], [A; 4], [B; 4], [C; 4]];

/// What is kept of the weights besides their sums over the heads.
pub mod keep {
    /// Nothing: no values are attended to.
    pub const NOTHING: u8 = 0;
    /// Weights in the place of the scores.
    pub const REALS: u8 = 1;
    /// Weights in half precision.
    pub const HALVES: u8 = 2;
}

/// Turns the scores of `count` tokens, powers of two whose greatest are given, into weights that sum to 1 in each lane, and adds them to
/// the sums where those are wanted. What is kept is one of [`keep`]; places behind `count`, up to a multiple of four, get weights of
/// zero.
///
/// # Safety
///
/// All strips have `count` places, rounded up to a multiple of four; `count` is not zero.
#[inline]
#[target_feature(enable = "neon")]
pub unsafe fn softmax<const KEEP: u8>(count: usize, greatest: float32x4_t, strips: &mut Strips) {
    let weights = strips.weights.as_mut_ptr();
    let halves = strips.halves.as_mut_ptr();
    let fours = count.div_ceil(4);
    // SAFETY: the caller's promise.
    unsafe {
        let sum = powers(count, greatest, weights);
        let share = vdivq_f32(vdupq_n_f32(1.0), sum);
        match (strips.sums.as_mut().map(|sums| sums.as_mut_ptr()), KEEP) {
            (Some(sums), keep::REALS) => scale_add_reals(fours, share, weights, sums, halves),
            (Some(sums), keep::HALVES) => scale_add_halves(fours, share, weights, sums, halves),
            (Some(sums), _) => scale_add(fours, share, weights, sums, halves),
            (None, keep::REALS) => scale_reals(fours, share, weights, weights, halves),
            (None, keep::HALVES) => scale_halves(fours, share, weights, weights, halves),
            (None, _) => {}
        }
    }
}

/// One operation of some lanes, each of which names its registers.
macro_rules! each {
    ($op:literal, $(($to:literal $a:literal $b:literal))*) => {
        concat!($($op, " v", $to, ".4s, v", $a, ".4s, v", $b, ".4s\n",)*)
    };
}

/// Powers of two of scores `x`, with `s` and `t` for what they need.
macro_rules! exp2 {
    ($(($x:literal $s:literal $t:literal))*) => {
        concat!(
            each!("fsub", $(($x $x 24))*),
            each!("fmax", $(($x $x 16))*),
            each!("fadd", $(($s $x 17))*),
            each!("fsub", $(($t $s 17))*),
            each!("fsub", $(($x $x $t))*),
            each!("fadd", $(($t $x 19))*),
            each!("fmul", $(($t $x $t))*),
            each!("fadd", $(($t $t 20))*),
            each!("fadd", $(($x $x 18))*),
            each!("fmul", $(($x $x $t))*),
            each!("fmul", $(($x $x $x))*),
            $("shl v", $s, ".4s, v", $s, ".4s, #23\n",)*
            each!("add", $(($x $x $s))*),
        )
    };
}

/// Turns scores into powers of two, places behind `count` into zeros, and gives the sums of the powers.
///
/// # Safety
///
/// As [`softmax`].
#[inline]
#[target_feature(enable = "neon")]
unsafe fn powers(count: usize, greatest: float32x4_t, weights: *mut [f32; 4]) -> float32x4_t {
    let mut sum = vdupq_n_f32(0.0);
    // SAFETY: `count` places, rounded up to four, are read and written.
    unsafe {
        asm!(
            "ldp q16, q17, [{constants}]",
            "ldp q18, q19, [{constants}, #32]",
            "ldr q20, [{constants}, #64]",
            "subs {count}, {count}, #4",
            "b.lo 3f",
            "2:",
            "ldp q0, q1, [{weights}]",
            "ldp q2, q3, [{weights}, #32]",
            exp2!((0 4 8) (1 5 9) (2 6 10) (3 7 11)),
            "stp q0, q1, [{weights}], #32",
            "stp q2, q3, [{weights}], #32",
            "fadd v25.4s, v25.4s, v0.4s",
            "fadd v25.4s, v25.4s, v1.4s",
            "fadd v25.4s, v25.4s, v2.4s",
            "fadd v25.4s, v25.4s, v3.4s",
            "subs {count}, {count}, #4",
            "b.hs 2b",
            "3:",
            "adds {count}, {count}, #4",
            "b.eq 5f",
            "4:",
            "ldr q0, [{weights}]",
            exp2!((0 4 8)),
            "str q0, [{weights}], #16",
            "fadd v25.4s, v25.4s, v0.4s",
            "subs {count}, {count}, #1",
            "b.ne 4b",
            "5:",
            constants = in(reg) CONSTANTS.as_ptr(),
            count = inout(reg) count => _,
            weights = inout(reg) weights => _,
            in("v24") greatest,
            inout("v25") sum,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _,
            out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            out("v8") _, out("v9") _, out("v10") _, out("v11") _,
            out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _,
            options(nostack),
        );
        for padding in count..count.next_multiple_of(4) {
            *weights.add(padding) = [0.0; 4];
        }
    }
    sum
}

/// Weights of four tokens are stored in half precision, as they are, or not at all.
macro_rules! kept {
    (halves) => {
        concat!(
            "fcvtn v16.4h, v0.4s\nfcvtn2 v16.8h, v1.4s\n",
            "fcvtn v17.4h, v2.4s\nfcvtn2 v17.8h, v3.4s\n",
            "stp q16, q17, [{halves}], #32\nadd {weights}, {weights}, #64\n",
        )
    };
    (reals) => {
        "stp q0, q1, [{weights}], #32\nstp q2, q3, [{weights}], #32\n"
    };
    (nothing) => {
        "add {weights}, {weights}, #64\n"
    };
}

/// They are added to those of other heads, or not.
macro_rules! added {
    (add) => {
        concat!(
            "ldp q4, q5, [{sums}]\nldp q6, q7, [{sums}, #32]\n",
            each!("fadd", (4 4 0) (5 5 1) (6 6 2) (7 7 3)),
            "stp q4, q5, [{sums}], #32\nstp q6, q7, [{sums}], #32\n",
        )
    };
    (leave) => {
        "/* {sums} */"
    };
}

macro_rules! scale {
    ($name:ident, $added:tt, $kept:tt) => {
        /// Multiplies the weights of `fours` times four tokens by `share`.
        ///
        /// # Safety
        ///
        /// As [`softmax`]; pointers that the name does not speak of are not followed.
        #[inline]
        #[target_feature(enable = "neon")]
        unsafe fn $name(
            fours: usize,
            share: float32x4_t,
            weights: *mut [f32; 4],
            sums: *mut [f32; 4],
            halves: *mut [u16; 4],
        ) {
            // SAFETY: four times `fours` places are read and written.
            unsafe {
                asm!(
                    "2:",
                    "ldp q0, q1, [{weights}]",
                    "ldp q2, q3, [{weights}, #32]",
                    each!("fmul", (0 0 25) (1 1 25) (2 2 25) (3 3 25)),
                    kept!($kept),
                    added!($added),
                    "subs {fours}, {fours}, #1",
                    "b.ne 2b",
                    "/* {halves} */",
                    fours = inout(reg) fours => _,
                    weights = inout(reg) weights => _,
                    sums = inout(reg) sums => _,
                    halves = inout(reg) halves => _,
                    in("v25") share,
                    out("v0") _, out("v1") _, out("v2") _, out("v3") _,
                    out("v4") _, out("v5") _, out("v6") _, out("v7") _,
                    out("v16") _, out("v17") _,
                    options(nostack),
                );
            }
        }
    };
}

scale!(scale_add, add, nothing);
scale!(scale_add_reals, add, reals);
scale!(scale_add_halves, add, halves);
scale!(scale_reals, leave, reals);
scale!(scale_halves, leave, halves);
