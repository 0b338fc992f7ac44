//! A panel at a time with SMULL and SMLAL: eight products a lane are summed in 16 bits, which [`ScanQuery`] sees to, and
//! SADALP widens them.
//!
//! v0-v7: sums in 32 bits, two lanes a row; v8-v15: sums in 16 bits, four lanes a row; v16-v23: two quads of a panel;
//! v24-v31: eight quads of the query, each four times over.

use super::{CHAIN, Rows, ScanQuery, finish_neon::finish};
use crate::isa::Neon;
use core::arch::{
    aarch64::{int32x4_t, vpaddq_s32},
    asm,
};

/// See [`qs8_scan`](super::qs8_scan); the shapes were checked by the dispatcher.
pub fn run(_proof: Neon, query: &ScanQuery, rows: Rows<'_>) {
    // SAFETY: the proof says that the CPU has neon.
    unsafe { run_panels(query, rows) }
}

#[target_feature(enable = "neon")]
fn run_panels(query: &ScanQuery, rows: Rows<'_>) {
    let chains = query.values.len() / CHAIN;
    let mut panel = rows.panels.as_ptr();
    let out = rows.scores.iter_mut().zip(rows.bests);
    for (scales, (scores, best)) in rows.scales.iter().zip(out) {
        // SAFETY: there is a panel for each sixteen scales; it and the repeated query have as many chains, at least two.
        let (sums, next) = unsafe { sums(panel, query.repeated.as_ptr(), chains) };
        panel = next;
        let [a, b, c, d, e, f, g, h] = sums;
        let rows_of_four = [
            vpaddq_s32(a, b),
            vpaddq_s32(c, d),
            vpaddq_s32(e, f),
            vpaddq_s32(g, h),
        ];
        *best = finish(rows_of_four, scales, scores);
    }
}

/// A quad of sixteen rows, times the query's: the low half of each register has two rows, the high half two.
macro_rules! quad {
    ($op:literal, $x:literal, $w0:literal $w1:literal $w2:literal $w3:literal) => {
        concat!(
            "ld1 {{v",
            $w0,
            ".16b-v",
            $w3,
            ".16b}}, [{panel}], #64\n",
            $op,
            " v8.8h, v",
            $w0,
            ".8b, v",
            $x,
            ".8b\n",
            $op,
            "2 v9.8h, v",
            $w0,
            ".16b, v",
            $x,
            ".16b\n",
            $op,
            " v10.8h, v",
            $w1,
            ".8b, v",
            $x,
            ".8b\n",
            $op,
            "2 v11.8h, v",
            $w1,
            ".16b, v",
            $x,
            ".16b\n",
            $op,
            " v12.8h, v",
            $w2,
            ".8b, v",
            $x,
            ".8b\n",
            $op,
            "2 v13.8h, v",
            $w2,
            ".16b, v",
            $x,
            ".16b\n",
            $op,
            " v14.8h, v",
            $w3,
            ".8b, v",
            $x,
            ".8b\n",
            $op,
            "2 v15.8h, v",
            $w3,
            ".16b, v",
            $x,
            ".16b\n",
        )
    };
}

/// Eight quads, and what widens their sums: SADDLP begins, SADALP adds.
macro_rules! chain {
    ($widen:literal) => {
        concat!(
            "ld1 {{v24.16b-v27.16b}}, [{query}], #64\n",
            "ld1 {{v28.16b-v31.16b}}, [{query}], #64\n",
            quad!("smull", 24, 16 17 18 19),
            quad!("smlal", 25, 20 21 22 23),
            quad!("smlal", 26, 16 17 18 19),
            quad!("smlal", 27, 20 21 22 23),
            quad!("smlal", 28, 16 17 18 19),
            quad!("smlal", 29, 20 21 22 23),
            quad!("smlal", 30, 16 17 18 19),
            "subs {chains}, {chains}, #1\n",
            quad!("smlal", 31, 20 21 22 23),
            $widen, " v0.4s, v8.8h\n",
            $widen, " v1.4s, v9.8h\n",
            $widen, " v2.4s, v10.8h\n",
            $widen, " v3.4s, v11.8h\n",
            $widen, " v4.4s, v12.8h\n",
            $widen, " v5.4s, v13.8h\n",
            $widen, " v6.4s, v14.8h\n",
            $widen, " v7.4s, v15.8h\n",
        )
    };
}

/// The sums of a panel, two lanes a row: register `i` holds rows `2 i` and `2 i + 1`; where the next panel begins.
///
/// # Safety
///
/// The CPU has neon; `panel` has `chains` chains of sixteen rows and `query` as many, four times over; two at least.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn sums(
    mut panel: *const i8,
    query: *const i8,
    chains: usize,
) -> ([int32x4_t; 8], *const i8) {
    let (s0, s1, s2, s3, s4, s5, s6, s7);
    // SAFETY: the caller's promise: what is read belongs to the panel and to the query.
    unsafe {
        asm!(
            chain!("saddlp"),
            "2:",
            chain!("sadalp"),
            "b.ne 2b",
            panel = inout(reg) panel,
            query = inout(reg) query => _,
            chains = inout(reg) chains => _,
            out("v0") s0, out("v1") s1, out("v2") s2, out("v3") s3, out("v4") s4, out("v5") s5,
            out("v6") s6, out("v7") s7,
            out("v8") _, out("v9") _, out("v10") _, out("v11") _, out("v12") _, out("v13") _,
            out("v14") _, out("v15") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _,
            out("v20") _, out("v21") _, out("v22") _, out("v23") _, out("v24") _, out("v25") _,
            out("v26") _, out("v27") _, out("v28") _, out("v29") _, out("v30") _, out("v31") _,
            options(pure, readonly, nostack),
        );
    }
    ([s0, s1, s2, s3, s4, s5, s6, s7], panel)
}
