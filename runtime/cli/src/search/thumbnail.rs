//! A photo made small enough for a page of many.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image::{ExtendedColorType, RgbImage, codecs::jpeg::JpegEncoder, imageops};
use ocellus::vision::{DecodeLimits, decode};
use std::{fs, path::Path};

/// The longer side in pixels.
const SIDE: u32 = 320;
const QUALITY: u8 = 80;

/// A thumbnail: its address, which is its bytes, and its size in pixels.
pub struct Thumbnail {
    pub address: String,
    pub width: u32,
    pub height: u32,
}

/// The photo's thumbnail, upright; the reason where it cannot be read any more.
pub fn of(path: &Path) -> Result<Thumbnail, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let picture = decode(&bytes, &DecodeLimits::default()).map_err(|error| error.to_string())?;
    let (width, height) = (picture.width as u32, picture.height as u32);
    let photo = RgbImage::from_raw(width, height, picture.rgb).ok_or("it has too few pixels")?;
    let longer = width.max(height).max(1);
    let side = |side: u32| {
        let side = u64::from(side) * u64::from(SIDE.min(longer)) / u64::from(longer);
        (side as u32).max(1)
    };
    let small = imageops::thumbnail(&photo, side(width), side(height));
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
        .encode(
            small.as_raw(),
            small.width(),
            small.height(),
            ExtendedColorType::Rgb8,
        )
        .map_err(|error| error.to_string())?;
    Ok(Thumbnail {
        address: format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg)),
        width: small.width(),
        height: small.height(),
    })
}
