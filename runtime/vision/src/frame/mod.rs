//! A camera's picture as it lies in memory: borrowed planes whose shape has been checked.
//!
//! A [`Frame`] exists only if every pixel it claims is inside the caller's slices, so nothing
//! behind it checks bounds again and nothing is copied to make one. Strides may be wider than a
//! row, and the last row of a plane may lack its padding, as V4L2 drivers hand them out.
//!
//! Limits: 8 bits a sample; 4:2:0 and 4:2:2 chroma; sides up to [`MAX_SIDE`]; alpha is ignored, for
//! a camera's pixels are opaque.

mod color;
mod error;
mod format;
mod orientation;
mod rows;

pub use color::{ColorMatrix, ColorRange};
pub use error::FrameError;
pub use format::{PixelFormat, UnknownPixelFormat};
pub use orientation::Orientation;
pub(crate) use orientation::{Extent, turn, turned};
pub(crate) use rows::{RowReader, RowSpace};

/// The longest side of a frame, in pixels.
pub const MAX_SIDE: usize = 65_535;

/// One plane of a frame: rows of samples, `stride` bytes from the start of one to the start of the
/// next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plane<'a> {
    /// The bytes, from the first sample of the first row on.
    pub data: &'a [u8],
    /// Bytes between the starts of two rows; at least a row's length.
    pub stride: usize,
}

/// A rectangle of whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rect {
    /// Columns left of it.
    pub x: usize,
    /// Rows above it.
    pub y: usize,
    /// Columns in it.
    pub width: usize,
    /// Rows in it.
    pub height: usize,
}

/// A checked, borrowed picture: format, planes, colours, crop, orientation.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    format: PixelFormat,
    stored: Extent,
    planes: [Plane<'a>; PixelFormat::MAX_PLANES],
    matrix: ColorMatrix,
    range: ColorRange,
    crop: Rect,
    orientation: Orientation,
}

impl<'a> Frame<'a> {
    /// A frame of `width` x `height` pixels over `planes`, in the order and number that `format`
    /// names.
    ///
    /// # Errors
    /// A zero or oversized side, an odd width where chroma is shared by two columns (YUYV, UYVY), a
    /// wrong number of planes, a stride shorter than its row, a plane that ends before its last
    /// row.
    pub fn new(
        format: PixelFormat,
        width: usize,
        height: usize,
        planes: &[Plane<'a>],
    ) -> Result<Self, FrameError> {
        check_size(format, width, height)?;
        if planes.len() != format.planes() {
            return Err(FrameError::PlaneCount {
                format,
                expected: format.planes(),
                got: planes.len(),
            });
        }
        let mut checked = [Plane::default(); PixelFormat::MAX_PLANES];
        for (index, (slot, plane)) in checked.iter_mut().zip(planes).enumerate() {
            let (row_bytes, rows) = format.plane_extent(index, width, height);
            if plane.stride < row_bytes {
                return Err(FrameError::Stride {
                    format,
                    plane: index,
                    expected: row_bytes,
                    got: plane.stride,
                });
            }
            let expected = plane
                .stride
                .checked_mul(rows - 1)
                .and_then(|bytes| bytes.checked_add(row_bytes))
                .ok_or(FrameError::Overflow {
                    format,
                    plane: index,
                    stride: plane.stride,
                    rows,
                })?;
            if plane.data.len() < expected {
                return Err(FrameError::PlaneSize {
                    format,
                    plane: index,
                    expected,
                    got: plane.data.len(),
                });
            }
            *slot = *plane;
        }
        Ok(Self {
            format,
            stored: Extent { width, height },
            planes: checked,
            matrix: ColorMatrix::default(),
            range: ColorRange::default(),
            crop: Rect {
                x: 0,
                y: 0,
                width,
                height,
            },
            orientation: Orientation::Upright,
        })
    }

    /// A frame whose planes follow one another in `data`, as single-buffer V4L2 capture lays them
    /// out: `stride` is the first plane's; interleaved chroma (NV12, NV21) has the same, separate
    /// chroma (I420) half of it.
    ///
    /// # Errors
    /// As [`Frame::new`].
    pub fn contiguous(
        format: PixelFormat,
        width: usize,
        height: usize,
        stride: usize,
        data: &'a [u8],
    ) -> Result<Self, FrameError> {
        check_size(format, width, height)?;
        let mut planes = [Plane::default(); PixelFormat::MAX_PLANES];
        let mut rest = data;
        for (index, plane) in planes.iter_mut().enumerate().take(format.planes()) {
            let (_, rows) = format.plane_extent(index, width, height);
            let stride = format.plane_stride(index, stride);
            let bytes = stride.checked_mul(rows).ok_or(FrameError::Overflow {
                format,
                plane: index,
                stride,
                rows,
            })?;
            *plane = Plane { data: rest, stride };
            rest = rest.get(bytes..).unwrap_or_default();
        }
        Self::new(format, width, height, &planes[..format.planes()])
    }

    /// A tightly packed [`PixelFormat::Rgb24`] frame.
    ///
    /// # Errors
    /// As [`Frame::new`].
    pub fn rgb(width: usize, height: usize, data: &'a [u8]) -> Result<Self, FrameError> {
        check_size(PixelFormat::Rgb24, width, height)?;
        Self::new(
            PixelFormat::Rgb24,
            width,
            height,
            &[Plane {
                data,
                stride: 3 * width,
            }],
        )
    }

    /// The same frame with the colours its YUV samples were made by; RGB and grey frames don't look
    /// at them.
    #[must_use]
    pub fn with_colors(self, matrix: ColorMatrix, range: ColorRange) -> Self {
        Self {
            matrix,
            range,
            ..self
        }
    }

    /// The same frame, of which only `crop` is seen, in pixels as stored (before any orientation).
    /// It replaces an earlier crop. Odd offsets are fine: chroma stays with the pixels it was
    /// sampled for.
    ///
    /// # Errors
    /// An empty rectangle, and one that leaves the frame.
    pub fn with_crop(self, crop: Rect) -> Result<Self, FrameError> {
        let inside = |start: usize, length: usize, side: usize| {
            start.checked_add(length).is_some_and(|end| end <= side)
        };
        if crop.width == 0 || crop.height == 0 {
            return Err(FrameError::CropEmpty { crop });
        }
        if !inside(crop.x, crop.width, self.stored.width)
            || !inside(crop.y, crop.height, self.stored.height)
        {
            return Err(FrameError::CropOutside {
                crop,
                width: self.stored.width,
                height: self.stored.height,
            });
        }
        Ok(Self { crop, ..self })
    }

    /// The same frame from a camera that is mounted turned or mirrored: `orientation` is what makes
    /// the stored pixels upright. Nothing is moved now; the views are read accordingly.
    #[must_use]
    pub fn with_orientation(self, orientation: Orientation) -> Self {
        Self {
            orientation,
            ..self
        }
    }

    /// Width of what is seen: of the crop, turned upright.
    #[must_use]
    pub fn width(&self) -> usize {
        self.orientation.upright(self.cropped()).width
    }

    /// Height of what is seen: of the crop, turned upright.
    #[must_use]
    pub fn height(&self) -> usize {
        self.orientation.upright(self.cropped()).height
    }

    /// How the pixels lie in memory.
    #[must_use]
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// The part that is seen, in pixels as stored.
    #[must_use]
    pub fn crop(&self) -> Rect {
        self.crop
    }

    /// What makes the stored pixels upright.
    #[must_use]
    pub fn orientation(&self) -> Orientation {
        self.orientation
    }

    /// Size of the crop as stored.
    pub(crate) fn cropped(&self) -> Extent {
        Extent {
            width: self.crop.width,
            height: self.crop.height,
        }
    }
}

fn check_size(format: PixelFormat, width: usize, height: usize) -> Result<(), FrameError> {
    if width == 0 || height == 0 {
        return Err(FrameError::ZeroSize {
            format,
            width,
            height,
        });
    }
    if width > MAX_SIDE || height > MAX_SIDE {
        return Err(FrameError::TooLarge {
            format,
            width,
            height,
        });
    }
    if format.needs_even_width() && width % 2 == 1 {
        return Err(FrameError::OddWidth { format, width });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(bytes: &[u8], stride: usize) -> Plane<'_> {
        Plane {
            data: bytes,
            stride,
        }
    }

    #[test]
    fn the_last_row_may_lack_its_padding() {
        let bytes = [0; 10 * 2 + 6];
        assert!(Frame::new(PixelFormat::Rgb24, 2, 3, &[plane(&bytes, 10)]).is_ok());
        assert_eq!(
            Frame::new(PixelFormat::Rgb24, 2, 3, &[plane(&bytes[1..], 10)]).unwrap_err(),
            FrameError::PlaneSize {
                format: PixelFormat::Rgb24,
                plane: 0,
                expected: 26,
                got: 25
            }
        );
    }

    #[test]
    fn a_crop_stays_inside() {
        let bytes = [0; 64];
        let frame = Frame::new(PixelFormat::Grey8, 8, 8, &[plane(&bytes, 8)]).unwrap();
        let crop = |x, y, width, height| {
            frame.with_crop(Rect {
                x,
                y,
                width,
                height,
            })
        };
        let seen = crop(3, 5, 5, 3).unwrap();
        assert_eq!((seen.width(), seen.height()), (5, 3));
        let turned = seen.with_orientation(Orientation::Rotate90);
        assert_eq!((turned.width(), turned.height()), (3, 5));
        assert_eq!(crop(0, 0, 0, 3).unwrap_err().kind(), "crop-empty");
        assert_eq!(crop(4, 0, 5, 3).unwrap_err().kind(), "crop-outside");
        assert_eq!(crop(0, 7, 8, 2).unwrap_err().kind(), "crop-outside");
        assert_eq!(
            crop(usize::MAX, 0, 2, 3).unwrap_err().kind(),
            "crop-outside"
        );
    }
}
