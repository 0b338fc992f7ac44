//! Tiles of three rows by four channels for rows of any length, as one piece of assembly: all 32 registers have a task,
//! and a compiler that moves one load up spills.
//!
//! A panel's first run starts the sums, every later one first adds the products of the run before it to them.

use super::endings::{REAL, SHORT, element};
use super::neon_steps::*;
use super::neon_sums::*;
use super::qs8_gemm_3x4_neon::{Group, STEP};
use super::rows::Tiles;
use core::arch::asm;

/// Computes tiles of rows of at least sixteen elements; `ENDING` is one of [`endings`](super::endings).
///
/// # Safety
///
/// The CPU has neon; group and tiles are sound, and there is at least one panel and one tile.
#[target_feature(enable = "neon")]
pub unsafe fn run<const ENDING: u8>(group: &Group, tiles: Tiles) {
    let whole = group.k / STEP * STEP;
    macro_rules! tiles {
        ($finish:ident) => {
            asm!(
                "2:",
                "mov {params}, {params0}",
                "mov {moves}, {moves0}",
                "mov {w}, {w0}",
                "mov {panels}, {panels0}",
                "3:",
                panel!(3 rows),
                "20:",
                $finish!(3 rows),
                "sub {r0}, {r0}, {whole}",
                "sub {r1}, {r1}, {whole}",
                "sub {r2}, {r2}, {whole}",
                "subs {panels}, {panels}, #1",
                "b.ne 3b",
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
                moves0 = in(reg) group.moves,
                moves = out(reg) _,
                w0 = in(reg) group.weights,
                w = out(reg) _,
                panels0 = in(reg) group.panels,
                panels = out(reg) _,
                finish = in(reg) group.finish,
                r0 = inout(reg) tiles.row(0) => _,
                r1 = inout(reg) tiles.row(1) => _,
                r2 = inout(reg) tiles.row(2) => _,
                o0 = inout(reg) tiles.out_row(0) => _,
                o1 = inout(reg) tiles.out_row(1) => _,
                o2 = inout(reg) tiles.out_row(2) => _,
                a_step = in(reg) 3 * tiles.a_stride,
                out_step = in(reg) (3 * tiles.out_stride).wrapping_sub(4 * element(ENDING) * group.panels),
                tiles = inout(reg) tiles.count => _,
                whole = in(reg) whole,
                back = in(reg) group.back(),
                move = out(reg) _,
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
    // SAFETY: the caller's: what is read was packed, or belongs to the rows; a tail's load ends where its row ends. Each
    // panel writes four elements of each row.
    unsafe {
        match ENDING {
            SHORT => tiles!(finish_short),
            REAL => tiles!(finish_real),
            _ => tiles!(finish_plain),
        }
    }
}
