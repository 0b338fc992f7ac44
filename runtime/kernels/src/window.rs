//! Where a kernel's window stands on its input: kernel size, strides, pads.
//!
//! Limits: no dilation; a padded element has the input's zero point, that is, the real value 0.

use core::ops::Range;

/// The geometry of a convolution or a pool, height before width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// `[kh, kw]`, both at least 1.
    pub kernel: [usize; 2],
    /// `[sy, sx]`, both at least 1.
    pub strides: [usize; 2],
    /// `[top, left, bottom, right]`, as in ONNX.
    pub pads: [usize; 4],
}

impl Window {
    /// The output's `[h, w]` for an input of `[h, w]`; `None` where the window is larger than the padded input, or a
    /// size cannot be computed.
    pub fn output(&self, input: [usize; 2]) -> Option<[usize; 2]> {
        let along = |axis: usize| {
            let padded = input[axis]
                .checked_add(self.pads[axis])?
                .checked_add(self.pads[axis + 2])?;
            let steps = padded
                .checked_sub(self.kernel[axis])?
                .checked_div(self.strides[axis])?;
            steps.checked_add(1)
        };
        Some([along(0)?, along(1)?])
    }

    /// # Panics
    ///
    /// If the window is empty or does not move.
    pub(crate) fn check(&self) {
        let least = self.kernel.iter().chain(&self.strides).min();
        assert!(least != Some(&0), "{self:?} is empty or has no stride");
    }

    pub(crate) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// The input coordinate under tap `tap` of output `at`, along `axis`; `None` where it is padding.
    pub(crate) fn source(&self, axis: usize, at: usize, tap: usize, len: usize) -> Option<usize> {
        let source = (at * self.strides[axis] + tap).checked_sub(self.pads[axis])?;
        (source < len).then_some(source)
    }

    /// The input rows, of `height`, on which these output rows stand; none of them may stand on padding alone.
    pub fn rows_under(&self, rows: Range<usize>, height: usize) -> Range<usize> {
        let padded = self.padded_rows(&rows);
        let row = |padded: usize| padded.saturating_sub(self.pads[0]).min(height);
        row(padded.start)..row(padded.end)
    }

    /// The window of these output rows alone, on the input rows under them.
    pub(crate) fn of_rows(&self, rows: &Range<usize>, height: usize) -> Window {
        let padded = self.padded_rows(rows);
        let [top, left, _, right] = self.pads;
        let above = top.saturating_sub(padded.start);
        let below = padded.end.saturating_sub(top + height);
        Window {
            pads: [above, left, below, right],
            ..*self
        }
    }

    /// The rows of the padded input on which these output rows stand.
    fn padded_rows(&self, rows: &Range<usize>) -> Range<usize> {
        let last = rows.end.saturating_sub(1).max(rows.start);
        rows.start * self.strides[0]..last * self.strides[0] + self.kernel[0]
    }

    /// The checked output size of a run.
    ///
    /// # Panics
    ///
    /// If there is no output, or `rows` are not among its rows, or input or output have the wrong length.
    pub(crate) fn check_run(
        &self,
        size: [usize; 2],
        rows: &Range<usize>,
        [input_len, in_channels]: [usize; 2],
        [output_len, out_channels]: [usize; 2],
    ) -> [usize; 2] {
        let Some(out) = self.output(size) else {
            panic!("{self:?} does not fit an input of {size:?}");
        };
        assert!(
            rows.start <= rows.end && rows.end <= out[0],
            "rows {rows:?} of an output of {out:?}"
        );
        assert!(
            elements([size[0], size[1], in_channels]) == Some(input_len),
            "{input_len} elements are not {size:?} of {in_channels} channels"
        );
        assert!(
            elements([rows.len(), out[1], out_channels]) == Some(output_len),
            "{output_len} elements are not {} rows of {} of {out_channels} channels",
            rows.len(),
            out[1]
        );
        out
    }
}

fn elements(dims: [usize; 3]) -> Option<usize> {
    dims[0].checked_mul(dims[1])?.checked_mul(dims[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAME: Window = Window {
        kernel: [3, 5],
        strides: [2, 1],
        pads: [0, 2, 1, 2],
    };

    #[test]
    fn output_sizes_are_those_of_onnx() {
        assert_eq!(SAME.output([224, 7]), Some([112, 7]));
        assert_eq!(SAME.output([2, 1]), Some([1, 1]));
        assert_eq!(SAME.output([1, 1]), None);
        assert_eq!(SAME.output([usize::MAX, 7]), None);
    }

    #[test]
    fn a_few_rows_stand_on_theirs_as_all_rows_do_on_all() {
        let heights = 4..12;
        for (kernel, stride, pads) in [
            (3, 1, [1, 1]),
            (3, 2, [1, 1]),
            (5, 2, [2, 2]),
            (4, 3, [0, 2]),
        ] {
            let window = Window {
                kernel: [kernel, 1],
                strides: [stride, 1],
                pads: [pads[0], 0, pads[1], 0],
            };
            for height in heights.clone() {
                let [all, _] = window.output([height, 1]).unwrap();
                for start in 0..all {
                    for end in start + 1..=all {
                        let under = window.rows_under(start..end, height);
                        let own = window.of_rows(&(start..end), height);
                        assert_eq!(own.output([under.len(), 1]), Some([end - start, 1]));
                        for (at, row) in (start..end).enumerate() {
                            for tap in 0..kernel {
                                let inside = own.source(0, at, tap, under.len());
                                let source = inside.map(|y| under.start + y);
                                assert_eq!(source, window.source(0, row, tap, height));
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn padding_has_no_source() {
        assert_eq!(SAME.source(1, 0, 1, 7), None);
        assert_eq!(SAME.source(1, 0, 2, 7), Some(0));
        assert_eq!(SAME.source(1, 6, 2, 7), Some(6));
        assert_eq!(SAME.source(1, 6, 3, 7), None);
        assert_eq!(SAME.source(0, 3, 1, 8), Some(7));
    }
}
