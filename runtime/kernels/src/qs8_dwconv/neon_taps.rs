//! The sums of two neighbouring outputs, as pieces of assembly text and the function around them.
//!
//! `a` and `b` are the sums of the left and the right output, `al` to `bh` the products of two taps in 16 bits, `w` the
//! weights, `d` the columns of a row. Taps are taken in order, two before each widening, across the ends of rows.

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
                    "ldp {a0:q}, {a1:q}, [{bias}]",
                    "ldp {a2:q}, {a3:q}, [{bias}, #32]",
                    "ldp {b0:q}, {b1:q}, [{bias}]",
                    "ldp {b2:q}, {b3:q}, [{bias}, #32]",
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

/// Loads a row's columns: the first, then those at the given distances.
macro_rules! load {
    ($row:literal, $($d:literal $c:literal),*) => {
        concat!(
            "ldr {d0:q}, [{", $row, "}]\n",
            $("ldr {", $d, ":q}, [{", $row, "}, {", $c, "}]\n",)*
        )
    };
}

/// The products of the first tap of two with both outputs' columns.
macro_rules! first {
    ($w:literal, $a:literal, $b:literal) => {
        tap!("smull" "smull2", $w, $a, $b)
    };
}

/// The products of the second tap, added.
macro_rules! second {
    ($w:literal, $a:literal, $b:literal) => {
        tap!("smlal" "smlal2", $w, $a, $b)
    };
}

macro_rules! tap {
    ($low:literal $high:literal, $w:literal, $a:literal, $b:literal) => {
        concat!(
            $low,
            " {al:v}.8h, {",
            $a,
            ":v}.8b, {",
            $w,
            ":v}.8b\n",
            $high,
            " {ah:v}.8h, {",
            $a,
            ":v}.16b, {",
            $w,
            ":v}.16b\n",
            $low,
            " {bl:v}.8h, {",
            $b,
            ":v}.8b, {",
            $w,
            ":v}.8b\n",
            $high,
            " {bh:v}.8h, {",
            $b,
            ":v}.16b, {",
            $w,
            ":v}.16b\n",
        )
    };
}

/// Adds the products to the sums.
macro_rules! widen {
    () => {
        concat!(
            "saddw {a0:v}.4s, {a0:v}.4s, {al:v}.4h\n",
            "saddw2 {a1:v}.4s, {a1:v}.4s, {al:v}.8h\n",
            "saddw {a2:v}.4s, {a2:v}.4s, {ah:v}.4h\n",
            "saddw2 {a3:v}.4s, {a3:v}.4s, {ah:v}.8h\n",
            "saddw {b0:v}.4s, {b0:v}.4s, {bl:v}.4h\n",
            "saddw2 {b1:v}.4s, {b1:v}.4s, {bl:v}.8h\n",
            "saddw {b2:v}.4s, {b2:v}.4s, {bh:v}.4h\n",
            "saddw2 {b3:v}.4s, {b3:v}.4s, {bh:v}.8h\n",
        )
    };
}

pub(super) use {first, load, second, sums, tap, widen};
