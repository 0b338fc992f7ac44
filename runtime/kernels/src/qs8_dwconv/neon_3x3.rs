//! The sums of two neighbouring outputs of a 3 x 3 window, as one piece of assembly for each stride.

use super::neon_taps::{bias, load, sums, tap, widen};
use core::arch::{aarch64::*, asm};

sums! {
    /// The sums of two outputs, 3 x 3 at stride 1.
    sums_3x3_1(weights: 9, rows: 3),
    text [
        load!("r0" "d0"), load!("r0" "d1" "c1"), load!("r0" "d2" "c2"),
        tap!(starts "w0", "d0" {bias!(0),} "d1" {}),
        tap!(adds "w1", "d1" {bias!(1),} "d2" {}),
        widen!(first {load!("r0" "d3" "c3"),} {}),
        tap!(starts "w2", "d2" {load!("r1" "d0"),} "d3" {load!("r1" "d1" "c1"),}),
        tap!(adds "w3", "d0" {load!("r1" "d2" "c2"),} "d1" {}),
        widen!({load!("r1" "d3" "c3"),} {}),
        tap!(starts "w4", "d1" {load!("r2" "d0"),} "d2" {load!("r2" "d1" "c1"),}),
        tap!(adds "w5", "d2" {load!("r2" "d2" "c2"),} "d3" {}),
        widen!({load!("r2" "d3" "c3"),} {}),
        tap!(starts "w6", "d0" {} "d1" {}),
        tap!(adds "w7", "d1" {} "d2" {}),
        widen!({} {}),
        tap!(starts "w8", "d2" {} "d3" {}),
        widen!({} {})
    ],
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
    text [
        load!("r0" "d0"), load!("r0" "d2" "c2"), load!("r0" "d1" "c1"),
        tap!(starts "w0", "d0" {load!("r0" "d3" "c3"),} "d2" {bias!(0),}),
        tap!(adds "w1", "d1" {} "d3" {bias!(1),}),
        widen!(first {} {load!("r0" "d4" "c4"),}),
        tap!(starts "w2", "d2" {load!("r1" "d0"),} "d4" {load!("r1" "d2" "c2"),}),
        tap!(adds "w3", "d0" {load!("r1" "d1" "c1"),} "d2" {load!("r1" "d3" "c3"),}),
        widen!({} {load!("r1" "d4" "c4"),}),
        tap!(starts "w4", "d1" {load!("r2" "d0"),} "d3" {load!("r2" "d1" "c1"),}),
        tap!(adds "w5", "d2" {load!("r2" "d2" "c2"),} "d4" {load!("r2" "d3" "c3"),}),
        widen!({} {load!("r2" "d4" "c4"),}),
        tap!(starts "w6", "d0" {} "d2" {}),
        tap!(adds "w7", "d1" {} "d3" {}),
        widen!({} {}),
        tap!(starts "w8", "d2" {} "d4" {}),
        widen!({} {})
    ],
    columns [c1 1, c2 2, c3 3, c4 4],
    values [d0, d1, d2, d3, d4],
    operands [
        r0 = in(reg) rows[0], r1 = in(reg) rows[1], r2 = in(reg) rows[2],
        w0 = in(vreg) weights[0], w1 = in(vreg) weights[1], w2 = in(vreg) weights[2],
        w3 = in(vreg) weights[3], w4 = in(vreg) weights[4], w5 = in(vreg) weights[5],
        w6 = in(vreg) weights[6], w7 = in(vreg) weights[7], w8 = in(vreg) weights[8],
    ]
}
