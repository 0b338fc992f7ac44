//! The softmax of four cells at a time: lanes are cells, so nothing is added up across lanes.

use super::exp::{A, B, C, FLOOR};
use crate::quantize::ROUNDER;
use core::arch::aarch64::*;

/// The constants in registers.
#[derive(Clone, Copy)]
struct Exp {
    floor: float32x4_t,
    rounder: float32x4_t,
    a: float32x4_t,
    b: float32x4_t,
    c: float32x4_t,
}

impl Exp {
    #[inline]
    #[target_feature(enable = "neon")]
    fn new() -> Exp {
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
    fn exp2(self, x: float32x4_t) -> float32x4_t {
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

/// Turns `weights`, `[tokens][4]` of powers of two whose greatest are given, into weights that sum to 1 in each lane, and
/// adds them to `sums`.
#[inline]
#[target_feature(enable = "neon")]
pub fn softmax(weights: &mut [[f32; 4]], greatest: float32x4_t, sums: Option<&mut [[f32; 4]]>) {
    let exp = Exp::new();
    let mut sum = vdupq_n_f32(0.0);
    for weight in weights.iter_mut() {
        let w = exp.exp2(vsubq_f32(load(weight), greatest));
        sum = vaddq_f32(sum, w);
        store(weight, w);
    }
    let share = vdivq_f32(vdupq_n_f32(1.0), sum);
    match sums {
        None => {
            for weight in weights {
                store(weight, vmulq_f32(load(weight), share));
            }
        }
        Some(sums) => {
            for (weight, sum) in weights.iter_mut().zip(sums) {
                let w = vmulq_f32(load(weight), share);
                store(weight, w);
                store(sum, vaddq_f32(load(sum), w));
            }
        }
    }
}

/// The four lanes.
#[inline]
#[target_feature(enable = "neon")]
pub fn load(from: &[f32; 4]) -> float32x4_t {
    // SAFETY: the array's type says that four lanes can be read.
    unsafe { vld1q_f32(from.as_ptr()) }
}

/// Writes the four lanes.
#[inline]
#[target_feature(enable = "neon")]
pub fn store(to: &mut [f32; 4], value: float32x4_t) {
    // SAFETY: the array's type says that four lanes can be written.
    unsafe { vst1q_f32(to.as_mut_ptr(), value) }
}
