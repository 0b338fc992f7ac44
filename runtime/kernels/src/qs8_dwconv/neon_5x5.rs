//! The sums of two neighbouring outputs of a 5 x 5 window, as one piece of assembly for each stride.

use super::neon_taps::{bias, load, sums, tap, widen};
use core::arch::{aarch64::*, asm};

/// Loads the weights of two taps, the first of which stand at this byte, or of the last.
macro_rules! weights {
    (last) => {
        "ldr {w0:q}, [{w}, #384]\n"
    };
    ($at:literal) => {
        concat!("ldp {w0:q}, {w1:q}, [{w}, #", $at, "]\n")
    };
}

/// Five taps of a row that has its first columns, two at stride 1 and three at stride 2. The others are loaded a tap ahead,
/// and the first of the next row. An even row's first tap starts products. `at` is where the weights of the next two taps
/// are loaded, before products are widened.
macro_rules! row {
    ($parity:ident, $r:literal $($next:literal)?, stride 1, $at:tt) => {
        row!(
            $parity, $at, ["d0" "d1" "d2" "d3" "d4"], ["d1" "d2" "d3" "d4" "d5"],
            {load!($r "d2" "c2"),} {} {load!($r "d3" "c3"),} {load!($r "d4" "c4"),}
            {load!($r "d5" "c5"),} {$(load!($next "d0"),)?} {$(load!($next "d1" "c1"),)?}
        )
    };
    ($parity:ident, $r:literal $($next:literal)?, stride 2, $at:tt) => {
        row!(
            $parity, $at, ["d0" "d1" "d2" "d3" "d4"], ["d2" "d3" "d4" "d5" "d6"],
            {load!($r "d3" "c3"),} {load!($r "d4" "c4"),} {load!($r "d5" "c5"),} {load!($r "d6" "c6"),}
            {$(load!($next "d0"),)?} {$(load!($next "d1" "c1"),)?} {$(load!($next "d2" "c2"),)?}
        )
    };
    (
        even, [[$($first:tt)*] [$($second:tt)*]], [$a:literal $b:literal $c:literal $d:literal $e:literal],
        [$v:literal $w:literal $x:literal $y:literal $z:literal],
        $l0:tt $l1:tt $l2:tt $l3:tt $l4:tt $l5:tt $l6:tt
    ) => {
        concat!(
            tap!(starts "w0", $a $l0 $v $l1),
            tap!(adds "w1", $b $l2 $w {}),
            widen!($($first)*),
            tap!(starts "w0", $c $l3 $x {}),
            tap!(adds "w1", $d $l4 $y {}),
            widen!($($second)*),
            tap!(starts "w0", $e $l5 $z $l6),
        )
    };
    (
        odd, [$first:tt $second:tt $third:tt], [$a:literal $b:literal $c:literal $d:literal $e:literal],
        [$v:literal $w:literal $x:literal $y:literal $z:literal],
        $l0:tt $l1:tt $l2:tt $l3:tt $l4:tt $l5:tt $l6:tt
    ) => {
        concat!(
            tap!(adds "w1", $a $l0 $v $l1),
            widen!($first {}),
            tap!(starts "w0", $b $l2 $w {}),
            tap!(adds "w1", $c $l3 $x {}),
            widen!($second {}),
            tap!(starts "w0", $d $l4 $y {}),
            tap!(adds "w1", $e $l5 $z $l6),
            widen!($third {}),
        )
    };
}

/// All rows.
macro_rules! five {
    ($($stride:tt)*) => {
        concat!(
            row!(even, "r0" "r1", $($stride)*, [[first {bias!(1),} {weights!(32),}] [{weights!(64),} {}]]),
            row!(odd, "r1" "r2", $($stride)*, [{weights!(96),} {weights!(128),} {weights!(160),}]),
            row!(even, "r2" "r3", $($stride)*, [[{weights!(192),} {}] [{weights!(224),} {}]]),
            row!(odd, "r3" "r4", $($stride)*, [{weights!(256),} {weights!(288),} {weights!(320),}]),
            row!(even, "r4", $($stride)*, [[{weights!(352),} {}] [{weights!(last),} {}]]),
            widen!({} {}),
        )
    };
}

sums! {
    /// The sums of two outputs, 5 x 5 at stride 1.
    sums_5x5_1(weights: 25, rows: 5),
    text [
        weights!(0), load!("r0" "d0"), load!("r0" "d1" "c1"), bias!(0),
        five!(stride 1)
    ],
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
    text [
        weights!(0), load!("r0" "d0"), load!("r0" "d1" "c1"), load!("r0" "d2" "c2"), bias!(0),
        five!(stride 2)
    ],
    columns [c1 1, c2 2, c3 3, c4 4, c5 5, c6 6],
    values [d0, d1, d2, d3, d4, d5, d6],
    operands [
        r0 = in(reg) rows[0], r1 = in(reg) rows[1], r2 = in(reg) rows[2], r3 = in(reg) rows[3], r4 = in(reg) rows[4],
        w = in(reg) weights.as_ptr(), w0 = out(vreg) _, w1 = out(vreg) _,
    ]
}
