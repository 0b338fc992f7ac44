//! Tiles of rows by eight channels for rows of 16 to 40 elements, as one piece of assembly for each number of quads: the
//! rows stay in registers for all panels of a group, three of up to seven quads or two of up to ten.

use super::neon_quads::*;
use super::neon_quads_2_rows::*;
use super::qs8_gemm_3x4_neon::Params;
use super::rows::Tiles;
use super::runs::Quad;
use crate::requantize_neon::Finish;
use core::arch::asm;

/// The most quads of three rows that registers hold.
const QUADS_OF_THREE: usize = 7;

/// Neighbouring panels of four channels whose products fit 16 bits.
pub struct Group {
    pub params: *const Params,
    pub weights: *const Quad,
    pub panels: usize,
    /// The length of a row, at least sixteen.
    pub k: usize,
    pub finish: *const Finish,
}

impl Group {
    /// The quads of a row.
    fn quads(&self) -> usize {
        self.k.div_ceil(4)
    }

    /// Where a row's last load starts: it ends where the row ends, and brings as many quads as loads of sixteen bytes
    /// leave, or more.
    fn tail(&self) -> usize {
        self.k
            - match self.quads() % 4 {
                1 => 4,
                2 => 8,
                _ => 16,
            }
    }
}

/// The rows of a tile, where they have so many quads.
pub fn tile_rows(quads: usize) -> usize {
    if quads <= QUADS_OF_THREE { 3 } else { 2 }
}

/// All tiles. A row is its pointer, its output's, and its number.
macro_rules! tiles {
    (
        $group:expr, $tiles:expr, $rows:literal rows [$($r:ident $from:literal $o:ident $to:literal $i:literal),*],
        $rounder:expr, $load:expr, $twins:expr, $single:expr $(,)?
    ) => {
        asm!(
            $rounder,
            "2:",
            "mov {w}, {w0}",
            "ldp q6, q7, [{w}], #32",
            $load,
            "mov {params}, {params0}",
            "lsr {left}, {panels}, #1",
            "cbz {left}, 6f",
            "5:",
            $twins,
            "subs {left}, {left}, #1",
            "b.ne 5b",
            "6:",
            "tbz {panels}, #0, 7f",
            $single,
            "7:",
            $(concat!("add {", $from, "}, {", $from, "}, {a_step}"),)*
            $(concat!("add {", $to, "}, {", $to, "}, {out_step}"),)*
            "subs {tiles}, {tiles}, #1",
            "b.ne 2b",
            params0 = in(reg) $group.params,
            params = out(reg) _,
            w0 = in(reg) $group.weights,
            w = out(reg) _,
            panels = in(reg) $group.panels,
            left = out(reg) _,
            finish = in(reg) $group.finish,
            $($r = inout(reg) $tiles.row($i) => _,)*
            $($o = inout(reg) $tiles.out_row($i) => _,)*
            a_step = in(reg) $rows * $tiles.a_stride,
            out_step = in(reg) ($rows * $tiles.out_stride).wrapping_sub(4 * $group.panels),
            tiles = inout(reg) $tiles.count => _,
            tail = in(reg) $group.tail(),
            out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _,
            out("v6") _, out("v7") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _,
            out("v12") _, out("v13") _, out("v14") _, out("v15") _, out("v16") _, out("v17") _,
            out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _,
            out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _, out("v29") _,
            out("v30") _, out("v31") _,
            options(nostack),
        )
    };
}

/// Tiles of three rows.
macro_rules! three {
    ($group:expr, $tiles:expr, $rounder:literal, $n:tt quads, $narrow:ident) => {
        tiles!(
            $group, $tiles, 3 rows [r0 "r0" o0 "o0" 0, r1 "r1" o1 "o1" 1, r2 "r2" o2 "o2" 2],
            $rounder, rows!($n quads), twins!($n quads, $narrow), single!($n quads, $narrow),
        )
    };
    // Seven quads leave no register for the rounder.
    ($group:expr, $tiles:expr, 7 quads, $narrow:ident) => {
        three!($group, $tiles, "", 7 quads, $narrow)
    };
    ($group:expr, $tiles:expr, $n:tt quads, $narrow:ident) => {
        three!($group, $tiles, "ldr q31, [{finish}]", $n quads, $narrow)
    };
}

/// Tiles of two rows.
macro_rules! two {
    ($group:expr, $tiles:expr, $n:tt quads, $narrow:ident) => {
        tiles!(
            $group, $tiles, 2 rows [r0 "r0" o0 "o0" 0, r1 "r1" o1 "o1" 1],
            "ldr q31, [{finish}]", rows_two!($n quads), twins_two!($n quads, $narrow), single_two!($n quads, $narrow),
        )
    };
}

/// Computes tiles of [`tile_rows`]; `SHORT` is how the epilogue rounds.
///
/// # Safety
///
/// The CPU has neon; group and tiles are sound, and there is at least one panel and one tile.
#[target_feature(enable = "neon")]
pub unsafe fn run<const SHORT: bool>(group: &Group, tiles: Tiles) {
    // SAFETY: the caller's: what is read was packed, with two quads behind, or belongs to the rows; a tail's load
    // ends where its row ends. Each panel writes four bytes of each row.
    unsafe {
        match (group.quads(), SHORT) {
            (4, true) => three!(group, tiles, 4 quads, narrow_short),
            (5, true) => three!(group, tiles, 5 quads, narrow_short),
            (6, true) => three!(group, tiles, 6 quads, narrow_short),
            (7, true) => three!(group, tiles, 7 quads, narrow_short),
            (8, true) => two!(group, tiles, 8 quads, narrow_short_two),
            (9, true) => two!(group, tiles, 9 quads, narrow_short_two),
            (10, true) => two!(group, tiles, 10 quads, narrow_short_two),
            (4, false) => three!(group, tiles, 4 quads, narrow_plain),
            (5, false) => three!(group, tiles, 5 quads, narrow_plain),
            (6, false) => three!(group, tiles, 6 quads, narrow_plain),
            (7, false) => three!(group, tiles, 7 quads, narrow_plain),
            (8, false) => two!(group, tiles, 8 quads, narrow_plain_two),
            (9, false) => two!(group, tiles, 9 quads, narrow_plain_two),
            (10, false) => two!(group, tiles, 10 quads, narrow_plain_two),
            _ => unreachable!("resident rows have 16 to 40 elements"),
        }
    }
}
