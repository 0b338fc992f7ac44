//! Powers of two for a softmax or a sigmoid: twelve instructions for four lanes, and the same bits on every instruction set.
//!
//! `2^x = 2^n * (2^(r/2))^2` with `n = round(x)` and `r` in -1/2..=1/2, where `2^(r/2)` is a cubic whose leading coefficient
//! was divided out: what comes out is `2^x` times a constant, its gain, which a softmax or a sigmoid divides out again. No operation
//! is fused, so that the scalar form is exact.
//!
//! The coefficients minimise the greatest relative error of the cubic, 4.7e-6, which the square doubles; roundings add the rest of the bound.

use crate::quantize::ROUNDER;

/// Arguments below are taken for this: the result must be a normal number.
pub const FLOOR: f32 = -126.0;
/// The cubic is `(r + A) * (r * (r + B) + C)`.
pub const A: f32 = 4.623_178_7;
/// See [`A`].
pub const B: f32 = 4.067_647;
/// See [`A`].
pub const C: f32 = 31.222_974;

/// What a power is too large by: the square of the cubic's leading coefficient, inverted.
pub const GAIN: f32 = 20_836.94;
/// The greatest argument whose power, gain included, is finite.
pub const CEILING: f32 = 112.0;

/// `gain * 2^x` for `x` up to [`CEILING`], within 1.05e-5 of itself down to [`FLOOR`], and below it, or of NaN, the same as there.
pub fn exp2(x: f32) -> f32 {
    let x = x.max(FLOOR);
    let shifted = x + ROUNDER;
    let r = x - (shifted - ROUNDER);
    let root = (r + A) * (r * (r + B) + C);
    // The low bits of `shifted` are n in two's complement; the shift drops the rest.
    f32::from_bits(
        (root * root)
            .to_bits()
            .wrapping_add(shifted.to_bits() << 23),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of all arguments, once the gain is divided out.
    const RELATIVE_ERROR: f64 = 1.05e-5;

    fn error(x: f32) -> f64 {
        f64::from(exp2(x)) / f64::from(GAIN) / f64::from(x).exp2() - 1.0
    }

    #[test]
    fn the_whole_range_is_within_the_bound() {
        // From the smallest step to the floor, some three million of the patterns, prime steps apart; and each end.
        let mut worst = 0.0_f64;
        let ends = [-0.0, -f32::MIN_POSITIVE, -0.5, -1.5, -63.5, -125.5, FLOOR];
        let floor = FLOOR.to_bits();
        for bits in (0x8000_0000..=floor).step_by(367) {
            worst = worst.max(error(f32::from_bits(bits)).abs());
        }
        for x in ends {
            worst = worst.max(error(x).abs());
        }
        assert!(worst < RELATIVE_ERROR, "{worst:e}");
        // Above 0 the same residues return.
        let ceiling = CEILING.to_bits();
        for bits in (0..=ceiling).step_by(3671).chain([ceiling]) {
            worst = worst.max(error(f32::from_bits(bits)).abs());
        }
        assert!(worst < RELATIVE_ERROR, "{worst:e}");
        // A looser polynomial, or a tighter claim, would be noticed.
        assert!(worst > 0.8 * RELATIVE_ERROR, "{worst:e}");
    }

    #[test]
    fn every_argument_around_every_rounding_is_within_the_bound() {
        for half in 0..252 {
            let at = -(half as f32) / 2.0;
            for step in 0..200 {
                let x = f32::from_bits(at.to_bits() + step);
                assert!(error(x).abs() < RELATIVE_ERROR, "{x}");
                if half > 0 {
                    let x = f32::from_bits(at.to_bits() - step);
                    assert!(error(x).abs() < RELATIVE_ERROR, "{x}");
                }
            }
        }
    }

    #[test]
    fn below_the_floor_nothing_changes() {
        for x in [-126.1, -1e9, f32::MIN, f32::NEG_INFINITY] {
            assert_eq!(exp2(x), exp2(FLOOR));
        }
        assert!(exp2(FLOOR).is_normal());
    }
}
