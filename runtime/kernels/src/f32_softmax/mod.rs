//! Softmax of rows: `e^x[i] / sum of e^x`, with the greatest element taken from all so that no power is too large.
//!
//! Powers are [`exp2`](crate::exp::exp2)'s and sums those of sixteen lanes, so every instruction set gives the same bits. A weight is
//! within `2.4e-5 + |x - max x| * 1.2e-7` of itself, or below 2^-125. A row whose greatest is infinite or that has a NaN is NaN
//! altogether; an element of minus infinity beside finite ones weighs next to nothing.

#[cfg(target_arch = "aarch64")]
mod f32_softmax_16x_neon;
mod f32_softmax_scalar;

use crate::Isa;

pub(crate) const LOG2_E: f32 = core::f32::consts::LOG2_E;

/// Writes the softmax of each `row` elements of `x` to `out`.
///
/// # Panics
///
/// If the two differ in length, or are not whole rows.
pub fn f32_softmax(isa: Isa, x: &[f32], row: usize, out: &mut [f32]) {
    assert!(
        x.len() == out.len() && x.len().is_multiple_of(row.max(1)),
        "f32_softmax: {} elements in rows of {row} for {} places",
        x.len(),
        out.len()
    );
    if x.is_empty() {
        return;
    }
    match isa {
        Isa::Scalar => {
            for (x, out) in x.chunks_exact(row).zip(out.chunks_exact_mut(row)) {
                f32_softmax_scalar::run(x, out);
            }
        }
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(neon) => f32_softmax_16x_neon::run(neon, x, row, out),
        #[cfg(target_arch = "aarch64")]
        Isa::DotProd(dotprod) => f32_softmax_16x_neon::run(dotprod.neon(), x, row, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Guarded, Place, isas, reals};

    fn softmax(isa: Isa, x: &[f32], row: usize) -> Vec<f32> {
        let mut out = vec![9.0; x.len()];
        f32_softmax(isa, x, row, &mut out);
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
                    f32_softmax(isa, &x, row, &mut out);
                    let mut bits = out.iter().zip(&expected);
                    let same = bits.all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{} {row} {place:?}", isa.name());
                }
            }
        }
    }

    #[test]
    fn weights_are_within_the_bound() {
        for spread in [1e-3, 1.0, 30.0, 86.0, 1e4] {
            let x = reals(197, spread);
            let greatest = x.iter().copied().fold(f32::MIN, f32::max);
            let power = |x: f32| (f64::from(x) - f64::from(greatest)).exp();
            let sum: f64 = x.iter().map(|&x| power(x)).sum();
            for isa in isas() {
                for (got, &x) in softmax(isa, &x, 197).iter().zip(&x) {
                    let exact = power(x) / sum;
                    let bound = 2.4e-5 + f64::from(greatest - x) * 1.2e-7;
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
