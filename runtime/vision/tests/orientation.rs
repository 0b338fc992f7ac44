//! EXIF orientation in every container that carries it, by the standard's own words: where the
//! stored first row and first column belong in the picture.

use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageFormat, Luma};
use ocellus_vision::{DecodeLimits, Picture, decode};

const WIDTH: u32 = 48;
const HEIGHT: u32 = 32;

#[derive(Clone, Copy, PartialEq)]
enum Corner {
    TopLeft,
    TopRight,
    BottomLeft,
    BottomRight,
}

/// Where the stored top-left and top-right corners are seen, by EXIF number less one (EXIF 2.3,
/// table of tag 0x0112).
const SEEN: [(Corner, Corner); 8] = [
    (Corner::TopLeft, Corner::TopRight),
    (Corner::TopRight, Corner::TopLeft),
    (Corner::BottomRight, Corner::BottomLeft),
    (Corner::BottomLeft, Corner::BottomRight),
    (Corner::TopLeft, Corner::BottomLeft),
    (Corner::TopRight, Corner::BottomRight),
    (Corner::BottomRight, Corner::TopRight),
    (Corner::BottomLeft, Corner::TopLeft),
];

/// Black in the stored top-left quarter, white in the top-right one, grey below.
fn stored() -> GrayImage {
    GrayImage::from_fn(WIDTH, HEIGHT, |x, y| {
        match (x < WIDTH / 2, y < HEIGHT / 2) {
            (true, true) => Luma([0]),
            (false, true) => Luma([255]),
            _ => Luma([128]),
        }
    })
}

fn encoded(format: ImageFormat) -> Vec<u8> {
    let mut file = Vec::new();
    let picture = DynamicImage::ImageLuma8(stored());
    let picture = if format == ImageFormat::WebP {
        DynamicImage::ImageRgb8(picture.to_rgb8())
    } else {
        picture
    };
    picture
        .write_to(&mut Cursor::new(&mut file), format)
        .unwrap();
    file
}

/// A TIFF block with the orientation tag alone, big-endian if `number` is even.
fn exif(number: u8) -> Vec<u8> {
    if number.is_multiple_of(2) {
        vec![
            b'M', b'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, number, 0, 0, 0, 0,
            0, 0,
        ]
    } else {
        vec![
            b'I', b'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, number, 0, 0, 0, 0, 0,
            0, 0,
        ]
    }
}

fn jpeg(number: u8) -> Vec<u8> {
    let body = [b"Exif\0\0", &exif(number)[..]].concat();
    let segment = [
        &[0xFF, 0xE1],
        &(body.len() as u16 + 2).to_be_bytes()[..],
        &body,
    ]
    .concat();
    let mut file = encoded(ImageFormat::Jpeg);
    file.splice(2..2, segment);
    file
}

fn png(number: u8) -> Vec<u8> {
    let chunk = [b"eXIf", &exif(number)[..]].concat();
    let crc = !chunk.iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 }
        })
    });
    let chunk = [
        &(chunk.len() as u32 - 4).to_be_bytes()[..],
        &chunk,
        &crc.to_be_bytes(),
    ]
    .concat();
    let mut file = encoded(ImageFormat::Png);
    // Signature, then the header chunk of 25 bytes.
    file.splice(33..33, chunk);
    file
}

fn webp(number: u8) -> Vec<u8> {
    let still = encoded(ImageFormat::WebP);
    let side = |pixels: u32| (pixels - 1).to_le_bytes()[..3].to_vec();
    let chunk = |name: &[u8; 4], body: &[u8]| {
        [&name[..], &(body.len() as u32).to_le_bytes(), body].concat()
    };
    let canvas = [vec![0x08, 0, 0, 0], side(WIDTH), side(HEIGHT)].concat();
    let body = [
        b"WEBP".to_vec(),
        chunk(b"VP8X", &canvas),
        still[12..].to_vec(),
        chunk(b"EXIF", &exif(number)),
    ]
    .concat();
    chunk(b"RIFF", &body)
}

fn tiff(number: u8) -> Vec<u8> {
    let pixels = stored().into_raw();
    let short = |tag: u16, value: u32| {
        [
            &tag.to_le_bytes()[..],
            &[3, 0, 1, 0, 0, 0],
            &value.to_le_bytes(),
        ]
        .concat()
    };
    let long = |tag: u16, value: u32| {
        [
            &tag.to_le_bytes()[..],
            &[4, 0, 1, 0, 0, 0],
            &value.to_le_bytes(),
        ]
        .concat()
    };
    let entries = [
        short(256, WIDTH),
        short(257, HEIGHT),
        short(258, 8),
        short(259, 1),
        short(262, 1),
        long(273, 8),
        short(274, number.into()),
        short(277, 1),
        short(278, HEIGHT),
        long(279, pixels.len() as u32),
    ];
    let directory = [
        &(entries.len() as u16).to_le_bytes()[..],
        &entries.concat(),
        &[0; 4],
    ]
    .concat();
    [
        b"II*\0",
        &(8 + pixels.len() as u32).to_le_bytes()[..],
        &pixels,
        &directory,
    ]
    .concat()
}

fn at(picture: &Picture, corner: Corner) -> u8 {
    let (near, far) = (|side: usize| side / 8, |side: usize| side - 1 - side / 8);
    let x = if matches!(corner, Corner::TopLeft | Corner::BottomLeft) {
        near(picture.width)
    } else {
        far(picture.width)
    };
    let y = if matches!(corner, Corner::TopLeft | Corner::TopRight) {
        near(picture.height)
    } else {
        far(picture.height)
    };
    picture.rgb[3 * (y * picture.width + x)]
}

#[test]
fn all_eight_in_all_containers() {
    for (container, file) in [
        ("jpeg", jpeg as fn(u8) -> Vec<u8>),
        ("png", png),
        ("webp", webp),
        ("tiff", tiff),
    ] {
        for number in 1..=8_u8 {
            let picture = decode(&file(number), &DecodeLimits::default()).unwrap();
            let lying = number >= 5;
            let size = if lying {
                (HEIGHT, WIDTH)
            } else {
                (WIDTH, HEIGHT)
            };
            assert_eq!(
                (picture.width as u32, picture.height as u32),
                size,
                "{container} {number}"
            );
            let (black, white) = SEEN[usize::from(number) - 1];
            for corner in [
                Corner::TopLeft,
                Corner::TopRight,
                Corner::BottomLeft,
                Corner::BottomRight,
            ] {
                let wanted = if corner == black {
                    0
                } else if corner == white {
                    255
                } else {
                    128
                };
                assert!(
                    at(&picture, corner).abs_diff(wanted) < 4,
                    "{container} {number}"
                );
            }
        }
    }
}

#[test]
fn an_impossible_orientation_is_upright() {
    for number in [0, 9, 255] {
        let picture = decode(&jpeg(number), &DecodeLimits::default()).unwrap();
        assert_eq!(
            (picture.width as u32, picture.height as u32),
            (WIDTH, HEIGHT)
        );
    }
}

#[test]
fn turning_counts_against_the_limit() {
    let bytes = u64::from(3 * WIDTH * HEIGHT);
    let limits = DecodeLimits {
        bytes,
        ..DecodeLimits::default()
    };
    assert_eq!(
        decode(&jpeg(1), &limits).map(|picture| picture.rgb.len() as u64),
        Ok(bytes)
    );
    assert_eq!(decode(&jpeg(6), &limits).unwrap_err().kind(), "limit");
}
