//! Sixteen reals at a time.

use super::{Grid, f32_round_scalar};
use crate::isa::Neon;
use crate::quantize::ROUNDER;
use core::arch::aarch64::*;

pub fn run(proof: Neon, grid: Grid, x: &[f32], out: &mut [f32]) {
    let _ = proof;
    // SAFETY: the proof says that the CPU has neon.
    unsafe { run_neon(grid, x, out) }
}

#[target_feature(enable = "neon")]
fn run_neon(grid: Grid, x: &[f32], out: &mut [f32]) {
    let scale = vdupq_n_f32(grid.scale);
    let (least, most) = (
        vdupq_n_f32(grid.least as f32),
        vdupq_n_f32(grid.most as f32),
    );
    let rounder = vdupq_n_f32(ROUNDER);
    let (sixteens, rest) = x.as_chunks::<16>();
    let (to, to_rest) = out.as_chunks_mut::<16>();
    for (x, to) in sixteens.iter().zip(to) {
        for i in 0..4 {
            // SAFETY: the arrays' types say that there are sixteen.
            unsafe {
                let steps = vdivq_f32(vld1q_f32(x.as_ptr().add(4 * i)), scale);
                let bounded = vminnmq_f32(vmaxnmq_f32(steps, least), most);
                let rounded = vsubq_f32(vaddq_f32(bounded, rounder), rounder);
                vst1q_f32(to.as_mut_ptr().add(4 * i), vmulq_f32(rounded, scale));
            }
        }
    }
    f32_round_scalar::run(grid, rest, to_rest);
}
