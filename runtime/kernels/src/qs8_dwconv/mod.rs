//! Depthwise convolution over `[h, w, c]` bytes with the epilogue fused.
//!
//! Output rows are independent: threads share an image by taking ranges of rows, each with a scratch of its own.
//!
//! Limits: one filter per channel (multiplier 1), no dilation, weights without zero point.

mod qs8_dwconv_scalar;

use crate::requantize::{Epilogue, PackError, Requantize};
use crate::{Isa, Window};
use alloc::vec::Vec;
use core::ops::Range;

/// Weights `[kh, kw, c]` and their epilogue, packed for one instruction set.
#[derive(Clone, Debug)]
pub struct PackedDepthwise {
    channels: usize,
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

/// The input, `[h, w, c]`, and what surrounds it.
#[derive(Clone, Copy)]
struct Image<'a> {
    elements: &'a [i8],
    dims: [usize; 3],
    zero_point: i8,
}

impl PackedDepthwise {
    /// Packs `weights`, which is `[kh, kw, channels]`.
    ///
    /// # Errors
    ///
    /// If a sum may overflow, or a multiplier makes no sense.
    ///
    /// # Panics
    ///
    /// If the window is empty or has no stride, `weights` has not `kh * kw * channels` elements, or the epilogue is not
    /// for `channels`.
    pub fn new(
        isa: Isa,
        weights: &[i8],
        channels: usize,
        window: Window,
        input_zero_point: i8,
        epilogue: Epilogue,
    ) -> Result<PackedDepthwise, PackError> {
        window.check();
        assert!(
            window.taps().checked_mul(channels) == Some(weights.len()),
            "qs8_dwconv: {} weights are not {:?} of {channels} channels",
            weights.len(),
            window.kernel
        );
        let magnitude = |c: usize| {
            weights[c..]
                .iter()
                .step_by(channels)
                .map(|w| i64::from(w.unsigned_abs()))
                .sum()
        };
        let requantize = Requantize::new(epilogue, channels, magnitude)?;
        let weights = match isa {
            _ => Weights::Scalar(weights.into()),
        };
        Ok(PackedDepthwise {
            channels,
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
        weights + 8 * self.channels
    }

    /// The elements of scratch that a run on an input of `[h, w]` needs, whatever its rows.
    pub fn scratch_len(&self, _size: [usize; 2]) -> usize {
        match &self.weights {
            Weights::Scalar(_) => 0,
        }
    }

    /// Computes the output rows `rows` of an input of `size` `[h, w]`. `input` is `[h, w, channels]`, `out` is
    /// `[rows.len(), output width, channels]`, `scratch` has [`scratch_len`](Self::scratch_len) elements or more, whose
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
        let c = self.channels;
        self.window
            .check_run(size, &rows, [input.len(), c], [out.len(), c]);
        assert!(
            scratch.len() >= self.scratch_len(size),
            "qs8_dwconv: a scratch of {} is below {}",
            scratch.len(),
            self.scratch_len(size)
        );
        if out.is_empty() {
            return;
        }
        let image = Image {
            elements: input,
            dims: [size[0], size[1], c],
            zero_point: self.input_zero_point,
        };
        match &self.weights {
            Weights::Scalar(weights) => {
                qs8_dwconv_scalar::run(weights, &self.window, &self.requantize, image, rows, out)
            }
        }
    }
}
