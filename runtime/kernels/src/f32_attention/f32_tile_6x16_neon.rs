//! Tiles of one to six rows by sixteen or eight columns, as one piece of assembly each.
//!
//! v0-v23: sums, four registers, or two, for each row; v24-v29: four elements of each row; v30, v31: eight columns of the panel.
//! Behind the last element, v24-v29 are the rows' factors.

use super::Tile;
use core::arch::asm;

/// See [`Tile::run`], which checked everything.
///
/// # Safety
///
/// The CPU has neon; `rows` is 1 to 6 and `width` 8 or 16, and the slices hold that.
pub unsafe fn run(tile: &Tile, rows: usize, width: usize, (out, stride): (&mut [f32], usize)) {
    let out = out.as_mut_ptr();
    // SAFETY: the caller's promise.
    unsafe {
        match (rows, width) {
            (1, 16) => tile_1x16(tile, out, stride),
            (2, 16) => tile_2x16(tile, out, stride),
            (3, 16) => tile_3x16(tile, out, stride),
            (4, 16) => tile_4x16(tile, out, stride),
            (5, 16) => tile_5x16(tile, out, stride),
            (6, 16) => tile_6x16(tile, out, stride),
            (1, _) => tile_1x8(tile, out, stride),
            (2, _) => tile_2x8(tile, out, stride),
            (3, _) => tile_3x8(tile, out, stride),
            (4, _) => tile_4x8(tile, out, stride),
            (5, _) => tile_5x8(tile, out, stride),
            (_, _) => tile_6x8(tile, out, stride),
        }
    }
}

/// One instruction for a register of sums and one of the panel, with lane `$lane` of a row's elements.
macro_rules! add {
    ($lane:literal $a:literal $b:literal $sum:literal) => {
        concat!(
            "fmla v", $sum, ".4s, v", $b, ".4s, v", $a, ".s[", $lane, "]\n"
        )
    };
}

/// One element of each row, times the panel's row.
macro_rules! element {
    ($lane:literal, $([$o:ident $i:literal $a:literal: $s0:literal $s1:literal $s2:literal $s3:literal])*) => {
        concat!(
            "ldp q30, q31, [{b}], #32\n",
            $(add!($lane $a 30 $s0), add!($lane $a 31 $s1),)*
            "ldp q30, q31, [{b}], #32\n",
            $(add!($lane $a 30 $s2), add!($lane $a 31 $s3),)*
        )
    };
    ($lane:literal, $([$o:ident $i:literal $a:literal: $s0:literal $s1:literal])*) => {
        concat!(
            "ldp q30, q31, [{b}], #32\n",
            $(add!($lane $a 30 $s0), add!($lane $a 31 $s1),)*
        )
    };
}

macro_rules! finish {
    ($a:literal $($s:literal)*) => {
        concat!(
            $("fmul v", $s, ".4s, v", $s, ".4s, v", $a, ".s[0]\n",)*
            finish!(store $($s)*),
            "add {out}, {out}, {stride}\n",
        )
    };
    (store $s0:literal $s1:literal) => {
        concat!("stp q", $s0, ", q", $s1, ", [{out}]\n")
    };
    (store $s0:literal $s1:literal $s2:literal $s3:literal) => {
        concat!(
            "stp q", $s0, ", q", $s1, ", [{out}]\n",
            "stp q", $s2, ", q", $s3, ", [{out}, #32]\n",
        )
    };
}

macro_rules! tile {
    ($name:ident, $([$o:ident $i:literal $a:literal: $($s:literal)*])*) => {
        /// # Safety
        ///
        /// As [`run`].
        #[target_feature(enable = "neon")]
        unsafe fn $name(tile: &Tile, out: *mut f32, stride: usize) {
            let a = tile.a.as_ptr();
            // SAFETY: each row of `a` has `k` elements and the panel `k` of its width; rows of `out` have their width.
            unsafe {
                asm!(
                    $($(concat!("movi v", $s, ".4s, #0"),)*)*
                    "cbz {fours}, 3f",
                    "2:",
                    $(concat!("ldr q", $a, ", [{", stringify!($o), "}], #16"),)*
                    element!(0, $([$o $i $a: $($s)*])*),
                    element!(1, $([$o $i $a: $($s)*])*),
                    element!(2, $([$o $i $a: $($s)*])*),
                    element!(3, $([$o $i $a: $($s)*])*),
                    "subs {fours}, {fours}, #1",
                    "b.ne 2b",
                    "3:",
                    "cbz {rest}, 5f",
                    "4:",
                    $(concat!("ldr s", $a, ", [{", stringify!($o), "}], #4"),)*
                    element!(0, $([$o $i $a: $($s)*])*),
                    "subs {rest}, {rest}, #1",
                    "b.ne 4b",
                    "5:",
                    "ldp s24, s25, [{factors}]",
                    "ldp s26, s27, [{factors}, #8]",
                    "ldp s28, s29, [{factors}, #16]",
                    $(finish!($a $($s)*),)*
                    $($o = inout(reg) a.add($i * tile.a_stride) => _,)*
                    b = inout(reg) tile.panel.as_ptr() => _,
                    fours = inout(reg) tile.k / 4 => _,
                    rest = inout(reg) tile.k % 4 => _,
                    factors = in(reg) tile.factors.as_ptr(),
                    out = inout(reg) out => _,
                    stride = in(reg) stride * 4,
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

tile!(tile_1x16, [a0 0 24: 0 1 2 3]);
tile!(tile_2x16, [a0 0 24: 0 1 2 3] [a1 1 25: 4 5 6 7]);
tile!(tile_3x16, [a0 0 24: 0 1 2 3] [a1 1 25: 4 5 6 7] [a2 2 26: 8 9 10 11]);
tile!(tile_4x16, [a0 0 24: 0 1 2 3] [a1 1 25: 4 5 6 7] [a2 2 26: 8 9 10 11] [a3 3 27: 12 13 14 15]);
tile!(tile_5x16, [a0 0 24: 0 1 2 3] [a1 1 25: 4 5 6 7] [a2 2 26: 8 9 10 11] [a3 3 27: 12 13 14 15]
    [a4 4 28: 16 17 18 19]);
tile!(tile_6x16, [a0 0 24: 0 1 2 3] [a1 1 25: 4 5 6 7] [a2 2 26: 8 9 10 11] [a3 3 27: 12 13 14 15]
    [a4 4 28: 16 17 18 19] [a5 5 29: 20 21 22 23]);
tile!(tile_1x8, [a0 0 24: 0 1]);
tile!(tile_2x8, [a0 0 24: 0 1] [a1 1 25: 4 5]);
tile!(tile_3x8, [a0 0 24: 0 1] [a1 1 25: 4 5] [a2 2 26: 8 9]);
tile!(tile_4x8, [a0 0 24: 0 1] [a1 1 25: 4 5] [a2 2 26: 8 9] [a3 3 27: 12 13]);
tile!(tile_5x8, [a0 0 24: 0 1] [a1 1 25: 4 5] [a2 2 26: 8 9] [a3 3 27: 12 13] [a4 4 28: 16 17]);
tile!(tile_6x8, [a0 0 24: 0 1] [a1 1 25: 4 5] [a2 2 26: 8 9] [a3 3 27: 12 13] [a4 4 28: 16 17]
    [a5 5 29: 20 21]);
