//! From rows of RGB to a picture of another size, in two passes.
//!
//! Bytes are rounded between the passes, so it matters which one is first. A frame that is read is summed over its rows
//! first: they are asked for in order, each range once, and only the ranges of neighbouring target rows overlap, so that who
//! reads them from a camera's buffer needs no more than [`Passes::most_rows`] at once. What an encoder sees is summed over
//! columns first, as in Pillow, which models are trained and calibrated with: a grey level here and there turns an INT8
//! encoder's answer further than the quantization of its weights does.
//!
//! Sums are integers, so every processor gives the same bytes.

use std::ops::Range;

use ocellus_kernels::{
    Isa, Lane, ROWS_ACROSS, Rows, Taps, across_space, resample_across, resample_down,
};

use super::View;
use super::bicubic::{Axis, Weights};
use crate::frame::Extent;

/// Resamples; keeps its weights and its memory from one picture to the next.
#[derive(Default)]
pub(super) struct Resampler {
    columns: Weights,
    rows: Weights,
    /// Rows of which the columns are still the source's, `[8, source columns, 3]`.
    wide: Vec<u8>,
    /// The source's rows of which the columns are the target's, `[source rows, target columns, 3]`.
    narrow: Vec<u8>,
    space: Vec<Lane>,
}

/// What a resampler reads: rows of RGB bytes.
pub(super) trait Source {
    /// Rows that hold those of `range`, which begins and ends no earlier than the range before.
    fn rows(&mut self, range: Range<usize>) -> Rows<'_>;
}

/// The two passes from one part of a source of one size to one target.
pub(super) struct Passes<'r> {
    columns: &'r Taps,
    rows: &'r Taps,
    wide: &'r mut Vec<u8>,
    narrow: &'r mut Vec<u8>,
    space: &'r mut Vec<Lane>,
}

impl Resampler {
    /// Passes that make `target` of the part `view` of a source of size `source`. The caller keeps `view` inside of the
    /// source, and both sizes at least 1x1.
    pub(super) fn passes(&mut self, source: Extent, view: &View, target: Extent) -> Passes<'_> {
        let axis = |start, end, side, targets| {
            let (start, length) = inside(start, end, side);
            Axis {
                start,
                length,
                side,
                targets,
            }
        };
        let columns = axis(view.left, view.right(), source.width, target.width);
        let rows = axis(view.top, view.bottom(), source.height, target.height);
        Passes {
            columns: self.columns.of(columns),
            rows: self.rows.of(rows),
            wide: &mut self.wide,
            narrow: &mut self.narrow,
            space: &mut self.space,
        }
    }
}

impl Passes<'_> {
    /// The source columns that are read.
    pub(super) fn columns(&self) -> Range<usize> {
        self.columns.span()
    }

    /// The most source rows that one target row is made of.
    pub(super) fn most_rows(&self) -> usize {
        self.rows.longest()
    }

    /// Writes the target's RGB bytes to `resized`, which is as long as they are: rows first. Rows of `source` begin at the
    /// first of [`Passes::columns`].
    pub(super) fn rows_first(self, isa: Isa, source: &mut impl Source, resized: &mut [u8]) {
        let rows = self.rows;
        across(
            isa,
            self.columns,
            self.wide,
            self.space,
            resized,
            |target, wide| {
                let sources = source.rows(rows.sources(target));
                resample_down(isa, rows, target, sources, wide);
            },
        );
    }

    /// The same, columns first, of a source in memory: `rgb` is its bytes, in rows of `stride`.
    pub(super) fn columns_first(self, isa: Isa, rgb: &[u8], stride: usize, resized: &mut [u8]) {
        let (columns, rows) = (self.columns.span(), self.rows.span());
        let target_stride = 3 * self.columns.targets();
        self.narrow.resize(target_stride * rows.len(), 0);
        across(
            isa,
            self.columns,
            self.wide,
            self.space,
            self.narrow,
            |row, wide| {
                let source = &rgb[stride * (rows.start + row) + 3 * columns.start..];
                wide.copy_from_slice(&source[..wide.len()]);
            },
        );
        let narrow = Rows {
            bytes: self.narrow,
            stride: target_stride,
            first: rows.start,
        };
        for (target, row) in resized.chunks_exact_mut(target_stride).enumerate() {
            resample_down(isa, self.rows, target, narrow, row);
        }
    }
}

/// Sums over columns: writes rows of the target's columns to `out`. `fill` is given each row's number, and writes the row
/// of the columns that `taps` spans.
fn across(
    isa: Isa,
    taps: &Taps,
    wide: &mut Vec<u8>,
    space: &mut Vec<Lane>,
    out: &mut [u8],
    mut fill: impl FnMut(usize, &mut [u8]),
) {
    let (wide_bytes, out_bytes) = (3 * taps.span().len(), 3 * taps.targets());
    wide.resize(ROWS_ACROSS * wide_bytes, 0);
    space.resize(across_space(taps), [0; ROWS_ACROSS]);
    let mut numbers = 0..;
    for group in out.chunks_mut(ROWS_ACROSS * out_bytes) {
        let rows = wide.chunks_exact_mut(wide_bytes);
        for (row, number) in rows.take(group.len() / out_bytes).zip(&mut numbers) {
            fill(number, row);
        }
        resample_across(isa, taps, wide, space, group);
    }
}

/// Start and length of `start..end` cut to `0..side`, such that their sum in f64 is at most `side`
/// too.
fn inside(start: f64, end: f64, side: usize) -> (f64, f64) {
    let side = side as f64;
    let start = start.clamp(0.0, side.next_down());
    let mut length = end.min(side) - start;
    while start + length > side {
        length = length.next_down();
    }
    (start, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_stays_constant() {
        let source = Extent {
            width: 37,
            height: 23,
        };
        let view = View {
            left: 1.3,
            top: 0.0,
            width: 30.1,
            height: 23.0,
        };
        let rgb = [200, 7, 255].repeat(37 * 23);
        let target = Extent {
            width: 11,
            height: 50,
        };
        let mut resized = vec![0; 3 * 11 * 50];
        let mut resampler = Resampler::default();
        let passes = resampler.passes(source, &view, target);
        passes.columns_first(Isa::Scalar, &rgb, 3 * 37, &mut resized);
        assert_eq!(resized, [200, 7, 255].repeat(11 * 50));
    }

    #[test]
    fn rounding_cannot_push_a_box_out() {
        for side in 1..2000 {
            let start = side as f64 / 3.0;
            let (start, length) = inside(start, start + side as f64, side);
            assert!(start + length <= side as f64 && length > 0.0);
        }
    }
}
