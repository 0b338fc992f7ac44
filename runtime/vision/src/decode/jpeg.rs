//! JPEG: baseline and progressive, grey, YCbCr, RGB, CMYK and YCCK.
//!
//! The decoder is driven directly, in its strict mode, because the `image` crate runs it leniently
//! and gives a half-grey picture for half a file.

use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::flatten::flatten;
use super::jpeg_segments::Segments;
use super::{DecodeError, DecodeLimits, DecodeWarning, Stored, exif_orientation, rgb_bytes};

const FORMAT: &str = "jpeg";

pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<Stored, DecodeError> {
    let segments = Segments::of(bytes);
    if !segments.whole {
        return Err(DecodeError::Truncated {
            format: FORMAT,
            bytes: bytes.len(),
        });
    }
    let size = limits.check_sides(FORMAT, segments.width, segments.height)?;

    let side = limits.side as usize;
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(side)
        .set_max_height(side);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(damaged)?;
    let orientation = exif_orientation(decoder.exif().map(Vec::as_slice));

    let four_inks = segments.sampling.len() == 4;
    let raw_inks = four_inks && decoder.input_colorspace() == Some(ColorSpace::CMYK);
    let (output, channels) = if raw_inks {
        (ColorSpace::CMYK, 4)
    } else {
        (ColorSpace::RGB, 3)
    };
    let decoded = rgb_bytes(size) / 3 * channels;
    let coefficients = if segments.buffered {
        segments.coefficient_bytes()
    } else {
        0
    };
    limits.check_bytes(
        FORMAT,
        size,
        decoded.saturating_add(coefficients),
        orientation,
    )?;

    decoder.set_options(options.jpeg_set_out_colorspace(output));
    let pixels = decoder.decode().map_err(damaged)?;
    if pixels.len() as u64 != decoded {
        return Err(DecodeError::Damaged {
            format: FORMAT,
            detail: "its size changes between headers".to_owned(),
        });
    }
    let rgb = match (raw_inks, segments.adobe) {
        (false, _) => pixels,
        // Adobe's writers store 255 for no ink.
        (true, Some(_)) => flatten(pixels, |&[c, m, y, k]| {
            [c, m, y].map(|light| scaled(light, k))
        }),
        (true, None) => flatten(pixels, |&[c, m, y, k]| {
            [c, m, y].map(|ink| scaled(255 - ink, 255 - k))
        }),
    };
    let warnings = if four_inks {
        vec![DecodeWarning::Cmyk]
    } else {
        Vec::new()
    };
    Ok(Stored {
        size,
        rgb,
        orientation,
        warnings,
    })
}

/// `light * black / 255`, rounded.
fn scaled(light: u8, black: u8) -> u8 {
    ((u32::from(light) * u32::from(black) + 127) / 255) as u8
}

fn damaged(error: DecodeErrors) -> DecodeError {
    match error {
        DecodeErrors::Unsupported(scheme) => DecodeError::Feature {
            format: FORMAT,
            detail: format!("{scheme:?}"),
        },
        other => DecodeError::Damaged {
            format: FORMAT,
            detail: format!("{other:?}"),
        },
    }
}
