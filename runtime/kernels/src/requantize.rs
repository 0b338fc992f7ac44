//! What happens to a sum before it becomes a byte again: bias, scale per channel, zero point, clamp.
//!
//! `y = saturate to [min, max] (round_half_even(f32(acc + bias[c]) * multiplier[c]) + zero_point)`: the sum is converted
//! to f32 (rounded half to even above 2^24), multiplied in f32, rounded half to even by FCVTNS, and then the zero point
//! is added as an integer. Every kernel of every instruction set gives these bits.
//!
//! Limits: the input's zero point is in the bias already, and weights have none: a nonzero zero point of weights would
//! cost a sum of every row of the input, so the caller keeps such an operator elsewhere.

use crate::quantize::ROUNDER;
use alloc::{borrow::Cow, vec::Vec};
use core::fmt;

/// How the sums of each output channel become output bytes. Static clamps (Relu, Relu6, Clip) are `min` and `max` as
/// quantized bytes; without one they are -128 and 127.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a> {
    /// `[channels]`: added to the sum of products; holds `bias - input_zero_point * (sum of the channel's weights)`.
    pub bias: &'a [i32],
    /// `[channels]`: `input_scale * weight_scale[c] / output_scale`, in f32 and in that order. Finite, not negative.
    pub multiplier: &'a [f32],
    /// The output's zero point.
    pub zero_point: i8,
    /// The least output.
    pub min: i8,
    /// The greatest output.
    pub max: i8,
}

/// Weights that a kernel cannot compute with; the operator must run elsewhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PackError {
    /// Some input could take this channel's sum out of `i32`.
    SumOverflow {
        /// The output channel.
        channel: usize,
        /// `|bias| + 128 * sum of |weight|`, the bound that is not below 2^31.
        bound: i64,
    },
    /// A multiplier that is negative, infinite or NaN.
    Multiplier {
        /// The output channel.
        channel: usize,
        /// The multiplier.
        got: f32,
    },
}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PackError::SumOverflow { channel, bound } => write!(
                f,
                "output channel {channel}: sums up to {bound} may overflow 32 bits; run this operator in f32"
            ),
            PackError::Multiplier { channel, got } => write!(
                f,
                "output channel {channel}: the scales give a multiplier of {got}; expected a finite one, not negative"
            ),
        }
    }
}

impl core::error::Error for PackError {}

/// An epilogue that was checked against its weights and owns its numbers.
#[derive(Clone, Debug)]
pub(crate) struct Requantize {
    /// `[channels]`
    pub bias: Vec<i32>,
    /// `[channels]`
    pub multiplier: Vec<f32>,
    pub zero_point: i8,
    pub min: i8,
    pub max: i8,
    /// The greatest `|acc + bias|` of any channel, for any input.
    #[cfg_attr(not(target_arch = "aarch64"), allow(dead_code))]
    // only vector epilogues choose by it
    pub sum_bound: i64,
    /// The greatest `|acc + bias| * multiplier` of any channel, for any input, rounded up.
    #[cfg_attr(not(target_arch = "aarch64"), allow(dead_code))]
    // as above
    pub scaled_bound: f64,
    /// Channels of huge sums that no input changes: bias and multiplier give their byte, and their weights count as 0.
    constant: Vec<usize>,
}

/// From here on a sum is huge: a float does not hold it beside a rounder, see the vector epilogues. Exporters give a
/// channel whose weights are all about zero a scale so small that its bias is.
pub(crate) const HUGE_SUM: i64 = (1 << 22) - 128;

impl Requantize {
    /// `magnitude(c)` is the sum of `|weight|` of channel `c`.
    ///
    /// # Panics
    ///
    /// If bias or multiplier have not one element per channel, or `min` is above `max`.
    pub fn new(
        epilogue: Epilogue,
        channels: usize,
        magnitude: impl Fn(usize) -> i64,
    ) -> Result<Requantize, PackError> {
        let Epilogue {
            bias,
            multiplier,
            zero_point,
            min,
            max,
        } = epilogue;
        assert!(
            bias.len() == channels && multiplier.len() == channels,
            "epilogue: {} biases and {} multipliers for {channels} channels",
            bias.len(),
            multiplier.len()
        );
        assert!(min <= max, "epilogue: nothing is in [{min}, {max}]");
        let mut requantize = Requantize {
            bias: bias.into(),
            multiplier: multiplier.into(),
            zero_point,
            min,
            max,
            sum_bound: 0,
            scaled_bound: 0.0,
            constant: Vec::new(),
        };
        for channel in 0..channels {
            let got = multiplier[channel];
            if !(got.is_finite() && got >= 0.0) {
                return Err(PackError::Multiplier { channel, got });
            }
            let products = 128 * magnitude(channel);
            let bound = i64::from(bias[channel]).abs() + products;
            if bound > i64::from(i32::MAX) {
                return Err(PackError::SumOverflow { channel, bound });
            }
            if bound >= HUGE_SUM && requantize.make_constant(channel, products as i32) {
                continue;
            }
            requantize.sum_bound = requantize.sum_bound.max(bound);
            let scaled = (bound + 1) as f64 * f64::from(got);
            requantize.scaled_bound = requantize.scaled_bound.max(scaled);
        }
        Ok(requantize)
    }

    /// Makes a channel constant whose sum of products is at most `products` in magnitude, if its byte is.
    fn make_constant(&mut self, channel: usize, products: i32) -> bool {
        let byte = self.byte(channel, -products);
        // What lies between two sums has the same byte as they: a byte never falls where the sum rises.
        let is_constant = byte == self.byte(channel, products);
        if is_constant {
            self.bias[channel] = i32::from(byte) - i32::from(self.zero_point);
            self.multiplier[channel] = 1.0;
            self.constant.push(channel);
        }
        is_constant
    }

    /// The weights that a kernel packs: `weights`, those of constant channels cleared by `clear`.
    pub fn effective<'a>(
        &self,
        weights: &'a [i8],
        clear: impl Fn(&mut [i8], usize),
    ) -> Cow<'a, [i8]> {
        let mut weights = Cow::Borrowed(weights);
        for &channel in &self.constant {
            clear(weights.to_mut(), channel);
        }
        weights
    }

    /// The byte of channel `c` whose products sum to `acc`: the specification.
    pub fn byte(&self, c: usize, acc: i32) -> i8 {
        let scaled = (acc + self.bias[c]) as f32 * self.multiplier[c];
        saturate(scaled, self.zero_point, self.min, self.max)
    }
}

/// `round_half_even(value) + zero_point`, saturated to `[min, max]`; NaN counts as 0.
pub(crate) fn saturate(value: f32, zero_point: i8, min: i8, max: i8) -> i8 {
    (round_half_even(value) + i32::from(zero_point)).clamp(min.into(), max.into()) as i8
}

/// The nearest integer, ties to even, of what lies within +-2^20; that bound for what lies outside, 0 for NaN. What is
/// saturated to a byte afterwards does not notice the bound.
fn round_half_even(value: f32) -> i32 {
    const BOUND: f32 = 1_048_576.0;
    (value.clamp(-BOUND, BOUND) + ROUNDER - ROUNDER) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Epilogue = Epilogue {
        bias: &[0],
        multiplier: &[0.5],
        zero_point: 0,
        min: -128,
        max: 127,
    };

    #[test]
    fn halves_go_to_even_before_the_zero_point_is_added() {
        for zero_point in [-128, -1, 0, 3, 127] {
            let requantize = Requantize::new(
                Epilogue {
                    zero_point,
                    ..PLAIN
                },
                1,
                |_| 1,
            )
            .unwrap();
            for acc in -600..=600 {
                let rounded = (acc as f32 * 0.5).round_ties_even() as i32;
                let expected = (rounded + i32::from(zero_point)).clamp(-128, 127);
                assert_eq!(
                    i32::from(requantize.byte(0, acc)),
                    expected,
                    "{acc} {zero_point}"
                );
            }
        }
    }

    #[test]
    fn huge_values_saturate() {
        assert_eq!(saturate(f32::INFINITY, -128, -128, 127), 127);
        assert_eq!(saturate(f32::MIN, 127, -128, 127), -128);
        assert_eq!(saturate(3e9, 0, -5, 9), 9);
        assert_eq!(saturate(f32::NAN, 7, -128, 127), 7);
    }

    #[test]
    fn a_sum_that_could_overflow_is_refused() {
        let fits = i64::from(i32::MAX) / 128;
        assert!(Requantize::new(PLAIN, 1, |_| fits).is_ok());
        let error = Requantize::new(PLAIN, 1, |_| fits + 1).unwrap_err();
        assert_eq!(
            error,
            PackError::SumOverflow {
                channel: 0,
                bound: 128 * (fits + 1)
            }
        );
        assert!(error.to_string().contains("run this operator in f32"));
        let bias = &[i32::MIN];
        assert!(Requantize::new(Epilogue { bias, ..PLAIN }, 1, |_| 0).is_err());
    }

    #[test]
    fn a_channel_of_huge_sums_is_constant_where_no_input_changes_its_byte() {
        let channel = |bias: i32, multiplier: f32, magnitude| {
            let epilogue = Epilogue {
                bias: &[bias],
                multiplier: &[multiplier],
                zero_point: -3,
                ..PLAIN
            };
            Requantize::new(epilogue, 1, |_| magnitude).unwrap()
        };
        for (bias, expected) in [(1_000_000_000, 97), (-1_000_000_000, -103)] {
            let constant = channel(bias, 1e-7, 1000);
            assert_eq!(constant.byte(0, 0), expected);
            let cleared = constant.effective(&[5, 6], |weights, c| weights[c] = 0);
            assert_eq!(*cleared, [0, 6]);
            assert_eq!(constant.sum_bound, 0);
        }
        // A tie is in reach; a sum is small.
        for varying in [channel(1_005_000_000, 1e-7, 1000), channel(1000, 1e-7, 1)] {
            assert!(varying.sum_bound > 0);
            assert_eq!(*varying.effective(&[5], |_, _| unreachable!()), [5]);
        }
    }

    #[test]
    fn multipliers_that_mean_nothing_are_refused() {
        for got in [f32::NAN, f32::INFINITY, -0.25] {
            let multiplier = &[got];
            let error = Requantize::new(
                Epilogue {
                    multiplier,
                    ..PLAIN
                },
                1,
                |_| 1,
            )
            .unwrap_err();
            assert!(
                matches!(error, PackError::Multiplier { channel: 0, .. }),
                "{got}"
            );
        }
    }
}
