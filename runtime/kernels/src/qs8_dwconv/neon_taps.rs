//! The sums of two neighbouring outputs, as pieces of assembly text and the function around them.
//!
//! `a` and `b` are the sums of the left and the right output, `al` to `bh` the products of two taps in 16 bits, `w` the
//! weights, `d` the columns of a row. Taps are taken in order, two before each widening, across the ends of rows.
//!
//! An in-order core waits for a load that is used at once or follows another at once. So each load stands alone, in `{..}`,
//! between the products before those that need it.

/// A function that sums up two outputs: its text, the columns that it reads of each row but the first, by their distance,
/// the registers they get, and the operands of its rows and weights.
macro_rules! sums {
    (
        $(#[$doc:meta])*
        $name:ident($weights:ident: $taps:literal, $rows:ident: $height:literal),
        text [$($text:tt)*],
        columns [$($c:ident $distance:literal),*],
        values [$($d:ident),*],
        operands [$($operands:tt)*]
    ) => {
        $(#[$doc])*
        ///
        /// # Safety
        ///
        /// The CPU has neon; from each row the columns under both windows, of sixteen bytes each, can be read, `pitch`
        /// bytes apart; no two neighbouring taps leave 16 bits.
        #[inline]
        #[target_feature(enable = "neon")]
        pub unsafe fn $name(
            bias: &[i32; 16],
            $weights: &[int8x16_t; $taps],
            $rows: [*const i8; $height],
            pitch: usize,
        ) -> [[int32x4_t; 4]; 2] {
            let a0: int32x4_t;
            let a1: int32x4_t;
            let a2: int32x4_t;
            let a3: int32x4_t;
            let b0: int32x4_t;
            let b1: int32x4_t;
            let b2: int32x4_t;
            let b3: int32x4_t;
            // SAFETY: the caller's. Nothing is written to memory.
            unsafe {
                asm!(
                    $($text)*,
                    bias = in(reg) bias.as_ptr(),
                    $($c = in(reg) $distance * pitch,)*
                    $($d = out(vreg) _,)*
                    $($operands)*
                    al = out(vreg) _, ah = out(vreg) _, bl = out(vreg) _, bh = out(vreg) _,
                    a0 = out(vreg) a0, a1 = out(vreg) a1, a2 = out(vreg) a2, a3 = out(vreg) a3,
                    b0 = out(vreg) b0, b1 = out(vreg) b1, b2 = out(vreg) b2, b3 = out(vreg) b3,
                    options(pure, readonly, nostack, preserves_flags),
                );
            }
            [[a0, a1, a2, a3], [b0, b1, b2, b3]]
        }
    };
}

/// Loads a column of a row: the first, or the one at a distance.
macro_rules! load {
    ($row:literal $d:literal) => {
        concat!("ldr {", $d, ":q}, [{", $row, "}]\n")
    };
    ($row:literal $d:literal $c:literal) => {
        concat!("ldr {", $d, ":q}, [{", $row, "}, {", $c, "}]\n")
    };
}

/// Loads half of the biases, into the left output's sums.
macro_rules! bias {
    (0) => {
        "ldp {a0:q}, {a1:q}, [{bias}]\n"
    };
    (1) => {
        "ldp {a2:q}, {a3:q}, [{bias}, #32]\n"
    };
}

/// A tap times its columns of the left and the right output, with what is loaded behind each: the first of two `starts`
/// products, the second `adds` to them.
macro_rules! tap {
    (starts $($how:tt)*) => {
        tap!("smull" "smull2", $($how)*)
    };
    (adds $($how:tt)*) => {
        tap!("smlal" "smlal2", $($how)*)
    };
    ($low:literal $high:literal, $w:literal, $a:literal {$($left:tt)*} $b:literal {$($right:tt)*}) => {
        concat!(
            tap!($low, "al", ".8b", $a $w), tap!($high, "ah", ".16b", $a $w),
            $($left)*
            tap!($low, "bl", ".8b", $b $w), tap!($high, "bh", ".16b", $b $w),
            $($right)*
        )
    };
    ($op:literal, $p:literal, $bytes:literal, $d:literal $w:literal) => {
        concat!($op, " {", $p, ":v}.8h, {", $d, ":v}", $bytes, ", {", $w, ":v}", $bytes, "\n")
    };
}

/// Adds the products to the sums, with what is loaded before the left output's and between both; of the first products to
/// the biases, which both outputs' sums have in common.
macro_rules! widen {
    ({$($left:tt)*} {$($right:tt)*}) => {
        concat!($($left)* widen!("al" "ah", "a", "a"), $($right)* widen!("bl" "bh", "b", "b"))
    };
    (first {$($left:tt)*} {$($right:tt)*}) => {
        concat!($($left)* widen!("bl" "bh", "b", "a"), $($right)* widen!("al" "ah", "a", "a"))
    };
    ($l:literal $h:literal, $to:literal, $from:literal) => {
        concat!(
            widen!("saddw", $to $from "0", $l, ".4h"), widen!("saddw2", $to $from "1", $l, ".8h"),
            widen!("saddw", $to $from "2", $h, ".4h"), widen!("saddw2", $to $from "3", $h, ".8h"),
        )
    };
    ($op:literal, $to:literal $from:literal $i:literal, $p:literal, $lanes:literal) => {
        concat!($op, " {", $to, $i, ":v}.4s, {", $from, $i, ":v}.4s, {", $p, ":v}", $lanes, "\n")
    };
}

pub(super) use {bias, load, sums, tap, widen};
