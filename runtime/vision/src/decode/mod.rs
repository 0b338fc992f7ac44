//! A picture file's bytes to upright RGB, or a typed error.
//!
//! The format is told by content alone. What a file says of itself (size, orientation, animation,
//! colour) is read and held against [`DecodeLimits`] before a decoder allocates for it. A damaged
//! or cut-off file is an error: a half-grey picture would get a confident wrong answer.
//!
//! EXIF orientation is applied, transparency is put on white, and what has more than 8 bits, four
//! inks or many frames is converted with a [`DecodeWarning`].
//!
//! Limits: no colour management (an embedded profile is ignored, as in the preprocessing that
//! models are trained with); an animation's first frame only; the first page of a TIFF. A JPEG
//! whose scan data are cut but that still ends in its end marker cannot be told from a whole one.

mod containers;
mod error;
mod flatten;
mod jpeg;
mod jpeg_segments;
mod raster;

use std::{fmt, path::Path};

use image::ImageFormat;

pub use error::DecodeError;

use crate::frame::{Extent, Frame, FrameError, Orientation, turned};

/// How the names of pictures end, in small letters.
pub const PICTURE_ENDINGS: [&str; 14] = [
    "jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "pnm", "pbm", "pgm", "ppm", "pam",
    "jfif",
];

/// Whether a file's name ends as a picture's does: what to read of a folder. [`decode`] itself goes by content.
#[must_use]
pub fn is_picture_name(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| PICTURE_ENDINGS.contains(&&*ending.to_ascii_lowercase()))
}

/// What a file may cost before it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// The longest side, in pixels.
    pub side: u32,
    /// The most memory that decoding may hold at once, in bytes, next to the file itself: decoder,
    /// picture, and the second picture that turning takes. What a decoder needs is known up to some
    /// rows.
    pub bytes: u64,
}

impl Default for DecodeLimits {
    /// 8192 pixels, 256 MiB.
    fn default() -> Self {
        Self {
            side: 8192,
            bytes: 256 << 20,
        }
    }
}

/// A decoded picture: upright, opaque, 8 bits a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The pixels, `[height, width, 3]`, R, G, B.
    pub rgb: Vec<u8>,
    /// What was converted on the way.
    pub warnings: Vec<DecodeWarning>,
}

impl Picture {
    /// The picture as a frame.
    ///
    /// # Errors
    /// Only where the fields were changed so that they no longer agree, or a side is over
    /// [`MAX_SIDE`](crate::MAX_SIDE), which takes raised limits.
    pub fn frame(&self) -> Result<Frame<'_>, FrameError> {
        Frame::rgb(self.width, self.height, &self.rgb)
    }
}

/// A conversion that lost something of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecodeWarning {
    /// Four inks became three lights by the plain formula `(1 - ink) (1 - black)`, not by a
    /// profile.
    Cmyk,
    /// Samples of 16 bits were rounded to 8.
    SixteenBit,
    /// Floating-point samples were clamped to 0.0..=1.0 and rounded to 8 bits.
    Float,
    /// Only the first frame of an animation was read.
    Animated,
}

impl DecodeWarning {
    /// The warning's short name, which stays the same across versions.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Cmyk => "cmyk",
            Self::SixteenBit => "sixteen-bit",
            Self::Float => "float",
            Self::Animated => "animated",
        }
    }
}

impl fmt::Display for DecodeWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cmyk => "CMYK converted to RGB without a colour profile; colours may be off",
            Self::SixteenBit => "16-bit samples rounded to 8 bits",
            Self::Float => "floating-point samples clamped to 0..1 and rounded to 8 bits",
            Self::Animated => "animation: only its first frame is read",
        })
    }
}

/// Decodes a picture file.
///
/// # Errors
/// Nothing to read, not a picture of a known format, over the limits, damaged or cut short; see
/// [`DecodeError`].
pub fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<Picture, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    let stored = match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => jpeg::decode(bytes, limits)?,
        Ok(format) if raster::READS.contains(&format) => raster::decode(bytes, format, limits)?,
        other => return Err(error::unknown_format(bytes, other.ok())),
    };
    let upright = stored.orientation.upright(stored.size);
    Ok(Picture {
        width: upright.width,
        height: upright.height,
        rgb: turned(stored.rgb, stored.size, stored.orientation),
        warnings: stored.warnings,
    })
}

/// A decoded picture before it is turned.
struct Stored {
    size: Extent,
    rgb: Vec<u8>,
    orientation: Orientation,
    warnings: Vec<DecodeWarning>,
}

impl DecodeLimits {
    /// The size of a picture whose sides keep the limit.
    fn check_sides(
        &self,
        format: &'static str,
        width: u32,
        height: u32,
    ) -> Result<Extent, DecodeError> {
        if width == 0 || height == 0 {
            return Err(DecodeError::Damaged {
                format,
                detail: format!("it says it has {width}x{height} pixels"),
            });
        }
        if width > self.side || height > self.side {
            return Err(DecodeError::TooLarge {
                format,
                width,
                height,
                limit: self.side,
            });
        }
        Ok(Extent {
            width: width as usize,
            height: height as usize,
        })
    }

    /// Checks what decoding holds: `decoding` bytes until the RGB picture is there, then the turned
    /// copy, if it is turned.
    fn check_bytes(
        &self,
        format: &'static str,
        size: Extent,
        decoding: u64,
        orientation: Orientation,
    ) -> Result<(), DecodeError> {
        let copies = if orientation == Orientation::Upright {
            1
        } else {
            2
        };
        let needed = decoding.max(copies * rgb_bytes(size));
        if needed > self.bytes {
            return Err(DecodeError::TooMuchMemory {
                format,
                needed,
                limit: self.bytes,
            });
        }
        Ok(())
    }
}

/// Bytes of an RGB picture.
fn rgb_bytes(size: Extent) -> u64 {
    pixels(size).saturating_mul(3)
}

fn pixels(size: Extent) -> u64 {
    (size.width as u64).saturating_mul(size.height as u64)
}

/// Reads EXIF's orientation tag; no tag, or a number that is none of the eight, means upright.
fn exif_orientation(exif: Option<&[u8]>) -> Orientation {
    exif.and_then(image::metadata::Orientation::from_exif_chunk)
        .and_then(|found| Orientation::from_exif(found.to_exif()))
        .unwrap_or_default()
}
