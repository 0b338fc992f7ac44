//! The doors of an int8 region: f32 or pixels in, f32 out.
//!
//! Quantization is that of QuantizeLinear, a true division: `q = saturate(round_half_even(x / scale) + zero_point)`, NaN
//! as the real 0. Inside a region images are `[h, w, c]`; f32 tensors outside are `[c, h, w]`, and the cast turns them.
//!
//! Limits: one scale per tensor.

#[cfg(target_arch = "aarch64")]
mod qs8_cast_16x_neon;
mod qs8_cast_scalar;

use crate::requantize::saturate;
use crate::{Divisor, Isa};

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

/// An [`Affine`] made ready to quantize many numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantizer {
    affine: Affine,
    #[cfg_attr(not(target_arch = "aarch64"), allow(dead_code))] // the specification divides
    divisor: Divisor,
}

impl Quantizer {
    /// Takes some thousand instructions: see [`Divisor`].
    pub fn new(affine: Affine) -> Quantizer {
        Quantizer {
            affine,
            divisor: Divisor::new(affine.scale),
        }
    }

    /// Takes none of them and divides: for numbers whose scale comes with them.
    pub fn of_one_run(affine: Affine) -> Quantizer {
        Quantizer {
            affine,
            divisor: Divisor::of_one_run(affine.scale),
        }
    }

    /// What a byte means.
    pub fn affine(self) -> Affine {
        self.affine
    }
}

/// Writes the bytes of `x` to `out`, element by element.
///
/// # Panics
///
/// If the two differ in length.
pub fn quantize(isa: Isa, quantizer: Quantizer, x: &[f32], out: &mut [i8]) {
    check_lengths(x.len(), out.len());
    match isa {
        Isa::Scalar => qs8_cast_scalar::quantize(quantizer.affine, x, out),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(neon) => qs8_cast_16x_neon::quantize(neon, quantizer, x, out),
        #[cfg(target_arch = "aarch64")]
        Isa::DotProd(dotprod) => qs8_cast_16x_neon::quantize(dotprod.neon(), quantizer, x, out),
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
        Isa::Scalar => qs8_cast_scalar::dequantize(affine, x, out),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(neon) => qs8_cast_16x_neon::dequantize(neon, affine, x, out),
        #[cfg(target_arch = "aarch64")]
        Isa::DotProd(dotprod) => qs8_cast_16x_neon::dequantize(dotprod.neon(), affine, x, out),
    }
}

/// Writes the reals of `x`, rows of as many elements as `addends`, to `out`, with those added.
///
/// # Panics
///
/// If `x` and `out` differ in length, or are not whole rows.
pub fn dequantize_add(isa: Isa, affine: Affine, addends: &[f32], x: &[i8], out: &mut [f32]) {
    check_lengths(x.len(), out.len());
    check_pixels(x.len(), addends.len());
    if x.is_empty() {
        return;
    }
    match isa {
        Isa::Scalar => qs8_cast_scalar::dequantize_add(affine, addends, x, out),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(neon) => qs8_cast_16x_neon::dequantize_add(neon, affine, addends, x, out),
        #[cfg(target_arch = "aarch64")]
        Isa::DotProd(dotprod) => {
            qs8_cast_16x_neon::dequantize_add(dotprod.neon(), affine, addends, x, out)
        }
    }
}

/// Writes the bytes of `x`, `[channels, pixels]`, to `out`, `[pixels, channels]`.
///
/// # Panics
///
/// If the two differ in length, or are not whole pixels.
pub fn quantize_planes(isa: Isa, quantizer: Quantizer, x: &[f32], channels: usize, out: &mut [i8]) {
    check_lengths(x.len(), out.len());
    check_pixels(x.len(), channels);
    if x.is_empty() {
        return;
    }
    // Of one pixel, or of one channel, no element moves.
    if channels == 1 || channels == x.len() {
        return quantize(isa, quantizer, x, out);
    }
    match isa {
        Isa::Scalar => qs8_cast_scalar::quantize_planes(quantizer.affine, x, channels, out),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(neon) => qs8_cast_16x_neon::quantize_planes(neon, quantizer, x, channels, out),
        #[cfg(target_arch = "aarch64")]
        Isa::DotProd(dotprod) => {
            qs8_cast_16x_neon::quantize_planes(dotprod.neon(), quantizer, x, channels, out)
        }
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
    // Of one pixel, or of one channel, no element moves.
    if channels == 1 || channels == x.len() {
        return dequantize(isa, affine, x, out);
    }
    match isa {
        Isa::Scalar => qs8_cast_scalar::dequantize_planes(affine, x, channels, out),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(neon) => qs8_cast_16x_neon::dequantize_planes(neon, affine, x, channels, out),
        #[cfg(target_arch = "aarch64")]
        Isa::DotProd(dotprod) => {
            qs8_cast_16x_neon::dequantize_planes(dotprod.neon(), affine, x, channels, out)
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Guarded, Place, fills, isas};

    /// Reals of every size, ties and what is no number among them.
    fn reals(len: usize) -> Vec<f32> {
        let odd = [
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::MAX,
            f32::MIN,
            1e-40,
            -0.0,
            3e9,
        ];
        (0..len)
            .map(|i| {
                if i % 11 == 10 {
                    odd[i / 11 % 8]
                } else {
                    (i as f32 * 37.0 % 601.0 - 300.0) * 0.25
                }
            })
            .collect()
    }

    fn check(len: usize, channels: usize, affine: Affine) {
        let x = reals(len);
        let [.., q] = fills(len);
        let (mut bytes, mut back) = (vec![0; len], vec![0.0; len]);
        let quantizer = Quantizer::new(affine);
        for isa in isas() {
            for place in Place::ALL {
                let x = Guarded::new(&x, place);
                let q = Guarded::new(&q, place);
                let mut out = Guarded::new(&vec![99; len], place);
                let mut reals = Guarded::new(&vec![9.0; len], place);
                let what = (isa.name(), len, channels, place);
                qs8_cast_scalar::quantize(affine, &x, &mut bytes);
                quantize(isa, quantizer, &x, &mut out);
                assert!(*out == *bytes, "quantize {what:?}");
                qs8_cast_scalar::dequantize(affine, &q, &mut back);
                dequantize(isa, affine, &q, &mut reals);
                assert!(*reals == *back, "dequantize {what:?}");
                if len == 0 || !len.is_multiple_of(channels) {
                    continue;
                }
                qs8_cast_scalar::quantize_planes(affine, &x, channels, &mut bytes);
                quantize_planes(isa, quantizer, &x, channels, &mut out);
                assert!(*out == *bytes, "quantize planes {what:?}");
                qs8_cast_scalar::dequantize_planes(affine, &q, channels, &mut back);
                dequantize_planes(isa, affine, &q, channels, &mut reals);
                assert!(*reals == *back, "dequantize planes {what:?}");
            }
        }
    }

    #[test]
    fn every_length_and_number_of_channels_equals_the_specification() {
        for zero_point in [-128, 0, 127, -3] {
            for len in (0..=70).chain([144, 150]) {
                for channels in [1, 2, 3, 5, 16, 18, 25] {
                    // Of the third nothing but a division is exact.
                    let scale = [0.5, 0.3, 1e-30][len % 3];
                    check(len, channels, Affine { scale, zero_point });
                }
            }
        }
    }

    #[test]
    fn a_quantized_real_is_rounded_to_even_and_bounded() {
        let affine = Affine {
            scale: 0.5,
            zero_point: 1,
        };
        let x = [0.25, 0.75, -0.25, 1e9, f32::NEG_INFINITY, f32::NAN];
        assert_eq!(x.map(|x| affine.quantize(x)), [1, 3, 1, 127, -128, 1]);
        let mut out = [0.0; 2];
        dequantize(Isa::Scalar, affine, &[-128, 127], &mut out);
        assert_eq!(out, [-64.5, 63.0]);
    }

    #[test]
    fn reals_with_numbers_added_equal_the_specification() {
        let affine = Affine {
            scale: 0.37,
            zero_point: -5,
        };
        for row in (1..40).chain([64, 197]) {
            let x = &crate::harness::fills(3 * row)[5];
            let addends = crate::harness::reals(row, 3.0);
            let expected: Vec<f32> = (0..x.len())
                .map(|i| (f32::from(x[i]) + 5.0) * 0.37 + addends[i % row])
                .collect();
            for isa in isas() {
                for place in Place::ALL {
                    let (x, addends) = (Guarded::new(x, place), Guarded::new(&addends, place));
                    let mut out = Guarded::new(&vec![9.0; x.len()], place);
                    dequantize_add(isa, affine, &addends, &x, &mut out);
                    assert_eq!(out[..], expected, "{} {row}", isa.name());
                }
            }
        }
    }

    #[test]
    fn planes_become_pixels_and_back() {
        let affine = Affine {
            scale: 1.0,
            zero_point: 0,
        };
        let planes = [1.0, 2.0, 3.0, 10.0, 20.0, 30.0];
        let (mut pixels, mut back) = ([0; 6], [0.0; 6]);
        quantize_planes(Isa::Scalar, Quantizer::new(affine), &planes, 2, &mut pixels);
        assert_eq!(pixels, [1, 10, 2, 20, 3, 30]);
        dequantize_planes(Isa::Scalar, affine, &pixels, 2, &mut back);
        assert_eq!(back, planes);
    }

    #[test]
    fn pixels_go_through_the_table_of_their_channel() {
        let tables = core::array::from_fn(|c| core::array::from_fn(|v| (v / 2 + c) as i8));
        let mut out = [0; 6];
        quantize_pixels(&tables, &[0, 100, 200, 255, 1, 2], &mut out);
        assert_eq!(out, [0, 51, 102, 127, 1, 3]);
    }
}
