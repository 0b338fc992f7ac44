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

pub fn run_sums(proof: Neon, grid: Grid, steps: (f32, f32), sums: &[f32], out: &mut [f32]) {
    let _ = proof;
    // SAFETY: the proof says that the CPU has neon.
    unsafe { run_sums_neon(grid, steps, sums, out) }
}

/// A grid in registers.
#[derive(Clone, Copy)]
struct Rounder {
    scale: float32x4_t,
    least: float32x4_t,
    most: float32x4_t,
    rounder: float32x4_t,
}

impl Rounder {
    #[inline]
    #[target_feature(enable = "neon")]
    fn new(grid: Grid) -> Rounder {
        Rounder {
            scale: vdupq_n_f32(grid.scale),
            least: vdupq_n_f32(grid.least as f32),
            most: vdupq_n_f32(grid.most as f32),
            rounder: vdupq_n_f32(ROUNDER),
        }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn nearest(self, steps: float32x4_t) -> float32x4_t {
        let bounded = vminnmq_f32(vmaxnmq_f32(steps, self.least), self.most);
        let rounded = vsubq_f32(vaddq_f32(bounded, self.rounder), self.rounder);
        vmulq_f32(rounded, self.scale)
    }
}

#[target_feature(enable = "neon")]
fn run_neon(grid: Grid, x: &[f32], out: &mut [f32]) {
    let rounder = Rounder::new(grid);
    let (sixteens, rest) = x.as_chunks::<16>();
    let (to, to_rest) = out.as_chunks_mut::<16>();
    for (x, to) in sixteens.iter().zip(to) {
        for i in 0..4 {
            // SAFETY: the arrays' types say that there are sixteen.
            unsafe {
                let steps = vdivq_f32(vld1q_f32(x.as_ptr().add(4 * i)), rounder.scale);
                vst1q_f32(to.as_mut_ptr().add(4 * i), rounder.nearest(steps));
            }
        }
    }
    f32_round_scalar::run(grid, rest, to_rest);
}

#[target_feature(enable = "neon")]
fn run_sums_neon(grid: Grid, (offset, multiplier): (f32, f32), sums: &[f32], out: &mut [f32]) {
    let rounder = Rounder::new(grid);
    let (offsets, multipliers) = (vdupq_n_f32(offset), vdupq_n_f32(multiplier));
    let (sixteens, rest) = sums.as_chunks::<16>();
    let (to, to_rest) = out.as_chunks_mut::<16>();
    for (sums, to) in sixteens.iter().zip(to) {
        for i in 0..4 {
            // SAFETY: the arrays' types say that there are sixteen.
            unsafe {
                let sums = vsubq_f32(vld1q_f32(sums.as_ptr().add(4 * i)), offsets);
                let real = rounder.nearest(vmulq_f32(sums, multipliers));
                vst1q_f32(to.as_mut_ptr().add(4 * i), real);
            }
        }
    }
    f32_round_scalar::run_sums(grid, (offset, multiplier), rest, to_rest);
}
