//! The doors of an int8 region: f32 or pixels in, f32 out.
//!
//! Quantization is that of QuantizeLinear, a true division: `q = saturate(round_half_even(x / scale) + zero_point)`, NaN
//! as the real 0. Inside a region images are `[h, w, c]`; f32 tensors outside are `[c, h, w]`, and the cast turns them.
//!
//! Limits: one scale per tensor.

mod qs8_cast_scalar;

use crate::Isa;
use crate::requantize::saturate;

/// What a byte means: `real = (q - zero_point) * scale`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// The real step between two bytes; finite and above 0.
    pub scale: f32,
    /// The byte of the real 0.
    pub zero_point: i8,
}

impl Affine {
    /// The byte of one real number.
    pub fn quantize(self, x: f32) -> i8 {
        saturate(x / self.scale, self.zero_point, i8::MIN, i8::MAX)
    }
}

/// Writes the bytes of `x` to `out`, element by element.
///
/// # Panics
///
/// If the two differ in length.
pub fn quantize(isa: Isa, affine: Affine, x: &[f32], out: &mut [i8]) {
    check_lengths(x.len(), out.len());
    match isa {
        _ => qs8_cast_scalar::quantize(affine, x, out),
    }
}

/// Writes the reals of `x` to `out`, element by element.
///
/// # Panics
///
/// If the two differ in length.
pub fn dequantize(isa: Isa, affine: Affine, x: &[i8], out: &mut [f32]) {
    check_lengths(x.len(), out.len());
    match isa {
        _ => qs8_cast_scalar::dequantize(affine, x, out),
    }
}

/// Writes the bytes of `x`, `[channels, pixels]`, to `out`, `[pixels, channels]`.
///
/// # Panics
///
/// If the two differ in length, or are not whole pixels.
pub fn quantize_planes(isa: Isa, affine: Affine, x: &[f32], channels: usize, out: &mut [i8]) {
    check_lengths(x.len(), out.len());
    check_pixels(x.len(), channels);
    if x.is_empty() {
        return;
    }
    match isa {
        _ => qs8_cast_scalar::quantize_planes(affine, x, channels, out),
    }
}

/// Writes the reals of `x`, `[pixels, channels]`, to `out`, `[channels, pixels]`.
///
/// # Panics
///
/// If the two differ in length, or are not whole pixels.
pub fn dequantize_planes(isa: Isa, affine: Affine, x: &[i8], channels: usize, out: &mut [f32]) {
    check_lengths(x.len(), out.len());
    check_pixels(x.len(), channels);
    if x.is_empty() {
        return;
    }
    match isa {
        _ => qs8_cast_scalar::dequantize_planes(affine, x, channels, out),
    }
}

/// Writes the bytes of `pixels`, `[pixels, 3]` as a camera gives them, to `out`, `[pixels, 3]`: each channel through its
/// table, which holds normalisation and quantization of all 256 values.
///
/// # Panics
///
/// If the two differ in length, or are not whole pixels.
pub fn quantize_pixels(tables: &[[i8; 256]; 3], pixels: &[u8], out: &mut [i8]) {
    check_lengths(pixels.len(), out.len());
    check_pixels(pixels.len(), 3);
    let (pixels, _) = pixels.as_chunks::<3>();
    let (out, _) = out.as_chunks_mut::<3>();
    for (pixel, out) in pixels.iter().zip(out) {
        for c in 0..3 {
            out[c] = tables[c][usize::from(pixel[c])];
        }
    }
}

fn check_lengths(x: usize, out: usize) {
    assert!(x == out, "cast: {x} values for {out} places");
}

fn check_pixels(len: usize, channels: usize) {
    assert!(
        channels > 0 && len.is_multiple_of(channels),
        "cast: {len} values are not whole pixels of {channels} channels"
    );
}
