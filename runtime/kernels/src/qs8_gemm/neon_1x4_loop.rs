//! One row by four channels, as one piece of assembly: what tiles of three rows leave, and the classifier behind a pool.

use super::endings::{REAL, SHORT};
use super::neon_steps::*;
use super::neon_sums::*;
use super::qs8_gemm_3x4_neon::{Group, STEP};
use core::arch::asm;

/// Computes one row of at least sixteen elements; `ENDING` is one of [`endings`](super::endings).
///
/// # Safety
///
/// The CPU has neon; the group is sound and has at least one panel; `row` has its `k` bytes, `out` four elements for each panel.
#[target_feature(enable = "neon")]
pub unsafe fn run<const ENDING: u8>(group: &Group, row: *const i8, out: *mut i8) {
    let whole = group.k / STEP * STEP;
    macro_rules! row {
        ($finish:ident) => {
            asm!(
                "3:",
                panel!(1 row),
                "20:",
                $finish!(1 row),
                "sub {r0}, {r0}, {whole}",
                "subs {panels}, {panels}, #1",
                "b.ne 3b",
                params = inout(reg) group.params => _,
                moves = inout(reg) group.moves => _,
                w = inout(reg) group.weights => _,
                panels = inout(reg) group.panels => _,
                finish = in(reg) group.finish,
                r0 = inout(reg) row => _,
                o0 = inout(reg) out => _,
                whole = in(reg) whole,
                back = in(reg) group.back(),
                move = out(reg) _,
                out("v0") _, out("v3") _, out("v6") _, out("v9") _, out("v12") _, out("v13") _,
                out("v15") _, out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _,
                out("v23") _, out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _,
                out("v29") _, out("v30") _, out("v31") _,
                options(nostack),
            )
        };
    }
    // SAFETY: the caller's: what is read was packed, or belongs to the row; a tail's load ends where the row ends. Each
    // panel writes four elements.
    unsafe {
        match ENDING {
            SHORT => row!(finish_short),
            REAL => row!(finish_real),
            _ => row!(finish_plain),
        }
    }
}
