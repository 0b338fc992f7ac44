//! Output pixels as rows of a matrix: each the bytes under its window, tap row after tap row.
//!
//! A tap row of at most sixteen bytes is copied as sixteen where the input has them; what is too much is overwritten by
//! the next tap row or the next pixel, or ends in the spare bytes.

use crate::window::Window;
use core::ops::Range;

/// The bytes of one copy.
const COPY: usize = 16;

/// What one copy moves.
type Chunk = [i8; COPY];

/// Bytes behind the last row that a copy may touch.
pub const SPARE: usize = COPY;

/// An input, `[h, w, channels]`, and the window that slides over it.
pub struct Source<'a> {
    pub input: &'a [i8],
    pub dims: [usize; 3],
    pub zero_point: i8,
    pub window: Window,
    pub out_width: usize,
}

impl Source<'_> {
    /// Writes the rows of the output pixels `pixels`, counted line by line, to the start of `rows`, which is
    /// [`SPARE`] bytes longer than they are.
    pub fn gather(&self, pixels: Range<usize>, rows: &mut [i8]) {
        let row_len = self.window.taps() * self.dims[2];
        assert!(rows.len() >= pixels.len() * row_len + SPARE);
        let mut next = pixels.start;
        let mut at = 0;
        while next < pixels.end {
            let (y, x) = (next / self.out_width, next % self.out_width);
            let line = x..self.out_width.min(x + pixels.end - next);
            next += line.len();
            let inside = self.inside(y, &line);
            for x in line.start..inside.start {
                self.gather_edge(y, x, &mut rows[at..]);
                at += row_len;
            }
            self.gather_inside(y, inside.clone(), &mut rows[at..]);
            at += inside.len() * row_len;
            for x in inside.end..line.end {
                self.gather_edge(y, x, &mut rows[at..]);
                at += row_len;
            }
        }
    }

    /// The part of `line`, output columns of row `y`, whose windows stand in the input, with [`COPY`] bytes to read at
    /// the start of each tap row.
    fn inside(&self, y: usize, line: &Range<usize>) -> Range<usize> {
        let [h, w, channels] = self.dims;
        let [kh, kw] = self.window.kernel;
        let [top, left, ..] = self.window.pads;
        let stride = self.window.strides[1];
        let none = line.start..line.start;
        let Some(y0) = (y * self.window.strides[0])
            .checked_sub(top)
            .filter(|y0| y0 + kh <= h)
        else {
            return none;
        };
        if w < kw || kw * channels > COPY {
            return none;
        }
        // The last column at which the window ends within the line, and the last tap row's copy within the input.
        let last_row = self.input.len() - (y0 + kh - 1) * w * channels;
        let Some(by_copy) = last_row.checked_sub(COPY) else {
            return none;
        };
        let last = (w - kw).min(by_copy / channels);
        let end = ((last + left) / stride + 1).min(line.end);
        let start = left.div_ceil(stride).clamp(line.start, line.end);
        start..end.max(start)
    }

    /// Copies the tap rows of output columns that are [`inside`](Self::inside).
    fn gather_inside(&self, y: usize, columns: Range<usize>, rows: &mut [i8]) {
        match self.window.kernel[0] {
            3 => self.gather_rows(3, y, columns, rows),
            kh => self.gather_rows(kh, y, columns, rows),
        }
    }

    /// The same for a window of `kh` rows: inlined, so that a number of rows that is known has no loop.
    #[inline(always)]
    fn gather_rows(&self, kh: usize, y: usize, columns: Range<usize>, rows: &mut [i8]) {
        if columns.is_empty() {
            return;
        }
        let [_, w, channels] = self.dims;
        let [top, left, ..] = self.window.pads;
        let (y0, x0) = (
            y * self.window.strides[0] - top,
            columns.start * self.window.strides[1] - left,
        );
        let step = self.window.strides[1] * channels;
        let tap_row_len = self.window.kernel[1] * channels;
        assert!(rows.len() >= columns.len() * kh * tap_row_len + SPARE);
        let mut from = self.input[(y0 * w + x0) * channels..]
            .as_ptr()
            .cast::<Chunk>();
        let mut to = rows.as_mut_ptr().cast::<Chunk>();
        for _ in columns {
            for row in 0..kh {
                let tap_row = from.wrapping_byte_add(row * w * channels);
                // SAFETY: `inside` leaves a whole copy to read at each tap row; the last one of all ends at most SPARE
                // bytes behind the rows, whose length was just checked.
                unsafe { to.write_unaligned(tap_row.read_unaligned()) };
                to = to.wrapping_byte_add(tap_row_len);
            }
            from = from.wrapping_byte_add(step);
        }
    }

    /// A pixel whose window stands partly outside the input, or whose tap rows are long.
    fn gather_edge(&self, y: usize, x: usize, row: &mut [i8]) {
        let [h, w, channels] = self.dims;
        let [kh, kw] = self.window.kernel;
        let line = kw * channels;
        for (ky, taps) in row[..kh * line].chunks_exact_mut(line).enumerate() {
            let Some(y) = self.window.source(0, y, ky, h) else {
                taps.fill(self.zero_point);
                continue;
            };
            let x0 = x * self.window.strides[1];
            let left = self.window.pads[1];
            let before = left.saturating_sub(x0).min(kw);
            let end = (w + left).saturating_sub(x0).clamp(before, kw);
            taps[..before * channels].fill(self.zero_point);
            taps[end * channels..].fill(self.zero_point);
            if before < end {
                let from = (y * w + x0 + before - left) * channels;
                let inside = &mut taps[before * channels..end * channels];
                inside.copy_from_slice(&self.input[from..][..inside.len()]);
            }
        }
    }
}
