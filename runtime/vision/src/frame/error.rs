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

#[cfg(test)]
mod tests {
    use super::super::{Frame, MAX_SIDE, PixelFormat, Plane};

    fn plane(bytes: &[u8], stride: usize) -> Plane<'_> {
        Plane {
            data: bytes,
            stride,
        }
    }

    #[test]
    fn each_fault_has_its_error() {
        let bytes = [0; 64];
        let new = |format, width, height, planes: &[Plane<'_>]| {
            Frame::new(format, width, height, planes)
                .unwrap_err()
                .kind()
        };
        assert_eq!(
            new(PixelFormat::Grey8, 0, 4, &[plane(&bytes, 8)]),
            "zero-size"
        );
        assert_eq!(
            new(PixelFormat::Grey8, 4, 0, &[plane(&bytes, 8)]),
            "zero-size"
        );
        assert_eq!(
            new(PixelFormat::Grey8, MAX_SIDE + 1, 1, &[plane(&bytes, 8)]),
            "too-large"
        );
        assert_eq!(
            new(PixelFormat::Grey8, 1, usize::MAX, &[plane(&bytes, 8)]),
            "too-large"
        );
        assert_eq!(
            new(PixelFormat::Yuyv, 3, 2, &[plane(&bytes, 8)]),
            "odd-width"
        );
        assert_eq!(
            new(PixelFormat::Uyvy, 1, 2, &[plane(&bytes, 8)]),
            "odd-width"
        );
        assert_eq!(
            new(PixelFormat::Nv12, 4, 2, &[plane(&bytes, 8)]),
            "plane-count"
        );
        assert_eq!(new(PixelFormat::Grey8, 4, 2, &[]), "plane-count");
        assert_eq!(
            new(PixelFormat::Bgra32, 4, 2, &[plane(&bytes, 15)]),
            "stride"
        );
        assert_eq!(
            new(
                PixelFormat::Nv21,
                3,
                3,
                &[plane(&bytes, 8), plane(&bytes, 3)]
            ),
            "stride"
        );
        assert_eq!(
            new(PixelFormat::Grey8, 4, 3, &[plane(&bytes, usize::MAX)]),
            "overflow"
        );
        assert_eq!(
            new(
                PixelFormat::I420,
                8,
                8,
                &[plane(&bytes, 8), plane(&bytes[..15], 4), plane(&bytes, 4)]
            ),
            "plane-size"
        );
        assert_eq!(
            Frame::rgb(usize::MAX, 1, &bytes).unwrap_err().kind(),
            "too-large"
        );
        assert_eq!(
            Frame::contiguous(PixelFormat::Nv12, 4, 4, usize::MAX, &bytes)
                .unwrap_err()
                .kind(),
            "overflow"
        );
        assert_eq!(
            Frame::contiguous(PixelFormat::Nv12, 8, 8, 8, &bytes)
                .unwrap_err()
                .kind(),
            "plane-size"
        );
    }

    #[test]
    fn messages_name_the_remedy() {
        let error = Frame::new(
            PixelFormat::Nv12,
            4,
            4,
            &[plane(&[0; 16], 4), plane(&[0; 7], 4)],
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "NV12 plane 1 (CbCr) holds 7 bytes; its rows need 8; pass the whole plane, or the size and stride it really has"
        );
    }
}
