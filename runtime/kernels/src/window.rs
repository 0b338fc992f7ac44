//! Where a kernel's window stands on its input: kernel size, strides, pads.
//!
//! Limits: no dilation; a padded element has the input's zero point, that is, the real value 0.

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

    /// The checked output size of a run.
    ///
    /// # Panics
    ///
    /// If there is no output, or `rows` are not among its rows, or input or output have the wrong length.
    pub(crate) fn check_run(
        &self,
        size: [usize; 2],
        rows: &core::ops::Range<usize>,
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
    fn padding_has_no_source() {
        assert_eq!(SAME.source(1, 0, 1, 7), None);
        assert_eq!(SAME.source(1, 0, 2, 7), Some(0));
        assert_eq!(SAME.source(1, 6, 2, 7), Some(6));
        assert_eq!(SAME.source(1, 6, 3, 7), None);
        assert_eq!(SAME.source(0, 3, 1, 8), Some(7));
    }
}
