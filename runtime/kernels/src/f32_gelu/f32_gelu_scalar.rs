//! The specification of [`f32_gelu`](super::f32_gelu).

use super::{Curve, END, NORMAL_P, NORMAL_Q};
use crate::exp::{CEILING, GAIN, exp2};

pub fn run(curve: Curve, x: &[f32], out: &mut [f32]) {
    for (&x, out) in x.iter().zip(out) {
        *out = x * share(curve, x);
    }
}

/// How much of `x` is let through.
fn share(curve: Curve, x: f32) -> f32 {
    match curve {
        Curve::Normal => {
            let x = x.clamp(-END, END);
            let square = x * x;
            let horner = |sum: f32, &c: &f32| sum * square + c;
            let p = NORMAL_P[1..].iter().fold(NORMAL_P[0], horner);
            let q = NORMAL_Q[1..].iter().fold(NORMAL_Q[0], horner);
            x * p / q + 0.5
        }
        Curve::Sigmoid { slope } => sigmoid(slope * x),
        Curve::Cubic { linear, cubic } => sigmoid((x * x * cubic + linear) * x),
    }
}

/// `1 / (1 + 2^exponent)`
fn sigmoid(exponent: f32) -> f32 {
    GAIN / (GAIN + exp2(exponent.min(CEILING)))
}
