//! The sums of two neighbouring outputs of a 5 x 5 window, as one piece of assembly for each stride.

use super::neon_taps::{first, load, second, sums, tap, widen};
use core::arch::{aarch64::*, asm};

/// Loads the weights of two taps, the first of which stand at this byte.
macro_rules! pair {
    ($at:literal) => {
        concat!("ldp {w0:q}, {w1:q}, [{w}, #", $at, "]\n")
    };
}

/// All taps: the loads of each row, then the right output's columns; the left one's are the first five.
macro_rules! five {
    (
        [$($row0:tt)*] [$($row1:tt)*] [$($row2:tt)*] [$($row3:tt)*] [$($row4:tt)*],
        $v:literal $w:literal $x:literal $y:literal $z:literal
    ) => {
        concat!(
            $($row0)*,
            pair!(0),
            first!("w0", "d0", $v),
            second!("w1", "d1", $w), widen!(),
            pair!(32),
            first!("w0", "d2", $x),
            second!("w1", "d3", $y), widen!(),
            pair!(64),
            first!("w0", "d4", $z),
            $($row1)*,
            second!("w1", "d0", $v), widen!(),
            pair!(96),
            first!("w0", "d1", $w),
            second!("w1", "d2", $x), widen!(),
            pair!(128),
            first!("w0", "d3", $y),
            second!("w1", "d4", $z), widen!(),
            $($row2)*,
            pair!(160),
            first!("w0", "d0", $v),
            second!("w1", "d1", $w), widen!(),
            pair!(192),
            first!("w0", "d2", $x),
            second!("w1", "d3", $y), widen!(),
            pair!(224),
            first!("w0", "d4", $z),
            $($row3)*,
            second!("w1", "d0", $v), widen!(),
            pair!(256),
            first!("w0", "d1", $w),
            second!("w1", "d2", $x), widen!(),
            pair!(288),
            first!("w0", "d3", $y),
            second!("w1", "d4", $z), widen!(),
            $($row4)*,
            pair!(320),
            first!("w0", "d0", $v),
            second!("w1", "d1", $w), widen!(),
            pair!(352),
            first!("w0", "d2", $x),
            second!("w1", "d3", $y), widen!(),
            "ldr {w0:q}, [{w}, #384]\n",
            first!("w0", "d4", $z),
            widen!(),
        )
    };
}

sums! {
    /// The sums of two outputs, 5 x 5 at stride 1.
    sums_5x5_1(weights: 25, rows: 5),
    text [five!(
            [load!("r0", "d1" "c1", "d2" "c2", "d3" "c3", "d4" "c4", "d5" "c5")]
            [load!("r1", "d1" "c1", "d2" "c2", "d3" "c3", "d4" "c4", "d5" "c5")]
            [load!("r2", "d1" "c1", "d2" "c2", "d3" "c3", "d4" "c4", "d5" "c5")]
            [load!("r3", "d1" "c1", "d2" "c2", "d3" "c3", "d4" "c4", "d5" "c5")]
            [load!("r4", "d1" "c1", "d2" "c2", "d3" "c3", "d4" "c4", "d5" "c5")],
            "d1" "d2" "d3" "d4" "d5"
    )],
    columns [c1 1, c2 2, c3 3, c4 4, c5 5],
    values [d0, d1, d2, d3, d4, d5],
    operands [
        r0 = in(reg) rows[0], r1 = in(reg) rows[1], r2 = in(reg) rows[2], r3 = in(reg) rows[3], r4 = in(reg) rows[4],
        w = in(reg) weights.as_ptr(), w0 = out(vreg) _, w1 = out(vreg) _,
    ]
}

sums! {
    /// The sums of two outputs, 5 x 5 at stride 2.
    sums_5x5_2(weights: 25, rows: 5),
    text [five!(
            [load!("r0", "d1" "c1", "d2" "c2", "d3" "c3", "d4" "c4", "d5" "c5", "d6" "c6")]
            [load!("r1", "d1" "c1", "d2" "c2", "d3" "c3", "d4" "c4", "d5" "c5", "d6" "c6")]
            [load!("r2", "d1" "c1", "d2" "c2", "d3" "c3", "d4" "c4", "d5" "c5", "d6" "c6")]
            [load!("r3", "d1" "c1", "d2" "c2", "d3" "c3", "d4" "c4", "d5" "c5", "d6" "c6")]
            [load!("r4", "d1" "c1", "d2" "c2", "d3" "c3", "d4" "c4", "d5" "c5", "d6" "c6")],
            "d2" "d3" "d4" "d5" "d6"
    )],
    columns [c1 1, c2 2, c3 3, c4 4, c5 5, c6 6],
    values [d0, d1, d2, d3, d4, d5, d6],
    operands [
        r0 = in(reg) rows[0], r1 = in(reg) rows[1], r2 = in(reg) rows[2], r3 = in(reg) rows[3], r4 = in(reg) rows[4],
        w = in(reg) weights.as_ptr(), w0 = out(vreg) _, w1 = out(vreg) _,
    ]
}
