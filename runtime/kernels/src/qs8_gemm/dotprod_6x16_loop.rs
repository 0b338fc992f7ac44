//! Tiles of six or five rows by sixteen channels with SDOT, as one piece of assembly each: every register has a task, rows
//! advance with their loads, sums start from pairs of loads, and the epilogue follows them in their registers.
//!
//! v0-v23: sums, four registers of four channels for each row; v24-v29: sixteen bytes of each row; v30, v31: a quad of
//! `k` of eight channels. Behind the last quad, v24-v31 are the epilogue's.

use super::endings::{REAL, SHORT};
use super::rows::Tiles;
use crate::finish_text::{narrow, plain, positive, short};
use crate::requantize_neon::Way;
use core::arch::asm;

/// A panel of sixteen channels for rows of `k` elements, at least sixteen.
pub struct Panel {
    /// `[16]`
    pub bias: *const i32,
    /// `[16]`
    pub multiplier: *const f32,
    /// `[16]`, for the positive way.
    pub shift: *const f32,
    /// `[quad][16][4]`, as the kernel packs them.
    pub weights: *const i8,
    pub k: usize,
    /// The [`Finish`](crate::requantize_neon::Finish), or where the output is real `[16]` numbers to be added.
    pub finish: *const u8,
}

impl Panel {
    /// Whole steps of sixteen; how far behind the last of them the tail's load starts, which is backwards; its quads.
    fn cut(&self) -> (usize, isize, usize) {
        let left = self.k % 16;
        (self.k / 16, left as isize - 16, left.div_ceil(4))
    }
}

/// One row's products with half a panel.
macro_rules! row {
    ($lane:literal $a:literal $s:literal $t:literal) => {
        concat!(
            "sdot v",
            $s,
            ".4s, v30.16b, v",
            $a,
            ".4b[",
            $lane,
            "]\n",
            "sdot v",
            $t,
            ".4s, v31.16b, v",
            $a,
            ".4b[",
            $lane,
            "]\n",
        )
    };
}

/// A quad of `k` of all rows.
macro_rules! quad {
    ($lane:literal $([$a:literal $s0:literal $s1:literal $s2:literal $s3:literal])*) => {
        concat!(
            "ldp q30, q31, [{w}], #32\n",
            $(row!($lane $a $s0 $s1),)*
            "ldp q30, q31, [{w}], #32\n",
            $(row!($lane $a $s2 $s3),)*
        )
    };
}

/// Stores a row of reals: scaled, and a number for each channel added.
macro_rules! real {
    (load $constants:tt) => {
        "ldp q28, q29, [{finish}]\nldp q30, q31, [{finish}, #32]\n"
    };
    ([$s0:literal $s1:literal $s2:literal $s3:literal] [$m0:literal $m1:literal $m2:literal $m3:literal] $free:tt $constants:tt) => {
        concat!(
            real!(scale $s0 $m0 28), real!(scale $s1 $m1 29),
            real!(scale $s2 $m2 30), real!(scale $s3 $m3 31),
            "stp q", $s0, ", q", $s1, ", [{out}]\n",
            "stp q", $s2, ", q", $s3, ", [{out}, #32]\n",
            "add {out}, {out}, {out_stride}\n",
        )
    };
    (scale $s:literal $multiplier:literal $addend:literal) => {
        concat!(
            "scvtf v", $s, ".4s, v", $s, ".4s\n",
            "fmul v", $s, ".4s, v", $s, ".4s, v", $multiplier, ".4s\n",
            "fadd v", $s, ".4s, v", $s, ".4s, v", $addend, ".4s\n",
        )
    };
}

/// Loads sixteen bytes of each row: those below the first by their distance from it.
macro_rules! load {
    ($first:literal, $from:literal $how:literal, $(($o:ident $distance:literal $i:literal $a:literal))*) => {
        concat!(
            $("ldr q", $a, ", [{", $from, "}, {", $distance, "}]\n",)*
            "ldr q", $first, ", [{", $from, "}]", $how, "\n",
        )
    };
}

/// All tiles. A row is its register of values and its registers of sums; `below` are the distances of the rows below the
/// first one, each with its number and its row's register.
macro_rules! tiles {
    (
        $finish:ident $($shift:ident)?, $panel:expr, $tiles:expr, $rows:literal rows $row:tt,
        below [$(($o:ident $distance:literal $i:literal $a:literal))*]
    ) => {
        tiles!(
            $finish $($shift)?, $panel, $tiles, $rows, $row,
            load!(24, "a" ", #16", $(($o $distance $i $a))*), load!(24, "tail" "", $(($o $distance $i $a))*),
            $($o $i)*
        )
    };
    (
        $finish:ident $($shift:ident)?, $panel:expr, $tiles:expr, $rows:literal,
        [$([$v:literal $s0:literal $s1:literal $s2:literal $s3:literal])*], $load:expr, $load_tail:expr, $($o:ident $i:literal)*
    ) => {{
        let (steps, back, quads) = $panel.cut();
        asm!(
            "b 2f",
            // No page ends within a tile's text.
            ".p2align 11",
            "2:",
            $(
                concat!("ldp q", $s0, ", q", $s1, ", [{bias}]"),
                concat!("ldp q", $s2, ", q", $s3, ", [{bias}, #32]"),
            )*
            "mov {w}, {w0}",
            "mov {steps}, {steps0}",
            "3:",
            $load,
            quad!(0 $([$v $s0 $s1 $s2 $s3])*),
            quad!(1 $([$v $s0 $s1 $s2 $s3])*),
            "subs {steps}, {steps}, #1",
            quad!(2 $([$v $s0 $s1 $s2 $s3])*),
            quad!(3 $([$v $s0 $s1 $s2 $s3])*),
            "b.ne 3b",
            "cbz {quads:w}, 9f",
            "add {tail}, {a}, {back}",
            $load_tail,
            "cmp {quads:w}, #2",
            "b.lt 8f",
            "b.eq 7f",
            "tbnz {quads:w}, #0, 6f",
            quad!(0 $([$v $s0 $s1 $s2 $s3])*),
            "6:",
            quad!(1 $([$v $s0 $s1 $s2 $s3])*),
            "7:",
            quad!(2 $([$v $s0 $s1 $s2 $s3])*),
            "8:",
            quad!(3 $([$v $s0 $s1 $s2 $s3])*),
            "9:",
            "ldp q24, q25, [{multiplier}]",
            "ldp q26, q27, [{multiplier}, #32]",
            $finish!(load [28 29 30]),
            $($finish!([$s0 $s1 $s2 $s3] [24 25 26 27] [29 30] [28 29 30]),)*
            "add {a}, {a}, {a_step}",
            "subs {tiles}, {tiles}, #1",
            "b.ne 2b",
            a = inout(reg) $tiles.a => _,
            tail = out(reg) _,
            $($o = in(reg) $i * $tiles.a_stride,)*
            out = inout(reg) $tiles.out => _,
            out_stride = in(reg) $tiles.out_stride,
            a_step = in(reg) ($rows * $tiles.a_stride).wrapping_sub(16 * steps),
            tiles = inout(reg) $tiles.count => _,
            bias = in(reg) $panel.bias,
            multiplier = in(reg) $panel.multiplier,
            $($shift = in(reg) $panel.shift,)?
            finish = in(reg) $panel.finish,
            w0 = in(reg) $panel.weights,
            w = out(reg) _,
            steps0 = in(reg) steps,
            steps = out(reg) _,
            back = in(reg) back,
            quads = in(reg) quads,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _,
            out("v6") _, out("v7") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _,
            out("v12") _, out("v13") _, out("v14") _, out("v15") _, out("v16") _, out("v17") _,
            out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _,
            out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _, out("v29") _,
            out("v30") _, out("v31") _,
            options(nostack),
        )
    }};
}

/// Tiles of five rows.
macro_rules! five {
    ($finish:ident $($shift:ident)?, $panel:expr, $tiles:expr) => {
        tiles!(
            $finish $($shift)?, $panel, $tiles,
            5 rows [[24 0 1 2 3] [25 4 5 6 7] [26 8 9 10 11] [27 12 13 14 15] [28 16 17 18 19]],
            below [(o1 "o1" 1 25) (o2 "o2" 2 26) (o3 "o3" 3 27) (o4 "o4" 4 28)]
        )
    };
}

/// Tiles of six rows.
macro_rules! six {
    ($finish:ident $($shift:ident)?, $panel:expr, $tiles:expr) => {
        tiles!(
            $finish $($shift)?, $panel, $tiles,
            6 rows [[24 0 1 2 3] [25 4 5 6 7] [26 8 9 10 11] [27 12 13 14 15] [28 16 17 18 19] [29 20 21 22 23]],
            below [(o1 "o1" 1 25) (o2 "o2" 2 26) (o3 "o3" 3 27) (o4 "o4" 4 28) (o5 "o5" 5 29)]
        )
    };
}

/// Computes tiles of `ROWS` rows, six or five; `ENDING` is one of [`endings`](super::endings), and `way` that to its bytes.
///
/// # Safety
///
/// The CPU has neon and dotprod. The panel is sound; there is at least one tile, of rows of `k` bytes and of sixteen
/// output elements.
#[target_feature(enable = "neon,dotprod")]
pub unsafe fn run<const ROWS: usize, const ENDING: u8>(way: Way, panel: &Panel, tiles: Tiles) {
    const { assert!(ROWS == 5 || ROWS == 6) }
    // SAFETY: the caller's: what is read was packed, or belongs to the rows; a tail's load ends where its row ends.
    unsafe {
        match (ROWS, ENDING, way) {
            (6, REAL, _) => six!(real, panel, tiles),
            (6, SHORT, Way::Positive) => six!(positive shift, panel, tiles),
            (6, SHORT, _) => six!(short, panel, tiles),
            (6, _, _) => six!(plain, panel, tiles),
            (_, REAL, _) => five!(real, panel, tiles),
            (_, SHORT, Way::Positive) => five!(positive shift, panel, tiles),
            (_, SHORT, _) => five!(short, panel, tiles),
            (_, _, _) => five!(plain, panel, tiles),
        }
    }
}
