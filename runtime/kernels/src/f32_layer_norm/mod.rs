//! Layer normalization of rows: `(x - mean) / sqrt(variance + epsilon) * scale + bias`, as ONNX's LayerNormalization.
//!
//! The variance is the mean of squared distances from the mean, which loses nothing where the mean is large. Sums are those of
//! sixteen lanes and nothing is fused, so every instruction set gives the same bits. A result is within
//! `1e-6 * (1 + (|mean| + spread) / sqrt(variance + epsilon)) * (1 + |scale|)` and a rounding of the exact one, the spread being the
//! greatest distance from the mean.

#[cfg(target_arch = "aarch64")]
mod f32_layer_norm_16x_neon;
mod f32_layer_norm_scalar;

use crate::Isa;

/// The numbers of a normalization, one of each for each element of a row.
#[derive(Clone, Copy)]
struct Norm<'a> {
    epsilon: f32,
    scale: &'a [f32],
    bias: &'a [f32],
}

/// Normalizes each row of `x`, whose elements have a scale and a bias each, into `out`.
///
/// # Panics
///
/// If scales and biases differ in number, or `x` and `out` in length, or these are not whole rows.
pub fn f32_layer_norm(
    isa: Isa,
    (scale, bias): (&[f32], &[f32]),
    epsilon: f32,
    x: &[f32],
    out: &mut [f32],
) {
    let row = scale.len();
    assert!(
        row == bias.len() && x.len() == out.len() && x.len().is_multiple_of(row.max(1)),
        "f32_layer_norm: {} elements in rows of {row} and {} for {} places",
        x.len(),
        bias.len(),
        out.len()
    );
    if x.is_empty() {
        return;
    }
    let norm = Norm {
        epsilon,
        scale,
        bias,
    };
    match isa {
        Isa::Scalar => {
            for (x, out) in x.chunks_exact(row).zip(out.chunks_exact_mut(row)) {
                f32_layer_norm_scalar::run(norm, x, out);
            }
        }
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(neon) => f32_layer_norm_16x_neon::run(neon, norm, x, out),
        #[cfg(target_arch = "aarch64")]
        Isa::DotProd(dotprod) => f32_layer_norm_16x_neon::run(dotprod.neon(), norm, x, out),
    }
}

/// The square root of `x`, rounded to nearest as IEEE 754 has it; without vectors this crate has nobody to ask.
fn root(x: f32) -> f32 {
    if x.is_nan() || x < 0.0 {
        return f32::NAN;
    }
    if x == 0.0 || x.is_infinite() {
        return x;
    }
    // A denormal becomes normal, and the root of what it was multiplied by is taken back.
    let (x, back) = match x.is_normal() {
        true => (x, 1.0),
        false => (x * f32::from_bits(0x5f80_0000), f32::from_bits(0x2f80_0000)),
    };
    let exponent = (x.to_bits() >> 23) as i32 - 127;
    let mantissa = u64::from(x.to_bits() & 0x7f_ffff | 0x80_0000);
    // x = mantissa * 2^(exponent - 23), the exponent made even: the root has 25 bits, one more than is kept.
    let odd = exponent & 1;
    let square = mantissa << (25 + odd);
    let floor = square.isqrt();
    let inexact = floor * floor != square;
    let doubled = (floor << 1) | u64::from(inexact);
    // 26 bits and whether there was more; the conversion rounds to nearest, ties to even.
    let root = doubled as f32;
    let power = (exponent - odd) / 2 - 25;
    root * f32::from_bits(((power + 127) as u32) << 23) * back
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Guarded, Place, isas, reals};

    #[test]
    fn every_tail_equals_the_specification() {
        for row in (1..70).chain([192, 197]) {
            let x = reals(3 * row, 5.0);
            let (scale, bias) = (reals(row, 2.0), reals(row, 0.7));
            let numbers = (&scale[..], &bias[..]);
            let mut expected = vec![9.0; x.len()];
            f32_layer_norm(Isa::Scalar, numbers, 1e-5, &x, &mut expected);
            for isa in isas() {
                for place in Place::ALL {
                    let [x, scale, bias] =
                        [&x, &scale, &bias].map(|reals| Guarded::new(reals, place));
                    let mut out = Guarded::new(&vec![9.0; x.len()], place);
                    f32_layer_norm(isa, (&scale, &bias), 1e-5, &x, &mut out);
                    let mut bits = out.iter().zip(&expected);
                    let same = bits.all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{} {row} {place:?}", isa.name());
                }
            }
        }
    }

    #[test]
    fn results_are_within_the_bound() {
        for (spread, shift) in [
            (1.0, 0.0),
            (1e-4, 0.0),
            (1.0, 100.0),
            (1e4, -3.0),
            (1e-3, 7.0),
        ] {
            for row in [5, 192, 1000] {
                let x: Vec<f32> = reals(row, spread).iter().map(|x| x + shift).collect();
                let (scale, bias) = (reals(row, 1.5), reals(row, 0.5));
                let exact = |x: &f32| f64::from(*x);
                let mean = x.iter().map(exact).sum::<f64>() / row as f64;
                let squares = x.iter().map(|x| (exact(x) - mean).powi(2));
                let deviation = (squares.sum::<f64>() / row as f64 + 1e-5).sqrt();
                let distances = x.iter().map(|x| (exact(x) - mean).abs());
                let widest = distances.fold(0.0, f64::max);
                for isa in isas() {
                    let mut out = vec![9.0; row];
                    f32_layer_norm(isa, (&scale, &bias), 1e-5, &x, &mut out);
                    for i in 0..row {
                        let factor = exact(&scale[i]);
                        let y = (exact(&x[i]) - mean) / deviation * factor + exact(&bias[i]);
                        let size = 1.0 + (mean.abs() + widest) / deviation;
                        let bound = 1e-6 * size * (1.0 + factor.abs()) + 6e-8 * y.abs();
                        let apart = (exact(&out[i]) - y).abs();
                        assert!(apart <= bound, "{row} {spread} {shift}: {apart} {bound}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_row_of_equals_is_its_bias_and_nan_is_not_hidden() {
        for isa in isas() {
            let (scale, bias) = ([2.0; 20], [0.25; 20]);
            let mut out = [9.0; 40];
            let mut x = [3.0; 40];
            x[33] = f32::NAN;
            f32_layer_norm(isa, (&scale, &bias), 1e-5, &x, &mut out);
            assert!(out[..20].iter().all(|&y| y == 0.25));
            assert!(out[20..].iter().all(|y| y.is_nan()));
        }
    }

    #[test]
    fn roots_are_ieees() {
        let ends = [0, 1, 2, 0x7f_ffff, 0x80_0000, 0x7f7f_ffff, 0x7f80_0000];
        for bits in (0..0x7f80_0000u32).step_by(7919).chain(ends) {
            let x = f32::from_bits(bits);
            assert_eq!(root(x).to_bits(), x.sqrt().to_bits(), "{x:e}");
        }
        assert!(root(-1.0).is_nan() && root(f32::NAN).is_nan());
    }
}
