//! The steps of the armv8.0 loops, as pieces of assembly text over numbered registers.
//!
//! v0-v11: sums of four columns by three rows; v12-v23: their products in 16 bits; v24-v29: bytes of the rows; v30, v31:
//! weights of two columns.

/// One instruction on a register of products, one of a row and one of weights.
macro_rules! product {
    ($op:literal $p:literal $a:literal $w:literal $bytes:literal) => {
        concat!($op, " v", $p, ".8h, v", $a, $bytes, ", v", $w, $bytes, "\n")
    };
}

/// Two columns, whose weights are loaded, times three rows: low halves, then high halves.
macro_rules! columns {
    ($low:literal $high:literal, [$a0:literal $a1:literal $a2:literal], [$p0:literal $p1:literal $p2:literal], [$q0:literal $q1:literal $q2:literal]) => {
        concat!(
            "ldp q30, q31, [{w}], #32\n",
            product!($low $p0 $a0 30 ".8b"),
            product!($low $p1 $a1 30 ".8b"),
            product!($low $p2 $a2 30 ".8b"),
            product!($low $q0 $a0 31 ".8b"),
            product!($low $q1 $a1 31 ".8b"),
            product!($low $q2 $a2 31 ".8b"),
            product!($high $p0 $a0 30 ".16b"),
            product!($high $p1 $a1 30 ".16b"),
            product!($high $p2 $a2 30 ".16b"),
            product!($high $q0 $a0 31 ".16b"),
            product!($high $q1 $a1 31 ".16b"),
            product!($high $q2 $a2 31 ".16b"),
        )
    };
}

/// The same of the low halves only.
macro_rules! half_columns {
    ($low:literal, [$a0:literal $a1:literal $a2:literal], [$p0:literal $p1:literal $p2:literal], [$q0:literal $q1:literal $q2:literal]) => {
        concat!(
            "ldp q30, q31, [{w}], #32\n",
            product!($low $p0 $a0 30 ".8b"),
            product!($low $p1 $a1 30 ".8b"),
            product!($low $p2 $a2 30 ".8b"),
            product!($low $q0 $a0 31 ".8b"),
            product!($low $q1 $a1 31 ".8b"),
            product!($low $q2 $a2 31 ".8b"),
        )
    };
}

/// Sixteen `k`: rows in the given registers times four columns.
macro_rules! step {
    ($low:literal $high:literal, $a:tt) => {
        concat!(
            columns!($low $high, $a, [12 13 14], [15 16 17]),
            columns!($low $high, $a, [18 19 20], [21 22 23]),
        )
    };
}

/// Eight `k`: the low halves of the given registers times the low halves of four columns.
macro_rules! half_step {
    ($low:literal, $a:tt) => {
        concat!(
            half_columns!($low, $a, [12 13 14], [15 16 17]),
            half_columns!($low, $a, [18 19 20], [21 22 23]),
        )
    };
}

/// Widens the products: SADALP adds them to the sums, SADDLP starts the sums with them.
macro_rules! widen {
    ($op:literal) => {
        concat!(
            widen!($op 0 12), widen!($op 1 13), widen!($op 2 14), widen!($op 3 15),
            widen!($op 4 16), widen!($op 5 17), widen!($op 6 18), widen!($op 7 19),
            widen!($op 8 20), widen!($op 9 21), widen!($op 10 22), widen!($op 11 23),
        )
    };
    ($op:literal $s:literal $p:literal) => {
        concat!($op, " v", $s, ".4s, v", $p, ".8h\n")
    };
}

/// Adds up the partial sums of each row's four columns, into v12, v14 and v16.
macro_rules! reduce {
    () => {
        concat!(
            reduce!(12 0 3), reduce!(13 6 9), reduce!(14 1 4),
            reduce!(15 7 10), reduce!(16 2 5), reduce!(17 8 11),
            reduce!(12 12 13), reduce!(14 14 15), reduce!(16 16 17),
        )
    };
    ($to:literal $a:literal $b:literal) => {
        concat!("addp v", $to, ".4s, v", $a, ".4s, v", $b, ".4s\n")
    };
}

pub(super) use {columns, half_columns, half_step, product, reduce, step, widen};

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
