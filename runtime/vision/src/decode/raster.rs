//! Every format but JPEG, through the `image` crate with its limits set.

use std::io::Cursor;

use image::codecs::{
    bmp::BmpDecoder, gif::GifDecoder, png::PngDecoder, pnm::PnmDecoder, tiff::TiffDecoder,
    webp::WebPDecoder,
};
use image::error::ImageError;
use image::{ColorType, ExtendedColorType, ImageDecoder, ImageFormat, Limits};

use super::containers::{self, Frames};
use super::error::name;
use super::flatten::{flatten, float, on_white, wide};
use super::{DecodeError, DecodeLimits, DecodeWarning, Stored, pixels, rgb_bytes};
use crate::frame::{Extent, Orientation};

/// The formats that [`decode`] takes.
pub(super) const READS: [ImageFormat; 6] = [
    ImageFormat::Png,
    ImageFormat::WebP,
    ImageFormat::Gif,
    ImageFormat::Bmp,
    ImageFormat::Tiff,
    ImageFormat::Pnm,
];

pub(super) fn decode(
    bytes: &[u8],
    format: ImageFormat,
    limits: &DecodeLimits,
) -> Result<Stored, DecodeError> {
    let fault = |error| fault(error, format, bytes.len(), limits);
    let (mut decoder, frames) = open(bytes, format, limits)?;
    let (width, height) = decoder.dimensions();
    let size = limits.check_sides(name(format), width, height)?;
    let orientation =
        Orientation::from_exif(decoder.orientation().map_err(fault)?.to_exif()).unwrap_or_default();
    let (color, original) = (decoder.color_type(), decoder.original_color_type());
    let decoded = decoder.total_bytes();
    limits.check_bytes(
        name(format),
        size,
        decoding_bytes(format, frames, size, decoded),
        orientation,
    )?;
    decoder
        .set_limits(codec_limits(limits.bytes - decoded))
        .map_err(fault)?;

    let mut samples = vec![0; decoded as usize];
    decoder.read_image_boxed(&mut samples).map_err(fault)?;
    let rgb = opaque_rgb(samples, color).ok_or_else(|| DecodeError::Feature {
        format: name(format),
        detail: format!("colour type {color:?}"),
    })?;
    let warnings = [
        (
            matches!(
                original,
                ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16
            ),
            DecodeWarning::Cmyk,
        ),
        (
            color.bytes_per_pixel() == 2 * u16::from(color.channel_count()) as u8,
            DecodeWarning::SixteenBit,
        ),
        (
            matches!(color, ColorType::Rgb32F | ColorType::Rgba32F),
            DecodeWarning::Float,
        ),
        (frames == Frames::Many, DecodeWarning::Animated),
    ];
    let warnings = warnings
        .into_iter()
        .filter_map(|(applies, warning)| applies.then_some(warning))
        .collect();
    Ok(Stored {
        size,
        rgb,
        orientation,
        warnings,
    })
}

/// The decoder of a file, and whether more than one frame is in it.
fn open<'a>(
    bytes: &'a [u8],
    format: ImageFormat,
    limits: &DecodeLimits,
) -> Result<(Box<dyn ImageDecoder + 'a>, Frames), DecodeError> {
    let file = Cursor::new(bytes);
    let opened: Result<(Box<dyn ImageDecoder>, Frames), ImageError> = match format {
        ImageFormat::Png => {
            PngDecoder::with_limits(file, codec_limits(limits.bytes)).and_then(|decoder| {
                let frames = if decoder.is_apng()? {
                    Frames::Many
                } else {
                    Frames::One
                };
                Ok((Box::new(decoder) as _, frames))
            })
        }
        ImageFormat::WebP => {
            let frames = containers::webp(bytes).ok_or(DecodeError::Truncated {
                format: name(format),
                bytes: bytes.len(),
            })?;
            WebPDecoder::new(file).map(|decoder| (Box::new(decoder) as _, frames))
        }
        ImageFormat::Gif => {
            GifDecoder::new(file).map(|decoder| (Box::new(decoder) as _, containers::gif(bytes)))
        }
        ImageFormat::Bmp => {
            BmpDecoder::new(file).map(|decoder| (Box::new(decoder) as _, Frames::One))
        }
        ImageFormat::Tiff => {
            TiffDecoder::new(file).map(|decoder| (Box::new(decoder) as _, Frames::One))
        }
        _ => PnmDecoder::new(file).map(|decoder| (Box::new(decoder) as _, Frames::One)),
    };
    opened.map_err(|error| fault(error, format, bytes.len(), limits))
}

/// The limits that a decoder enforces itself: it may allocate `bytes`. Sides are checked here, for
/// our error names them.
fn codec_limits(bytes: u64) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(bytes);
    limits
}

/// Bytes held until the RGB picture is there, where the samples take `decoded`.
fn decoding_bytes(format: ImageFormat, frames: Frames, size: Extent, decoded: u64) -> u64 {
    let own = match (format, frames) {
        // An RGBA copy of the picture; in animations, another of the canvas.
        (ImageFormat::WebP, Frames::One) => pixels(size).saturating_mul(4),
        (ImageFormat::WebP, Frames::Many) => pixels(size).saturating_mul(8),
        // The samples before they are brought to the machine's order.
        (ImageFormat::Tiff, _) => decoded,
        _ => 0,
    };
    let grown = if decoded < rgb_bytes(size) {
        rgb_bytes(size)
    } else {
        0
    };
    decoded.saturating_add(own.max(grown))
}

/// Samples of type `color` as RGB on white; `None` for a type that did not exist when this was
/// written.
fn opaque_rgb(samples: Vec<u8>, color: ColorType) -> Option<Vec<u8>> {
    Some(match color {
        ColorType::L8 => flatten(samples, |&[grey]| [grey; 3]),
        ColorType::La8 => flatten(samples, |&[grey, alpha]| on_white([grey; 3], alpha)),
        ColorType::Rgb8 => samples,
        ColorType::Rgba8 => flatten(samples, |&[r, g, b, alpha]| on_white([r, g, b], alpha)),
        ColorType::L16 => flatten::<2>(samples, |pixel| [wide(pixel, 0); 3]),
        ColorType::La16 => flatten::<4>(samples, |pixel| {
            on_white([wide(pixel, 0); 3], wide(pixel, 1))
        }),
        ColorType::Rgb16 => flatten::<6>(samples, |pixel| {
            [0, 1, 2].map(|channel| wide(pixel, channel))
        }),
        ColorType::Rgba16 => flatten::<8>(samples, |pixel| {
            on_white(
                [0, 1, 2].map(|channel| wide(pixel, channel)),
                wide(pixel, 3),
            )
        }),
        ColorType::Rgb32F => flatten::<12>(samples, |pixel| {
            [0, 1, 2].map(|channel| float(pixel, channel))
        }),
        ColorType::Rgba32F => flatten::<16>(samples, |pixel| {
            on_white(
                [0, 1, 2].map(|channel| float(pixel, channel)),
                float(pixel, 3),
            )
        }),
        _ => return None,
    })
}

fn fault(
    error: ImageError,
    format: ImageFormat,
    bytes: usize,
    limits: &DecodeLimits,
) -> DecodeError {
    let format = name(format);
    match error {
        ImageError::Limits(_) => DecodeError::TooMuchMemory {
            format,
            needed: limits.bytes.saturating_add(1),
            limit: limits.bytes,
        },
        ImageError::Unsupported(feature) => DecodeError::Feature {
            format,
            detail: feature.to_string(),
        },
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::Truncated { format, bytes }
        }
        other => DecodeError::Damaged {
            format,
            detail: other.to_string(),
        },
    }
}
