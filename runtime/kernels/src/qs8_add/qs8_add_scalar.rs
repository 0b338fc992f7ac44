//! The specification of [`qs8_add`](super::qs8_add).

use super::AddScales;
use crate::requantize::saturate;

/// `out[i] = saturate(round_half_even(((a[i] - za) * sa + (b[i] - zb) * sb) / sy) + zy)`; the lengths were checked by
/// the dispatcher.
pub fn run(scales: &AddScales, a: &[i8], b: &[i8], out: &mut [i8]) {
    for ((&a, &b), out) in a.iter().zip(b).zip(out) {
        *out = add_one(scales, a, b);
    }
}

/// Two products, a sum and a quotient, each rounded to f32.
fn add_one(scales: &AddScales, a: i8, b: i8) -> i8 {
    let a = (i32::from(a) - i32::from(scales.a_zero_point)) as f32 * scales.a_scale;
    let b = (i32::from(b) - i32::from(scales.b_zero_point)) as f32 * scales.b_scale;
    saturate(
        (a + b) / scales.out_scale.value(),
        scales.out_zero_point,
        scales.min,
        scales.max,
    )
}
