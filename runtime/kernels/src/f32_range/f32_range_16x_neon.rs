//! Sixteen reals in registers at a time, four times a turn, with FMINNM and FMAXNM, which pass over NaN.

use crate::isa::Neon;
use core::arch::aarch64::*;

/// Reals that go through the registers in a turn.
const BLOCK: usize = 64;

pub fn run(proof: Neon, x: &[f32]) -> (f32, f32) {
    let _ = proof;
    // SAFETY: the proof says that the CPU has neon.
    unsafe { run_neon(x) }
}

#[target_feature(enable = "neon")]
fn run_neon(x: &[f32]) -> (f32, f32) {
    let mut least = [vdupq_n_f32(0.0); 4];
    let mut greatest = least;
    let (blocks, rest) = x.as_chunks::<BLOCK>();
    for block in blocks {
        for i in 0..BLOCK / 4 {
            // SAFETY: the array's type says that there are so many.
            let x = unsafe { vld1q_f32(block.as_ptr().add(4 * i)) };
            least[i % 4] = vminnmq_f32(least[i % 4], x);
            greatest[i % 4] = vmaxnmq_f32(greatest[i % 4], x);
        }
    }
    let [a, b, c, d] = least;
    let low = vminnmvq_f32(vminnmq_f32(vminnmq_f32(a, b), vminnmq_f32(c, d)));
    let [a, b, c, d] = greatest;
    let high = vmaxnmvq_f32(vmaxnmq_f32(vmaxnmq_f32(a, b), vmaxnmq_f32(c, d)));
    let wider = |(least, greatest): (f32, f32), &x: &f32| (least.min(x), greatest.max(x));
    rest.iter().fold((low, high), wider)
}
