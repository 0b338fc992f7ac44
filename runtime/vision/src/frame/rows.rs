//! One row of a frame as RGB, whatever its format.
//!
//! Packed RGB formats are one gather with the offsets of red, green and blue as constants. YUV
//! formats first lay their samples out as three equal rows (a view for planar luma, a copy that
//! repeats each chroma sample otherwise), so that one conversion loop serves them all.

use std::ops::Range;

use super::color::Factors;
use super::{Frame, PixelFormat};

/// The rows that a reader lays samples out in. Kept, it need not be allocated for the next frame.
#[derive(Default)]
pub(crate) struct RowSpace {
    luma: Vec<u8>,
    cb: Vec<u8>,
    cr: Vec<u8>,
}

/// Reads rows of one frame, a fixed range of columns, into RGB.
pub(crate) struct RowReader<'s, 'f, 'a> {
    frame: &'f Frame<'a>,
    columns: Range<usize>,
    factors: Factors,
    space: &'s mut RowSpace,
}

impl<'s, 'f, 'a> RowReader<'s, 'f, 'a> {
    /// A reader of `columns`, in pixels of the frame's crop as stored. They must lie inside it.
    pub(crate) fn new(
        frame: &'f Frame<'a>,
        columns: Range<usize>,
        space: &'s mut RowSpace,
    ) -> Self {
        let columns = frame.crop.x + columns.start..frame.crop.x + columns.end;
        let paired = pairs(&columns).len() * 2;
        let (luma, chroma) = match frame.format {
            PixelFormat::Yuyv | PixelFormat::Uyvy => (paired, paired),
            PixelFormat::Nv12 | PixelFormat::Nv21 | PixelFormat::I420 => (0, paired),
            _ => (0, 0),
        };
        space.luma.resize(luma, 0);
        space.cb.resize(chroma, 0);
        space.cr.resize(chroma, 0);
        Self {
            frame,
            columns,
            factors: Factors::of(frame.matrix, frame.range),
            space,
        }
    }

    /// Writes row `y` of the crop to `rgb`, three bytes a column.
    pub(crate) fn read(&mut self, y: usize, rgb: &mut [u8]) {
        let y = self.frame.crop.y + y;
        match self.frame.format {
            PixelFormat::Rgb24 => rgb.copy_from_slice(self.samples(0, y, &self.columns, 3)),
            PixelFormat::Bgr24 => gather::<3, 2, 1, 0>(self.samples(0, y, &self.columns, 3), rgb),
            PixelFormat::Rgba32 => gather::<4, 0, 1, 2>(self.samples(0, y, &self.columns, 4), rgb),
            PixelFormat::Bgra32 => gather::<4, 2, 1, 0>(self.samples(0, y, &self.columns, 4), rgb),
            PixelFormat::Grey8 => gather::<1, 0, 0, 0>(self.samples(0, y, &self.columns, 1), rgb),
            PixelFormat::Nv12 => self.semi_planar::<0, 1>(y, rgb),
            PixelFormat::Nv21 => self.semi_planar::<1, 0>(y, rgb),
            PixelFormat::I420 => self.planar(y, rgb),
            PixelFormat::Yuyv => self.packed::<0, 1, 3>(y, rgb),
            PixelFormat::Uyvy => self.packed::<1, 0, 2>(y, rgb),
        }
    }

    /// The samples `columns` of row `y` of a plane with `bytes` bytes a sample.
    fn samples(&self, plane: usize, y: usize, columns: &Range<usize>, bytes: usize) -> &'a [u8] {
        let plane = &self.frame.planes[plane];
        &plane.data[y * plane.stride..][columns.start * bytes..columns.end * bytes]
    }

    /// 4:2:0 with interleaved chroma; `CB` and `CR` are the offsets in a pair.
    fn semi_planar<const CB: usize, const CR: usize>(&mut self, y: usize, rgb: &mut [u8]) {
        let chroma = self
            .samples(1, y / 2, &pairs(&self.columns), 2)
            .as_chunks::<2>()
            .0;
        let rows = self
            .space
            .cb
            .as_chunks_mut::<2>()
            .0
            .iter_mut()
            .zip(self.space.cr.as_chunks_mut::<2>().0);
        for ((cb, cr), pair) in rows.zip(chroma) {
            *cb = twice(pair[CB]);
            *cr = twice(pair[CR]);
        }
        self.convert(self.samples(0, y, &self.columns, 1), rgb);
    }

    /// 4:2:0 with chroma in planes of its own.
    fn planar(&mut self, y: usize, rgb: &mut [u8]) {
        let pairs = pairs(&self.columns);
        let (cb, cr) = (
            self.samples(1, y / 2, &pairs, 1),
            self.samples(2, y / 2, &pairs, 1),
        );
        for (pair, &sample) in self.space.cb.as_chunks_mut::<2>().0.iter_mut().zip(cb) {
            *pair = twice(sample);
        }
        for (pair, &sample) in self.space.cr.as_chunks_mut::<2>().0.iter_mut().zip(cr) {
            *pair = twice(sample);
        }
        self.convert(self.samples(0, y, &self.columns, 1), rgb);
    }

    /// 4:2:2 in one plane; `Y`, `CB` and `CR` are the offsets in the four bytes of two pixels.
    fn packed<const Y: usize, const CB: usize, const CR: usize>(
        &mut self,
        y: usize,
        rgb: &mut [u8],
    ) {
        let quads = self
            .samples(0, y, &pairs(&self.columns), 4)
            .as_chunks::<4>()
            .0;
        let rows = self
            .space
            .cb
            .as_chunks_mut::<2>()
            .0
            .iter_mut()
            .zip(self.space.cr.as_chunks_mut::<2>().0);
        for (((cb, cr), luma), quad) in rows.zip(self.space.luma.as_chunks_mut::<2>().0).zip(quads)
        {
            *luma = [quad[Y], quad[Y + 2]];
            *cb = twice(quad[CB]);
            *cr = twice(quad[CR]);
        }
        self.convert(&self.space.luma[self.columns.start % 2..], rgb);
    }

    /// Converts `luma`, which starts at the first column, with the chroma rows, which start at the
    /// pair that holds it.
    fn convert(&self, luma: &[u8], rgb: &mut [u8]) {
        let skipped = self.columns.start % 2;
        let seen = skipped..skipped + self.columns.len();
        let (cb, cr) = (&self.space.cb[seen.clone()], &self.space.cr[seen]);
        self.factors
            .convert(&luma[..self.columns.len()], cb, cr, rgb);
    }
}

/// A chroma sample for both of its columns. As one multiplication, it is a vector instruction.
fn twice(sample: u8) -> [u8; 2] {
    (u16::from(sample) * 0x0101).to_ne_bytes()
}

/// The pairs of columns that hold `columns`.
fn pairs(columns: &Range<usize>) -> Range<usize> {
    columns.start / 2..columns.end.div_ceil(2)
}

/// Picks red, green and blue at their offsets in each pixel of `BYTES` bytes.
fn gather<const BYTES: usize, const R: usize, const G: usize, const B: usize>(
    pixels: &[u8],
    rgb: &mut [u8],
) {
    for (rgb, pixel) in rgb
        .as_chunks_mut::<3>()
        .0
        .iter_mut()
        .zip(pixels.as_chunks::<BYTES>().0)
    {
        *rgb = [pixel[R], pixel[G], pixel[B]];
    }
}
