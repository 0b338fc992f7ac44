//! Tiles of two rows by eight channels for rows of 29 to 40 elements, as one piece of assembly for each number of quads:
//! the rows stay in registers for all panels of a group.

use super::neon_3x8_resident::Group;
use super::neon_quads::{convert_rows, round_rows, scale_rows};
use super::neon_quads_2_rows::*;
use super::rows::Tiles;
use core::arch::asm;

/// Computes tiles of two rows; `SHORT` is how the epilogue rounds.
///
/// # Safety
///
/// The CPU has neon; group and tiles are sound, and there is at least one panel and one tile.
#[target_feature(enable = "neon")]
pub unsafe fn run<const SHORT: bool>(group: &Group, tiles: Tiles) {
    macro_rules! tiles {
        ($n:tt quads, $narrow:ident) => {
            asm!(
                "ldr q31, [{finish}]",
                "2:",
                "mov {w}, {w0}",
                "ldp q6, q7, [{w}], #32",
                rows_two!($n quads),
                "mov {params}, {params0}",
                "lsr {left}, {panels}, #1",
                "cbz {left}, 6f",
                "5:",
                twins_two!($n quads, $narrow),
                "subs {left}, {left}, #1",
                "b.ne 5b",
                "6:",
                "tbz {panels}, #0, 7f",
                single_two!($n quads, $narrow),
                "7:",
                "add {r0}, {r0}, {a_step}",
                "add {r1}, {r1}, {a_step}",
                "add {o0}, {o0}, {out_step}",
                "add {o1}, {o1}, {out_step}",
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
                o0 = inout(reg) tiles.out_row(0) => _,
                o1 = inout(reg) tiles.out_row(1) => _,
                a_step = in(reg) 2 * tiles.a_stride,
                out_step = in(reg) (2 * tiles.out_stride).wrapping_sub(4 * group.panels),
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
    }
    // SAFETY: the caller's: what is read was packed, with two quads behind, or belongs to the rows; a tail's load
    // ends where its row ends. Each panel writes four bytes of each row.
    unsafe {
        match (group.quads(), SHORT) {
            (8, true) => tiles!(8 quads, narrow_short_two),
            (9, true) => tiles!(9 quads, narrow_short_two),
            (10, true) => tiles!(10 quads, narrow_short_two),
            (8, false) => tiles!(8 quads, narrow_plain_two),
            (9, false) => tiles!(9 quads, narrow_plain_two),
            (10, false) => tiles!(10 quads, narrow_plain_two),
            _ => unreachable!("two resident rows have 29 to 40 elements"),
        }
    }
}
