//! The greatest byte under a window, channel by channel, over `[h, w, c]`.
//!
//! The order of quantized numbers is that of the real ones, so where input and output share scale and zero point this is
//! the pool of the real numbers, exactly. Padding is below every number; a window that sees nothing else gives the least
//! byte.
//!
//! Limits: no dilation, no indices.

#[cfg(target_arch = "aarch64")]
mod qs8_maxpool_16c_neon;
mod qs8_maxpool_scalar;

use crate::{Isa, Window};
use core::ops::Range;

/// A max pool of `channels` channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPool {
    /// Where the window stands.
    pub window: Window,
    /// At least 1.
    pub channels: usize,
    /// The least output, -128 where nothing is clamped.
    pub min: i8,
    /// The greatest output, 127 where nothing is clamped; not below `min`.
    pub max: i8,
}

impl MaxPool {
    /// Computes the output rows `rows` of an input of `size` `[h, w]`. `input` is `[h, w, channels]`, `out` is
    /// `[rows.len(), output width, channels]`.
    ///
    /// # Panics
    ///
    /// If the window is empty, has no stride or does not fit the input, there are no channels, `min` is above `max`, or a
    /// slice has not the length that its shape says.
    pub fn run(
        &self,
        isa: Isa,
        input: &[i8],
        size: [usize; 2],
        rows: Range<usize>,
        out: &mut [i8],
    ) {
        let c = self.channels;
        self.window.check();
        assert!(c > 0 && self.min <= self.max, "qs8_maxpool: {self:?}");
        self.window
            .check_run(size, &rows, [input.len(), c], [out.len(), c]);
        if out.is_empty() {
            return;
        }
        match isa {
            Isa::Scalar => qs8_maxpool_scalar::run(self, input, size, rows, out),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon(neon) => qs8_maxpool_16c_neon::run(neon, self, input, size, rows, out),
            #[cfg(target_arch = "aarch64")]
            Isa::DotProd(dotprod) => {
                qs8_maxpool_16c_neon::run(dotprod.neon(), self, input, size, rows, out)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Guarded, Place, fills, isas};

    fn check(pool: MaxPool, input: &[i8], size: [usize; 2]) {
        let Some([oh, ow]) = pool.window.output(size) else {
            return;
        };
        let input = &input[..size[0] * size[1] * pool.channels];
        let mut expected = vec![0; oh * ow * pool.channels];
        qs8_maxpool_scalar::run(&pool, input, size, 0..oh, &mut expected);
        for isa in isas() {
            for place in Place::ALL {
                let input = Guarded::new(input, place);
                let mut out = Guarded::new(&vec![99; expected.len()], place);
                pool.run(isa, &input, size, 0..oh, &mut out);
                assert!(
                    *out == *expected,
                    "{}: {size:?} {pool:?} {place:?}",
                    isa.name()
                );
                out.fill(99);
                for y in 0..oh {
                    let row = &mut out[y * ow * pool.channels..][..ow * pool.channels];
                    pool.run(isa, &input, size, y..y + 1, row);
                }
                assert!(*out == *expected, "{}: row by row {pool:?}", isa.name());
            }
        }
    }

    #[test]
    fn padding_is_below_every_number() {
        let window = Window {
            kernel: [1, 2],
            strides: [1, 1],
            pads: [0, 1, 0, 2],
        };
        let mut pool = MaxPool {
            window,
            channels: 1,
            min: -128,
            max: 127,
        };
        let mut out = [0; 4];
        pool.run(Isa::Scalar, &[-100, -50], [1, 2], 0..1, &mut out);
        assert_eq!(out, [-100, -50, -50, -128]);
        (pool.min, pool.max) = (-90, -60);
        pool.run(Isa::Scalar, &[-100, -50], [1, 2], 0..1, &mut out);
        assert_eq!(out, [-90, -60, -60, -90]);
    }

    #[test]
    fn every_size_stride_and_pad_equals_the_specification() {
        let [.., input] = fills(9 * 8 * 37);
        for kernel in [[1, 1], [2, 2], [3, 3], [2, 5]] {
            for strides in [[1, 1], [2, 2], [1, 3]] {
                for pads in [[0; 4], [1; 4], [0, 0, 1, 1], [2, 4, 3, 0]] {
                    for size in [[1, 1], [2, 3], [7, 5], [9, 8]] {
                        for channels in [1, 3, 15, 16, 17, 32, 37] {
                            let window = Window {
                                kernel,
                                strides,
                                pads,
                            };
                            let pool = MaxPool {
                                window,
                                channels,
                                min: -128,
                                max: 100,
                            };
                            check(pool, &input, size);
                        }
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "does not fit")]
    fn a_window_larger_than_the_input_is_refused() {
        let window = Window {
            kernel: [3, 3],
            strides: [1, 1],
            pads: [0; 4],
        };
        let pool = MaxPool {
            window,
            channels: 1,
            min: -128,
            max: 127,
        };
        pool.run(Isa::Scalar, &[1; 4], [2, 2], 0..0, &mut []);
    }
}
