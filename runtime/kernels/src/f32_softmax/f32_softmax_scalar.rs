//! The specification of [`f32_softmax`](super::f32_softmax).

use crate::exp::exp2;
use crate::lanes;

/// One row: `2^((x[i] - max x) * scale)`, divided by the sum of all.
pub fn run(scale: f32, x: &[f32], out: &mut [f32]) {
    let greater = |greatest: f32, &x: &f32| match x > greatest || x.is_nan() {
        true => x,
        false => greatest,
    };
    let greatest = x.iter().fold(f32::NEG_INFINITY, greater);
    if !greatest.is_finite() {
        return out.fill(f32::NAN);
    }
    for (&x, out) in x.iter().zip(&mut *out) {
        *out = exp2((x - greatest) * scale);
    }
    let share = 1.0 / lanes::sum(out, |power| power);
    for out in out {
        *out *= share;
    }
}
