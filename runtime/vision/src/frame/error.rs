//! Why planes are not a frame.

use super::{MAX_SIDE, PixelFormat, Rect};

/// What is wrong with the planes, size or crop that were passed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A side is zero.
    #[error(
        "{format} frame of {width}x{height} pixels has no pixel; pass the size that the driver reports"
    )]
    ZeroSize {
        /// The frame's format.
        format: PixelFormat,
        /// Width that was passed.
        width: usize,
        /// Height that was passed.
        height: usize,
    },
    /// A side is longer than [`MAX_SIDE`].
    #[error(
        "{format} frame of {width}x{height} pixels has a side over {MAX_SIDE}; check the size for a swapped or wrapped value"
    )]
    TooLarge {
        /// The frame's format.
        format: PixelFormat,
        /// Width that was passed.
        width: usize,
        /// Height that was passed.
        height: usize,
    },
    /// Two columns share their chroma and the last has no partner.
    #[error(
        "{format} frame is {width} pixels wide; two columns share their chroma, so pass an even width and crop the last column off"
    )]
    OddWidth {
        /// The frame's format.
        format: PixelFormat,
        /// Width that was passed.
        width: usize,
    },
    /// Too few or too many planes.
    #[error(
        "{format} has {expected} planes; got {got}; split a single buffer with `Frame::contiguous`"
    )]
    PlaneCount {
        /// The frame's format.
        format: PixelFormat,
        /// Planes the format has.
        expected: usize,
        /// Planes that were passed.
        got: usize,
    },
    /// A row would overlap the next.
    #[error("{format} plane {plane} ({}) has a stride of {got} bytes; a row needs {expected}; strides are in bytes, not pixels", format.plane_name(*plane))]
    Stride {
        /// The frame's format.
        format: PixelFormat,
        /// Index of the plane.
        plane: usize,
        /// Bytes of one row.
        expected: usize,
        /// Stride that was passed.
        got: usize,
    },
    /// A plane ends before its last row does.
    #[error("{format} plane {plane} ({}) holds {got} bytes; its rows need {expected}; pass the whole plane, or the size and stride it really has", format.plane_name(*plane))]
    PlaneSize {
        /// The frame's format.
        format: PixelFormat,
        /// Index of the plane.
        plane: usize,
        /// Bytes up to the end of the last row, whose padding may be missing.
        expected: usize,
        /// Bytes that were passed.
        got: usize,
    },
    /// `stride * rows` does not fit the address space.
    #[error("{format} plane {plane} ({}) with a stride of {stride} bytes and {rows} rows is larger than memory; check the stride", format.plane_name(*plane))]
    Overflow {
        /// The frame's format.
        format: PixelFormat,
        /// Index of the plane.
        plane: usize,
        /// Stride that was passed.
        stride: usize,
        /// Rows of the plane.
        rows: usize,
    },
    /// A crop without a pixel.
    #[error("crop of {}x{} pixels is empty; leave the crop out to see the whole frame", crop.width, crop.height)]
    CropEmpty {
        /// The crop that was passed.
        crop: Rect,
    },
    /// A crop that reaches beyond the frame.
    #[error("crop of {}x{} pixels at ({}, {}) leaves the {width}x{height} frame; crops are in pixels as stored, before rotation", crop.width, crop.height, crop.x, crop.y)]
    CropOutside {
        /// The crop that was passed.
        crop: Rect,
        /// The frame's width.
        width: usize,
        /// The frame's height.
        height: usize,
    },
}

impl FrameError {
    /// The fault's short name, which stays the same across versions.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ZeroSize { .. } => "zero-size",
            Self::TooLarge { .. } => "too-large",
            Self::OddWidth { .. } => "odd-width",
            Self::PlaneCount { .. } => "plane-count",
            Self::Stride { .. } => "stride",
            Self::PlaneSize { .. } => "plane-size",
            Self::Overflow { .. } => "overflow",
            Self::CropEmpty { .. } => "crop-empty",
            Self::CropOutside { .. } => "crop-outside",
        }
    }
}
