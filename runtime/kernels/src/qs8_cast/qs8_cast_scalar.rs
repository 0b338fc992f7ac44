//! The specifications of the casts between f32 and bytes.

use super::Affine;
use crate::requantize::saturate;

/// `out[i] = saturate(round_half_even(x[i] / scale) + zero_point)`, NaN as the real 0.
pub fn quantize(affine: Affine, x: &[f32], out: &mut [i8]) {
    for (&x, out) in x.iter().zip(out) {
        *out = saturate(x / affine.scale, affine.zero_point, i8::MIN, i8::MAX);
    }
}

/// `out[i] = f32(x[i] - zero_point) * scale`.
pub fn dequantize(affine: Affine, x: &[i8], out: &mut [f32]) {
    for (&x, out) in x.iter().zip(out) {
        *out = real(affine, x);
    }
}

/// `out[r, c] = f32(x[r, c] - zero_point) * scale + addends[c]`.
pub fn dequantize_add(affine: Affine, addends: &[f32], x: &[i8], out: &mut [f32]) {
    let rows = x.chunks_exact(addends.len());
    for (x, out) in rows.zip(out.chunks_exact_mut(addends.len())) {
        for ((&x, addend), out) in x.iter().zip(addends).zip(out) {
            *out = real(affine, x) + addend;
        }
    }
}

/// `out[p, c] = quantize(x[c, p])`.
pub fn quantize_planes(affine: Affine, x: &[f32], channels: usize, out: &mut [i8]) {
    let pixels = x.len() / channels;
    for (p, out) in out.chunks_exact_mut(channels).enumerate() {
        for (c, out) in out.iter_mut().enumerate() {
            let steps = x[c * pixels + p] / affine.scale;
            *out = saturate(steps, affine.zero_point, i8::MIN, i8::MAX);
        }
    }
}

/// `out[c, p] = dequantize(x[p, c])`.
pub fn dequantize_planes(affine: Affine, x: &[i8], channels: usize, out: &mut [f32]) {
    let pixels = x.len() / channels;
    for (c, out) in out.chunks_exact_mut(pixels).enumerate() {
        for (p, out) in out.iter_mut().enumerate() {
            *out = real(affine, x[p * channels + c]);
        }
    }
}

fn real(affine: Affine, x: i8) -> f32 {
    (i32::from(x) - i32::from(affine.zero_point)) as f32 * affine.scale
}
