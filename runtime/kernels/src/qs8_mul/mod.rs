//! The product of two tensors of different scales: a gate on a map, an activation that is its input times a function of it.
//!
//! `y = saturate to [min, max] (round_half_even(f32((a - za) * (b - zb)) * multiplier) + zy)`, `multiplier` being
//! `(sa * sb) / sy` in f32 and in that order. The product of two integers is exact in f32, so it is rounded twice only: by
//! the multiplication and to a byte.
//!
//! onnxruntime's QLinearMul has the same multiplier, but adds the zero point in f32 before it rounds. Where that is odd, halves
//! go the other way.
//!
//! Limits: the right side is as long as the left one, or repeats: as many numbers as a map has channels.

#[cfg(target_arch = "aarch64")]
mod qs8_mul_16x_neon;
mod qs8_mul_scalar;

use crate::Isa;

/// Zero points of both sides and of the product, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MulScales {
    /// Zero point of the left side.
    pub a_zero_point: i8,
    /// Zero point of the right side.
    pub b_zero_point: i8,
    /// The scales of both sides, multiplied, by that of the product. Finite, not negative.
    pub multiplier: f32,
    /// Zero point of the product.
    pub out_zero_point: i8,
    /// The least output, -128 where nothing is clamped.
    pub min: i8,
    /// The greatest output, 127 where nothing is clamped.
    pub max: i8,
}

/// Writes `a * b` to `out`, element by element; `b` is used again for each row of as many elements: `a` is
/// `[pixels, channels]` and `b` `[channels]`, or both are as long.
///
/// # Panics
///
/// If `a` and `out` differ in length, or that is no multiple of `b`'s.
pub fn qs8_mul(isa: Isa, scales: &MulScales, a: &[i8], b: &[i8], out: &mut [i8]) {
    let is_rows = match b.len() {
        0 => a.is_empty(),
        row => a.len().is_multiple_of(row),
    };
    assert!(
        a.len() == out.len() && is_rows,
        "qs8_mul: {} elements by {} for {} places",
        a.len(),
        b.len(),
        out.len()
    );
    if a.is_empty() {
        return;
    }
    match isa {
        Isa::Scalar => qs8_mul_scalar::run(scales, a, b, out),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(neon) => qs8_mul_16x_neon::run(neon, scales, a, b, out),
        #[cfg(target_arch = "aarch64")]
        Isa::DotProd(dotprod) => qs8_mul_16x_neon::run(dotprod.neon(), scales, a, b, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Guarded, Place, fills, isas};

    fn scales() -> MulScales {
        MulScales {
            a_zero_point: 3,
            b_zero_point: -7,
            multiplier: 0.0137,
            out_zero_point: 1,
            min: -128,
            max: 127,
        }
    }

    fn check(scales: &MulScales, a: &[i8], b: &[i8]) {
        let mut expected = vec![0; a.len()];
        qs8_mul_scalar::run(scales, a, b, &mut expected);
        for isa in isas() {
            for place in Place::ALL {
                let (a, b) = (Guarded::new(a, place), Guarded::new(b, place));
                let mut out = Guarded::new(&vec![99; a.len()], place);
                qs8_mul(isa, scales, &a, &b, &mut out);
                let (name, sizes) = (isa.name(), [a.len(), b.len()]);
                assert!(*out == *expected, "{name}: {sizes:?} {place:?} {scales:?}");
            }
        }
    }

    #[test]
    fn the_specification_rounds_half_to_even_and_saturates() {
        let scales = MulScales {
            a_zero_point: 1,
            b_zero_point: 0,
            multiplier: 0.5,
            out_zero_point: 3,
            min: -100,
            max: 100,
        };
        let mut out = [0; 6];
        let (a, b) = ([2, 4, 127, -128, 0, 1], [1, 1, 127, 127, 3, 5]);
        qs8_mul(Isa::Scalar, &scales, &a, &b, &mut out);
        // 0.5 and 1.5 and -1.5, then 3.
        assert_eq!(out, [3, 5, 100, -100, 1, 3]);
    }

    #[test]
    fn every_tail_equals_the_specification() {
        for len in 1..=70 {
            let [.., a, b] = fills(len);
            check(&scales(), &a, &b);
        }
    }

    #[test]
    fn numbers_of_channels_are_used_for_every_pixel() {
        for channels in [1, 3, 15, 16, 17, 40, 63] {
            for pixels in [1, 2, 7] {
                let [.., a, _] = fills(pixels * channels);
                let [.., b] = fills(channels);
                check(&scales(), &a, &b);
                let mut out = vec![0; a.len()];
                qs8_mul(isas()[0], &scales(), &a, &b, &mut out);
                let repeated: Vec<i8> = b.iter().copied().cycle().take(a.len()).collect();
                let mut expected = vec![0; a.len()];
                qs8_mul(Isa::Scalar, &scales(), &a, &repeated, &mut expected);
                assert_eq!(out, expected);
            }
        }
    }

    #[test]
    fn every_pair_of_bytes_equals_the_specification() {
        let a: Vec<i8> = (0..=u16::MAX).map(|pair| pair as i8).collect();
        let b: Vec<i8> = (0..=u16::MAX).map(|pair| (pair >> 8) as i8).collect();
        for point in [-128, 0, 127, -38] {
            let scales = MulScales {
                a_zero_point: point,
                b_zero_point: point,
                out_zero_point: point,
                ..scales()
            };
            check(&scales, &a, &b);
            // Many ties, and a clamp; then what no bounded way takes.
            for (multiplier, min, max) in [(0.5, -3, 90), (1e30, -128, 127), (1e-30, -128, 127)] {
                let scales = MulScales {
                    multiplier,
                    min,
                    max,
                    ..scales
                };
                check(&scales, &a, &b);
            }
        }
    }
}
