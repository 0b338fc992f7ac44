//! Softmax of rows: `e^(scale x[i]) / sum of e^(scale x)`, with the greatest element taken from all so that no power is too large.
//!
//! Powers are [`exp2`](crate::exp::exp2)'s and sums those of sixteen lanes, so every instruction set gives the same bits. A weight is
//! within `2.4e-5 + scale * |x - max x| * 2.4e-7` of itself, or below 2^-125. A row whose greatest is infinite or that has a NaN is NaN
//! altogether; an element of minus infinity beside finite ones weighs next to nothing.

#[cfg(target_arch = "aarch64")]
mod f32_softmax_16x_neon;
mod f32_softmax_scalar;

use crate::Isa;

pub(crate) const LOG2_E: f32 = core::f32::consts::LOG2_E;

/// Writes the softmax of each `row` elements of `x`, times `scale`, to `out`.
///
/// # Panics
///
/// If the two differ in length, or are not whole rows, or the scale is not above 0 and finite.
pub fn f32_softmax(isa: Isa, scale: f32, x: &[f32], row: usize, out: &mut [f32]) {
    assert!(
        x.len() == out.len() && x.len().is_multiple_of(row.max(1)),
        "f32_softmax: {} elements in rows of {row} for {} places",
        x.len(),
        out.len()
    );
    assert!(
        scale > 0.0 && scale.is_finite(),
        "f32_softmax: a scale of {scale}"
    );
    if x.is_empty() {
        return;
    }
    let scale = scale * LOG2_E;
    match isa {
        Isa::Scalar => {
            for (x, out) in x.chunks_exact(row).zip(out.chunks_exact_mut(row)) {
                f32_softmax_scalar::run(scale, x, out);
            }
        }
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(neon) => f32_softmax_16x_neon::run(neon, scale, x, row, out),
        #[cfg(target_arch = "aarch64")]
        Isa::DotProd(dotprod) => f32_softmax_16x_neon::run(dotprod.neon(), scale, x, row, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Guarded, Place, isas, reals};

    fn softmax(isa: Isa, x: &[f32], row: usize) -> Vec<f32> {
        let mut out = vec![9.0; x.len()];
        f32_softmax(isa, 1.0, x, row, &mut out);
        out
    }

    #[test]
    fn every_tail_equals_the_specification() {
        for row in (1..70).chain([197, 256]) {
            let x = reals(3 * row, 20.0);
            let expected = softmax(Isa::Scalar, &x, row);
            for isa in isas() {
                for place in Place::ALL {
                    let x = Guarded::new(&x, place);
                    let mut out = Guarded::new(&vec![9.0; x.len()], place);
                    f32_softmax(isa, 1.0, &x, row, &mut out);
                    let mut bits = out.iter().zip(&expected);
                    let same = bits.all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{} {row} {place:?}", isa.name());
                }
            }
        }
    }

    #[test]
    fn weights_are_within_the_bound() {
        for (spread, scale) in [
            (1e-3, 1.0),
            (1.0, 0.125),
            (30.0, 1.0),
            (86.0, 1.7),
            (1e4, 1.0),
        ] {
            let x = reals(197, spread);
            let greatest = x.iter().copied().fold(f32::MIN, f32::max);
            let exponent = |x: f32| (f64::from(x) - f64::from(greatest)) * f64::from(scale);
            let sum: f64 = x.iter().map(|&x| exponent(x).exp()).sum();
            for isa in isas() {
                let mut out = vec![9.0; 197];
                f32_softmax(isa, scale, &x, 197, &mut out);
                for (got, &x) in out.iter().zip(&x) {
                    let exact = exponent(x).exp() / sum;
                    let bound = 2.4e-5 - exponent(x) * 2.4e-7;
                    let apart = (f64::from(*got) - exact).abs();
                    assert!(
                        apart <= bound * exact + 2.0f64.powi(-125),
                        "{got} {exact} {spread}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_not_finite_is_not_hidden() {
        for isa in isas() {
            for row in [1, 5, 16, 37] {
                for odd in [
                    f32::NAN,
                    -f32::NAN,
                    f32::from_bits(0x7fc0_0001),
                    f32::INFINITY,
                ] {
                    for at in [0, row / 2, row - 1] {
                        let mut x = reals(row, 1.0);
                        x[at] = odd;
                        assert!(softmax(isa, &x, row).iter().all(|y| y.is_nan()));
                    }
                }
                let x = vec![f32::NEG_INFINITY; row];
                assert!(softmax(isa, &x, row).iter().all(|y| y.is_nan()));
            }
            let masked = softmax(isa, &[f32::NEG_INFINITY, 0.0, f32::NEG_INFINITY], 3);
            assert!(masked[0] < 1e-37 && masked[1] == 1.0 && masked[2] == masked[0]);
        }
    }
}
