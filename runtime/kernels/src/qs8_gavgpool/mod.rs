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
        _ => qs8_gavgpool_scalar::run(input, sums),
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
