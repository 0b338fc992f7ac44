//! The sums of two neighbouring outputs of a 3 x 3 window, as one piece of assembly for each stride.

use super::neon_taps::{first, load, second, sums, tap, widen};
use core::arch::{aarch64::*, asm};

/// All taps: the loads of each row, then the right output's columns; the left one's are the first three.
macro_rules! three {
    ([$($row0:tt)*] [$($row1:tt)*] [$($row2:tt)*], $x:literal $y:literal $z:literal) => {
        concat!(
            $($row0)*,
            first!("w0", "d0", $x), second!("w1", "d1", $y), widen!(),
            first!("w2", "d2", $z),
            $($row1)*,
            second!("w3", "d0", $x), widen!(),
            first!("w4", "d1", $y), second!("w5", "d2", $z), widen!(),
            $($row2)*,
            first!("w6", "d0", $x), second!("w7", "d1", $y), widen!(),
            first!("w8", "d2", $z), widen!(),
        )
    };
}

sums! {
    /// The sums of two outputs, 3 x 3 at stride 1.
    sums_3x3_1(weights: 9, rows: 3),
    text [three!(
            [load!("r0", "d1" "c1", "d2" "c2", "d3" "c3")]
            [load!("r1", "d1" "c1", "d2" "c2", "d3" "c3")]
            [load!("r2", "d1" "c1", "d2" "c2", "d3" "c3")],
            "d1" "d2" "d3"
    )],
    columns [c1 1, c2 2, c3 3],
    values [d0, d1, d2, d3],
    operands [
        r0 = in(reg) rows[0], r1 = in(reg) rows[1], r2 = in(reg) rows[2],
        w0 = in(vreg) weights[0], w1 = in(vreg) weights[1], w2 = in(vreg) weights[2],
        w3 = in(vreg) weights[3], w4 = in(vreg) weights[4], w5 = in(vreg) weights[5],
        w6 = in(vreg) weights[6], w7 = in(vreg) weights[7], w8 = in(vreg) weights[8],
    ]
}

sums! {
    /// The sums of two outputs, 3 x 3 at stride 2.
    sums_3x3_2(weights: 9, rows: 3),
    text [three!(
            [load!("r0", "d1" "c1", "d2" "c2", "d3" "c3", "d4" "c4")]
            [load!("r1", "d1" "c1", "d2" "c2", "d3" "c3", "d4" "c4")]
            [load!("r2", "d1" "c1", "d2" "c2", "d3" "c3", "d4" "c4")],
            "d2" "d3" "d4"
    )],
    columns [c1 1, c2 2, c3 3, c4 4],
    values [d0, d1, d2, d3, d4],
    operands [
        r0 = in(reg) rows[0], r1 = in(reg) rows[1], r2 = in(reg) rows[2],
        w0 = in(vreg) weights[0], w1 = in(vreg) weights[1], w2 = in(vreg) weights[2],
        w3 = in(vreg) weights[3], w4 = in(vreg) weights[4], w5 = in(vreg) weights[5],
        w6 = in(vreg) weights[6], w7 = in(vreg) weights[7], w8 = in(vreg) weights[8],
    ]
}
