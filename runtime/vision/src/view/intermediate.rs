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

use super::{View, resample::Resampler};
use crate::frame::{Extent, Frame, Orientation, RowReader, RowSpace, turn};

/// The longest that the short side of a view becomes, in pixels.
pub const INTERMEDIATE_SIDE: usize = 512;

/// The largest side that [`Intermediate::resize`] makes.
pub const MAX_RESOLUTION: usize = 4096;

/// The smallest resolution whose filter finds every pixel it reaches for.
const SMALLEST_EXACT: f64 = 64.0;

/// Rows that are reduced at a time: what they are made from stays in a cache, and a large frame never
/// lies in memory as RGB.
const BAND: usize = 32;

/// Source pixels that the cubic kernel reaches to either side, before it is widened by the
/// reduction.
const KERNEL_REACH: f64 = 2.0;

/// One view of a frame as upright RGB, 8 bits a channel, with a margin around the view.
#[derive(Clone, Debug)]
pub struct Intermediate {
    size: Extent,
    rgb: Vec<u8>,
    /// The view, in this picture's pixels.
    view: View,
}

/// Memory that work on frames needs besides its results. Who keeps it from one frame to the next
/// does not allocate it again.
#[derive(Default)]
pub struct Workspace {
    /// Rows before their reduction.
    window: Vec<u8>,
    /// A picture before it is turned.
    stored: Vec<u8>,
    rows: RowSpace,
    resampler: Resampler,
    /// Sums of columns, for the entropy.
    columns: Vec<u32>,
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
    /// Pillow's `resize((resolution, resolution), BICUBIC, box=view)` gives for this picture. Not
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
        let source = (&self.rgb[..], self.size);
        space
            .resampler
            .resample(source, &self.view, (resized, target));
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
        if reduced == self.size {
            Rows::of(frame, self, &mut space.rows, rgb).window(0, self.size.height);
            return self.size;
        }
        let mut rows = Rows::of(frame, self, &mut space.rows, &mut space.window);
        let scale = self.size.height as f64 / reduced.height as f64;
        let reach = (KERNEL_REACH * scale).ceil() as usize + 1;
        rgb.resize(reduced.width * reduced.height * 3, 0);
        for first in (0..reduced.height).step_by(BAND) {
            let end = (first + BAND).min(reduced.height);
            let (top, bottom) = (first as f64 * scale, end as f64 * scale);
            let start = (top as usize).saturating_sub(reach);
            let height = (bottom as usize + reach).min(self.size.height) - start;
            let source = Extent {
                width: self.size.width,
                height,
            };
            let view = View {
                left: 0.0,
                top: top - start as f64,
                width: self.size.width as f64,
                height: bottom - top,
            };
            let target = Extent {
                width: reduced.width,
                height: end - first,
            };
            let band = &mut rgb[3 * reduced.width * first..3 * reduced.width * end];
            let from = (rows.window(start, height), source);
            space.resampler.resample(from, &view, (band, target));
        }
        reduced
    }

    /// Pixels that a side of the region has after the reduction. Rounded down, so that the view's
    /// short side does not pass 512, but for the error of the division.
    fn reduced(&self, side: usize) -> usize {
        ((side as f64 / self.reduction + 1e-6) as usize).max(1)
    }
}

/// A window of a region's rows as RGB, which moves down; each row is converted once.
struct Rows<'s, 'f, 'a> {
    reader: RowReader<'s, 'f, 'a>,
    /// The region's first row in the frame.
    top: usize,
    row_bytes: usize,
    rgb: &'s mut Vec<u8>,
    /// The window's first row in the region.
    start: usize,
}

impl<'s, 'f, 'a> Rows<'s, 'f, 'a> {
    fn of(
        frame: &'f Frame<'a>,
        region: &Region,
        space: &'s mut RowSpace,
        rgb: &'s mut Vec<u8>,
    ) -> Self {
        rgb.clear();
        Self {
            reader: RowReader::new(frame, region.x..region.x + region.size.width, space),
            top: region.y,
            row_bytes: 3 * region.size.width,
            rgb,
            start: 0,
        }
    }

    /// The rows from `start` on, `height` of them. Windows come in order, and overlap or touch.
    fn window(&mut self, start: usize, height: usize) -> &[u8] {
        self.rgb.drain(..(start - self.start) * self.row_bytes);
        self.start = start;
        let kept = self.rgb.len();
        self.rgb.resize(height * self.row_bytes, 0);
        let first = self.top + start + kept / self.row_bytes;
        let fresh = self.rgb[kept..].chunks_exact_mut(self.row_bytes);
        for (row, y) in fresh.zip(first..) {
            self.reader.read(y, row);
        }
        self.rgb
    }
}
