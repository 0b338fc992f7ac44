//! Pixel formats: names, V4L2 codes, and the shape of each plane.
//!
//! All of them are 8 bits a sample. A plane's shape is a row's length in bytes and the number of
//! rows; everything that checks or reads planes takes it from [`PixelFormat::plane_extent`].

use std::fmt;
use std::str::FromStr;

/// How pixels lie in memory. Bytes are named in memory order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PixelFormat {
    /// R, G, B.
    Rgb24,
    /// B, G, R.
    Bgr24,
    /// R, G, B and a byte that is ignored.
    Rgba32,
    /// B, G, R and a byte that is ignored.
    Bgra32,
    /// Luma alone, full range: 0 is black, 255 white.
    Grey8,
    /// 4:2:0 in two planes: Y; then Cb, Cr interleaved, one pair for 2x2 pixels.
    Nv12,
    /// As NV12 with the pair swapped: Cr, Cb.
    Nv21,
    /// 4:2:0 in three planes: Y, Cb, Cr (V4L2 calls it YU12).
    I420,
    /// 4:2:2 in one plane: Y, Cb, Y, Cr for two pixels.
    Yuyv,
    /// 4:2:2 in one plane: Cb, Y, Cr, Y for two pixels.
    Uyvy,
}

impl PixelFormat {
    /// The most planes a format has.
    pub(crate) const MAX_PLANES: usize = 3;

    /// Every format.
    pub const ALL: [Self; 10] = [
        Self::Rgb24,
        Self::Bgr24,
        Self::Rgba32,
        Self::Bgra32,
        Self::Grey8,
        Self::Nv12,
        Self::Nv21,
        Self::I420,
        Self::Yuyv,
        Self::Uyvy,
    ];

    /// The format of a V4L2 fourcc, its four characters in order, by the kernel's tables of RGB and
    /// YUV formats. The multi-planar codes (NM12, NM21, YM12) mean the same planes in separate
    /// buffers. YV12 is I420 with the last two planes swapped: pass them in I420's order.
    #[must_use]
    pub fn from_fourcc(fourcc: [u8; 4]) -> Option<Self> {
        Some(match &fourcc {
            b"RGB3" => Self::Rgb24,
            b"BGR3" => Self::Bgr24,
            b"AB24" | b"XB24" => Self::Rgba32,
            b"AR24" | b"XR24" => Self::Bgra32,
            b"GREY" => Self::Grey8,
            b"NV12" | b"NM12" => Self::Nv12,
            b"NV21" | b"NM21" => Self::Nv21,
            b"YU12" | b"YM12" => Self::I420,
            b"YUYV" => Self::Yuyv,
            b"UYVY" => Self::Uyvy,
            _ => return None,
        })
    }

    /// Number of planes.
    #[must_use]
    pub fn planes(self) -> usize {
        match self {
            Self::I420 => 3,
            Self::Nv12 | Self::Nv21 => 2,
            _ => 1,
        }
    }

    /// Whether two columns share a sample with no room for a last one alone.
    #[must_use]
    pub fn needs_even_width(self) -> bool {
        matches!(self, Self::Yuyv | Self::Uyvy)
    }

    /// Bytes of one row of `plane`, and its number of rows, in a frame of `width` x `height`
    /// pixels. A 4:2:0 frame of odd size has a last chroma sample for the last column and row.
    #[must_use]
    pub fn plane_extent(self, plane: usize, width: usize, height: usize) -> (usize, usize) {
        let chroma_rows = height.div_ceil(2);
        match (self, plane) {
            (Self::Rgb24 | Self::Bgr24, _) => (3 * width, height),
            (Self::Rgba32 | Self::Bgra32, _) => (4 * width, height),
            (Self::Yuyv | Self::Uyvy, _) => (2 * width, height),
            (Self::Nv12 | Self::Nv21, 1) => (2 * width.div_ceil(2), chroma_rows),
            (Self::I420, 1 | 2) => (width.div_ceil(2), chroma_rows),
            (Self::Grey8 | Self::Nv12 | Self::Nv21 | Self::I420, _) => (width, height),
        }
    }

    /// Stride of `plane` in a single buffer whose first plane has `stride`.
    pub(crate) fn plane_stride(self, plane: usize, stride: usize) -> usize {
        match (self, plane) {
            (Self::I420, 1 | 2) => stride.div_ceil(2),
            (Self::Nv12 | Self::Nv21, 1) => stride.checked_next_multiple_of(2).unwrap_or(stride),
            _ => stride,
        }
    }

    /// Bytes of a single buffer that holds a frame of `width` x `height` pixels plane after plane, as
    /// [`Frame::contiguous`](super::Frame::contiguous) takes it, the last row's padding included;
    /// `stride` is the first plane's. `None` where no memory holds as many.
    #[must_use]
    pub fn contiguous_bytes(self, width: usize, height: usize, stride: usize) -> Option<usize> {
        (0..self.planes()).try_fold(0_usize, |bytes, plane| {
            let (_, rows) = self.plane_extent(plane, width, height);
            bytes.checked_add(self.plane_stride(plane, stride).checked_mul(rows)?)
        })
    }

    /// What the samples of `plane` are.
    pub(crate) fn plane_name(self, plane: usize) -> &'static str {
        match (self, plane) {
            (Self::Nv12, 1) => "CbCr",
            (Self::Nv21, 1) => "CrCb",
            (Self::I420, 1) => "Cb",
            (Self::I420, 2) => "Cr",
            (Self::Nv12 | Self::Nv21 | Self::I420 | Self::Grey8, _) => "Y",
            _ => "pixels",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rgb24 => "RGB24",
            Self::Bgr24 => "BGR24",
            Self::Rgba32 => "RGBA32",
            Self::Bgra32 => "BGRA32",
            Self::Grey8 => "GREY8",
            Self::Nv12 => "NV12",
            Self::Nv21 => "NV21",
            Self::I420 => "I420",
            Self::Yuyv => "YUYV",
            Self::Uyvy => "UYVY",
        }
    }
}

impl fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no pixel format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no pixel format; use rgb24, bgr24, rgba32, bgra32, grey8, nv12, nv21, i420, yuyv or uyvy"
)]
pub struct UnknownPixelFormat(pub String);

impl FromStr for PixelFormat {
    type Err = UnknownPixelFormat;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|format| format.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownPixelFormat(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for format in PixelFormat::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
            assert_eq!(format.to_string().to_lowercase().parse(), Ok(format));
        }
        assert!("yuv444".parse::<PixelFormat>().is_err());
    }

    #[test]
    fn odd_sizes_round_chroma_up() {
        assert_eq!(PixelFormat::Nv12.plane_extent(1, 5, 3), (6, 2));
        assert_eq!(PixelFormat::I420.plane_extent(2, 5, 3), (3, 2));
        assert_eq!(PixelFormat::I420.plane_extent(0, 5, 3), (5, 3));
    }

    #[test]
    fn a_buffer_holds_every_plane_with_its_padding() {
        let bytes = |format: PixelFormat, stride| format.contiguous_bytes(6, 4, stride);
        assert_eq!(bytes(PixelFormat::I420, 6), Some(24 + 2 * 6));
        assert_eq!(bytes(PixelFormat::I420, 8), Some(32 + 2 * 8));
        assert_eq!(bytes(PixelFormat::Nv12, 7), Some(28 + 16));
        assert_eq!(bytes(PixelFormat::Yuyv, 12), Some(48));
        assert_eq!(bytes(PixelFormat::Nv12, usize::MAX / 2), None);
    }

    #[test]
    fn codes_map_to_memory_order() {
        assert_eq!(
            PixelFormat::from_fourcc(*b"AR24"),
            Some(PixelFormat::Bgra32)
        );
        assert_eq!(PixelFormat::from_fourcc(*b"YU12"), Some(PixelFormat::I420));
        assert_eq!(PixelFormat::from_fourcc(*b"YV12"), None);
        assert_eq!(PixelFormat::from_fourcc(*b"MJPG"), None);
    }
}
