//! Cells as signed bytes, each with one scale, a power of two.
//!
//! A scale that is a power of two costs half a bit on average and saves the multiplication: adding `1.5 * 2^23 * scale`
//! rounds to a multiple of the scale, half to even, and leaves the byte in the low bits of the sum. The high half of
//! the greatest magnitude says the scale, so the search for it reads half the bits.

use crate::quantize::ROUNDER;
use core::fmt;

/// Queries, keys and values are below this, 2^48: no product, sum or scale of theirs can overflow then.
pub const MAX_MAGNITUDE: f32 = 281_474_976_710_656.0;

/// The exponent bits of the smallest magnitude that has a scale of its own, 2^-87; smaller ones share its scale.
pub const LEAST_EXPONENT: u32 = 40;

/// A cell that is not below [`MAX_MAGNITUDE`], or no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// The cell's row in the map.
    pub y: usize,
    /// The cell's column.
    pub x: usize,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "attention: the query of cell ({}, {}) (row, column) has an element that is infinite, NaN or beyond 2^48; expected finite features",
            self.y, self.x
        )
    }
}

impl core::error::Error for QueryError {}

/// Whether every element is a number below [`MAX_MAGNITUDE`].
pub fn are_sound(x: &[f32]) -> bool {
    // Magnitudes are in order as integers, with what is no number behind all numbers.
    let magnitude = |x: &f32| x.to_bits() & !(1 << 31);
    x.iter().map(magnitude).fold(0, u32::max) < MAX_MAGNITUDE.to_bits()
}

/// The scale of a vector whose greatest magnitude is `magnitude`: the least power of two that keeps every byte within
/// -127..=127, but for the last 64th of a power, which takes the next one; at least 2^-93.
pub fn scale_of(magnitude: f32) -> f32 {
    let top = magnitude.to_bits() >> 16;
    // The carry out of the fraction's seven bits, where they are all ones, is the next power.
    let exponent = ((top + 1) >> 7).max(LEAST_EXPONENT);
    f32::from_bits((exponent - 6) << 23)
}

/// `round_half_even(x / scale)`, for a scale of [`scale_of`].
pub fn quantize(x: f32, scale: f32) -> i8 {
    (x + ROUNDER * scale).to_bits() as i8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_the_rounded_quotient_and_never_below_minus_127() {
        for magnitude in [
            2e14_f32, 1.0, 1.984, 1.985, 1.992, 1.993, 3e-5, 7e-27, 1e-40,
        ] {
            let scale = scale_of(magnitude);
            for i in -1000..=1000 {
                let x = magnitude * (i as f32 / 1000.0);
                let exact = (f64::from(x) / f64::from(scale)).round_ties_even();
                assert!(exact.abs() <= 127.0, "{x} of {magnitude}");
                assert_eq!(f64::from(quantize(x, scale)), exact, "{x} of {magnitude}");
            }
        }
    }

    #[test]
    fn every_top_half_is_used_well() {
        for top in LEAST_EXPONENT << 7..MAX_MAGNITUDE.to_bits() >> 16 {
            for magnitude in [top << 16, top << 16 | 0xffff].map(f32::from_bits) {
                let q = quantize(magnitude, scale_of(magnitude));
                assert!((64..=127).contains(&q), "{magnitude}: {q}");
                assert_eq!(quantize(-magnitude, scale_of(magnitude)), -q);
            }
        }
    }

    #[test]
    fn halves_go_to_even() {
        assert_eq!(scale_of(127.0), 1.0);
        assert_eq!(
            [0.5, 1.5, 2.5, -0.5, -1.5, -126.5].map(|x| quantize(x, 1.0)),
            [0, 2, 2, 0, -2, -126]
        );
    }
}
