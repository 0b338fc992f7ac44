//! What becomes of a channel's sum: bias and multiplier from the scales that a model gives.
//!
//! In real numbers the sum of a channel is `sx * sw[c] * acc`, where `acc` counts `(x - zx) * w + bias` in integers. The
//! part `-zx * sum(w)` is the same for every pixel, so it goes into the bias; the rest is one multiplier per channel,
//! `(sx * sw[c]) / sy` in f32 and in that order, as the formulas beside the kernels want it.
//!
//! Limits: a bias in f32 is rounded to a whole count, half to even; one of 32 bits must count in `sx * sw[c]`.

use tract_onnx::tract_hir::internal::*;

use super::constant::{self, Constant};
use crate::Reason;

/// A channel's epilogue.
#[derive(Debug, PartialEq)]
pub(super) struct Channel {
    pub(super) bias: i32,
    pub(super) multiplier: f32,
    /// Its weights count as 0.
    pub(super) is_its_bias: bool,
}

/// The bias and the multiplier of one channel, whose bias counts `count` and whose multiplier is `multiplier`.
///
/// Exporters give a channel whose weights are all about zero a scale so small that its bias hardly fits 32 bits, and the
/// sum with it may not. Where all products together are less than 1/32 of a step of the output, the channel is its
/// bias: its weights become 0, and the bias counts in steps of 2^-16.
pub(super) fn channel(
    count: i64,
    multiplier: f32,
    (sum, magnitude): (i64, i64),
    zero_point: i8,
) -> Result<Channel, Reason> {
    const FRACTION: f64 = 65_536.0;
    let bias = count - i64::from(zero_point) * sum;
    if bias.abs() + 128 * magnitude <= i64::from(i32::MAX) {
        return Ok(Channel {
            bias: i32::try_from(bias).map_err(|_| Reason::SumOverflow)?,
            multiplier,
            is_its_bias: false,
        });
    }
    if (255 * magnitude) as f64 * f64::from(multiplier) > 1.0 / 32.0 {
        return Err(Reason::SumOverflow);
    }
    let steps = count as f64 * f64::from(multiplier) * FRACTION;
    Ok(Channel {
        // What is beyond saturates either way.
        bias: steps.round_ties_even().clamp(-2e9, 2e9) as i32,
        multiplier: (1.0 / FRACTION) as f32,
        is_its_bias: true,
    })
}

/// The bias at `outlet`, counted in `units`, one for each channel.
pub(super) fn counts(
    model: &TypedModel,
    outlet: OutletId,
    units: &[f32],
) -> Result<Vec<i64>, Reason> {
    let one_each = |len: usize| len == 1 || len == units.len();
    match constant::constant(model, outlet) {
        Some(Constant::F32(reals)) if one_each(reals.len()) => {
            let count = |(&unit, &real): (&f32, &f32)| {
                let count = (real / unit).round_ties_even();
                // Beyond this the count is not exact; NaN is not below it.
                (count.abs() < 9e15)
                    .then_some(count as i64)
                    .ok_or(Reason::SumOverflow)
            };
            units.iter().zip(reals.iter().cycle()).map(count).collect()
        }
        Some(Constant::Quantized(integers, scale))
            if one_each(integers.len()) && one_each(scale.pairs().len()) =>
        {
            let integers = integers
                .try_as_plain_ram()
                .and_then(|plain| Ok(plain.as_slice::<i32>()?.to_vec()));
            let integers = integers.map_err(|_| Reason::BiasScale)?;
            let scales = scale.pairs().iter().map(|pair| pair.0).cycle();
            if !units
                .iter()
                .zip(scales)
                .all(|(&unit, scale)| same(unit, scale))
            {
                return Err(Reason::BiasScale);
            }
            Ok(integers
                .iter()
                .cycle()
                .take(units.len())
                .map(|&count| i64::from(count))
                .collect())
        }
        _ => Err(Reason::BiasScale),
    }
}

/// Whether two products of scales are one product, rounded at different places.
fn same(unit: f32, scale: f32) -> bool {
    const ROUNDINGS: f32 = 4.0;
    (unit - scale).abs() <= ROUNDINGS * f32::EPSILON * scale
}

#[cfg(test)]
mod tests {
    use ocellus_kernels::weight_sums;

    use super::*;

    #[test]
    fn a_channel_counts_its_zero_point_into_its_bias() {
        let sums = weight_sums(&[1, -2, 127]);
        let expected = Channel {
            bias: 10 + 128 * 126,
            multiplier: 0.5,
            is_its_bias: false,
        };
        assert_eq!(channel(10, 0.5, sums, -128), Ok(expected));
    }

    #[test]
    fn a_channel_without_effect_becomes_its_bias() {
        let count = -i64::from(i32::MAX);
        let channel = channel(count, 2e-9, weight_sums(&[127; 100]), 3).expect("a channel");
        assert!(channel.is_its_bias);
        let steps = f64::from(channel.bias) * f64::from(channel.multiplier);
        assert!(
            (steps - count as f64 * f64::from(2e-9f32)).abs() < 1e-4,
            "{steps}"
        );
    }

    #[test]
    fn a_channel_with_effect_that_may_overflow_is_refused() {
        let heavy = weight_sums(&[127; 100]);
        let overflow = channel(i64::from(i32::MAX), 1e-4, heavy, 0);
        assert_eq!(overflow, Err(Reason::SumOverflow));
        let just_fits = i64::from(i32::MAX) - 128;
        let fitting = channel(just_fits, 1e-4, weight_sums(&[1]), 0).expect("a channel");
        assert_eq!(
            (fitting.bias, fitting.is_its_bias),
            (just_fits as i32, false)
        );
    }
}
