//! The one reading of a frame: a small RGB picture that entropy and every resolution are made from.
//!
//! A 12-megapixel frame reduced by fifty costs a pass over all its pixels; done once, to a short
//! side of 512, later resizes cost next to nothing and the camera's buffer can go back to the
//! driver. The reduction uses the filter of the final resize, because bicubic after bicubic is
//! closest to bicubic in one step (closer than area, triangle or Hamming averages, and no further
//! than Lanczos, which costs more and needs a sine).
//!
//! Around the view some pixels are kept where the frame has them, for the resize reaches beyond the
//! box as Pillow's does.
//!
//! Limits: exact for resolutions of 64 and more; below that the frame's pixels beyond the kept
//! margin are missing, which touches the outermost target pixels only.

use std::ops::Range;

use ocellus_kernels::{Isa, Rows};

use super::View;
use super::bicubic::KERNEL_REACH;
use super::resample::{Resampler, Source};
use crate::frame::{Extent, Frame, Orientation, RowReader, RowSpace, turn};

/// The longest that the short side of a view becomes, in pixels.
pub const INTERMEDIATE_SIDE: usize = 512;

/// The largest side that [`Intermediate::resize`] makes.
pub const MAX_RESOLUTION: usize = 4096;

/// The smallest resolution whose filter finds every pixel it reaches for.
const SMALLEST_EXACT: f64 = 64.0;

/// How many times the rows of a range a window has room for: the rows that two ranges share move to its
/// start when it is full, so more room is fewer copies, and less of it stays in a cache.
const ROOM: usize = 3;

/// One view of a frame as upright RGB, 8 bits a channel, with a margin around the view.
#[derive(Clone, Debug)]
pub struct Intermediate {
    size: Extent,
    rgb: Vec<u8>,
    /// The view, in this picture's pixels.
    view: View,
}

/// Memory that work on frames needs besides its results, and the instruction set that it uses. Who
/// keeps it from one frame to the next allocates nothing for a frame of the same size, and computes
/// no weight again.
pub struct Workspace {
    isa: Isa,
    /// The frame's latest rows before their reduction.
    window: Vec<u8>,
    /// A picture before it is turned.
    stored: Vec<u8>,
    rows: RowSpace,
    /// From the frame to the intermediate; apart from the other, so that each keeps its weights.
    reducer: Resampler,
    /// From the intermediate to a resolution.
    resizer: Resampler,
    /// Sums of columns, for the entropy.
    columns: Vec<u32>,
}

impl Workspace {
    /// Memory for work with `isa`. The results are the same with every instruction set.
    #[must_use]
    pub fn new(isa: Isa) -> Self {
        Self {
            isa,
            window: Vec::new(),
            stored: Vec::new(),
            rows: RowSpace::default(),
            reducer: Resampler::default(),
            resizer: Resampler::default(),
            columns: Vec::new(),
        }
    }
}

impl Default for Workspace {
    /// With the instruction set that the target promises.
    fn default() -> Self {
        Self::new(Isa::promised())
    }
}

impl Default for Intermediate {
    /// A black pixel: a place for [`Intermediate::read_again`].
    fn default() -> Self {
        Self {
            size: Extent {
                width: 1,
                height: 1,
            },
            rgb: vec![0; 3],
            view: View {
                left: 0.0,
                top: 0.0,
                width: 1.0,
                height: 1.0,
            },
        }
    }
}

impl Intermediate {
    /// Reads `view` from `frame`. The part of the view that lies outside of the frame is left off;
    /// one that lies wholly outside, or has no size, becomes a sliver at the nearest edge.
    #[must_use]
    pub fn read(frame: &Frame<'_>, view: &View) -> Self {
        let mut read = Self::default();
        read.read_again(frame, view, &mut Workspace::default());
        read
    }

    /// [`Intermediate::read`] into the memory of what was read before.
    pub fn read_again(&mut self, frame: &Frame<'_>, view: &View, space: &mut Workspace) {
        let view = view.within(frame.width() as f64, frame.height() as f64);
        let stored = frame.cropped();
        let view = frame
            .orientation()
            .stored_view(&view, stored)
            .within(stored.width as f64, stored.height as f64);
        let region = Region::around(&view, stored);
        let orientation = frame.orientation();
        let size = if orientation == Orientation::Upright {
            region.read(frame, &mut self.rgb, space)
        } else {
            let mut as_stored = std::mem::take(&mut space.stored);
            let size = region.read(frame, &mut as_stored, space);
            turn(&as_stored, size, orientation, &mut self.rgb);
            space.stored = as_stored;
            size
        };
        let scale = (
            size.width as f64 / region.size.width as f64,
            size.height as f64 / region.size.height as f64,
        );
        let view = View {
            left: (view.left - region.x as f64) * scale.0,
            top: (view.top - region.y as f64) * scale.1,
            width: view.width * scale.0,
            height: view.height * scale.1,
        };
        self.size = orientation.upright(size);
        self.view = orientation.upright_view(&view, size);
    }

    /// The view as `resolution` x `resolution` RGB pixels, `[resolution, resolution, 3]`: what
    /// Pillow's `resize((resolution, resolution), BICUBIC, box=view)` gives for this picture, but for
    /// a grey level in one byte of a hundred at most, where weights of 22 bits round otherwise. Not
    /// square views are squashed. A resolution over [`MAX_RESOLUTION`] counts as that.
    #[must_use]
    pub fn resize(&self, resolution: usize) -> Vec<u8> {
        let mut resized = Vec::new();
        self.resize_into(resolution, &mut resized, &mut Workspace::default());
        resized
    }

    /// [`Intermediate::resize`] into the caller's memory, which becomes as long as the result.
    pub fn resize_into(&self, resolution: usize, resized: &mut Vec<u8>, space: &mut Workspace) {
        let side = resolution.min(MAX_RESOLUTION);
        resized.resize(3 * side * side, 0);
        if side == 0 {
            return;
        }
        let target = Extent {
            width: side,
            height: side,
        };
        let passes = space.resizer.passes(self.size, &self.view, target);
        passes.columns_first(space.isa, &self.rgb, 3 * self.size.width, resized);
    }

    /// Shannon entropy of the view's brightness, in bits, 0.0..=8.0: `-sum(p log2 p)` over the 256
    /// levels of the luma `(77 R + 150 G + 29 B + 128) >> 8` (BT.601 weights, full range), taken
    /// after the view, its edges rounded to pixels, was averaged down until its long side is at
    /// most 160 pixels.
    ///
    /// Averages are of whole pixels, rounded half up; block `i` of `n` along a side of `s` pixels
    /// is `i * s / n .. (i + 1) * s / n`, and `n` along the short side is its length times the
    /// reduction of the long one, rounded.
    #[must_use]
    pub fn entropy_bits(&self) -> f32 {
        self.entropy_bits_in(&mut Workspace::default())
    }

    /// [`Intermediate::entropy_bits`] with the caller's memory.
    #[must_use]
    pub fn entropy_bits_in(&self, space: &mut Workspace) -> f32 {
        let [left, right] = whole(self.view.left, self.view.right(), self.size.width);
        let [top, bottom] = whole(self.view.top, self.view.bottom(), self.size.height);
        let rows = self
            .rgb
            .chunks_exact(3 * self.size.width)
            .take(bottom)
            .skip(top);
        super::entropy::entropy_bits(
            rows.map(|row| &row[3 * left..3 * right]),
            Extent {
                width: right - left,
                height: bottom - top,
            },
            &mut space.columns,
        )
    }

    /// Width in pixels, margin included.
    #[must_use]
    pub fn width(&self) -> usize {
        self.size.width
    }

    /// Height in pixels, margin included.
    #[must_use]
    pub fn height(&self) -> usize {
        self.size.height
    }

    /// The pixels, `[height, width, 3]`, margin included.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.rgb
    }

    /// Where the view lies in [`data`](Self::data), in its pixels.
    #[must_use]
    pub fn view(&self) -> View {
        self.view
    }
}

/// `start..end` rounded to whole pixels of `0..side`, at least one of them.
fn whole(start: f64, end: f64, side: usize) -> [usize; 2] {
    let start = (start.round() as usize).min(side - 1);
    [start, (end.round() as usize).clamp(start + 1, side)]
}

/// The whole pixels of a frame, as stored, that a view and its filters need, and how far to reduce
/// them.
struct Region {
    x: usize,
    y: usize,
    size: Extent,
    /// Frame pixels per intermediate pixel, at least 1.
    reduction: f64,
}

impl Region {
    fn around(view: &View, stored: Extent) -> Self {
        let reduction = (view.short_side() / INTERMEDIATE_SIDE as f64).max(1.0);
        let span = |start: f64, length: f64, side: usize| {
            let reach = KERNEL_REACH
                * ((length / SMALLEST_EXACT).max(reduction)
                    + if reduction > 1.0 { reduction } else { 0.0 });
            let first = ((start - reach).floor().max(0.0) as usize).min(side - 1);
            let end = ((start + length + reach).ceil() as usize).clamp(first + 1, side);
            (first, end - first)
        };
        let (x, width) = span(view.left, view.width, stored.width);
        let (y, height) = span(view.top, view.height, stored.height);
        Self {
            x,
            y,
            size: Extent { width, height },
            reduction,
        }
    }

    /// Writes the region's pixels, converted and reduced, to `rgb`, and returns their size.
    fn read(&self, frame: &Frame<'_>, rgb: &mut Vec<u8>, space: &mut Workspace) -> Extent {
        let reduced = Extent {
            width: self.reduced(self.size.width),
            height: self.reduced(self.size.height),
        };
        rgb.resize(3 * reduced.width * reduced.height, 0);
        if reduced == self.size {
            let mut reader = self.reader(frame, 0..self.size.width, &mut space.rows);
            let rows = rgb.chunks_exact_mut(3 * self.size.width);
            for (row, y) in rows.zip(self.y..) {
                reader.read(y, row);
            }
            return self.size;
        }
        let whole = View {
            left: 0.0,
            top: 0.0,
            width: self.size.width as f64,
            height: self.size.height as f64,
        };
        let passes = space.reducer.passes(self.size, &whole, reduced);
        let columns = passes.columns();
        let stride = 3 * columns.len();
        space.window.resize(stride * ROOM * passes.most_rows(), 0);
        let mut rows = Window {
            reader: self.reader(frame, columns, &mut space.rows),
            top: self.y,
            bytes: &mut space.window,
            stride,
            held: 0..0,
        };
        passes.rows_first(space.isa, &mut rows, rgb);
        reduced
    }

    /// A reader of `columns` of the region.
    fn reader<'s, 'f, 'a>(
        &self,
        frame: &'f Frame<'a>,
        columns: Range<usize>,
        space: &'s mut RowSpace,
    ) -> RowReader<'s, 'f, 'a> {
        RowReader::new(frame, self.x + columns.start..self.x + columns.end, space)
    }

    /// Pixels that a side of the region has after the reduction. Rounded down, so that the view's
    /// short side does not pass 512, but for the error of the division.
    fn reduced(&self, side: usize) -> usize {
        ((side as f64 / self.reduction + 1e-6) as usize).max(1)
    }
}

/// A region's latest rows as RGB. Each row of the frame is read and converted once, and a large frame
/// never lies in memory as RGB.
struct Window<'s, 'f, 'a> {
    reader: RowReader<'s, 'f, 'a>,
    /// The region's first row in the frame.
    top: usize,
    bytes: &'s mut [u8],
    stride: usize,
    /// The region's rows that the window holds, one after the other.
    held: Range<usize>,
}

impl Source for Window<'_, '_, '_> {
    fn rows(&mut self, range: Range<usize>) -> Rows<'_> {
        if self.stride * (range.end - self.held.start) > self.bytes.len() {
            let kept = range.start.min(self.held.end)..self.held.end;
            let from = self.stride * (kept.start - self.held.start);
            let len = self.stride * kept.len();
            self.bytes.copy_within(from..from + len, 0);
            self.held.start = range.start;
            self.held.end = kept.end.max(range.start);
        }
        for y in self.held.end..range.end {
            let row = &mut self.bytes[self.stride * (y - self.held.start)..][..self.stride];
            self.reader.read(self.top + y, row);
        }
        self.held.end = self.held.end.max(range.end);
        Rows {
            bytes: self.bytes,
            stride: self.stride,
            first: self.held.start,
        }
    }
}
