//! Sixteen elements at a time: TBL looks in the first 64 entries, TBX in each 64 that follow; both leave alone what is
//! outside of theirs. The last block of a row looks back.

use super::qs8_table_scalar;
use crate::isa::Neon;
use core::arch::aarch64::*;

/// Elements of a block.
const BLOCK: usize = 16;

/// See [`qs8_table_rows`](super::qs8_table_rows), which checked the lengths.
pub fn run(
    _proof: Neon,
    table: &[i8; 256],
    (a, columns): (&[i8], usize),
    (out, stride): (&mut [i8], usize),
) {
    if columns < BLOCK {
        qs8_table_scalar::run(table, (a, columns), (out, stride));
    } else {
        // SAFETY: the proof says that the CPU has neon.
        unsafe { run_rows(table, (a, columns), (out, stride)) }
    }
}

/// A row is of a block at least.
#[target_feature(enable = "neon")]
fn run_rows(table: &[i8; 256], (a, columns): (&[i8], usize), (out, stride): (&mut [i8], usize)) {
    // SAFETY: four times 64 entries are the table.
    let parts: [uint8x16x4_t; 4] = core::array::from_fn(|part| unsafe {
        vld1q_u8_x4(table.as_ptr().cast::<u8>().add(64 * part))
    });
    let last = columns - BLOCK;
    for (a, out) in a.chunks_exact(columns).zip(out.chunks_mut(stride)) {
        let out = &mut out[..columns];
        for start in (0..last).step_by(BLOCK).chain([last]) {
            // SAFETY: start is at most sixteen below the length, which both slices have.
            let a = unsafe { vld1q_s8(a.as_ptr().add(start)) };
            let mut at = veorq_u8(vreinterpretq_u8_s8(a), vdupq_n_u8(0x80));
            let mut found = vqtbl4q_u8(parts[0], at);
            for part in &parts[1..] {
                at = vsubq_u8(at, vdupq_n_u8(64));
                found = vqtbx4q_u8(found, *part, at);
            }
            // SAFETY: as above.
            unsafe { vst1q_s8(out.as_mut_ptr().add(start), vreinterpretq_s8_u8(found)) }
        }
    }
}
