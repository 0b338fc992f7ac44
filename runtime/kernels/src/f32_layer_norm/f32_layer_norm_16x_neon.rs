//! Sixteen reals of a row at a time; what is left of a row goes through a block of its own.

use super::Norm;
use crate::isa::Neon;
use crate::lanes::{LANES, neon::*};
use core::arch::aarch64::*;

pub fn run(_proof: Neon, norm: Norm, x: &[f32], out: &mut [f32]) {
    let row = norm.scale.len();
    for (x, out) in x.chunks_exact(row).zip(out.chunks_exact_mut(row)) {
        // SAFETY: the proof says that the CPU has neon.
        unsafe { run_row(norm, x, out) }
    }
}

#[target_feature(enable = "neon")]
fn run_row(norm: Norm, x: &[f32], out: &mut [f32]) {
    let count = x.len() as f32;
    let (sixteens, rest) = x.as_chunks::<LANES>();
    let last = padded(rest);

    let mut sums = zeros();
    for sixteen in sixteens {
        sums = add(sums, load(sixteen));
    }
    let mean = total(add(sums, load(&last))) / count;

    let mean = vdupq_n_f32(mean);
    let mut sums = zeros();
    for sixteen in sixteens {
        sums = add(sums, squares(load(sixteen), mean));
    }
    if !rest.is_empty() {
        sums = add(sums, first(rest.len(), squares(load(&last), mean)));
    }
    let variance = total(sums) / count;

    let one = vdupq_n_f32(1.0);
    let inverse = vdivq_f32(one, vsqrtq_f32(vdupq_n_f32(variance + norm.epsilon)));
    let (scales, scales_left) = norm.scale.as_chunks::<LANES>();
    let (biases, biases_left) = norm.bias.as_chunks::<LANES>();
    let (to, to_rest) = out.as_chunks_mut::<LANES>();
    let numbers = scales.iter().zip(biases);
    for ((sixteen, to), (scale, bias)) in sixteens.iter().zip(to).zip(numbers) {
        store(
            to,
            normal(load(sixteen), mean, inverse, [load(scale), load(bias)]),
        );
    }
    if !rest.is_empty() {
        let numbers = [scales_left, biases_left].map(|left| load(&padded(left)));
        let mut made = [0.0; LANES];
        store(&mut made, normal(load(&last), mean, inverse, numbers));
        to_rest.copy_from_slice(&made[..rest.len()]);
    }
}

fn padded(rest: &[f32]) -> [f32; LANES] {
    let mut last = [0.0; LANES];
    last[..rest.len()].copy_from_slice(rest);
    last
}

#[inline]
#[target_feature(enable = "neon")]
fn squares(x: Reals, mean: float32x4_t) -> Reals {
    x.map(|x| {
        let apart = vsubq_f32(x, mean);
        vmulq_f32(apart, apart)
    })
}

#[inline]
#[target_feature(enable = "neon")]
fn normal(x: Reals, mean: float32x4_t, inverse: float32x4_t, [scale, bias]: [Reals; 2]) -> Reals {
    [0, 1, 2, 3].map(|i| {
        let normal = vmulq_f32(vsubq_f32(x[i], mean), inverse);
        vaddq_f32(vmulq_f32(normal, scale[i]), bias[i])
    })
}
