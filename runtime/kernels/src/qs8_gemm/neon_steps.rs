//! The pieces of the armv8.0 loops, as assembly text over numbered registers.
//!
//! v0-v11: sums of four columns by up to three rows; v12-v23: their products in 16 bits; v24-v29: bytes of the rows; v30,
//! v31: weights of two columns. Pointers have names: `{w}` weights, `{params}` the panel's
//! [`Params`](super::qs8_gemm_3x4_neon::Params), `{moves}` its [`Move`](super::runs::Move)s.
//!
//! An in-order core waits for a load that is used at once. So a run begins by widening the products of the run before,
//! while its own bytes arrive, and weights are loaded a column or two ahead: into registers of rows that are done with,
//! and of products that have not started.

/// The rows times one column: low halves, then high halves. Products start with what is multiplied, or go on.
macro_rules! times {
    (starts, $a:tt, $w:literal, $p:tt) => {
        concat!(
            times!("smull", ".8b", $a, $w, $p),
            times!("smlal2", ".16b", $a, $w, $p),
        )
    };
    (goes_on, $a:tt, $w:literal, $p:tt) => {
        concat!(
            times!("smlal", ".8b", $a, $w, $p),
            times!("smlal2", ".16b", $a, $w, $p),
        )
    };
    ($op:literal, $bytes:literal, [$($a:literal)*], $w:literal, [$($p:literal)*]) => {
        concat!($($op, " v", $p, ".8h, v", $a, $bytes, ", v", $w, $bytes, "\n",)*)
    };
}

/// Adds the products of the run before to the sums: a quarter of them, or none `ahead` of the first load.
macro_rules! widen {
    (3 rows, ahead) => {
        ""
    };
    (3 rows, 0) => {
        widen!([0 1 2], [12 13 14])
    };
    (3 rows, 1) => {
        widen!([3 4 5], [15 16 17])
    };
    (3 rows, 2) => {
        widen!([6 7 8], [18 19 20])
    };
    (3 rows, 3) => {
        widen!([9 10 11], [21 22 23])
    };
    (1 row, ahead) => {
        ""
    };
    (1 row, 0) => {
        widen!([0], [12])
    };
    (1 row, 1) => {
        widen!([3], [15])
    };
    (1 row, 2) => {
        widen!([6], [18])
    };
    (1 row, 3) => {
        widen!([9], [21])
    };
    ([$($s:literal)*], [$($p:literal)*]) => {
        concat!($("sadalp v", $s, ".4s, v", $p, ".8h\n",)*)
    };
}

/// What a panel's first run has in place of [`widen`]: each sum starts with its column's bias in one lane.
macro_rules! start {
    ($n:tt $rows:tt, ahead) => {
        concat!(
            "ldp s0, s3, [{params}], #8\n",
            "ldp s6, s9, [{params}], #8\n",
        )
    };
    (3 rows, 0) => {
        start!([1 2 4], [0 0 3])
    };
    (3 rows, 1) => {
        start!([5 7 8], [3 6 6])
    };
    (3 rows, 2) => {
        start!([10 11], [9 9])
    };
    ($n:tt $rows:tt, $part:literal) => {
        ""
    };
    ([$($to:literal)*], [$($from:literal)*]) => {
        concat!($("mov v", $to, ".16b, v", $from, ".16b\n",)*)
    };
}

/// Begins a run with two steps, 32 bytes of each row; `before` is what fills the time until they are there.
macro_rules! two_steps {
    (3 rows, $before:ident) => {
        concat!(
            $before!(3 rows, ahead),
            "ldp q30, q31, [{w}], #32\n",
            $before!(3 rows, 0),
            "ldp q24, q25, [{r0}], #32\n",
            $before!(3 rows, 1),
            "ldp q26, q27, [{r1}], #32\n",
            $before!(3 rows, 2),
            "ldp q28, q29, [{r2}], #32\n",
            $before!(3 rows, 3),
            times!(starts, [24 26 28], 30, [12 13 14]),
            "ldp q23, q30, [{w}], #32\n",
            times!(starts, [24 26 28], 31, [15 16 17]),
            times!(starts, [24 26 28], 23, [18 19 20]),
            times!(starts, [24], 30, [21]),
            "ldp q24, q31, [{w}], #32\n",
            times!(starts, [26 28], 30, [22 23]),
            times!(goes_on, [25 27 29], 24, [12 13 14]),
            "ldp q26, q28, [{w}], #32\n",
            times!(goes_on, [25 27 29], 31, [15 16 17]),
            "ldrb {move:w}, [{moves}], #1\n",
            times!(goes_on, [25 27 29], 26, [18 19 20]),
            times!(goes_on, [25 27 29], 28, [21 22 23]),
        )
    };
    (1 row, $before:ident) => {
        concat!(
            $before!(1 row, ahead),
            "ldp q30, q31, [{w}], #32\n",
            $before!(1 row, 0),
            $before!(1 row, 1),
            "ldp q24, q25, [{r0}], #32\n",
            $before!(1 row, 2),
            $before!(1 row, 3),
            "ldp q22, q23, [{w}], #32\n",
            times!(starts, [24], 30, [12]),
            times!(starts, [24], 31, [15]),
            "ldp q26, q27, [{w}], #32\n",
            times!(starts, [24], 22, [18]),
            times!(starts, [24], 23, [21]),
            "ldp q28, q29, [{w}], #32\n",
            times!(goes_on, [25], 26, [12]),
            times!(goes_on, [25], 27, [15]),
            "ldrb {move:w}, [{moves}], #1\n",
            times!(goes_on, [25], 28, [18]),
            times!(goes_on, [25], 29, [21]),
        )
    };
}

/// Begins a run with one step, sixteen bytes of each row, which are `at` the row.
macro_rules! one_step {
    ($n:tt $rows:tt, $before:ident) => {
        one_step!($n $rows, $before, "], #16\n")
    };
    (3 rows, $before:ident, $at:literal) => {
        concat!(
            $before!(3 rows, ahead),
            "ldp q30, q31, [{w}], #32\n",
            $before!(3 rows, 0),
            "ldr q24, [{r0}", $at,
            $before!(3 rows, 1),
            "ldr q26, [{r1}", $at,
            $before!(3 rows, 2),
            "ldr q28, [{r2}", $at,
            $before!(3 rows, 3),
            "ldp q25, q27, [{w}], #32\n",
            times!(starts, [24 26 28], 30, [12 13 14]),
            "ldrb {move:w}, [{moves}], #1\n",
            times!(starts, [24 26 28], 31, [15 16 17]),
            times!(starts, [24 26 28], 25, [18 19 20]),
            times!(starts, [24 26 28], 27, [21 22 23]),
        )
    };
    (1 row, $before:ident, $at:literal) => {
        concat!(
            $before!(1 row, ahead),
            "ldp q30, q31, [{w}], #32\n",
            $before!(1 row, 0),
            $before!(1 row, 1),
            "ldr q24, [{r0}", $at,
            $before!(1 row, 2),
            $before!(1 row, 3),
            "ldp q22, q23, [{w}], #32\n",
            times!(starts, [24], 30, [12]),
            times!(starts, [24], 31, [15]),
            "ldrb {move:w}, [{moves}], #1\n",
            times!(starts, [24], 22, [18]),
            times!(starts, [24], 23, [21]),
        )
    };
}

/// Goes on with a run by one step.
macro_rules! one_step_more {
    (3 rows) => {
        concat!(
            "ldp q30, q31, [{w}], #32\n",
            "ldr q24, [{r0}], #16\n",
            "ldr q26, [{r1}], #16\n",
            "ldr q28, [{r2}], #16\n",
            times!(goes_on, [24], 30, [12]),
            "ldp q25, q27, [{w}], #32\n",
            times!(goes_on, [26 28], 30, [13 14]),
            times!(goes_on, [24 26 28], 31, [15 16 17]),
            "ldrb {move:w}, [{moves}], #1\n",
            times!(goes_on, [24 26 28], 25, [18 19 20]),
            times!(goes_on, [24 26 28], 27, [21 22 23]),
        )
    };
    (1 row) => {
        concat!(
            "ldp q30, q31, [{w}], #32\n",
            "ldr q24, [{r0}], #16\n",
            "ldp q22, q23, [{w}], #32\n",
            times!(goes_on, [24], 30, [12]),
            times!(goes_on, [24], 31, [15]),
            "ldrb {move:w}, [{moves}], #1\n",
            times!(goes_on, [24], 22, [18]),
            times!(goes_on, [24], 23, [21]),
        )
    };
}

/// Eight bytes behind the last step, a run of their own.
macro_rules! half_step {
    (3 rows) => {
        half_step!(
            "ldr d24, [{r0}, {back}]\nldr d26, [{r1}, {back}]\nldr d28, [{r2}, {back}]\n",
            3 rows, [24 26 28], [12 13 14], [15 16 17], [18 19 20], [21 22 23]
        )
    };
    (1 row) => {
        half_step!("ldr d24, [{r0}, {back}]\n", 1 row, [24], [12], [15], [18], [21])
    };
    ($load:literal, $n:tt $rows:tt, $a:tt, $first:tt, $second:tt, $third:tt, $fourth:tt) => {
        concat!(
            "ldp q30, q31, [{w}], #32\n",
            widen!($n $rows, 0),
            widen!($n $rows, 1),
            $load,
            widen!($n $rows, 2),
            widen!($n $rows, 3),
            "ldp q25, q27, [{w}], #32\n",
            "ldrb {move:w}, [{moves}], #1\n",
            times!("smull", ".8b", $a, 30, $first),
            times!("smull", ".8b", $a, 31, $second),
            times!("smull", ".8b", $a, 25, $third),
            times!("smull", ".8b", $a, 27, $fourth),
        )
    };
}

/// All moves of a panel, to where the last products are to be widened: label 20. `{move}` is the next one.
macro_rules! panel {
    ($n:tt $rows:tt) => {
        concat!(
            "ldrb {move:w}, [{moves}], #1\n",
            "tbz {move:w}, #0, 10f\n",
            two_steps!($n $rows, start),
            next_move!("11f", "12f", "13f", "14f", "20f"),
            "b 15f\n",
            "10:\n",
            one_step!($n $rows, start),
            next_move!("11f", "12f", "13f", "14f", "20f"),
            "b 15f\n",
            // Nearly all runs are one of the next two: no page ends within them.
            ".p2align 9\n",
            "11:\n",
            two_steps!($n $rows, widen),
            next_move!("11b", "12f", "13f", "14f", "20f"),
            "b 15f\n",
            "12:\n",
            one_step!($n $rows, widen),
            next_move!("11b", "12b", "13f", "14f", "20f"),
            "b 15f\n",
            "13:\n",
            one_step_more!($n $rows),
            next_move!("11b", "12b", "13b", "14f", "20f"),
            "b 15f\n",
            "14:\n",
            half_step!($n $rows),
            "b 20f\n",
            "15:\n",
            one_step!($n $rows, widen, ", {back}]\n"),
        )
    };
}

/// Goes to where the next move is, by its bits; falls through where it is none of them.
macro_rules! next_move {
    ($two:literal, $one:literal, $more:literal, $half:literal, $end:literal) => {
        concat!(
            next_move!("tbnz {move:w}, #0," $two),
            next_move!("tbnz {move:w}, #1," $one),
            next_move!("cbz {move:w}," $end),
            next_move!("tbnz {move:w}, #2," $more),
            next_move!("tbnz {move:w}, #3," $half),
        )
    };
    ($test:literal $to:literal) => {
        concat!($test, " ", $to, "\n")
    };
}

pub(super) use {
    half_step, next_move, one_step, one_step_more, panel, start, times, two_steps, widen,
};
