//! The least and the greatest of some reals, and what ONNX's DynamicQuantizeLinear makes of them.
//!
//! The result does not depend on the order in which elements are compared, so every instruction set gives the same bits but for
//! the sign of a zero, which changes no byte. NaN counts as nothing.

#[cfg(target_arch = "aarch64")]
mod f32_range_16x_neon;
mod f32_range_scalar;

use crate::quantize::ROUNDER;
use crate::{Affine, Isa};

/// The least and the greatest of `x` and 0.
pub fn f32_range(isa: Isa, x: &[f32]) -> (f32, f32) {
    match isa {
        Isa::Scalar => f32_range_scalar::run(x),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(neon) => f32_range_16x_neon::run(neon, x),
        #[cfg(target_arch = "aarch64")]
        Isa::DotProd(dotprod) => f32_range_16x_neon::run(dotprod.neon(), x),
    }
}

impl Affine {
    /// The bytes that reach from `least`, at most 0, to `greatest`, at least 0, as DynamicQuantizeLinear chooses them. Its
    /// bytes are unsigned, these are 128 less. Zeros alone have scale 1, as in onnxruntime; so has a range too small for a
    /// scale.
    pub fn spanning((least, greatest): (f32, f32)) -> Affine {
        let scale = (greatest - least) / 255.0;
        let scale = if scale > 0.0 { scale } else { 1.0 };
        let zero_point = (0.0 - least / scale).clamp(0.0, 255.0);
        // The cast takes NaN, of a range without end, to 0.
        let zero_point = ((zero_point + ROUNDER) - ROUNDER) as u8;
        Affine {
            scale,
            zero_point: (zero_point ^ 0x80) as i8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Guarded, Place, isas};

    #[test]
    fn every_tail_equals_the_specification() {
        for len in (0..70).chain([255, 256, 1000]) {
            let x: Vec<f32> = (0..len)
                .map(|i| ((i * 7919 % 1009) as f32 - 500.0) / 37.0)
                .collect();
            for isa in isas() {
                for place in Place::ALL {
                    let x = Guarded::new(&x, place);
                    assert_eq!(f32_range(isa, &x), f32_range_scalar::run(&x), "{len}");
                }
            }
        }
    }

    #[test]
    fn the_extremes_are_found_wherever_they_stand() {
        for isa in isas() {
            for len in [1, 15, 16, 17, 33, 64] {
                for at in 0..len {
                    let mut x = vec![f32::NAN; len];
                    x[at] = -3.5;
                    assert_eq!(f32_range(isa, &x), (-3.5, 0.0), "{len} {at}");
                    x[at] = f32::INFINITY;
                    assert_eq!(f32_range(isa, &x), (0.0, f32::INFINITY), "{len} {at}");
                }
            }
        }
    }

    /// The examples of the operator's specification.
    #[test]
    fn ranges_are_onnxs() {
        let affine = |least, greatest| {
            let Affine { scale, zero_point } = Affine::spanning((least, greatest));
            (scale, zero_point as u8 ^ 0x80)
        };
        assert_eq!(affine(-3.0, 2.0), (5.0 / 255.0, 153));
        assert_eq!(affine(-4.0, 0.0), (4.0 / 255.0, 255));
        assert_eq!(affine(0.0, 4.0), (4.0 / 255.0, 0));
        assert_eq!(affine(0.0, 0.0), (1.0, 0));
        assert_eq!(affine(0.0, f32::from_bits(1)), (1.0, 0));
        assert_eq!(affine(f32::NEG_INFINITY, f32::INFINITY).1, 0);
    }
}
