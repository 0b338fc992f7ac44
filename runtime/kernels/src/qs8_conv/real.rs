//! The same convolution with sums that leave as f32, and a zero point that is known only when it runs.
//!
//! See [`PackedRealGemm`], which multiplies.

use super::{band_pixels, im2row};
use crate::requantize::PackError;
use crate::{Isa, Numbers, PackedRealGemm, Window};
use core::ops::Range;

/// Weights `[n, kh, kw, c]`, packed for one instruction set.
#[derive(Clone, Debug)]
pub struct PackedRealConv {
    channels: usize,
    window: Window,
    gemm: PackedRealGemm,
}

impl PackedRealConv {
    /// Packs `weights`, which is `[filters, kh, kw, channels]`.
    ///
    /// # Errors
    ///
    /// If a sum may overflow, whatever the zero point of the input.
    ///
    /// # Panics
    ///
    /// If the window is empty or has no stride, or `weights` has not `filters * kh * kw * channels` elements.
    pub fn new(
        isa: Isa,
        weights: &[i8],
        [filters, channels]: [usize; 2],
        window: Window,
    ) -> Result<PackedRealConv, PackError> {
        window.check();
        assert!(channels > 0, "qs8_conv: no channels");
        let gemm = PackedRealGemm::new(isa, weights, [filters, window.taps() * channels])?;
        Ok(PackedRealConv {
            channels,
            window,
            gemm,
        })
    }

    /// The product of the pixels under the window with the weights, which makes a run's numbers.
    pub fn gemm(&self) -> &PackedRealGemm {
        &self.gemm
    }

    /// The elements of scratch that a run on an input of `[h, w]` needs, whatever its rows.
    pub fn scratch_len(&self, size: [usize; 2]) -> usize {
        let [_, k] = self.gemm.shape();
        band_pixels(&self.window, k, size) * k + im2row::SPARE
    }

    /// Computes the output rows `rows` of an input of `size` `[h, w]`, around which there are elements of `zero_point`. `input`
    /// is `[h, w, channels]`, `out` is `[rows.len(), output width, filters]`, `scratch` has
    /// [`scratch_len`](Self::scratch_len) elements or more, whose contents do not matter.
    ///
    /// # Panics
    ///
    /// If the window does not fit the input, or a slice has not the length that its shape says.
    pub fn run(
        &self,
        numbers: &Numbers,
        (input, size, zero_point): (&[i8], [usize; 2], i8),
        rows: Range<usize>,
        out: &mut [f32],
        scratch: &mut [i8],
    ) {
        let [filters, k] = self.gemm.shape();
        let out_size = self.window.check_run(
            size,
            &rows,
            [input.len(), self.channels],
            [out.len(), filters],
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
        let source = im2row::Source {
            input,
            dims: [size[0], size[1], self.channels],
            zero_point,
            window: self.window,
            out_width: out_size[1],
        };
        let band = band_pixels(&self.window, k, size);
        let mut first = rows.start * out_size[1];
        for out in out.chunks_mut(band * filters) {
            let pixels = out.len() / filters;
            source.gather(first..first + pixels, scratch);
            self.gemm.run(numbers, (scratch, k), pixels, (out, filters));
            first += pixels;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{fills, isas};

    /// The sum under the window of one output pixel, element by element.
    fn sum(
        weights: &[i8],
        window: &Window,
        (input, [h, w, channels], zero_point): (&[i8], [usize; 3], i8),
        [y, x]: [usize; 2],
    ) -> i32 {
        let [kh, kw] = window.kernel;
        let mut sum = 0;
        for ky in 0..kh {
            for kx in 0..kw {
                let iy = (y * window.strides[0] + ky).wrapping_sub(window.pads[0]);
                let ix = (x * window.strides[1] + kx).wrapping_sub(window.pads[1]);
                if iy >= h || ix >= w {
                    continue;
                }
                for c in 0..channels {
                    let element = i32::from(input[(iy * w + ix) * channels + c]);
                    let weight = i32::from(weights[(ky * kw + kx) * channels + c]);
                    sum += (element - i32::from(zero_point)) * weight;
                }
            }
        }
        sum
    }

    #[test]
    fn every_instruction_set_convolves() {
        for (kernel, stride, pads) in [(1, 1, [0; 4]), (3, 2, [0, 1, 1, 0]), (4, 4, [0; 4])] {
            for (channels, filters, size) in [(3, 5, [8, 12]), (2, 17, [9, 7])] {
                let window = Window {
                    kernel: [kernel; 2],
                    strides: [stride; 2],
                    pads,
                };
                let each = kernel * kernel * channels;
                let [.., weights, input] = fills(filters * each + size[0] * size[1] * channels);
                let (weights, input) = (&weights[..filters * each], &input[filters * each..]);
                let [oh, ow] = window.output(size).expect("a window that fits");
                let image = (input, [size[0], size[1], channels], -3);
                for isa in isas() {
                    let conv = PackedRealConv::new(isa, weights, [filters, channels], window)
                        .expect("sums that fit");
                    let numbers = conv.gemm().numbers(-3, |_| 0.5, |f| f as f32);
                    let mut out = vec![f32::NAN; oh * ow * filters];
                    let mut scratch = vec![99; conv.scratch_len(size)];
                    let (first, last) = out.split_at_mut(ow * filters);
                    for (rows, out) in [(0..1, first), (1..oh, last)] {
                        conv.run(&numbers, (input, size, -3), rows, out, &mut scratch);
                    }
                    for (at, got) in out.iter().enumerate() {
                        let (pixel, f) = (at / filters, at % filters);
                        let weights = &weights[f * each..][..each];
                        let sum = sum(weights, &window, image, [pixel / ow, pixel % ow]);
                        assert_eq!(*got, sum as f32 * 0.5 + f as f32, "{window:?} {at}");
                    }
                }
            }
        }
    }
}
