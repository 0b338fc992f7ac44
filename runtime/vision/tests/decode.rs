//! Good, odd and broken picture files.

use std::io::Cursor;

use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba};
use ocellus_vision::{DecodeError, DecodeLimits, DecodeWarning, Picture, decode};

const FORMATS: [ImageFormat; 7] = [
    ImageFormat::Jpeg,
    ImageFormat::Png,
    ImageFormat::WebP,
    ImageFormat::Gif,
    ImageFormat::Bmp,
    ImageFormat::Tiff,
    ImageFormat::Pnm,
];

fn read(file: &[u8]) -> Result<Picture, DecodeError> {
    decode(file, &DecodeLimits::default())
}

fn encode(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut file = Vec::new();
    picture
        .into()
        .write_to(&mut Cursor::new(&mut file), format)
        .unwrap();
    file
}

/// Coloured noise over a gradient: no encoder gets far below its size.
fn busy(width: u32, height: u32) -> RgbImage {
    let noise = |x: u32, y: u32| {
        (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)).wrapping_mul(2_246_822_519) >> 26
    };
    RgbImage::from_fn(width, height, |x, y| {
        let n = noise(x, y) as u8;
        Rgb([
            (255 * x / width) as u8 / 2 + n,
            (255 * y / height) as u8 / 2 + n,
            128 + n,
        ])
    })
}

#[test]
fn every_format_reads_back() {
    let original = busy(37, 23);
    for format in FORMATS {
        let picture = read(&encode(original.clone(), format)).unwrap();
        assert_eq!((picture.width, picture.height), (37, 23), "{format:?}");
        assert_eq!(picture.warnings, [], "{format:?}");
        let far = picture
            .rgb
            .iter()
            .zip(original.as_raw())
            .map(|(a, b)| f64::from(a.abs_diff(*b)))
            .sum::<f64>();
        let most = match format {
            ImageFormat::Jpeg => 20.0,
            ImageFormat::Gif => 8.0,
            _ => 0.0,
        };
        assert!(far / picture.rgb.len() as f64 <= most, "{format:?}: {far}");
        assert_eq!(picture.frame().unwrap().width(), 37);
    }
}

#[test]
fn one_pixel_is_a_picture() {
    for format in FORMATS {
        let picture = read(&encode(busy(1, 1), format)).unwrap();
        assert_eq!(
            (picture.width, picture.height, picture.rgb.len()),
            (1, 1, 3),
            "{format:?}"
        );
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let mut files: Vec<_> = FORMATS
        .map(|format| (format!("{format:?}"), encode(busy(61, 47), format)))
        .into();
    files.push((
        "progressive".into(),
        include_bytes!("data/progressive.jpg").into(),
    ));
    files.push((
        "lossy webp".into(),
        include_bytes!("data/lossy.webp").into(),
    ));
    for (name, file) in files {
        let whole = read(&file).unwrap();
        let sixteenths = (0..16).map(|part| file.len() * part / 16);
        for end in sixteenths.chain(1..64).chain(file.len() - 24..file.len()) {
            match read(&file[..end]) {
                Err(error) => assert!(
                    matches!(error.kind(), "decode" | "format" | "empty"),
                    "{name} {end}: {error}"
                ),
                // Some formats end in bytes that carry no pixel.
                Ok(picture) => assert!(
                    file.len() - end <= 16 && picture == whole,
                    "{name}: {end} of {}",
                    file.len()
                ),
            }
        }
    }
}

#[test]
fn what_is_no_picture_is_named() {
    assert_eq!(read(&[]), Err(DecodeError::Empty));
    let message = |file: &[u8]| {
        let error = read(file).unwrap_err();
        assert_eq!(error.kind(), "format");
        error.to_string()
    };
    assert!(
        message(b"hello, world")
            .starts_with("a file that starts with \"hello, w\": not a picture this build reads")
    );
    assert!(message(b"\x7fELF").contains("\\x7fELF"));
    assert!(message(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic").contains("brand \"heic\""));
    assert!(message(b"\0\0\x01\0\x01\0\x10\x10").contains("ico"));
    assert!(
        message(b"x")
            .ends_with("(jpeg, png, webp, gif, bmp, tiff, pnm); convert it to one of them")
    );
}

#[test]
fn conversions_warn() {
    let warned = |file: &[u8], warning| {
        let picture = read(file).unwrap();
        assert_eq!(picture.warnings, [warning]);
        picture
    };
    let still = busy(5, 4);
    let wide = |level: u8| u16::from(level) * 257 + 100;
    let deep = ImageBuffer::from_fn(5, 4, |x, y| Rgb(still.get_pixel(x, y).0.map(wide)));
    for format in [ImageFormat::Png, ImageFormat::Tiff] {
        assert_eq!(
            &warned(&encode(deep.clone(), format), DecodeWarning::SixteenBit).rgb,
            still.as_raw()
        );
    }
    let float = ImageBuffer::from_fn(5, 4, |x, y| {
        Rgb(still
            .get_pixel(x, y)
            .0
            .map(|level| f32::from(level) / 255.0))
    });
    assert_eq!(
        &warned(&encode(float, ImageFormat::Tiff), DecodeWarning::Float).rgb,
        still.as_raw()
    );
    for file in [
        &include_bytes!("data/cmyk.jpg")[..],
        include_bytes!("data/cmyk.tif"),
    ] {
        warned(file, DecodeWarning::Cmyk);
    }
    for file in [
        &include_bytes!("data/animated.gif")[..],
        include_bytes!("data/animated.webp"),
        include_bytes!("data/animated.png"),
    ] {
        warned(file, DecodeWarning::Animated);
    }
    assert_eq!(read(include_bytes!("data/grey.jpg")).unwrap().warnings, []);
}

/// Every file of the picture that `data/make.py` draws looks like the others.
#[test]
fn colours_survive_every_conversion() {
    let reference = read(include_bytes!("data/animated.png")).unwrap();
    let far = |file: &[u8]| {
        let picture = read(file).unwrap();
        assert_eq!((picture.width, picture.height), (40, 30));
        let sum: f64 = picture
            .rgb
            .iter()
            .zip(&reference.rgb)
            .map(|(a, b)| f64::from(a.abs_diff(*b)))
            .sum();
        sum / reference.rgb.len() as f64
    };
    assert!(far(include_bytes!("data/cmyk.tif")) < 1.0);
    assert!(far(include_bytes!("data/cmyk.jpg")) < 6.0);
    // Chroma at half the size costs this picture's fine colours.
    assert!(far(include_bytes!("data/progressive.jpg")) < 30.0);
    assert!(far(include_bytes!("data/lossy.webp")) < 30.0);
    assert!(far(include_bytes!("data/animated.gif")) < 12.0);
    assert!(far(include_bytes!("data/animated.webp")) < 30.0);
}

#[test]
fn inks_without_adobe_s_mark_are_not_inverted() {
    let file = include_bytes!("data/cmyk.jpg");
    let at = file.windows(5).position(|name| name == b"Adobe").unwrap() - 4;
    let length = 2 + usize::from(u16::from_be_bytes([file[at + 2], file[at + 3]]));
    let plain = [&file[..at], &file[at + length..]].concat();
    let (adobe, plain) = (read(file).unwrap(), read(&plain).unwrap());
    // Pillow stores no ink as 255, and black stays unused: read the other way round, everything is
    // black.
    assert!(adobe.rgb.iter().any(|&light| light > 200));
    assert!(plain.rgb.iter().all(|&light| light < 20));
}

#[test]
fn transparency_lies_on_white() {
    let glass = ImageBuffer::from_fn(3, 1, |x, _| {
        Rgba([10, 100, 200, [0_u8, 128, 255][x as usize]])
    });
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Tiff] {
        let picture = read(&encode(glass.clone(), format)).unwrap();
        assert_eq!(
            picture.rgb,
            [255, 255, 255, 132, 177, 227, 10, 100, 200],
            "{format:?}"
        );
    }
    let grey = ImageBuffer::from_fn(2, 1, |x, _| LumaA([40_u8, 255 * x as u8]));
    assert_eq!(
        read(&encode(grey, ImageFormat::Png)).unwrap().rgb,
        [255, 255, 255, 40, 40, 40]
    );
}

#[test]
fn limits_hold_before_anything_is_decoded() {
    // Headers alone: nothing behind them could be decoded.
    let mut png = encode(busy(2, 2), ImageFormat::Png);
    png[16..24].copy_from_slice(&[0, 0, 0x4E, 0x20, 0, 0, 0x4E, 0x20]);
    let crc = png[12..29].iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 }
        })
    });
    png[29..33].copy_from_slice(&(!crc).to_be_bytes());
    let mut jpeg = encode(busy(8, 8), ImageFormat::Jpeg);
    let frame = jpeg
        .windows(2)
        .position(|marker| marker == [0xFF, 0xC0])
        .unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x4E, 0x20, 0x4E, 0x20]);
    let pnm = b"P6 20000 20000 255 ".to_vec();
    let gif = b"GIF89a\x20\x4e\x20\x4e\0\0\0\x2c\0\0\0\0\x20\x4e\x20\x4e\0\x02\0;".to_vec();
    for (name, file) in [("png", png), ("jpeg", jpeg), ("pnm", pnm), ("gif", gif)] {
        let error = read(&file).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "{name} of 20000x20000 pixels has a side over 8192; scale it down, or raise `DecodeLimits::side`"
            )
        );
    }
}

#[test]
fn memory_is_bounded() {
    for format in FORMATS {
        let file = encode(busy(100, 100), format);
        for bytes in [0, 1000, 29_999] {
            let error = decode(
                &file,
                &DecodeLimits {
                    bytes,
                    ..DecodeLimits::default()
                },
            )
            .unwrap_err();
            assert_eq!(error.kind(), "limit", "{format:?}: {error}");
        }
        assert!(
            decode(
                &file,
                &DecodeLimits {
                    side: 99,
                    ..DecodeLimits::default()
                }
            )
            .is_err_and(|error| error.kind() == "limit")
        );
        assert!(
            decode(
                &file,
                &DecodeLimits {
                    side: 100,
                    bytes: 110_000
                }
            )
            .is_ok(),
            "{format:?}"
        );
    }
    // Progressive files hold every coefficient: 40x30 in three components of 48x32, 24x16 and 24x16
    // samples of two bytes.
    let progressive = include_bytes!("data/progressive.jpg");
    let needed = 40 * 30 * 3 + 2 * (48 * 32 + 2 * 24 * 16);
    let with = |bytes| {
        decode(
            progressive,
            &DecodeLimits {
                bytes,
                ..DecodeLimits::default()
            },
        )
    };
    assert!(with(needed).is_ok());
    assert_eq!(
        with(needed - 1),
        Err(DecodeError::TooMuchMemory {
            format: "jpeg",
            needed,
            limit: needed - 1
        })
    );
}

#[test]
fn a_lying_chunk_length_costs_nothing() {
    let mut file = encode(busy(4, 4), ImageFormat::WebP);
    let still = file.split_off(12);
    file.extend_from_slice(b"VP8X\x0a\0\0\0\x08\0\0\0\x03\0\0\x03\0\0");
    file.extend_from_slice(&still);
    file.extend_from_slice(b"EXIF\xf0\xff\xff\xff");
    assert_eq!(read(&file).unwrap_err().kind(), "decode");
}

#[test]
fn damage_never_panics() {
    let mut files: Vec<_> = FORMATS.map(|format| encode(busy(33, 18), format)).into();
    files.push(include_bytes!("data/progressive.jpg").into());
    files.push(include_bytes!("data/lossy.webp").into());
    files.push(include_bytes!("data/cmyk.jpg").into());
    files.push(include_bytes!("data/animated.webp").into());
    files.push(include_bytes!("data/animated.gif").into());
    files.push(include_bytes!("data/animated.png").into());
    files.push(encode(
        ImageBuffer::from_pixel(9, 9, Luma([7_u8])),
        ImageFormat::Jpeg,
    ));
    let limits = DecodeLimits {
        side: 4096,
        bytes: 32 << 20,
    };
    let mut state = 1_u32;
    let mut random = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    for file in files {
        for _ in 0..150 {
            let mut broken = file.clone();
            for _ in 0..=random(4) {
                // Headers are where lengths and sizes are.
                let reach = if random(2) == 0 {
                    broken.len().min(96)
                } else {
                    broken.len()
                };
                let at = random(reach);
                broken[at] = random(256) as u8;
            }
            if let Ok(picture) = decode(&broken, &limits) {
                assert_eq!(picture.rgb.len(), 3 * picture.width * picture.height);
            }
        }
    }
}
