//! Sixteen reals at a time; what is left over goes through a block of its own.

use super::{Curve, END, NORMAL_P, NORMAL_Q};
use crate::exp::{CEILING, GAIN};
use crate::exp_neon::exp2;
use crate::isa::Neon;
use crate::lanes::{LANES, neon::*};
use core::arch::aarch64::*;

pub fn run(_proof: Neon, curve: Curve, x: &[f32], out: &mut [f32]) {
    // SAFETY: the proof says that the CPU has neon.
    unsafe {
        match curve {
            Curve::Normal => each(x, out, |x| normal(x)),
            Curve::Sigmoid { slope } => {
                let slope = vdupq_n_f32(slope);
                each(x, out, |x| sigmoid(x, vmulq_f32(slope, x)));
            }
            Curve::Cubic { linear, cubic } => {
                let (linear, cubic) = (vdupq_n_f32(linear), vdupq_n_f32(cubic));
                each(x, out, |x| {
                    let slope = vaddq_f32(vmulq_f32(vmulq_f32(x, x), cubic), linear);
                    sigmoid(x, vmulq_f32(slope, x))
                });
            }
        }
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn each(x: &[f32], out: &mut [f32], of: impl Fn(float32x4_t) -> float32x4_t) {
    let (sixteens, rest) = x.as_chunks::<LANES>();
    let (to, to_rest) = out.as_chunks_mut::<LANES>();
    for (sixteen, to) in sixteens.iter().zip(to) {
        store(to, load(sixteen).map(&of));
    }
    if !rest.is_empty() {
        let mut last = [0.0; LANES];
        last[..rest.len()].copy_from_slice(rest);
        let made = load(&last).map(&of);
        store(&mut last, made);
        to_rest.copy_from_slice(&last[..rest.len()]);
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn normal(x: float32x4_t) -> float32x4_t {
    let within = vminnmq_f32(vmaxnmq_f32(x, vdupq_n_f32(-END)), vdupq_n_f32(END));
    let square = vmulq_f32(within, within);
    let (p, q) = (horner(&NORMAL_P, square), horner(&NORMAL_Q, square));
    let share = vaddq_f32(vdivq_f32(vmulq_f32(within, p), q), vdupq_n_f32(0.5));
    vmulq_f32(x, share)
}

#[inline]
#[target_feature(enable = "neon")]
fn horner<const N: usize>(coefficients: &[f32; N], at: float32x4_t) -> float32x4_t {
    let mut sum = vdupq_n_f32(coefficients[0]);
    for &c in &coefficients[1..] {
        sum = vaddq_f32(vmulq_f32(sum, at), vdupq_n_f32(c));
    }
    sum
}

/// `x`, and what two is raised to.
#[inline]
#[target_feature(enable = "neon")]
fn sigmoid(x: float32x4_t, exponent: float32x4_t) -> float32x4_t {
    let gain = vdupq_n_f32(GAIN);
    let power = exp2(vminnmq_f32(exponent, vdupq_n_f32(CEILING)));
    vmulq_f32(x, vdivq_f32(gain, vaddq_f32(gain, power)))
}
