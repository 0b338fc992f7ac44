//! From rows of RGB to a picture of another size, in two passes.
//!
//! Rows are weighted and summed first, then columns; each target byte of the first pass is rounded. Sums are integers, so
//! every processor gives the same bytes. Source rows are asked for in order, each range once, and only the ranges of
//! neighbouring target rows overlap: who reads them from a camera's buffer needs no more than [`Passes::most_rows`] at once.

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
    /// Target rows of which the columns are still the source's, `[8, source columns, 3]`.
    summed: Vec<u8>,
    space: Vec<Lane>,
}

/// What a resampler reads: rows of RGB bytes.
pub(super) trait Source {
    /// Rows that hold those of `range`, which begins and ends no earlier than the range before.
    fn rows(&mut self, range: Range<usize>) -> Rows<'_>;
}

/// A picture in memory is a source, from one of its columns on.
impl Source for Rows<'_> {
    fn rows(&mut self, _range: Range<usize>) -> Rows<'_> {
        *self
    }
}

/// The two passes from one part of a source of one size to one target.
pub(super) struct Passes<'r> {
    columns: &'r Taps,
    rows: &'r Taps,
    summed: &'r mut Vec<u8>,
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
            summed: &mut self.summed,
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

    /// Writes the target's RGB bytes to `resized`, which is as long as they are. Rows of `source` begin at the first of
    /// [`Passes::columns`].
    pub(super) fn run(self, isa: Isa, source: &mut impl Source, resized: &mut [u8]) {
        let row_bytes = 3 * self.columns.span().len();
        self.summed.resize(ROWS_ACROSS * row_bytes, 0);
        self.space
            .resize(across_space(self.columns), [0; ROWS_ACROSS]);
        let group_bytes = ROWS_ACROSS * 3 * self.columns.targets();
        let mut targets = 0..self.rows.targets();
        for group in resized.chunks_mut(group_bytes) {
            for (summed, target) in self.summed.chunks_exact_mut(row_bytes).zip(&mut targets) {
                let rows = source.rows(self.rows.sources(target));
                resample_down(isa, self.rows, target, rows, summed);
            }
            resample_across(isa, self.columns, self.summed, self.space, group);
        }
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
        let mut rows = Rows {
            bytes: &rgb[3 * passes.columns().start..],
            stride: 3 * 37,
            first: 0,
        };
        passes.run(Isa::Scalar, &mut rows, &mut resized);
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
