//! From floats to signed bytes with one scale and no zero point.
//!
//! Portable code: there is one multiplication's worth of work per element, and the compiler vectorises it.
//!
//! Limits: a scale per slice; the caller cuts rows or channels. Input that is not finite gets bounded, useless bytes.

/// 1.5 x 2^23. A float of magnitude up to 2^22 that is added to it leaves its fraction behind, rounded half to even
/// by the addition itself; `f32::round_ties_even` is not in `core`.
pub(crate) const ROUNDER: f32 = 12_582_912.0;

/// Quantizes `x` to `out`, so that `x[i]` is about `scale * out[i]`, and gives the scale.
///
/// `scale = max |x| / 127` and `out[i] = round_half_even(x[i] / scale)`, within -127..=127: -128 never comes out, which
/// kernels may count on. A vector of zeros has scale 0; so has one whose scale would be below the smallest normal
/// `f32`, because dividing by it would not be exact enough.
///
/// Values that are not finite do not count towards the scale: NaN becomes 0, an infinity ±127 (0 if the scale is 0).
/// Who must know of them looks for them before.
///
/// # Panics
///
/// If `x` and `out` differ in length.
pub fn quantize_symmetric(x: &[f32], out: &mut [i8]) -> f32 {
    assert!(
        x.len() == out.len(),
        "quantize_symmetric: {} values for {} places",
        x.len(),
        out.len()
    );
    let scale = largest_finite_magnitude(x) / 127.0;
    if scale < f32::MIN_POSITIVE {
        out.fill(0);
        return 0.0;
    }
    for (q, &value) in out.iter_mut().zip(x) {
        *q = quantize_one(value, scale);
    }
    scale
}

fn largest_finite_magnitude(x: &[f32]) -> f32 {
    x.iter().fold(0.0, |largest, value| {
        let magnitude = value.abs();
        if magnitude.is_finite() && magnitude > largest {
            magnitude
        } else {
            largest
        }
    })
}

fn quantize_one(value: f32, scale: f32) -> i8 {
    let steps = (value / scale).clamp(-127.0, 127.0);
    // The cast takes NaN to 0.
    ((steps + ROUNDER) - ROUNDER) as i8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Guarded, Place};

    fn quantize(x: &[f32]) -> (Vec<i8>, f32) {
        let x = Guarded::new(x, Place::BeforeGuard);
        let mut out = Guarded::new(&vec![99; x.len()], Place::BeforeGuard);
        let scale = quantize_symmetric(&x, &mut out);
        (out.to_vec(), scale)
    }

    #[test]
    fn halves_go_to_even() {
        let (q, scale) = quantize(&[127.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 3.49, -126.5]);
        assert_eq!(scale, 1.0);
        assert_eq!(q, [127, 0, 2, 2, 0, -2, -2, 3, -126]);
    }

    #[test]
    fn every_half_step_rounds_as_the_standard_library_does() {
        let x: Vec<f32> = (-508..=508).map(|quarter| quarter as f32 / 4.0).collect();
        let (q, scale) = quantize(&x);
        assert_eq!(scale, 1.0);
        for (q, x) in q.iter().zip(&x) {
            assert_eq!(f32::from(*q), x.round_ties_even(), "{x}");
        }
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(quantize(&[]), (vec![], 0.0));
        assert_eq!(quantize(&[0.0, -0.0]), (vec![0, 0], 0.0));
        assert_eq!(quantize(&[1e-40, -1e-37]), (vec![0, 0], 0.0));
    }

    #[test]
    fn the_ends_of_the_range_are_reached_and_not_passed() {
        for largest in [1.5e-36, 0.013, 1.0, 3.7, 1e10, f32::MAX] {
            let (q, scale) = quantize(&[largest, -largest, 0.0, largest / 2.0]);
            assert_eq!(q[..3], [127, -127, 0], "{largest}");
            assert!(scale.is_normal());
        }
    }

    #[test]
    fn an_element_is_at_most_half_a_step_off() {
        for len in 0..70 {
            let x: Vec<f32> = (0..len)
                .map(|i| ((i * 37 % 101) as f32 - 50.0) / 7.0)
                .collect();
            let (q, scale) = quantize(&x);
            for (q, x) in q.iter().zip(&x) {
                let off = (f32::from(*q) * scale - x).abs();
                assert!(off <= scale * 0.500_01, "{x} is {off} off at {len}");
            }
        }
    }

    #[test]
    fn what_is_not_finite_is_bounded() {
        let (q, scale) = quantize(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 63.5]);
        assert_eq!((q, scale), (vec![0, 127, -127, 127], 0.5));
        let (q, scale) = quantize(&[f32::NAN, f32::INFINITY]);
        assert_eq!((q, scale), (vec![0, 0], 0.0));
    }
}
