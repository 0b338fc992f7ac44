//! Tiles of three rows by four channels for rows of 16 to 32 elements, as one piece of assembly: the rows stay in registers
//! for all panels of a group.

use super::neon_steps::*;
use super::qs8_gemm_3x4_neon::Group;
use super::rows::Tiles;
use core::arch::asm;

/// Computes tiles of rows of 16 to 32 elements; `SHORT` is how the epilogue rounds.
///
/// # Safety
///
/// The CPU has neon; group and tiles are sound, and there is at least one panel and one tile.
#[target_feature(enable = "neon")]
pub unsafe fn run<const SHORT: bool>(group: &Group, tiles: Tiles) {
    // A second whole step is a tail that looks back by nothing.
    let (second, offset) = match Tail::of(group.k) {
        Tail::None if group.k == 32 => (Tail::Whole, 16),
        tail => (tail, 16 + tail.offset(group.k)),
    };
    macro_rules! tiles {
        ($finish:ident) => {
            asm!(
                "2:",
                "ldr q24, [{r0}]",
                "ldr q26, [{r1}]",
                "ldr q28, [{r2}]",
                "cbz {second:w}, 4f",
                "tbz {second:w}, #0, 3f",
                "ldr d25, [{r0}, {offset}]",
                "ldr d27, [{r1}, {offset}]",
                "ldr d29, [{r2}, {offset}]",
                "b 4f",
                "3:",
                "ldr q25, [{r0}, {offset}]",
                "ldr q27, [{r1}, {offset}]",
                "ldr q29, [{r2}, {offset}]",
                "4:",
                "mov {params}, {params0}",
                "mov {together}, {together0}",
                "mov {w}, {w0}",
                "mov {panels}, {panels0}",
                "5:",
                step!("smull" "smlal2", 3 rows, first),
                "cbz {second:w}, 7f",
                "ldrb {now:w}, [{together}], #1",
                "cbz {now:w}, 8f",
                "tbnz {second:w}, #0, 6f",
                step!("smlal" "smlal2", 3 rows, second),
                "b 7f",
                "6:",
                half_step!("smlal", [25 27 29]),
                "7:",
                widen!("saddlp", 3 rows),
                "b 22f",
                "8:",
                widen!("saddlp", 3 rows),
                "tbnz {second:w}, #0, 20f",
                step!("smull" "smlal2", 3 rows, second),
                "b 21f",
                "20:",
                half_step!("smull", [25 27 29]),
                "21:",
                widen!("sadalp", 3 rows),
                "22:",
                $finish!(3 rows),
                "subs {panels}, {panels}, #1",
                "b.ne 5b",
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
                together0 = in(reg) group.together,
                together = out(reg) _,
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
                out_step = in(reg) (3 * tiles.out_stride).wrapping_sub(4 * group.panels),
                tiles = inout(reg) tiles.count => _,
                offset = in(reg) offset,
                second = in(reg) second as u32,
                now = out(reg) _,
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
    // SAFETY: the caller's: what is read was packed, or belongs to the rows; a second load ends where its row ends. Each
    // panel writes four bytes of each row.
    unsafe {
        if SHORT {
            tiles!(finish_short)
        } else {
            tiles!(finish_plain)
        }
    }
}
