//! How several threads best share an image: by rows, or by channels.
//!
//! A part of rows builds anew what its first row has in common with the part before: that is little of many rows and much of
//! a few. A part of channels builds nothing twice, but its bytes lie between those of others.

use super::PackedDepthwise;
#[cfg(target_arch = "aarch64")]
use super::Weights;

/// How work is best shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// By output rows, parts beginning at multiples of so many.
    Rows(usize),
    /// By channels, parts beginning at multiples of [`PackedDepthwise::CHANNELS`].
    Channels,
}

impl PackedDepthwise {
    /// How `threads` best share `rows` output rows.
    pub fn share(&self, rows: usize, threads: usize) -> Share {
        let longest =
            |unit: usize| self.cost(rows.min(rows.div_ceil(unit).div_ceil(threads) * unit));
        let together = self.rows_together();
        // Of equal parts those that build less twice.
        let unit = match longest(together) <= longest(1) {
            true => together,
            false => 1,
        };
        let blocks = self.channels / Self::CHANNELS;
        let cuts = self.channels.is_multiple_of(Self::CHANNELS);
        // A twentieth for bytes between bytes.
        let by_channels = 21 * self.cost(rows) * blocks.div_ceil(threads);
        match cuts && by_channels < 20 * longest(unit) * blocks {
            true => Share::Channels,
            false => Share::Rows(unit),
        }
    }

    /// Output rows that are computed from the same woven rows.
    fn rows_together(&self) -> usize {
        match &self.weights {
            #[cfg(target_arch = "aarch64")]
            Weights::DotProd(blocks) => blocks.rows_together(),
            _ => 1,
        }
    }

    /// About what so many neighbouring rows take, the woven rows under them included. The unit is of no matter.
    fn cost(&self, rows: usize) -> usize {
        match &self.weights {
            #[cfg(target_arch = "aarch64")]
            Weights::DotProd(blocks) => blocks.cost(rows),
            _ => rows,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::isas;
    use crate::{Epilogue, Window};

    fn packed(isa: crate::Isa, kernel: usize, stride: usize, channels: usize) -> PackedDepthwise {
        let window = Window {
            kernel: [kernel; 2],
            strides: [stride; 2],
            pads: [kernel / 2; 4],
        };
        let (bias, multiplier) = (vec![0; channels], vec![0.01; channels]);
        let epilogue = Epilogue {
            bias: &bias,
            multiplier: &multiplier,
            zero_point: 0,
            min: -128,
            max: 127,
        };
        let weights = vec![1; kernel * kernel * channels];
        PackedDepthwise::new(isa, &weights, channels, window, 0, epilogue).unwrap()
    }

    #[test]
    fn many_rows_are_cut_by_rows_and_a_few_by_channels() {
        for isa in isas() {
            let share = |kernel, channels, rows, threads| {
                packed(isa, kernel, 1, channels).share(rows, threads)
            };
            assert!(matches!(share(3, 144, 56, 4), Share::Rows(_)), "{isa:?}");
            assert_eq!(share(5, 1152, 7, 4), Share::Channels, "{isa:?}");
            // Nine rows are even for three, and there is no part of seven channels.
            assert!(matches!(share(3, 96, 9, 3), Share::Rows(_)), "{isa:?}");
            assert!(matches!(share(5, 23, 7, 4), Share::Rows(_)), "{isa:?}");
        }
    }
}
