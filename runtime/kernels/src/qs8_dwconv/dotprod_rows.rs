//! A block of channels of one output row with SDOT, as one piece of assembly for each window, stride and way: the weights
//! stay in registers, and outputs are computed two at a time, since neighbours share columns.
//!
//! | registers | 3 x 3, sixteen channels | 5 x 5, eight channels |
//! |---|---|---|
//! | weights, `[quad][kx]` | v0-v11 | v0-v19 |
//! | multipliers | v12-v15 | v20, v21 |
//! | sums of the left output, of the right one | v17-v20, v21-v24 | v23, v24, v25, v26 |
//! | a column of a quad | v25-v28 | v27, v28 |
//! | the epilogue's constants | v16 or v29-v31 | v22 or v29-v31 |

use super::ring::BLOCK;
use crate::finish_text::{narrow, plain, positive, short};
use crate::requantize_neon::{Finish, Way};
use core::arch::asm;

/// What the epilogue of a block of channels needs, as assembly reads it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Params {
    /// What the sums start from.
    pub bias: [i32; BLOCK],
    pub multiplier: [f32; BLOCK],
    /// Of the positive way.
    pub shift: [f32; BLOCK],
}

impl Params {
    pub const NONE: Params = Params {
        bias: [0; BLOCK],
        multiplier: [0.0; BLOCK],
        shift: [0.0; BLOCK],
    };
}

/// Channels of one output row: sixteen, or eight of them.
#[derive(Clone, Copy)]
pub struct Row {
    /// `[quad][kx][channel][4]`
    pub weights: *const i8,
    /// The first of the channels in [`Params`].
    pub params: *const i32,
    pub finish: *const Finish,
    /// The first column of the first quad of input rows, and of the last.
    pub at: *const i8,
    pub below: *const i8,
    pub out: *mut i8,
    /// The distance of two outputs, and how many there are.
    pub channels: usize,
    pub outputs: usize,
}

/// A column's products with one tap.
macro_rules! tap {
    ([$($s:literal)*] [$($t:literal)*] [$($w:literal)*]) => {
        concat!($("sdot v", $s, ".4s, v", $t, ".16b, v", $w, ".16b\n",)*)
    };
}

/// Loads a column that lies `distance` bytes behind the first one, which moved on by `step` when it was loaded.
macro_rules! column {
    ($at:literal, first, $step:literal, [$s:literal $t:literal $($others:literal)*]) => {
        concat!(
            "ldp q", $s, ", q", $t, ", [{", $at, "}], #", $step, "\n",
            column!($at, "32", $step, [$($others)*]),
        )
    };
    ($at:literal, $distance:literal, $step:literal, [$s:literal $t:literal $($others:literal)*]) => {
        concat!(
            "ldp q", $s, ", q", $t, ", [{", $at, "}, #", $distance, "-", $step, "]\n",
            column!($at, $distance "+32", $step, [$($others)*]),
        )
    };
    ($at:literal, $distance:literal $more:literal, $step:literal, [$s:literal $t:literal]) => {
        concat!("ldp q", $s, ", q", $t, ", [{", $at, "}, #", $distance, $more, "-", $step, "]\n")
    };
    ($at:literal, $($distance:literal)*, $step:literal, []) => {
        ""
    };
}

/// The products of one quad of rows: of two outputs whose windows stand one or two columns apart, or of one.
macro_rules! quad {
    (two, 1 apart, $at:literal, $step:literal, $a:tt $b:tt $t:tt, [$v:tt $w:tt $x:tt]) => {
        concat!(
            column!($at, first, $step, $t), tap!($a $t $v),
            column!($at, "64", $step, $t), tap!($a $t $w), tap!($b $t $v),
            column!($at, "128", $step, $t), tap!($a $t $x), tap!($b $t $w),
            column!($at, "192", $step, $t), tap!($b $t $x),
        )
    };
    (two, 2 apart, $at:literal, $step:literal, $a:tt $b:tt $t:tt, [$v:tt $w:tt $x:tt]) => {
        concat!(
            column!($at, first, $step, $t), tap!($a $t $v),
            column!($at, "64", $step, $t), tap!($a $t $w),
            column!($at, "128", $step, $t), tap!($a $t $x), tap!($b $t $v),
            column!($at, "192", $step, $t), tap!($b $t $w),
            column!($at, "256", $step, $t), tap!($b $t $x),
        )
    };
    (one, $at:literal, $a:tt $b:tt $t:tt, [$v:tt $w:tt $x:tt]) => {
        concat!(
            column!($at, first, "0", $t), tap!($a $t $v),
            column!($at, "64", "0", $t), tap!($a $t $w),
            column!($at, "128", "0", $t), tap!($a $t $x),
        )
    };
    (two, 1 apart, $at:literal, $step:literal, $a:tt $b:tt $t:tt, [$v:tt $w:tt $x:tt $y:tt $z:tt]) => {
        concat!(
            column!($at, first, $step, $t), tap!($a $t $v),
            column!($at, "64", $step, $t), tap!($a $t $w), tap!($b $t $v),
            column!($at, "128", $step, $t), tap!($a $t $x), tap!($b $t $w),
            column!($at, "192", $step, $t), tap!($a $t $y), tap!($b $t $x),
            column!($at, "256", $step, $t), tap!($a $t $z), tap!($b $t $y),
            column!($at, "320", $step, $t), tap!($b $t $z),
        )
    };
    (two, 2 apart, $at:literal, $step:literal, $a:tt $b:tt $t:tt, [$v:tt $w:tt $x:tt $y:tt $z:tt]) => {
        concat!(
            column!($at, first, $step, $t), tap!($a $t $v),
            column!($at, "64", $step, $t), tap!($a $t $w),
            column!($at, "128", $step, $t), tap!($a $t $x), tap!($b $t $v),
            column!($at, "192", $step, $t), tap!($a $t $y), tap!($b $t $w),
            column!($at, "256", $step, $t), tap!($a $t $z), tap!($b $t $x),
            column!($at, "320", $step, $t), tap!($b $t $y),
            column!($at, "384", $step, $t), tap!($b $t $z),
        )
    };
    (one, $at:literal, $a:tt $b:tt $t:tt, [$v:tt $w:tt $x:tt $y:tt $z:tt]) => {
        concat!(
            column!($at, first, "0", $t), tap!($a $t $v),
            column!($at, "64", "0", $t), tap!($a $t $w),
            column!($at, "128", "0", $t), tap!($a $t $x),
            column!($at, "192", "0", $t), tap!($a $t $y),
            column!($at, "256", "0", $t), tap!($a $t $z),
        )
    };
}

/// Loads pairs of registers from a pointer on, the first of which is `first` bytes behind it.
macro_rules! load {
    ($from:literal, [$($s:literal $t:literal)*], [$($distance:literal)*]) => {
        concat!($("ldp q", $s, ", q", $t, ", [{", $from, "}, #", $distance, "]\n",)*)
    };
}

/// The loop over a row of 3 x 3 windows, sixteen channels.
macro_rules! row_3x3 {
    ($row:expr, $finish:ident $($shift:ident)?, $apart:tt apart, $step:literal, $constants:tt) => {
        row!(
            $row, $finish [$($shift)?] [], $constants, [17 18 19 20] [21 22 23 24], [12 13 14 15], [25 26],
            load!("w", [0 1 2 3 4 5 6 7 8 9 10 11], [0 32 64 96 128 160]),
            load!("params", [12 13 14 15], [64 96]),
            load!("params", [17 18 19 20], [0 32]),
            load!("params", [21 22 23 24], [0 32]),
            quad!(two, $apart apart, "at", $step, [17 18 19 20] [21 22 23 24] [25 26 27 28],
                [[0 1 2 3] [4 5 6 7] [8 9 10 11]]),
            quad!(one, "at", [17 18 19 20] [21 22 23 24] [25 26 27 28],
                [[0 1 2 3] [4 5 6 7] [8 9 10 11]]),
        )
    };
}

/// The loop over a row of 5 x 5 windows, eight channels.
macro_rules! row_5x5 {
    ($row:expr, $finish:ident $($shift:ident)?, $apart:tt apart, $step:literal, $constants:tt) => {
        row!(
            $row, $finish [$($shift)?] [below], $constants, [23 24] [25 26], [20 21], [27 28],
            load!("w", [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19], [0 32 64 96 128 160 192 224 256 288]),
            load!("params", [20 21], [64]),
            load!("params", [23 24], [0]),
            load!("params", [25 26], [0]),
            concat!(
                quad!(two, $apart apart, "at", $step, [23 24] [25 26] [27 28], [[0 1] [2 3] [4 5] [6 7] [8 9]]),
                quad!(two, $apart apart, "below", $step, [23 24] [25 26] [27 28],
                    [[10 11] [12 13] [14 15] [16 17] [18 19]]),
            ),
            concat!(
                quad!(one, "at", [23 24] [25 26] [27 28], [[0 1] [2 3] [4 5] [6 7] [8 9]]),
                quad!(one, "below", [23 24] [25 26] [27 28], [[10 11] [12 13] [14 15] [16 17] [18 19]]),
            ),
        )
    };
}

/// A loop over pairs of outputs, and one that is left.
macro_rules! row {
    (
        $row:expr, $finish:ident [$($shift:ident)?] [$($below:ident)?], $constants:tt, $a:tt $b:tt, $multipliers:tt, $free:tt,
        $weights:expr, $load_multipliers:expr, $start_a:expr, $start_b:expr, $two:expr, $one:expr,
    ) => {
        asm!(
            $weights,
            $load_multipliers,
            $finish!(load $constants),
            "cbnz {pairs}, 2f",
            "b 3f",
            // No page ends within the loop.
            ".p2align 9",
            "2:",
            $start_a,
            $start_b,
            $two,
            $finish!($a $multipliers $free $constants),
            "subs {pairs}, {pairs}, #1",
            $finish!($b $multipliers $free $constants),
            "b.ne 2b",
            "3:",
            "tbz {outputs}, #0, 4f",
            $start_a,
            $one,
            $finish!($a $multipliers $free $constants),
            "4:",
            w = in(reg) $row.weights,
            params = in(reg) $row.params,
            $($shift = in(reg) $row.params.wrapping_add(2 * BLOCK),)?
            finish = in(reg) $row.finish,
            at = inout(reg) $row.at => _,
            $($below = inout(reg) $row.below => _,)?
            out = inout(reg) $row.out => _,
            out_stride = in(reg) $row.channels,
            outputs = in(reg) $row.outputs,
            pairs = inout(reg) $row.outputs / 2 => _,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _,
            out("v6") _, out("v7") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _,
            out("v12") _, out("v13") _, out("v14") _, out("v15") _, out("v16") _, out("v17") _,
            out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _,
            out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _, out("v29") _,
            out("v30") _, out("v31") _,
            options(nostack),
        )
    };
}

/// Computes a row of windows of `KW` by `KW`, 3 or 5, that stand `STRIDE` columns apart, 1 or 2, in the given way: of
/// sixteen channels, or of eight if they are 5 by 5.
///
/// # Safety
///
/// The CPU has neon and dotprod. The row's weights and numbers are for its window and way; the columns under each output can
/// be read, and each output written.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub unsafe fn run<const KW: usize, const STRIDE: usize>(way: Way, row: &Row) {
    const { assert!((KW == 3 || KW == 5) && (STRIDE == 1 || STRIDE == 2)) }
    macro_rules! ways {
        ($window:ident, $apart:tt apart, $step:literal, $rounder:literal) => {
            match way {
                Way::Plain => $window!(row, plain, $apart apart, $step, [29 30 31]),
                Way::Short => $window!(row, short, $apart apart, $step, [$rounder]),
                Way::Positive => $window!(row, positive shift, $apart apart, $step, [$rounder]),
            }
        };
    }
    // SAFETY: the caller's: what is read was packed, or belongs to the columns; each output has its channels.
    unsafe {
        match (KW, STRIDE) {
            (3, 1) => ways!(row_3x3, 1 apart, "128", 16),
            (3, _) => ways!(row_3x3, 2 apart, "256", 16),
            (_, 1) => ways!(row_5x5, 1 apart, "128", 22),
            (_, _) => ways!(row_5x5, 2 apart, "256", 22),
        }
    }
}

pub(super) use {load, tap};
