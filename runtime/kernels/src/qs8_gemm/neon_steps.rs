//! The pieces of the armv8.0 loops, as assembly text over numbered registers.
//!
//! v0-v11: sums of four columns by up to three rows; v12-v23: their products in 16 bits; v24-v29: bytes of the rows; v30,
//! v31: weights of two columns. Behind the last step of a panel, v12, v14 and v16 are a row's four sums each, and v18-v20,
//! v30 and v31 the epilogue's numbers; rows stay where they are. Pointers have names: `{w}` weights, `{params}` the panel's [`Params`](super::qs8_gemm_3x4_neon::Params),
//! `{finish}` the [`Finish`](crate::requantize_neon::Finish), `{o0}`, `{o1}`, `{o2}` the output's rows.

/// One instruction on a register of products, one of a row and one of weights.
macro_rules! product {
    ($op:literal $p:literal $a:literal $w:literal $bytes:literal) => {
        concat!($op, " v", $p, ".8h, v", $a, $bytes, ", v", $w, $bytes, "\n")
    };
}

/// Two columns, whose weights are loaded, times the rows: low halves, then high halves.
macro_rules! columns {
    ($low:literal $high:literal, [$($a:literal)*], [$($p:literal)*], [$($q:literal)*]) => {
        concat!(
            "ldp q30, q31, [{w}], #32\n",
            $(product!($low $p $a 30 ".8b"),)*
            $(product!($low $q $a 31 ".8b"),)*
            $(product!($high $p $a 30 ".16b"),)*
            $(product!($high $q $a 31 ".16b"),)*
        )
    };
}

/// The same of the low halves only.
macro_rules! half_columns {
    ($low:literal, [$($a:literal)*], [$($p:literal)*], [$($q:literal)*]) => {
        concat!(
            "ldp q30, q31, [{w}], #32\n",
            $(product!($low $p $a 30 ".8b"),)*
            $(product!($low $q $a 31 ".8b"),)*
        )
    };
}

/// Loads sixteen or 32 bytes of each row.
macro_rules! load {
    (3 rows, one step) => {
        concat!(
            "ldr q24, [{r0}], #16\n",
            "ldr q26, [{r1}], #16\n",
            "ldr q28, [{r2}], #16\n",
        )
    };
    (3 rows, two steps) => {
        concat!(
            "ldp q24, q25, [{r0}], #32\n",
            "ldp q26, q27, [{r1}], #32\n",
            "ldp q28, q29, [{r2}], #32\n",
        )
    };
    (1 row, one step) => {
        "ldr q24, [{r0}], #16\n"
    };
    (1 row, two steps) => {
        "ldp q24, q25, [{r0}], #32\n"
    };
}

/// A run of `{len}` steps, and the length of the next: the first products start lanes of 16 bits, the run's end widens
/// them. Three labels: the loop over pairs of steps, a single step to begin with, the end.
macro_rules! run {
    ($n:tt $rows:tt, $pairs:literal, $single:literal, $end:literal, $widen:literal) => {
        concat!(
            "tbnz {len:w}, #0, ", $single, "f\n",
            load!($n $rows, two steps),
            step!("smull" "smlal2", $n $rows, first),
            step!("smlal" "smlal2", $n $rows, second),
            "subs {len:w}, {len:w}, #2\n",
            "b.eq ", $end, "f\n",
            $pairs, ":\n",
            load!($n $rows, two steps),
            step!("smlal" "smlal2", $n $rows, first),
            step!("smlal" "smlal2", $n $rows, second),
            "subs {len:w}, {len:w}, #2\n",
            "b.ne ", $pairs, "b\n",
            "b ", $end, "f\n",
            $single, ":\n",
            load!($n $rows, one step),
            step!("smull" "smlal2", $n $rows, first),
            "subs {len:w}, {len:w}, #1\n",
            "b.ne ", $pairs, "b\n",
            $end, ":\n",
            "ldrh {len:w}, [{runs}], #2\n",
            widen!($widen, $n $rows),
        )
    };
}

/// Sixteen `k`: the first or the second sixteen bytes of each row times four columns.
macro_rules! step {
    ($low:literal $high:literal, 3 rows, first) => {
        step!($low $high, [24 26 28])
    };
    ($low:literal $high:literal, 3 rows, second) => {
        step!($low $high, [25 27 29])
    };
    ($low:literal $high:literal, 1 row, first) => {
        step!($low $high, [24])
    };
    ($low:literal $high:literal, 1 row, second) => {
        step!($low $high, [25])
    };
    ($low:literal $high:literal, [$a:literal $b:literal $c:literal]) => {
        concat!(
            columns!($low $high, [$a $b $c], [12 13 14], [15 16 17]),
            columns!($low $high, [$a $b $c], [18 19 20], [21 22 23]),
        )
    };
    ($low:literal $high:literal, [$a:literal]) => {
        concat!(
            columns!($low $high, [$a], [12], [15]),
            columns!($low $high, [$a], [18], [21]),
        )
    };
}

/// Eight `k`: the low halves of the given registers times the low halves of four columns.
macro_rules! half_step {
    ($low:literal, [$a:literal $b:literal $c:literal]) => {
        concat!(
            half_columns!($low, [$a $b $c], [12 13 14], [15 16 17]),
            half_columns!($low, [$a $b $c], [18 19 20], [21 22 23]),
        )
    };
    ($low:literal, [$a:literal]) => {
        concat!(
            half_columns!($low, [$a], [12], [15]),
            half_columns!($low, [$a], [18], [21]),
        )
    };
}

/// Widens the products: SADALP adds them to the sums, SADDLP starts the sums with them.
macro_rules! widen {
    ($op:literal, 3 rows) => {
        widen!($op, [0 1 2 3 4 5 6 7 8 9 10 11], [12 13 14 15 16 17 18 19 20 21 22 23])
    };
    ($op:literal, 1 row) => {
        widen!($op, [0 3 6 9], [12 15 18 21])
    };
    ($op:literal, [$($s:literal)*], [$($p:literal)*]) => {
        concat!($($op, " v", $s, ".4s, v", $p, ".8h\n",)*)
    };
}

/// Adds up the partial sums of each row's four columns, into v12, v14 and v16.
macro_rules! reduce {
    (3 rows) => {
        concat!(
            reduce!(12 0 3), reduce!(13 6 9), reduce!(14 1 4),
            reduce!(15 7 10), reduce!(16 2 5), reduce!(17 8 11),
            reduce!(12 12 13), reduce!(14 14 15), reduce!(16 16 17),
        )
    };
    (1 row) => {
        concat!(reduce!(12 0 3), reduce!(13 6 9), reduce!(12 12 13))
    };
    ($to:literal $a:literal $b:literal) => {
        concat!("addp v", $to, ".4s, v", $a, ".4s, v", $b, ".4s\n")
    };
}

/// Bias, conversion and multiplier of the rows' sums in the given registers.
macro_rules! scale {
    ($($s:literal)*) => {
        concat!(
            "ldp q30, q31, [{params}], #32\n",
            $("add v", $s, ".4s, v", $s, ".4s, v30.4s\n",)*
            $("scvtf v", $s, ".4s, v", $s, ".4s\n",)*
            $("fmul v", $s, ".4s, v", $s, ".4s, v31.4s\n",)*
        )
    };
}

/// Reduces, finishes and stores a panel's four bytes of each row, the short way of
/// [`requantize_neon`](crate::requantize_neon).
macro_rules! finish_short {
    (3 rows) => {
        concat!(
            reduce!(3 rows),
            scale!(12 14 16),
            "ldr q18, [{finish}]\n",
            "fadd v12.4s, v12.4s, v18.4s\n",
            "fadd v14.4s, v14.4s, v18.4s\n",
            "fadd v16.4s, v16.4s, v18.4s\n",
            "uzp1 v12.8h, v12.8h, v14.8h\n",
            "xtn v16.4h, v16.4s\n",
            "sqxtn v12.8b, v12.8h\n",
            "sqxtn2 v12.16b, v16.8h\n",
            store!(3 rows),
        )
    };
    (1 row) => {
        concat!(
            reduce!(1 row),
            scale!(12),
            "ldr q18, [{finish}]\n",
            "fadd v12.4s, v12.4s, v18.4s\n",
            "xtn v12.4h, v12.4s\n",
            "sqxtn v12.8b, v12.8h\n",
            store!(1 row),
        )
    };
}

/// Reduces, finishes and stores a panel's four bytes of each row, the plain way.
macro_rules! finish_plain {
    (3 rows) => {
        concat!(
            reduce!(3 rows),
            scale!(12 14 16),
            "ldp q18, q19, [{finish}, #16]\n",
            "ldr q20, [{finish}, #48]\n",
            "fcvtns v12.4s, v12.4s\n",
            "fcvtns v14.4s, v14.4s\n",
            "fcvtns v16.4s, v16.4s\n",
            "sqxtn v12.4h, v12.4s\n",
            "sqxtn2 v12.8h, v14.4s\n",
            "sqxtn v16.4h, v16.4s\n",
            "sqadd v12.8h, v12.8h, v18.8h\n",
            "sqadd v16.8h, v16.8h, v18.8h\n",
            "sqxtn v12.8b, v12.8h\n",
            "sqxtn2 v12.16b, v16.8h\n",
            "smax v12.16b, v12.16b, v19.16b\n",
            "smin v12.16b, v12.16b, v20.16b\n",
            store!(3 rows),
        )
    };
    (1 row) => {
        concat!(
            reduce!(1 row),
            scale!(12),
            "ldp q18, q19, [{finish}, #16]\n",
            "ldr q20, [{finish}, #48]\n",
            "fcvtns v12.4s, v12.4s\n",
            "sqxtn v12.4h, v12.4s\n",
            "sqadd v12.8h, v12.8h, v18.8h\n",
            "sqxtn v12.8b, v12.8h\n",
            "smax v12.16b, v12.16b, v19.16b\n",
            "smin v12.16b, v12.16b, v20.16b\n",
            store!(1 row),
        )
    };
}

/// Stores four bytes of each row and advances.
macro_rules! store {
    (3 rows) => {
        concat!(
            "str s12, [{o0}], #4\n",
            "st1 {{v12.s}}[1], [{o1}], #4\n",
            "st1 {{v12.s}}[2], [{o2}], #4\n",
        )
    };
    (1 row) => {
        "str s12, [{o0}], #4\n"
    };
}

pub(super) use {
    columns, finish_plain, finish_short, half_columns, half_step, load, product, reduce, run,
    scale, step, store, widen,
};

/// What is left of `k` behind the whole steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Tail {
    None = 0,
    /// At most eight elements: a load of eight.
    Half = 1,
    /// More: a load of sixteen.
    Whole = 2,
}

impl Tail {
    /// Of rows of `k` elements.
    pub fn of(k: usize) -> Tail {
        match k % 16 {
            0 => Tail::None,
            1..=8 => Tail::Half,
            _ => Tail::Whole,
        }
    }

    /// How far behind the whole steps its load starts, which is backwards.
    pub fn offset(self, k: usize) -> isize {
        let len = match self {
            Tail::Half => 8,
            _ => 16,
        };
        (k % 16) as isize - len
    }
}
