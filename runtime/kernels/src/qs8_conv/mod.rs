//! Dense k x k convolution over `[h, w, c]` bytes with the epilogue fused: a stem, a small filter bank.
//!
//! A band of output pixels at a time is laid out as rows of taps in the caller's scratch, and multiplied as a matrix.
//! Output rows are independent: threads share an image by taking ranges of rows, each with a scratch of its own.
//!
//! Limits: no groups, no dilation, weights without zero point. A 1 x 1 convolution of stride 1 without pads is a
//! [`PackedGemm`](crate::PackedGemm), which copies nothing.

mod qs8_conv_scalar;

use crate::requantize::{Epilogue, PackError, Requantize};
use crate::{Isa, Window};
use alloc::vec::Vec;
use core::ops::Range;

/// Weights `[n, kh, kw, c]` and their epilogue, packed for one instruction set.
#[derive(Clone, Debug)]
pub struct PackedConv {
    channels: usize,
    filters: usize,
    window: Window,
    input_zero_point: i8,
    requantize: Requantize,
    weights: Weights,
}

/// The packed bytes, with the proof that their kernel may run.
#[derive(Clone, Debug)]
enum Weights {
    Scalar(Vec<i8>),
}

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
        let k = window.taps() * channels;
        assert!(
            filters.checked_mul(k) == Some(weights.len()),
            "qs8_conv: {} weights are not {filters} filters of {:?} of {channels} channels",
            weights.len(),
            window.kernel
        );
        let magnitude = |f: usize| {
            weights[f * k..][..k]
                .iter()
                .map(|w| i64::from(w.unsigned_abs()))
                .sum()
        };
        let requantize = Requantize::new(epilogue, filters, magnitude)?;
        let weights = match isa {
            _ => Weights::Scalar(weights.into()),
        };
        Ok(PackedConv {
            channels,
            filters,
            window,
            input_zero_point,
            requantize,
            weights,
        })
    }

    /// The window that was given.
    pub fn window(&self) -> Window {
        self.window
    }

    /// The bytes that the packed weights and their tables take, for a report.
    pub fn packed_bytes(&self) -> usize {
        let weights = match &self.weights {
            Weights::Scalar(weights) => weights.len(),
        };
        weights + 8 * self.filters
    }

    /// The elements of scratch that a run on an input of `[h, w]` needs, whatever its rows.
    pub fn scratch_len(&self, _size: [usize; 2]) -> usize {
        match &self.weights {
            Weights::Scalar(_) => 0,
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
        self.window.check_run(
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
            Weights::Scalar(weights) => {
                let image = (
                    input,
                    [size[0], size[1], self.channels],
                    self.input_zero_point,
                );
                qs8_conv_scalar::run(weights, &self.window, &self.requantize, image, rows, out)
            }
        }
    }
}
