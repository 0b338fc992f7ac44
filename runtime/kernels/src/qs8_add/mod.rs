//! The sum of two tensors of different scales: a residual connection.
//!
//! `y = saturate to [min, max] (round_half_even(((a - za) * sa + (b - zb) * sb) / sy) + zy)`, in f32, every operation
//! rounded by itself: the semantics of DequantizeLinear twice, Add, QuantizeLinear.
//!
//! Limits: equal shapes; no broadcast.

#[cfg(target_arch = "aarch64")]
mod qs8_add_16x_neon;
mod qs8_add_scalar;

use crate::{Divisor, Isa};

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
    pub out_scale: Divisor,
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
        Isa::Scalar => qs8_add_scalar::run(scales, a, b, out),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(neon) => qs8_add_16x_neon::run(neon, scales, a, b, out),
        #[cfg(target_arch = "aarch64")]
        Isa::DotProd(dotprod) => qs8_add_16x_neon::run(dotprod.neon(), scales, a, b, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Guarded, Place, fills, isas};

    fn scales() -> AddScales {
        AddScales {
            a_zero_point: 3,
            a_scale: 0.05,
            b_zero_point: -7,
            b_scale: 0.031,
            out_zero_point: 1,
            out_scale: Divisor::new(0.06),
            min: -128,
            max: 127,
        }
    }

    fn check(scales: &AddScales, a: &[i8], b: &[i8]) {
        let mut expected = vec![0; a.len()];
        qs8_add_scalar::run(scales, a, b, &mut expected);
        for isa in isas() {
            for place in Place::ALL {
                let (a, b) = (Guarded::new(a, place), Guarded::new(b, place));
                let mut out = Guarded::new(&vec![99; a.len()], place);
                qs8_add(isa, scales, &a, &b, &mut out);
                assert!(
                    *out == *expected,
                    "{}: {} {place:?} {scales:?}",
                    isa.name(),
                    a.len()
                );
            }
        }
    }

    #[test]
    fn the_specification_rounds_half_to_even_and_saturates() {
        let scales = AddScales {
            a_zero_point: 0,
            a_scale: 0.5,
            b_zero_point: 1,
            b_scale: 1.0,
            out_zero_point: 2,
            out_scale: Divisor::new(1.0),
            min: -100,
            max: 100,
        };
        let mut out = [0; 4];
        qs8_add(
            Isa::Scalar,
            &scales,
            &[1, 3, 127, -128],
            &[1, 1, 127, -128],
            &mut out,
        );
        assert_eq!(out, [2, 4, 100, -100]);
    }

    #[test]
    fn every_tail_equals_the_specification() {
        for len in 0..=70 {
            let [.., a, b] = fills(len);
            check(&scales(), &a, &b);
        }
    }

    #[test]
    fn every_pair_of_bytes_equals_the_specification() {
        let a: Vec<i8> = (0..=u16::MAX).map(|pair| pair as i8).collect();
        let b: Vec<i8> = (0..=u16::MAX).map(|pair| (pair >> 8) as i8).collect();
        for point in [-128, 0, 127, -38] {
            let scales = AddScales {
                a_zero_point: point,
                b_zero_point: point,
                out_zero_point: point,
                ..scales()
            };
            check(&scales, &a, &b);
            // Many ties, and a clamp.
            check(
                &AddScales {
                    a_scale: 0.5,
                    b_scale: 0.25,
                    out_scale: Divisor::new(1.0),
                    min: -3,
                    max: 90,
                    ..scales
                },
                &a,
                &b,
            );
            check(
                &AddScales {
                    a_scale: 1e30,
                    out_scale: Divisor::new(1e-30),
                    ..scales
                },
                &a,
                &b,
            );
        }
    }
}
