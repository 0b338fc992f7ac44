//! The sum of two tensors of different scales: a residual connection.
//!
//! `y = saturate to [min, max] (round_half_even(((a - za) * sa + (b - zb) * sb) / sy) + zy)`, in f32, every operation
//! rounded by itself: the semantics of DequantizeLinear twice, Add, QuantizeLinear.
//!
//! Limits: equal shapes; no broadcast.

mod qs8_add_scalar;

use crate::Isa;

/// Scales and zero points of both sides and of the sum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AddScales {
    /// Zero point of the left side.
    pub a_zero_point: i8,
    /// Scale of the left side.
    pub a_scale: f32,
    /// Zero point of the right side.
    pub b_zero_point: i8,
    /// Scale of the right side.
    pub b_scale: f32,
    /// Zero point of the sum.
    pub out_zero_point: i8,
    /// Scale of the sum.
    pub out_scale: f32,
    /// The least output, -128 where nothing is clamped.
    pub min: i8,
    /// The greatest output, 127 where nothing is clamped.
    pub max: i8,
}

/// Writes `a + b` to `out`, element by element.
///
/// # Panics
///
/// If the three differ in length.
pub fn qs8_add(isa: Isa, scales: &AddScales, a: &[i8], b: &[i8], out: &mut [i8]) {
    assert!(
        a.len() == out.len() && b.len() == out.len(),
        "qs8_add: {} and {} elements for {} places",
        a.len(),
        b.len(),
        out.len()
    );
    match isa {
        _ => qs8_add_scalar::run(scales, a, b, out),
    }
}
