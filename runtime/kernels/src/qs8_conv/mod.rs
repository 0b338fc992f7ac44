//! Dense k x k convolution over `[h, w, c]` bytes with the epilogue fused: a stem, a small filter bank.
//!
//! A band of output pixels at a time is laid out as rows of taps in the caller's scratch, and multiplied as a matrix.
//! Output rows are independent: threads share an image by taking ranges of rows, each with a scratch of its own.
//!
//! Limits: no groups, no dilation, weights without zero point. A 1 x 1 convolution of stride 1 without pads is a
//! [`PackedGemm`](crate::PackedGemm), which copies nothing.

mod im2row;
mod qs8_conv_scalar;
mod real;

pub use self::real::PackedRealConv;
use crate::requantize::{Epilogue, PackError, Requantize};
use crate::{Isa, PackedGemm, Window, weight_sums};
use alloc::vec::Vec;
use core::ops::Range;

/// Weights `[n, kh, kw, c]` and their epilogue, packed for one instruction set.
#[derive(Clone, Debug)]
pub struct PackedConv {
    channels: usize,
    filters: usize,
    window: Window,
    input_zero_point: i8,
    weights: Weights,
}

/// The packed bytes, with the proof that their kernel may run.
#[derive(Clone, Debug)]
enum Weights {
    Scalar(Vec<i8>, Requantize),
    #[cfg_attr(not(any(target_arch = "aarch64", test)), allow(dead_code))] // for vector kernels
    Gemm(PackedGemm),
}

/// The bytes of scratch that hold a band of pixels: half of the smallest first-level data cache of the boards.
const BAND_BYTES: usize = 16 * 1024;

impl PackedConv {
    /// Packs `weights`, which is `[filters, kh, kw, channels]`.
    ///
    /// # Errors
    ///
    /// If a sum may overflow, or a multiplier makes no sense.
    ///
    /// # Panics
    ///
    /// If the window is empty or has no stride, `weights` has not `filters * kh * kw * channels` elements, or the
    /// epilogue is not for `filters`.
    pub fn new(
        isa: Isa,
        weights: &[i8],
        [filters, channels]: [usize; 2],
        window: Window,
        input_zero_point: i8,
        epilogue: Epilogue,
    ) -> Result<PackedConv, PackError> {
        window.check();
        assert!(channels > 0, "qs8_conv: no channels");
        let k = window.taps() * channels;
        assert!(
            filters.checked_mul(k) == Some(weights.len()),
            "qs8_conv: {} weights are not {filters} filters of {:?} of {channels} channels",
            weights.len(),
            window.kernel
        );
        let weights = match isa {
            Isa::Scalar => {
                let magnitude = |f: usize| weight_sums(&weights[f * k..][..k]).1;
                let requantize = Requantize::new(epilogue, filters, magnitude)?;
                let clear = |weights: &mut [i8], f| weights[f * k..][..k].fill(0);
                Weights::Scalar(requantize.effective(weights, clear).into(), requantize)
            }
            #[cfg(target_arch = "aarch64")]
            Isa::Neon(_) | Isa::DotProd(_) => {
                Weights::Gemm(PackedGemm::new(isa, weights, [filters, k], epilogue)?)
            }
        };
        Ok(PackedConv {
            channels,
            filters,
            window,
            input_zero_point,
            weights,
        })
    }

    /// The window that was given.
    pub fn window(&self) -> Window {
        self.window
    }

    /// The bytes that the packed weights and their tables take, for a report.
    pub fn packed_bytes(&self) -> usize {
        match &self.weights {
            Weights::Scalar(weights, _) => weights.len() + 8 * self.filters,
            Weights::Gemm(gemm) => gemm.packed_bytes(),
        }
    }

    /// The elements of scratch that a run on an input of `[h, w]` needs, whatever its rows.
    pub fn scratch_len(&self, size: [usize; 2]) -> usize {
        match &self.weights {
            Weights::Scalar(..) => 0,
            Weights::Gemm(_) => self.band_pixels(size) * self.k() + im2row::SPARE,
        }
    }

    /// Computes the output rows `rows` of an input of `size` `[h, w]`. `input` is `[h, w, channels]`, `out` is
    /// `[rows.len(), output width, filters]`, `scratch` has [`scratch_len`](Self::scratch_len) elements or more, whose
    /// contents do not matter.
    ///
    /// # Panics
    ///
    /// If the window does not fit the input, or a slice has not the length that its shape says.
    pub fn run(
        &self,
        input: &[i8],
        size: [usize; 2],
        rows: Range<usize>,
        out: &mut [i8],
        scratch: &mut [i8],
    ) {
        let out_size = self.window.check_run(
            size,
            &rows,
            [input.len(), self.channels],
            [out.len(), self.filters],
        );
        assert!(
            scratch.len() >= self.scratch_len(size),
            "qs8_conv: a scratch of {} is below {}",
            scratch.len(),
            self.scratch_len(size)
        );
        if out.is_empty() {
            return;
        }
        match &self.weights {
            Weights::Scalar(weights, requantize) => {
                let image = (
                    input,
                    [size[0], size[1], self.channels],
                    self.input_zero_point,
                );
                qs8_conv_scalar::run(weights, &self.window, requantize, image, rows, out)
            }
            Weights::Gemm(gemm) => {
                let source = im2row::Source {
                    input,
                    dims: [size[0], size[1], self.channels],
                    zero_point: self.input_zero_point,
                    window: self.window,
                    out_width: out_size[1],
                };
                let band = self.band_pixels(size);
                let mut first = rows.start * out_size[1];
                for out in out.chunks_mut(band * self.filters) {
                    let pixels = out.len() / self.filters;
                    source.gather(first..first + pixels, scratch);
                    gemm.run(scratch, self.k(), pixels, out, self.filters);
                    first += pixels;
                }
            }
        }
    }

    /// The kernel's name, for reports.
    pub fn name(&self) -> &'static str {
        match &self.weights {
            Weights::Scalar(..) => "qs8_conv_scalar",
            Weights::Gemm(gemm) => gemm.name(),
        }
    }

    /// The elements under the window.
    fn k(&self) -> usize {
        self.window.taps() * self.channels
    }

    fn band_pixels(&self, size: [usize; 2]) -> usize {
        band_pixels(&self.window, self.k(), size)
    }
}

/// The output pixels that are gathered at a time, of `k` elements each: what fits the band, whole tiles of every kernel.
fn band_pixels(window: &Window, k: usize, size: [usize; 2]) -> usize {
    const TILES: usize = 24;
    let fitting = (BAND_BYTES / k.max(1)).max(1).next_multiple_of(TILES);
    let all = window.output(size).map_or(0, |[h, w]| h.saturating_mul(w));
    fitting.min(all).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Guarded, Place, fills, isas};

    /// Holds every instruction set to the specification: all rows at once, and row by row.
    fn check(
        size: [usize; 2],
        [filters, channels]: [usize; 2],
        window: Window,
        zero_points: [i8; 2],
    ) {
        let Some([oh, ow]) = window.output(size) else {
            return;
        };
        let k = window.taps() * channels;
        let [.., weights, input] = fills(filters * k + size[0] * size[1] * channels);
        let (weights, input) = (&weights[..filters * k], &input[filters * k..]);
        let bias: Vec<i32> = (0..filters as i32).map(|f| f * 300 - 500).collect();
        let multiplier: Vec<f32> = (0..filters)
            .map(|f| 0.002 + 0.001 * (f % 3) as f32)
            .collect();
        let [input_zero_point, zero_point] = zero_points;
        let epilogue = Epilogue {
            bias: &bias,
            multiplier: &multiplier,
            zero_point,
            min: -128,
            max: 127,
        };
        let pack = |isa| {
            PackedConv::new(
                isa,
                weights,
                [filters, channels],
                window,
                input_zero_point,
                epilogue,
            )
            .unwrap()
        };
        let mut expected = vec![0; oh * ow * filters];
        pack(Isa::Scalar).run(input, size, 0..oh, &mut expected, &mut []);
        let mut kernels: Vec<PackedConv> = isas().into_iter().map(pack).collect();
        let gemm = PackedGemm::new(Isa::Scalar, weights, [filters, k], epilogue).unwrap();
        kernels.push(PackedConv {
            weights: Weights::Gemm(gemm),
            ..pack(Isa::Scalar)
        });
        for packed in kernels {
            for place in Place::ALL {
                let input = Guarded::new(input, place);
                let mut scratch = Guarded::new(&vec![77; packed.scratch_len(size)], place);
                let mut out = Guarded::new(&vec![99; expected.len()], place);
                packed.run(&input, size, 0..oh, &mut out, &mut scratch);
                assert!(
                    *out == *expected,
                    "{}: {size:?} {window:?} {filters} of {channels} {place:?}",
                    packed.name()
                );
                out.fill(99);
                for y in 0..oh {
                    let row = &mut out[y * ow * filters..][..ow * filters];
                    packed.run(&input, size, y..y + 1, row, &mut scratch);
                }
                assert!(
                    *out == *expected,
                    "{}: row by row {size:?} {window:?}",
                    packed.name()
                );
            }
        }
    }

    #[test]
    fn the_specification_counts_padding_as_the_zero_point() {
        let window = Window {
            kernel: [1, 2],
            strides: [1, 1],
            pads: [0, 1, 0, 0],
        };
        let epilogue = Epilogue {
            bias: &[0],
            multiplier: &[1.0],
            zero_point: 0,
            min: -128,
            max: 127,
        };
        let packed = PackedConv::new(Isa::Scalar, &[1, 10], [1, 1], window, -4, epilogue).unwrap();
        let mut out = [0; 2];
        packed.run(&[5, 6], [1, 2], 0..1, &mut out, &mut []);
        assert_eq!(out, [-4 + 50, 5 + 60]);
    }

    #[test]
    fn every_size_stride_and_pad_equals_the_specification() {
        for kernel in [[1, 1], [3, 3], [2, 5]] {
            for strides in [[1, 1], [2, 2], [3, 1]] {
                for pads in [[0; 4], [1, 1, 1, 1], [0, 0, 1, 1], [2, 0, 0, 3]] {
                    for size in [[1, 1], [3, 3], [4, 7], [9, 6]] {
                        for channels in [1, 3, 4, 7] {
                            let window = Window {
                                kernel,
                                strides,
                                pads,
                            };
                            check(size, [5, channels], window, [-128, -3]);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn zero_points_and_bands_equal_the_specification() {
        let window = Window {
            kernel: [3, 3],
            strides: [2, 2],
            pads: [0, 0, 1, 1],
        };
        for input_zero_point in [-128, 0, 127] {
            for zero_point in [-128, 0, 127] {
                check([10, 12], [32, 3], window, [input_zero_point, zero_point]);
            }
        }
        let window = Window {
            strides: [1, 1],
            pads: [1; 4],
            ..window
        };
        check([41, 40], [8, 3], window, [-1, -128]);
    }
}
