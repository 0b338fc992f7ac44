//! Sixteen reals at a time with FMINNM and FMAXNM, which pass over NaN.

use crate::isa::Neon;
use core::arch::aarch64::*;

pub fn run(proof: Neon, x: &[f32]) -> (f32, f32) {
    let _ = proof;
    // SAFETY: the proof says that the CPU has neon.
    unsafe { run_neon(x) }
}

#[target_feature(enable = "neon")]
fn run_neon(x: &[f32]) -> (f32, f32) {
    let mut least = [vdupq_n_f32(0.0); 4];
    let mut greatest = least;
    let (sixteens, rest) = x.as_chunks::<16>();
    for sixteen in sixteens {
        for i in 0..4 {
            // SAFETY: the array's type says that there are sixteen.
            let x = unsafe { vld1q_f32(sixteen.as_ptr().add(4 * i)) };
            least[i] = vminnmq_f32(least[i], x);
            greatest[i] = vmaxnmq_f32(greatest[i], x);
        }
    }
    let [a, b, c, d] = least;
    let low = vminnmvq_f32(vminnmq_f32(vminnmq_f32(a, b), vminnmq_f32(c, d)));
    let [a, b, c, d] = greatest;
    let high = vmaxnmvq_f32(vmaxnmq_f32(vmaxnmq_f32(a, b), vmaxnmq_f32(c, d)));
    let wider = |(least, greatest): (f32, f32), &x: &f32| (least.min(x), greatest.max(x));
    rest.iter().fold((low, high), wider)
}
