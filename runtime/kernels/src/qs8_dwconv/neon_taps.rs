//! The products and sums of two neighbouring outputs, as pieces of assembly text.
//!
//! `a` and `b` are the sums of the left and the right output, `al` to `bh` the products of two taps in 16 bits, `w` the
//! weights, `d` the columns of a row. Taps are taken in order, two before each widening, across the ends of rows.

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

pub(super) use {first, second, tap, widen};
