//! The specification of [`qs8_mul`](super::qs8_mul).

use super::MulScales;
use crate::requantize::saturate;

/// `out[i] = saturate(round_half_even(f32((a[i] - za) * (b[i % b.len()] - zb)) * multiplier) + zy)`; the lengths were
/// checked by the dispatcher.
pub fn run(scales: &MulScales, a: &[i8], b: &[i8], out: &mut [i8]) {
    for ((&a, &b), out) in a.iter().zip(b.iter().cycle()).zip(out) {
        *out = mul_one(scales, a, b);
    }
}

/// An exact product of integers, and one of f32.
fn mul_one(scales: &MulScales, a: i8, b: i8) -> i8 {
    let a = i32::from(a) - i32::from(scales.a_zero_point);
    let b = i32::from(b) - i32::from(scales.b_zero_point);
    let steps = (a * b) as f32 * scales.multiplier;
    saturate(steps, scales.out_zero_point, scales.min, scales.max)
}
