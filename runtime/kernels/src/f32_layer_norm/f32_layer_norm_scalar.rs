//! The specification of [`f32_layer_norm`](super::f32_layer_norm).

use super::{Norm, root};
use crate::lanes::sum;

/// One row.
pub fn run(norm: Norm, x: &[f32], out: &mut [f32]) {
    let count = x.len() as f32;
    let mean = sum(x, |x| x) / count;
    let variance = sum(x, |x| (x - mean) * (x - mean)) / count;
    let inverse = 1.0 / root(variance + norm.epsilon);
    for (i, (&x, out)) in x.iter().zip(out).enumerate() {
        *out = (x - mean) * inverse * norm.scale[i] + norm.bias[i];
    }
}
