//! Gaussian error linear units and their relatives: `x` times the share of it that is let through.
//!
//! Nothing is fused, so every instruction set gives the same bits. The error, in parts of the greater of 1 and `|x|`, is below
//! 6e-7 for [`Gelu::Normal`] and below 4e-6 for the others. NaN stays NaN; of minus infinity comes minus infinity or NaN, where the
//! limit would be 0.

#[cfg(target_arch = "aarch64")]
mod f32_gelu_16x_neon;
mod f32_gelu_scalar;

use crate::Isa;

/// Which function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Gelu {
    /// `x * (1 + erf(x / sqrt 2)) / 2`: ONNX's Gelu.
    Normal,
    /// `x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2`: Gelu with `approximate = "tanh"`.
    Tanh,
    /// `x * sigmoid(alpha * x)`: QuickGelu with an alpha of 1.702, SiLU or Swish with 1. Alpha is finite.
    Sigmoid {
        /// The slope.
        alpha: f32,
    },
}

/// The function as it is computed.
#[derive(Clone, Copy)]
enum Curve {
    /// The cumulative normal distribution: `1/2 + x * P(x^2) / Q(x^2)` within [`END`] of 0.
    Normal,
    /// `1 / (1 + 2^(slope x))`
    Sigmoid { slope: f32 },
    /// `1 / (1 + 2^((cubic x^2 + linear) x))`
    Cubic { linear: f32, cubic: f32 },
}

/// From here on the distribution is 0 or 1.
const END: f32 = 5.5;
/// Rational minimax of the distribution, in the absolute error of `x` times it; highest power first.
const NORMAL_P: [f32; 5] = [
    9.480_115e-6,
    5.283_675e-4,
    6.874_786e-3,
    6.836_281e-2,
    0.398_941_16,
];
/// See [`NORMAL_P`].
const NORMAL_Q: [f32; 6] = [
    7.632_977_5e-7,
    1.922_647_6e-4,
    3.919_947e-3,
    4.860_803_5e-2,
    0.338_002_98,
    1.0,
];

impl Gelu {
    fn curve(self) -> Curve {
        const LOG2_E: f32 = core::f32::consts::LOG2_E;
        match self {
            Gelu::Normal => Curve::Normal,
            // Half of 1 + tanh(t) is the sigmoid of 2 t.
            Gelu::Tanh => {
                let linear = -2.0 * 0.797_884_6 * LOG2_E;
                Curve::Cubic {
                    linear,
                    cubic: linear * 0.044_715,
                }
            }
            Gelu::Sigmoid { alpha } => Curve::Sigmoid {
                slope: -alpha * LOG2_E,
            },
        }
    }
}

/// Writes the function of each of `x` to `out`.
///
/// # Panics
///
/// If the two differ in length.
pub fn f32_gelu(isa: Isa, gelu: Gelu, x: &[f32], out: &mut [f32]) {
    assert!(
        x.len() == out.len(),
        "f32_gelu: {} elements for {} places",
        x.len(),
        out.len()
    );
    let curve = gelu.curve();
    match isa {
        Isa::Scalar => f32_gelu_scalar::run(curve, x, out),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(neon) => f32_gelu_16x_neon::run(neon, curve, x, out),
        #[cfg(target_arch = "aarch64")]
        Isa::DotProd(dotprod) => f32_gelu_16x_neon::run(dotprod.neon(), curve, x, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Guarded, Place, isas, reals};

    const EACH: [Gelu; 5] = [
        Gelu::Normal,
        Gelu::Tanh,
        Gelu::Sigmoid { alpha: 1.702 },
        Gelu::Sigmoid { alpha: 1.0 },
        Gelu::Sigmoid { alpha: -0.3 },
    ];

    #[test]
    fn every_tail_equals_the_specification() {
        for gelu in EACH {
            for len in (0..70).chain([768]) {
                let mut x = reals(len, 9.0);
                let odd = [f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e-40, 3e38, -3e38];
                x.iter_mut().rev().zip(odd).for_each(|(x, odd)| *x = odd);
                let mut expected = vec![9.0; len];
                f32_gelu(Isa::Scalar, gelu, &x, &mut expected);
                for isa in isas() {
                    for place in Place::ALL {
                        let x = Guarded::new(&x, place);
                        let mut out = Guarded::new(&vec![9.0; len], place);
                        f32_gelu(isa, gelu, &x, &mut out);
                        let mut same = out
                            .iter()
                            .zip(&expected)
                            .map(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan());
                        assert!(same.all(|same| same), "{gelu:?} {} {len}", isa.name());
                    }
                }
            }
        }
    }

    /// In steps that are the same for a hundredth and for a thousand.
    fn whole_range() -> impl Iterator<Item = f32> {
        let greatest = 1000.0f32.to_bits();
        let magnitudes = (1e-5f32.to_bits()..greatest).step_by(4093);
        magnitudes.flat_map(|bits| [f32::from_bits(bits), -f32::from_bits(bits)])
    }

    #[test]
    fn the_whole_range_is_within_the_bound() {
        let x: Vec<f32> = whole_range().chain([0.0, -0.0]).collect();
        for gelu in EACH {
            let bound = if gelu == Gelu::Normal { 6e-7 } else { 4e-6 };
            for isa in isas() {
                let mut out = vec![9.0; x.len()];
                f32_gelu(isa, gelu, &x, &mut out);
                for (&x, &y) in x.iter().zip(&out) {
                    let x = f64::from(x);
                    let exact = x * share(gelu, x);
                    let apart = (f64::from(y) - exact).abs() / x.abs().max(1.0);
                    assert!(apart <= bound, "{gelu:?} {} {x}: {apart:e}", isa.name());
                }
            }
        }
    }

    fn share(gelu: Gelu, x: f64) -> f64 {
        match gelu {
            Gelu::Normal => (1.0 + erf(x / core::f64::consts::SQRT_2)) / 2.0,
            Gelu::Tanh => {
                let slope = (2.0 / core::f64::consts::PI).sqrt();
                (1.0 + (slope * (x + 0.044715 * x.powi(3))).tanh()) / 2.0
            }
            Gelu::Sigmoid { alpha } => 1.0 / (1.0 + (-f64::from(alpha) * x).exp()),
        }
    }

    /// By its series of positive terms, to the last bits of f64.
    fn erf(x: f64) -> f64 {
        if x.abs() > 6.0 {
            return x.signum();
        }
        let (mut term, mut sum, mut n) = (x, x, 0.0);
        while term.abs() > sum.abs() * 1e-17 {
            n += 1.0;
            term *= 2.0 * x * x / (2.0 * n + 1.0);
            sum += term;
        }
        sum * (-x * x).exp() * 2.0 / core::f64::consts::PI.sqrt()
    }

    #[test]
    fn nan_is_not_hidden() {
        for gelu in EACH {
            for isa in isas() {
                let mut out = [9.0; 3];
                f32_gelu(isa, gelu, &[f32::NAN, -f32::NAN, 1.0], &mut out);
                assert!(out[0].is_nan() && out[1].is_nan() && !out[2].is_nan());
            }
        }
    }
}
