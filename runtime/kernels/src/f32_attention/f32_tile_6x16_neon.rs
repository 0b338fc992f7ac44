//! Tiles of six rows by sixteen or eight columns, as one piece of assembly each.
//!
//! v0-v23: sums, four registers, or two, for each row; v24-v29: four elements of each row; v30, v31: eight columns of the panel.
//! Behind the last element, v24-v29 are the rows' factors.

use super::{STEP, Tile, To};
use core::arch::asm;

/// See [`Tile::run`], which checked everything.
///
/// # Safety
///
/// The CPU has neon, and the slices hold six rows and a panel of `width`, 8 or 16.
pub unsafe fn run(tile: &Tile, width: usize, to: To) {
    // SAFETY: the caller's promise.
    unsafe {
        match (to, width) {
            (To::Tile(to), 16) => tile_16(tile, to.as_mut_ptr(), 0),
            (To::Tile(to), _) => tile_8(tile, to.as_mut_ptr(), 0),
            (To::Rows(to, stride), 16) => rows_16(tile, to.as_mut_ptr(), stride),
            (To::Rows(to, stride), _) => rows_8(tile, to.as_mut_ptr(), stride),
        }
    }
}

/// One instruction for a register of sums and one of the panel, with lane `$lane` of a row's elements. The first starts the sums.
macro_rules! add {
    ($op:literal $lane:literal $a:literal $b:literal $sum:literal) => {
        concat!(
            $op, " v", $sum, ".4s, v", $b, ".4s, v", $a, ".s[", $lane, "]\n"
        )
    };
}

/// One element of each row, times the panel's row.
macro_rules! element {
    ($op:literal $lane:literal, $([$a:literal: $s0:literal $s1:literal $s2:literal $s3:literal])*) => {
        concat!(
            "ldp q30, q31, [{b}], #32\n",
            $(add!($op $lane $a 30 $s0), add!($op $lane $a 31 $s1),)*
            "ldp q30, q31, [{b}], #32\n",
            $(add!($op $lane $a 30 $s2), add!($op $lane $a 31 $s3),)*
        )
    };
    ($op:literal $lane:literal, $([$a:literal: $s0:literal $s1:literal])*) => {
        concat!(
            "ldp q30, q31, [{b}], #32\n",
            $(add!($op $lane $a 30 $s0), add!($op $lane $a 31 $s1),)*
        )
    };
}

/// Stores the sums: into six rows, or into a tile, four columns of all rows after the other.
macro_rules! store {
    (rows $([$s0:literal $s1:literal])*) => {
        concat!($("stp q", $s0, ", q", $s1, ", [{out}]\nadd {out}, {out}, {stride}\n",)*)
    };
    (rows $([$s0:literal $s1:literal $s2:literal $s3:literal])*) => {
        concat!($(
            "stp q", $s0, ", q", $s1, ", [{out}]\nstp q", $s2, ", q", $s3, ", [{out}, #32]\n",
            "add {out}, {out}, {stride}\n",
        )*)
    };
    (tile [$a0:literal $a1:literal] [$b0:literal $b1:literal] [$c0:literal $c1:literal]
          [$d0:literal $d1:literal] [$e0:literal $e1:literal] [$f0:literal $f1:literal]) => {
        concat!(store!(six $a0 $b0 $c0 $d0 $e0 $f0), store!(six $a1 $b1 $c1 $d1 $e1 $f1))
    };
    (tile [$a0:literal $a1:literal $a2:literal $a3:literal] [$b0:literal $b1:literal $b2:literal $b3:literal]
          [$c0:literal $c1:literal $c2:literal $c3:literal] [$d0:literal $d1:literal $d2:literal $d3:literal]
          [$e0:literal $e1:literal $e2:literal $e3:literal] [$f0:literal $f1:literal $f2:literal $f3:literal]) => {
        concat!(
            store!(six $a0 $b0 $c0 $d0 $e0 $f0), store!(six $a1 $b1 $c1 $d1 $e1 $f1),
            store!(six $a2 $b2 $c2 $d2 $e2 $f2), store!(six $a3 $b3 $c3 $d3 $e3 $f3),
        )
    };
    (six $a:literal $b:literal $c:literal $d:literal $e:literal $f:literal) => {
        concat!(
            "stp q", $a, ", q", $b, ", [{out}], #32\nstp q", $c, ", q", $d, ", [{out}], #32\n",
            "stp q", $e, ", q", $f, ", [{out}], #32\n",
        )
    };
}

macro_rules! tile {
    ($name:ident $store:ident, $([$a:literal: $($s:literal)*])*) => {
        /// # Safety
        ///
        /// As [`run`].
        #[target_feature(enable = "neon")]
        unsafe fn $name(tile: &Tile, out: *mut f32, stride: usize) {
            // SAFETY: `a` has six rows of `k` elements and the panel `k` of its width; `out` has room for six of these.
            unsafe {
                asm!(
                    "ldp q24, q25, [{a}], #32",
                    "ldp q26, q27, [{a}], #32",
                    "ldp q28, q29, [{a}], #32",
                    element!("fmul" 0, $([$a: $($s)*])*),
                    "b 3f",
                    "2:",
                    "ldp q24, q25, [{a}], #32",
                    "ldp q26, q27, [{a}], #32",
                    "ldp q28, q29, [{a}], #32",
                    element!("fmla" 0, $([$a: $($s)*])*),
                    "3:",
                    element!("fmla" 1, $([$a: $($s)*])*),
                    element!("fmla" 2, $([$a: $($s)*])*),
                    element!("fmla" 3, $([$a: $($s)*])*),
                    "subs {steps}, {steps}, #1",
                    "b.ne 2b",
                    "ldp s24, s25, [{factors}]",
                    "ldp s26, s27, [{factors}, #8]",
                    "ldp s28, s29, [{factors}, #16]",
                    $($(concat!("fmul v", $s, ".4s, v", $s, ".4s, v", $a, ".s[0]"),)*)*
                    store!($store $([$($s)*])*),
                    "/* {stride} */",
                    a = inout(reg) tile.a.as_ptr() => _,
                    b = inout(reg) tile.panel.as_ptr() => _,
                    steps = inout(reg) tile.k / STEP => _,
                    factors = in(reg) tile.factors.as_ptr(),
                    out = inout(reg) out => _,
                    stride = in(reg) stride * size_of::<f32>(),
                    out("v0") _, out("v1") _, out("v2") _, out("v3") _,
                    out("v4") _, out("v5") _, out("v6") _, out("v7") _,
                    out("v8") _, out("v9") _, out("v10") _, out("v11") _,
                    out("v12") _, out("v13") _, out("v14") _, out("v15") _,
                    out("v16") _, out("v17") _, out("v18") _, out("v19") _,
                    out("v20") _, out("v21") _, out("v22") _, out("v23") _,
                    out("v24") _, out("v25") _, out("v26") _, out("v27") _,
                    out("v28") _, out("v29") _, out("v30") _, out("v31") _,
                    options(nostack),
                );
            }
        }
    };
}

macro_rules! wide {
    ($name:ident $store:ident) => {
        tile!($name $store, [24: 0 1 2 3] [25: 4 5 6 7] [26: 8 9 10 11] [27: 12 13 14 15]
            [28: 16 17 18 19] [29: 20 21 22 23]);
    };
}

macro_rules! narrow {
    ($name:ident $store:ident) => {
        tile!($name $store, [24: 0 1] [25: 4 5] [26: 8 9] [27: 12 13] [28: 16 17] [29: 20 21]);
    };
}

wide!(tile_16 tile);
wide!(rows_16 rows);
narrow!(tile_8 tile);
narrow!(rows_8 rows);
