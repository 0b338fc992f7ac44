//! A panel at a time with SDOT by lane: a load of 64 bytes is a quad of each row, a lane of the query's register its factor,
//! and a sum needs no adding across. Up to 128 columns the query stays in registers.
//!
//! v16-v31: four quads of a panel.

use super::{Rows, SCAN_STEP, ScanQuery, finish_neon::finish};
use crate::isa::DotProd;
use core::arch::{
    aarch64::{int8x16_t, int32x4_t, vdupq_n_s32, vld1q_s8},
    asm,
};

/// Columns of a query that stays in registers.
const RESIDENT: usize = 128;

/// See [`qs8_scan`](super::qs8_scan); the shapes were checked by the dispatcher.
pub fn run(_proof: DotProd, query: &ScanQuery, rows: Rows<'_>) {
    // SAFETY: the proof says that the CPU has neon and dotprod.
    unsafe {
        match query.values.len() {
            RESIDENT => run_resident(query, rows),
            _ => run_steps(query, rows),
        }
    }
}

#[target_feature(enable = "neon,dotprod")]
fn run_resident(query: &ScanQuery, rows: Rows<'_>) {
    let query: &[i8; RESIDENT] = query.values[..].try_into().expect("128 columns");
    let [low, high] = [registers(&query[..64]), registers(&query[64..])];
    let mut panel = rows.panels.as_ptr();
    let out = rows.scores.iter_mut().zip(rows.bests);
    for (scales, (scores, best)) in rows.scales.iter().zip(out) {
        // SAFETY: there is a panel of two steps for each sixteen scales.
        let sums = unsafe {
            let (sums, half) = add_step([vdupq_n_s32(0); 4], low, panel);
            let (sums, next) = add_step(sums, high, half);
            panel = next;
            sums
        };
        *best = finish(sums, scales, scores);
    }
}

#[target_feature(enable = "neon,dotprod")]
fn run_steps(query: &ScanQuery, rows: Rows<'_>) {
    let (steps, _) = query.values.as_chunks::<SCAN_STEP>();
    let mut panel = rows.panels.as_ptr();
    let out = rows.scores.iter_mut().zip(rows.bests);
    for (scales, (scores, best)) in rows.scales.iter().zip(out) {
        let mut sums = [vdupq_n_s32(0); 4];
        for step in steps {
            // SAFETY: there is a panel for each sixteen scales, of as many steps as the query.
            (sums, panel) = unsafe { add_step(sums, registers(step), panel) };
        }
        *best = finish(sums, scales, scores);
    }
}

/// A step of the query.
#[inline]
#[target_feature(enable = "neon")]
fn registers(step: &[i8]) -> [int8x16_t; 4] {
    let parts = step.as_chunks::<16>().0;
    // SAFETY: an array of sixteen bytes can be read.
    core::array::from_fn(|i| unsafe { vld1q_s8(parts[i].as_ptr()) })
}

/// Sixteen columns: four loads, each a quad of sixteen rows, and their products with the lanes of a register.
macro_rules! sixteen {
    ($x:literal) => {
        concat!(
            "ld1 {{v16.16b-v19.16b}}, [{panel}], #64\n",
            "ld1 {{v20.16b-v23.16b}}, [{panel}], #64\n",
            "ld1 {{v24.16b-v27.16b}}, [{panel}], #64\n",
            "ld1 {{v28.16b-v31.16b}}, [{panel}], #64\n",
            sixteen!($x, 0, 16, 17, 18, 19),
            sixteen!($x, 1, 20, 21, 22, 23),
            sixteen!($x, 2, 24, 25, 26, 27),
            sixteen!($x, 3, 28, 29, 30, 31),
        )
    };
    ($x:literal, $lane:literal, $a:literal, $b:literal, $c:literal, $d:literal) => {
        concat!(
            "sdot {s0:v}.4s, v",
            $a,
            ".16b, {",
            $x,
            ":v}.4b[",
            $lane,
            "]\n",
            "sdot {s1:v}.4s, v",
            $b,
            ".16b, {",
            $x,
            ":v}.4b[",
            $lane,
            "]\n",
            "sdot {s2:v}.4s, v",
            $c,
            ".16b, {",
            $x,
            ":v}.4b[",
            $lane,
            "]\n",
            "sdot {s3:v}.4s, v",
            $d,
            ".16b, {",
            $x,
            ":v}.4b[",
            $lane,
            "]\n",
        )
    };
}

/// `sums`, four rows in a register, with a step's products added; where the next step begins.
///
/// # Safety
///
/// The CPU has neon and dotprod; `panel` has a step of sixteen rows.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn add_step(
    sums: [int32x4_t; 4],
    x: [int8x16_t; 4],
    mut panel: *const i8,
) -> ([int32x4_t; 4], *const i8) {
    let [mut s0, mut s1, mut s2, mut s3] = sums;
    // SAFETY: the caller's promise: 64 columns of sixteen rows are read.
    unsafe {
        asm!(
            sixteen!("x0"),
            sixteen!("x1"),
            sixteen!("x2"),
            sixteen!("x3"),
            panel = inout(reg) panel,
            s0 = inout(vreg) s0,
            s1 = inout(vreg) s1,
            s2 = inout(vreg) s2,
            s3 = inout(vreg) s3,
            x0 = in(vreg) x[0],
            x1 = in(vreg) x[1],
            x2 = in(vreg) x[2],
            x3 = in(vreg) x[3],
            out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _, out("v21") _,
            out("v22") _, out("v23") _, out("v24") _, out("v25") _, out("v26") _, out("v27") _,
            out("v28") _, out("v29") _, out("v30") _, out("v31") _,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    ([s0, s1, s2, s3], panel)
}
