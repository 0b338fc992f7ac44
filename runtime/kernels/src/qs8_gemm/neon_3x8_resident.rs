//! Tiles of three rows by eight channels for rows of 16 to 28 elements, as one piece of assembly for each number of
//! quads: the rows stay in registers for all panels of a group.

use super::neon_quads::*;
use super::qs8_gemm_3x4_neon::Params;
use super::rows::Tiles;
use super::runs::Quad;
use crate::requantize_neon::Finish;
use core::arch::asm;

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
    pub fn quads(&self) -> usize {
        self.k.div_ceil(4)
    }

    /// Where a row's last load starts: it ends where the row ends, and brings as many quads as loads of sixteen bytes
    /// leave, or more.
    pub fn tail(&self) -> usize {
        self.k
            - match self.quads() % 4 {
                1 => 4,
                2 => 8,
                _ => 16,
            }
    }
}

/// Computes tiles; `SHORT` is how the epilogue rounds.
///
/// # Safety
///
/// The CPU has neon; group and tiles are sound, and there is at least one panel and one tile.
#[target_feature(enable = "neon")]
pub unsafe fn run<const SHORT: bool>(group: &Group, tiles: Tiles) {
    macro_rules! tiles {
        ($n:tt quads, $narrow:ident, $rounder:literal) => {
            asm!(
                $rounder,
                "2:",
                "mov {w}, {w0}",
                "ldp q6, q7, [{w}], #32",
                rows!($n quads),
                "mov {params}, {params0}",
                "lsr {left}, {panels}, #1",
                "cbz {left}, 6f",
                "5:",
                twins!($n quads, $narrow),
                "subs {left}, {left}, #1",
                "b.ne 5b",
                "6:",
                "tbz {panels}, #0, 7f",
                single!($n quads, $narrow),
                "7:",
                "add {r0}, {r0}, {a_step}",
                "add {r1}, {r1}, {a_step}",
                "add {r2}, {r2}, {a_step}",
                "add {o0}, {o0}, {out_step}",
                "add {o1}, {o1}, {out_step}",
                "add {o2}, {o2}, {out_step}",
                "subs {tiles}, {tiles}, #1",
                "b.ne 2b",
                params0 = in(reg) group.params,
                params = out(reg) _,
                w0 = in(reg) group.weights,
                w = out(reg) _,
                panels = in(reg) group.panels,
                left = out(reg) _,
                finish = in(reg) group.finish,
                r0 = inout(reg) tiles.row(0) => _,
                r1 = inout(reg) tiles.row(1) => _,
                r2 = inout(reg) tiles.row(2) => _,
                o0 = inout(reg) tiles.out_row(0) => _,
                o1 = inout(reg) tiles.out_row(1) => _,
                o2 = inout(reg) tiles.out_row(2) => _,
                a_step = in(reg) 3 * tiles.a_stride,
                out_step = in(reg) (3 * tiles.out_stride).wrapping_sub(4 * group.panels),
                tiles = inout(reg) tiles.count => _,
                tail = in(reg) group.tail(),
                out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _,
                out("v6") _, out("v7") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _,
                out("v12") _, out("v13") _, out("v14") _, out("v15") _, out("v16") _, out("v17") _,
                out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _,
                out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _, out("v29") _,
                out("v30") _, out("v31") _,
                options(nostack),
            )
        };
        (7 quads, $narrow:ident) => {
            tiles!(7 quads, $narrow, "")
        };
        ($n:tt quads, $narrow:ident) => {
            tiles!($n quads, $narrow, "ldr q31, [{finish}]")
        };
    }
    // SAFETY: the caller's: what is read was packed, with two quads behind, or belongs to the rows; a tail's load
    // ends where its row ends. Each panel writes four bytes of each row.
    unsafe {
        match (group.quads(), SHORT) {
            (4, true) => tiles!(4 quads, narrow_short),
            (5, true) => tiles!(5 quads, narrow_short),
            (6, true) => tiles!(6 quads, narrow_short),
            (7, true) => tiles!(7 quads, narrow_short),
            (4, false) => tiles!(4 quads, narrow_plain),
            (5, false) => tiles!(5 quads, narrow_plain),
            (6, false) => tiles!(6 quads, narrow_plain),
            (7, false) => tiles!(7 quads, narrow_plain),
            _ => unreachable!("three resident rows have 16 to 28 elements"),
        }
    }
}
