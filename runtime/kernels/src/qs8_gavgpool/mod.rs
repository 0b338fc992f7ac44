//! Global average pool: a map of bytes `[pixels, c]` to one value per channel.
//!
//! `real = f32(sum over p of x[p, c] - pixels * input_zero_point) * multiplier`. With `multiplier = sx / pixels` that is
//! the average itself; with `multiplier = sx / (sy * pixels)` it is the average in steps of the output, which becomes
//! `saturate(round_half_even(real) + zy)`.
//!
//! Limits: at most [`MAX_POOL_PIXELS`] pixels, so that a sum stays within `i32`.

mod qs8_gavgpool_scalar;

use crate::Isa;
use crate::requantize::saturate;

/// The most pixels of a pool: a difference of two bytes is at most 255, and its sum must stay below 2^31.
pub const MAX_POOL_PIXELS: usize = i32::MAX as usize / 256;

/// Writes the sums of each channel of `input`, `[pixels, channels]`, to `sums`, `[channels]`, less `pixels * zero_point`.
///
/// # Panics
///
/// If `input` is not whole pixels, or has none or more than [`MAX_POOL_PIXELS`].
pub fn qs8_channel_sums(isa: Isa, input: &[i8], zero_point: i8, sums: &mut [i32]) {
    if sums.is_empty() {
        return;
    }
    let pixels = input.len() / sums.len();
    assert!(
        input.len().is_multiple_of(sums.len()) && (1..=MAX_POOL_PIXELS).contains(&pixels),
        "qs8_gavgpool: {} elements are not 1 to {MAX_POOL_PIXELS} pixels of {} channels",
        input.len(),
        sums.len()
    );
    match isa {
        Isa::Scalar => qs8_gavgpool_scalar::run(input, sums),
        // The compiler vectorises the specification with the baseline of 64-bit ARM; SDOT has nothing to add.
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(_) | Isa::DotProd(_) => qs8_gavgpool_scalar::run(input, sums),
    }
    let correction = pixels as i32 * i32::from(zero_point);
    for sum in sums {
        *sum -= correction;
    }
}

/// Scales channel sums to reals: `out[c] = f32(sums[c]) * multiplier`.
///
/// # Panics
///
/// If the two differ in length.
pub fn pool_to_f32(sums: &[i32], multiplier: f32, out: &mut [f32]) {
    assert!(
        sums.len() == out.len(),
        "pool: {} sums for {} places",
        sums.len(),
        out.len()
    );
    for (&sum, out) in sums.iter().zip(out) {
        *out = sum as f32 * multiplier;
    }
}

/// Scales channel sums to bytes: `out[c] = saturate(round_half_even(f32(sums[c]) * multiplier) + zero_point)`.
///
/// # Panics
///
/// If the two differ in length.
pub fn pool_to_s8(sums: &[i32], multiplier: f32, zero_point: i8, out: &mut [i8]) {
    assert!(
        sums.len() == out.len(),
        "pool: {} sums for {} places",
        sums.len(),
        out.len()
    );
    for (&sum, out) in sums.iter().zip(out) {
        *out = saturate(sum as f32 * multiplier, zero_point, i8::MIN, i8::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Guarded, Place, fills, isas};

    #[test]
    fn sums_are_those_of_each_channel_less_the_zero_point() {
        for isa in isas() {
            let mut sums = [0; 2];
            qs8_channel_sums(isa, &[1, -128, 3, -128, 5, 127], -1, &mut sums);
            assert_eq!(sums, [9 + 3, -129 + 3], "{}", isa.name());
        }
    }

    #[test]
    fn every_shape_and_extreme_equals_wide_sums() {
        for channels in [1, 7, 16, 33] {
            for pixels in [1, 2, 49] {
                for input in fills(channels * pixels) {
                    for zero_point in [-128, 0, 127] {
                        let expected: Vec<i64> = (0..channels)
                            .map(|c| {
                                (0..pixels)
                                    .map(|p| {
                                        i64::from(input[p * channels + c]) - i64::from(zero_point)
                                    })
                                    .sum()
                            })
                            .collect();
                        for isa in isas() {
                            let input = Guarded::new(&input, Place::BeforeGuard);
                            let mut sums = Guarded::new(&vec![0; channels], Place::BeforeGuard);
                            qs8_channel_sums(isa, &input, zero_point, &mut sums);
                            assert!(
                                sums.iter()
                                    .map(|&sum| i64::from(sum))
                                    .eq(expected.iter().copied())
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn scaling_rounds_half_to_even_and_saturates() {
        let mut out = [0; 5];
        pool_to_s8(&[1, 3, -1, 100_000, -100_000], 0.5, 10, &mut out);
        assert_eq!(out, [10, 12, 10, 127, -128]);
        let mut out = [0.0; 2];
        pool_to_f32(&[3, -4], 0.25, &mut out);
        assert_eq!(out, [0.75, -1.0]);
    }

    #[test]
    #[should_panic(expected = "not 1 to")]
    fn parts_of_pixels_are_refused() {
        qs8_channel_sums(Isa::Scalar, &[0; 7], 0, &mut [0; 2]);
    }
}
