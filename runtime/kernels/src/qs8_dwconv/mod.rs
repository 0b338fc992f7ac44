//! Depthwise convolution over `[h, w, c]` bytes with the epilogue fused.
//!
//! Output rows are independent, and so are channels: threads share an image by taking ranges of either, each with a scratch
//! of its own. [`Share`] says of which.
//!
//! Limits: one filter per channel (multiplier 1), no dilation, weights without zero point.

#[cfg(target_arch = "aarch64")]
mod dotprod_3x3_2;
#[cfg(target_arch = "aarch64")]
mod dotprod_rows;
#[cfg(target_arch = "aarch64")]
mod neon_3x3;
#[cfg(target_arch = "aarch64")]
mod neon_5x5;
#[cfg(target_arch = "aarch64")]
mod neon_taps;
#[cfg(target_arch = "aarch64")]
mod qs8_dwconv_16c2x_dotprod;
#[cfg(target_arch = "aarch64")]
mod qs8_dwconv_16c2x_neon;
mod qs8_dwconv_scalar;
#[cfg(target_arch = "aarch64")]
mod quads;
#[cfg(target_arch = "aarch64")]
mod ring;
mod share;

pub use self::share::Share;
use crate::requantize::{Epilogue, PackError, Requantize};
use crate::{Columns, Isa, Window};
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
    #[cfg(target_arch = "aarch64")]
    Neon(qs8_dwconv_16c2x_neon::Blocks),
    #[cfg(target_arch = "aarch64")]
    DotProd(qs8_dwconv_16c2x_dotprod::Blocks),
}

/// The input, `[h, w, c]`, and what surrounds it.
#[derive(Clone, Copy)]
struct Image<'a> {
    elements: &'a [i8],
    dims: [usize; 3],
    zero_point: i8,
}

impl PackedDepthwise {
    /// Channels are cut at multiples of this: those that the kernels take at a time.
    pub const CHANNELS: usize = 16;

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
        assert!(channels > 0, "qs8_dwconv: no channels");
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
        let weights = &*requantize.effective(weights, |weights, c| {
            let taps = weights[c..].iter_mut().step_by(channels);
            taps.for_each(|weight| *weight = 0);
        });
        let weights = match isa {
            Isa::Scalar => Weights::Scalar(weights.into()),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon(proof) => Weights::Neon(qs8_dwconv_16c2x_neon::Blocks::pack(
                proof,
                weights,
                window.taps(),
                &requantize,
            )),
            #[cfg(target_arch = "aarch64")]
            Isa::DotProd(proof) => {
                match qs8_dwconv_16c2x_dotprod::Blocks::pack(proof, weights, &window, &requantize) {
                    Some(blocks) => Weights::DotProd(blocks),
                    // Other windows, and fewer channels than a register has.
                    None => Weights::Neon(qs8_dwconv_16c2x_neon::Blocks::pack(
                        proof.neon(),
                        weights,
                        window.taps(),
                        &requantize,
                    )),
                }
            }
        };
        Ok(PackedDepthwise {
            channels,
            window,
            input_zero_point,
            requantize,
            weights,
        })
    }

    /// The channels of input and output.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The window that was given.
    pub fn window(&self) -> Window {
        self.window
    }

    /// The kernel's name, for reports.
    pub fn name(&self) -> &'static str {
        match &self.weights {
            Weights::Scalar(_) => "qs8_dwconv_scalar",
            #[cfg(target_arch = "aarch64")]
            Weights::Neon(_) => "qs8_dwconv_16c2x_neon",
            #[cfg(target_arch = "aarch64")]
            Weights::DotProd(_) => "qs8_dwconv_16c2x_dotprod",
        }
    }

    /// The bytes that the packed weights and their tables take, for a report.
    pub fn packed_bytes(&self) -> usize {
        let weights = match &self.weights {
            Weights::Scalar(weights) => weights.len(),
            #[cfg(target_arch = "aarch64")]
            Weights::Neon(blocks) => blocks.bytes(),
            #[cfg(target_arch = "aarch64")]
            Weights::DotProd(blocks) => blocks.bytes(),
        };
        weights + 8 * self.channels
    }

    /// The elements of scratch that [`run_band`](Self::run_band) needs for at most `rows` output rows of an input of `size`
    /// `[h, w]`.
    pub fn band_scratch_len(&self, size: [usize; 2], rows: usize) -> usize {
        let [height, width] = size;
        let under = rows.saturating_sub(1) * self.window.strides[0] + self.window.kernel[0];
        let heights = 1..=under.min(height);
        let lens = heights.map(|height| self.scratch_len([height, width]));
        lens.max().unwrap_or(0)
    }

    /// The elements of scratch that a run on an input of `[h, w]` needs, whatever its rows.
    #[cfg_attr(not(target_arch = "aarch64"), allow(unused_variables))] // the specification needs none
    pub fn scratch_len(&self, size: [usize; 2]) -> usize {
        // A band may be lower than the window.
        let tall = [size[0].max(self.window.kernel[0]), size[1]];
        let out_width = self.window.output(tall).map_or(1, |[_, w]| w);
        match &self.weights {
            Weights::Scalar(_) => 0,
            #[cfg(target_arch = "aarch64")]
            Weights::Neon(_) => {
                ring::Tiling::new(&self.window, out_width, self.channels).ring_len()
            }
            #[cfg(target_arch = "aarch64")]
            Weights::DotProd(blocks) => {
                blocks.scratch_len(size[0] * size[1] * self.channels, out_width)
            }
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
        self.run_channels(
            (input, size),
            rows,
            Columns::of(out, self.channels),
            scratch,
        );
    }

    /// The same for some of the channels, which are columns of the output's pixels.
    ///
    /// # Panics
    ///
    /// As there, and if not all channels are written, but a border of them is no multiple of [`CHANNELS`](Self::CHANNELS),
    /// or their number is none.
    pub fn run_channels(
        &self,
        (input, size): (&[i8], [usize; 2]),
        rows: Range<usize>,
        out: Columns,
        scratch: &mut [i8],
    ) {
        let image = self.checked(&self.window, (input, size), &rows, &out, scratch);
        if out.rows() > 0 && !out.range().is_empty() {
            self.compute(&self.window, image, rows, out, scratch);
        }
    }

    /// [`run`](Self::run) where only some rows of the input are at hand: `band` holds the input rows `held`, those
    /// [`under`](Window::rows_under) the output rows `rows` among them. The scratch is that of an input of as many rows as
    /// are under them.
    ///
    /// # Panics
    ///
    /// If a row that is needed is not held, `rows` is empty, a slice has not the length that its shape says, or an output
    /// row stands on padding alone.
    pub fn run_band(
        &self,
        held: (&[i8], Range<usize>),
        size: [usize; 2],
        rows: Range<usize>,
        out: &mut [i8],
        scratch: &mut [i8],
    ) {
        self.run_band_channels(held, size, rows, Columns::of(out, self.channels), scratch);
    }

    /// The same for some of the channels.
    ///
    /// # Panics
    ///
    /// As there and in [`run_channels`](Self::run_channels).
    pub fn run_band_channels(
        &self,
        (band, held): (&[i8], Range<usize>),
        size: [usize; 2],
        rows: Range<usize>,
        out: Columns,
        scratch: &mut [i8],
    ) {
        let [height, width] = size;
        let row = width * self.channels;
        let all = self.window.output(size).map_or(0, |[all, _]| all);
        assert!(
            !rows.is_empty() && rows.end <= all,
            "rows {rows:?} of {all}"
        );
        let under = self.window.rows_under(rows.clone(), height);
        assert!(
            held.start <= under.start && under.end <= held.end && band.len() == held.len() * row,
            "qs8_dwconv: rows {held:?} in {} elements are not rows {under:?} of {row}",
            band.len()
        );
        let window = self.window.of_rows(&rows, height);
        let input = &band[(under.start - held.start) * row..][..under.len() * row];
        let rows = 0..rows.len();
        let image = self.checked(&window, (input, [under.len(), width]), &rows, &out, scratch);
        if !out.range().is_empty() {
            self.compute(&window, image, rows, out, scratch);
        }
    }

    /// The image of a run.
    ///
    /// # Panics
    ///
    /// As the runs do.
    fn checked<'a>(
        &self,
        window: &Window,
        (input, size): (&'a [i8], [usize; 2]),
        rows: &Range<usize>,
        out: &Columns,
        scratch: &[i8],
    ) -> Image<'a> {
        let (c, range) = (self.channels, out.range());
        assert!(
            out.stride() == c,
            "qs8_dwconv: an output of {} channels, not {c}",
            out.stride()
        );
        window.check_run(size, rows, [input.len(), c], [out.rows() * c, c]);
        let apart = [c, range.start, range.end];
        assert!(
            range == (0..c) || apart.iter().all(|at| at.is_multiple_of(Self::CHANNELS)),
            "qs8_dwconv: {range:?} are no channels of {c}"
        );
        assert!(
            scratch.len() >= self.scratch_len(size),
            "qs8_dwconv: a scratch of {} is below {}",
            scratch.len(),
            self.scratch_len(size)
        );
        Image {
            elements: input,
            dims: [size[0], size[1], c],
            zero_point: self.input_zero_point,
        }
    }

    #[cfg_attr(not(target_arch = "aarch64"), allow(unused_variables))] // the specification needs no scratch
    fn compute(
        &self,
        window: &Window,
        image: Image,
        rows: Range<usize>,
        out: Columns,
        scratch: &mut [i8],
    ) {
        match &self.weights {
            Weights::Scalar(weights) => {
                qs8_dwconv_scalar::run(weights, window, &self.requantize, image, rows, out)
            }
            #[cfg(target_arch = "aarch64")]
            Weights::DotProd(blocks) => {
                blocks.run(window, &self.requantize, image, rows, out, scratch)
            }
            #[cfg(target_arch = "aarch64")]
            Weights::Neon(blocks) => {
                blocks.run(window, &self.requantize, image, rows, out, scratch)
            }
        }
    }
}

#[cfg(test)]
mod tests;
