//! Sixteen reals of a row at a time; what is left of a row goes through a block of its own.

use crate::exp_neon::exp2;
use crate::isa::Neon;
use crate::lanes::{LANES, neon::*};
use core::arch::aarch64::*;

pub fn run(_proof: Neon, scale: f32, x: &[f32], row: usize, out: &mut [f32]) {
    for (x, out) in x.chunks_exact(row).zip(out.chunks_exact_mut(row)) {
        // SAFETY: the proof says that the CPU has neon.
        unsafe { run_row(scale, x, out) }
    }
}

#[target_feature(enable = "neon")]
fn run_row(scale: f32, x: &[f32], out: &mut [f32]) {
    let (sixteens, rest) = x.as_chunks::<LANES>();
    let (to, to_rest) = out.as_chunks_mut::<LANES>();
    let mut last = [f32::NEG_INFINITY; LANES];
    last[..rest.len()].copy_from_slice(rest);
    let mut maxima = load(&last);
    for sixteen in sixteens {
        let x = load(sixteen);
        maxima = [0, 1, 2, 3].map(|i| vmaxq_f32(maxima[i], x[i]));
    }
    let greatest = greatest(maxima);
    if !greatest.is_finite() {
        to.as_flattened_mut().fill(f32::NAN);
        return to_rest.fill(f32::NAN);
    }
    let (greatest, scale) = (vdupq_n_f32(greatest), vdupq_n_f32(scale));
    let mut sums = zeros();
    for (sixteen, to) in sixteens.iter().zip(&mut *to) {
        let powers = powers(load(sixteen), greatest, scale);
        store(to, powers);
        sums = add(sums, powers);
    }
    let mut powers_left = zeros();
    if !rest.is_empty() {
        powers_left = first(rest.len(), powers(load(&last), greatest, scale));
        sums = add(sums, powers_left);
    }
    let share = vdupq_n_f32(1.0 / total(sums));
    for to in to {
        let powers = load(to);
        store(to, powers.map(|power| vmulq_f32(power, share)));
    }
    store(&mut last, powers_left.map(|power| vmulq_f32(power, share)));
    to_rest.copy_from_slice(&last[..to_rest.len()]);
}

#[inline]
#[target_feature(enable = "neon")]
fn powers(x: Reals, greatest: float32x4_t, scale: float32x4_t) -> Reals {
    x.map(|x| exp2(vmulq_f32(vsubq_f32(x, greatest), scale)))
}
