//! Pictures that cannot be read, or only after a conversion: a typed error or a warning, bounded memory, no panic.
#![allow(missing_docs)]

use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, Rgb, Rgba};
use ocellus_tests::{Run, ocellus, photo};
use serde_json::Value;
use std::{io::Cursor, path::Path};

fn label(bytes: &[u8], options: &[&str]) -> Run {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("picture");
    std::fs::write(&path, bytes).expect("a file");
    label_path(&path, options)
}

fn label_path(path: &Path, options: &[&str]) -> Run {
    let path = path.display().to_string();
    ocellus(
        [
            &[
                "label",
                &path,
                "--labels",
                "a cat,a dog",
                "--json",
                "--resolution",
                "112",
            ],
            options,
        ]
        .concat(),
    )
}

/// The error's kind of a run that failed on its one picture.
#[track_caller]
fn refused(run: &Run, words: &[&str]) -> String {
    run.fails(1, words);
    run.json()[0]["error"]["kind"]
        .as_str()
        .unwrap_or_else(|| panic!("{run:?}"))
        .to_owned()
}

#[track_caller]
fn warns(run: &Run, word: &str) {
    let answer = run.answer();
    let warnings = answer["warnings"].as_array().cloned().unwrap_or_default();
    assert!(
        warnings
            .iter()
            .any(|warning| warning.as_str().is_some_and(|text| text.contains(word))),
        "{answer}"
    );
}

fn encode(picture: DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture
        .write_to(&mut Cursor::new(&mut bytes), format)
        .expect("a picture can be encoded");
    bytes
}

fn gradient(width: u32, height: u32) -> DynamicImage {
    ImageBuffer::from_fn(width, height, |x, y| {
        Rgb([(x * 7) as u8, (y * 5) as u8, (x + y) as u8])
    })
    .into()
}

/// A PNG that claims a size it does not hold.
fn png_that_claims(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = encode(gradient(2, 2), ImageFormat::Png);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 {
                crc >> 1 ^ 0xedb8_8320
            } else {
                crc >> 1
            }
        })
    })
}

#[test]
fn an_empty_file() {
    refused(&label(b"", &[]), &["empty"]);
}

#[test]
fn a_text_file() {
    assert_eq!(
        refused(&label(b"this is not a picture", &[]), &["jpeg, png"]),
        "format"
    );
}

#[test]
fn random_bytes() {
    let bytes: Vec<u8> = (0..10_000u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    assert_eq!(refused(&label(&bytes, &[]), &[]), "format");
}

#[test]
fn a_picture_that_is_not_there() {
    assert_eq!(
        refused(&label_path(Path::new("no-such.jpg"), &[]), &["no-such.jpg"]),
        "io"
    );
}

#[test]
fn a_folder_without_pictures() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    ocellus([
        "label",
        &folder.path().display().to_string(),
        "--labels",
        "a cat",
    ])
    .fails(1, &["no pictures"]);
}

#[test]
fn a_jpeg_cut_short() {
    let bytes = std::fs::read(photo("chelsea.jpg")).expect("a photo");
    for eighth in 1..8 {
        refused(&label(&bytes[..bytes.len() * eighth / 8], &[]), &[]);
    }
}

#[test]
fn a_png_cut_short() {
    let bytes = encode(gradient(200, 100), ImageFormat::Png);
    for eighth in 1..8 {
        refused(&label(&bytes[..bytes.len() * eighth / 8], &[]), &[]);
    }
}

#[test]
fn a_png_whose_data_is_damaged() {
    let mut bytes = encode(gradient(200, 100), ImageFormat::Png);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    refused(&label(&bytes, &[]), &[]);
}

#[test]
fn a_picture_of_20000_by_20000_is_refused_before_it_is_decoded() {
    assert_eq!(
        refused(
            &label(&png_that_claims(20_000, 20_000), &[]),
            &["20000", "8192"]
        ),
        "limit"
    );
}

#[test]
fn a_raised_limit_still_bounds_memory() {
    let run = label(&png_that_claims(20_000, 20_000), &["--max-side", "30000"]);
    assert_eq!(refused(&run, &["bytes"]), "limit");
}

#[test]
fn a_file_larger_than_the_byte_limit() {
    assert_eq!(
        refused(
            &label(&[0; 5000], &["--max-bytes", "4096"]),
            &["--max-bytes"]
        ),
        "io"
    );
}

#[test]
fn a_single_pixel_is_a_picture() {
    let answer = label(&encode(gradient(1, 1), ImageFormat::Png), &[]).answer();
    assert_eq!(answer["entropy_bits"], Value::from(0.0));
}

#[test]
fn a_line_of_pixels_is_a_picture() {
    for crop in ["centre", "squash", "tiles"] {
        for (width, height) in [(3000, 1), (1, 3000)] {
            label(
                &encode(gradient(width, height), ImageFormat::Png),
                &["--crop", crop],
            )
            .answer();
        }
    }
}

#[test]
fn sixteen_bits_are_converted_with_a_warning() {
    let picture = ImageBuffer::from_fn(64, 48, |x, y| {
        Rgb([(x * 1000) as u16, (y * 1000) as u16, 30_000u16])
    });
    warns(&label(&encode(picture.into(), ImageFormat::Png), &[]), "16");
}

#[test]
fn of_an_animation_the_first_frame_is_used_with_a_warning() {
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
    for shade in [10, 200] {
        let frame: ImageBuffer<Rgba<u8>, _> =
            ImageBuffer::from_pixel(40, 30, Rgba([shade, shade, 0, 255]));
        encoder
            .encode_frame(image::Frame::new(frame))
            .expect("a frame can be encoded");
    }
    drop(encoder);
    warns(&label(&bytes, &[]), "animat");
}

#[test]
fn a_cmyk_jpeg_is_converted_with_a_warning() {
    warns(&label_path(&ocellus_tests::data("cmyk.jpg"), &[]), "CMYK");
}

#[test]
fn grey_and_transparent_pictures_need_no_warning() {
    let grey: ImageBuffer<Luma<u8>, _> = ImageBuffer::from_fn(64, 48, |x, y| Luma([(x * y) as u8]));
    let clear: ImageBuffer<Rgba<u8>, _> =
        ImageBuffer::from_fn(64, 48, |x, y| Rgba([x as u8, y as u8, 0, (x * 4) as u8]));
    for picture in [DynamicImage::from(grey), clear.into()] {
        let answer = label(&encode(picture, ImageFormat::Png), &[]).answer();
        assert_eq!(answer.get("warnings"), None, "{answer}");
    }
}

#[test]
fn transparency_goes_on_white() {
    let clear: ImageBuffer<Rgba<u8>, _> = ImageBuffer::from_pixel(64, 64, Rgba([0, 0, 0, 0]));
    let white = ImageBuffer::from_pixel(64, 64, Rgb([255u8; 3]));
    let score = |picture| {
        label(&encode(picture, ImageFormat::Png), &[]).answer()["labels"][0]["score"].clone()
    };
    assert_eq!(score(clear.into()), score(white.into()));
}
