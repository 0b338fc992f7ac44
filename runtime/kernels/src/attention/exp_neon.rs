//! The softmax of four cells at a time: lanes are cells, so nothing is added up across lanes.

use super::{
    exp::{A, B, C, FLOOR},
    vector::Strips,
};
use crate::quantize::ROUNDER;
use core::arch::aarch64::*;

/// The constants, in memory: loads are fewer instructions than making them for each head.
pub struct Exp {
    floor: float32x4_t,
    rounder: float32x4_t,
    a: float32x4_t,
    b: float32x4_t,
    c: float32x4_t,
}

impl Exp {
    #[inline]
    #[target_feature(enable = "neon")]
    pub fn new() -> Exp {
        Exp {
            floor: vdupq_n_f32(FLOOR),
            rounder: vdupq_n_f32(ROUNDER),
            a: vdupq_n_f32(A),
            b: vdupq_n_f32(B),
            c: vdupq_n_f32(C),
        }
    }

    /// [`exp2`](super::exp::exp2) of four lanes.
    #[inline]
    #[target_feature(enable = "neon")]
    fn exp2(&self, x: float32x4_t) -> float32x4_t {
        let x = vmaxq_f32(x, self.floor);
        let shifted = vaddq_f32(x, self.rounder);
        let r = vsubq_f32(x, vsubq_f32(shifted, self.rounder));
        let inner = vaddq_f32(vmulq_f32(r, vaddq_f32(r, self.b)), self.c);
        let root = vmulq_f32(vaddq_f32(r, self.a), inner);
        let bits = vreinterpretq_s32_f32(vmulq_f32(root, root));
        let n = vshlq_n_s32::<23>(vreinterpretq_s32_f32(shifted));
        vreinterpretq_f32_s32(vaddq_s32(bits, n))
    }
}

/// Turns the scores of `count` tokens, powers of two whose greatest are given, into weights that sum to 1 in each lane, and
/// adds them to the sums where they are wanted; with `HALVES`, writes them in half precision besides. Places behind
/// `count`, up to a multiple of four, get weights of zero.
///
/// # Panics
///
/// If the strips differ in their places, which are a multiple of four, or have fewer than `count`.
#[inline]
#[target_feature(enable = "neon")]
pub fn softmax<const HALVES: bool>(count: usize, greatest: float32x4_t, strips: &mut Strips) {
    let padded = strips.weights.len();
    assert!(padded.is_multiple_of(4) && count <= padded && strips.halves.len() == padded);
    let share = share(strips.exp, count, greatest, strips.weights);
    let weights = strips.weights.as_mut_ptr().cast::<[[f32; 4]; 4]>();
    let halves = strips.halves.as_mut_ptr().cast::<[[u16; 4]; 4]>();
    // SAFETY: all strips have as many places, a multiple of four.
    unsafe {
        match &mut strips.sums {
            Some(sums) => {
                assert!(sums.len() == padded);
                let sums = sums.as_mut_ptr().cast::<[[f32; 4]; 4]>();
                for i in 0..padded / 4 {
                    let scaled = scale(&mut *weights.add(i), share);
                    add(&mut *sums.add(i), scaled);
                    if HALVES {
                        store_halves(&mut *halves.add(i), scaled);
                    }
                }
            }
            None => {
                for i in 0..padded / 4 {
                    let scaled = scale(&mut *weights.add(i), share);
                    if HALVES {
                        store_halves(&mut *halves.add(i), scaled);
                    }
                }
            }
        }
    }
}

/// Turns scores into powers of two and gives one over their sums.
#[inline]
#[target_feature(enable = "neon")]
fn share(exp: &Exp, count: usize, greatest: float32x4_t, weights: &mut [[f32; 4]]) -> float32x4_t {
    let mut sum = vdupq_n_f32(0.0);
    let (fours, _) = weights.as_chunks_mut::<4>();
    for four in fours.iter_mut().take(count / 4) {
        let a = exp.exp2(vsubq_f32(load(&four[0]), greatest));
        let b = exp.exp2(vsubq_f32(load(&four[1]), greatest));
        let c = exp.exp2(vsubq_f32(load(&four[2]), greatest));
        let d = exp.exp2(vsubq_f32(load(&four[3]), greatest));
        store(&mut four[0], a);
        store(&mut four[1], b);
        store(&mut four[2], c);
        store(&mut four[3], d);
        sum = vaddq_f32(vaddq_f32(vaddq_f32(vaddq_f32(sum, a), b), c), d);
    }
    if !count.is_multiple_of(4) {
        sum = last_four(exp, count, greatest, sum, weights);
    }
    vdivq_f32(vdupq_n_f32(1.0), sum)
}

/// The same for the tokens behind the last whole four, whose powers are added to `sum`; padding gets zeros.
#[inline(never)]
#[target_feature(enable = "neon")]
fn last_four(
    exp: &Exp,
    count: usize,
    greatest: float32x4_t,
    mut sum: float32x4_t,
    weights: &mut [[f32; 4]],
) -> float32x4_t {
    weights[count..].fill([0.0; 4]);
    for weight in &mut weights[count / 4 * 4..count] {
        let w = exp.exp2(vsubq_f32(load(weight), greatest));
        sum = vaddq_f32(sum, w);
        store(weight, w);
    }
    sum
}

/// Multiplies the weights of four tokens.
#[inline]
#[target_feature(enable = "neon")]
fn scale(weights: &mut [[f32; 4]; 4], share: float32x4_t) -> [float32x4_t; 4] {
    let a = vmulq_f32(load(&weights[0]), share);
    let b = vmulq_f32(load(&weights[1]), share);
    let c = vmulq_f32(load(&weights[2]), share);
    let d = vmulq_f32(load(&weights[3]), share);
    store(&mut weights[0], a);
    store(&mut weights[1], b);
    store(&mut weights[2], c);
    store(&mut weights[3], d);
    [a, b, c, d]
}

/// Adds the weights of four tokens.
#[inline]
#[target_feature(enable = "neon")]
fn add(sums: &mut [[f32; 4]; 4], weights: [float32x4_t; 4]) {
    let a = vaddq_f32(load(&sums[0]), weights[0]);
    let b = vaddq_f32(load(&sums[1]), weights[1]);
    let c = vaddq_f32(load(&sums[2]), weights[2]);
    let d = vaddq_f32(load(&sums[3]), weights[3]);
    store(&mut sums[0], a);
    store(&mut sums[1], b);
    store(&mut sums[2], c);
    store(&mut sums[3], d);
}

/// Writes the weights of four tokens in half precision.
#[inline]
#[target_feature(enable = "neon")]
fn store_halves(to: &mut [[u16; 4]; 4], [a, b, c, d]: [float32x4_t; 4]) {
    let low = vcvt_high_f16_f32(vcvt_f16_f32(a), b);
    let high = vcvt_high_f16_f32(vcvt_f16_f32(c), d);
    // SAFETY: the array has sixteen halves.
    unsafe {
        let to = to.as_mut_ptr().cast::<u16>();
        vst1q_u16(to, vreinterpretq_u16_f16(low));
        vst1q_u16(to.add(8), vreinterpretq_u16_f16(high));
    }
}

/// The four lanes.
#[inline]
#[target_feature(enable = "neon")]
fn load(from: &[f32; 4]) -> float32x4_t {
    // SAFETY: the array's type says that four lanes can be read.
    unsafe { vld1q_f32(from.as_ptr()) }
}

/// Writes the four lanes.
#[inline]
#[target_feature(enable = "neon")]
fn store(to: &mut [f32; 4], value: float32x4_t) {
    // SAFETY: the array's type says that four lanes can be written.
    unsafe { vst1q_f32(to.as_mut_ptr(), value) }
}
