//! A real photo through every camera format: what the encoder gets hardly changes.

use ocellus_vision::{
    ColorMatrix, ColorRange, CropMode, DecodeLimits, Frame, Intermediate, PixelFormat, Plane,
    decode, normalize, views,
};

const PHOTO: &[u8] = include_bytes!("../../../tests/data/photos/chelsea.jpg");

/// Luma and chroma of one pixel, unrounded: the inverse of the conversion under test, in floating
/// point.
fn yuv(rgb: [f64; 3], matrix: ColorMatrix, range: ColorRange) -> [f64; 3] {
    let (kr, kb) = match matrix {
        ColorMatrix::Bt601 => (0.299, 0.114),
        ColorMatrix::Bt709 => (0.2126, 0.0722),
    };
    let (black, s, c) = match range {
        ColorRange::Full => (0.0, 1.0, 1.0),
        ColorRange::Limited => (16.0, 219.0 / 255.0, 224.0 / 255.0),
    };
    let [r, g, b] = rgb;
    let luma = kr * r + (1.0 - kr - kb) * g + kb * b;
    [
        black + s * luma,
        128.0 + c * (b - luma) / (2.0 * (1.0 - kb)),
        128.0 + c * (r - luma) / (2.0 * (1.0 - kr)),
    ]
}

/// Planes of Y, Cb, Cr, each with its width; chroma averaged over 2x2 pixels.
fn planes(
    rgb: &[u8],
    width: usize,
    height: usize,
    matrix: ColorMatrix,
    range: ColorRange,
) -> [Vec<u8>; 3] {
    let pixel = |x: usize, y: usize| {
        let at = 3 * (y.min(height - 1) * width + x.min(width - 1));
        yuv(
            [0, 1, 2].map(|channel| f64::from(rgb[at + channel])),
            matrix,
            range,
        )
    };
    let luma = (0..width * height)
        .map(|i| pixel(i % width, i / width)[0].round() as u8)
        .collect();
    let columns = width.div_ceil(2);
    let chroma = |channel: usize| {
        let block = |i: usize| {
            let (x, y) = (2 * (i % columns), 2 * (i / columns));
            [(0, 0), (1, 0), (0, 1), (1, 1)]
                .iter()
                .map(|(dx, dy)| pixel(x + dx, y + dy)[channel])
                .sum::<f64>()
                / 4.0
        };
        (0..columns * height.div_ceil(2))
            .map(|i| block(i).round() as u8)
            .collect()
    };
    [luma, chroma(1), chroma(2)]
}

/// What the encoder sees of the centre, and the entropy.
fn seen(frame: &Frame<'_>, resolution: usize) -> (Vec<f32>, f32) {
    let view = views(CropMode::Centre, frame.width(), frame.height(), 0.875)[0];
    let seen = Intermediate::read(frame, &view);
    (
        normalize(&seen.resize(resolution), resolution, [127.0; 3], [128.0; 3]),
        seen.entropy_bits(),
    )
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| {
        a.iter()
            .zip(b)
            .map(|(&a, &b)| f64::from(a) * f64::from(b))
            .sum::<f64>()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn chroma_at_half_the_size_changes_little() {
    let picture = decode(PHOTO, &DecodeLimits::default()).unwrap();
    let (width, height) = (picture.width, picture.height);
    assert!(width % 2 == 1, "an odd width is the harder case");
    for (matrix, range) in [
        (ColorMatrix::Bt601, ColorRange::Limited),
        (ColorMatrix::Bt709, ColorRange::Full),
    ] {
        let [luma, cb, cr] = planes(&picture.rgb, width, height, matrix, range);
        let columns = width.div_ceil(2);
        let pairs: Vec<u8> = cb.iter().zip(&cr).flat_map(|(&cb, &cr)| [cb, cr]).collect();
        let plane = |data, stride| Plane { data, stride };
        let camera = [
            Frame::new(
                PixelFormat::Nv12,
                width,
                height,
                &[plane(&luma, width), plane(&pairs, 2 * columns)],
            )
            .unwrap(),
            Frame::new(
                PixelFormat::I420,
                width,
                height,
                &[
                    plane(&luma, width),
                    plane(&cb, columns),
                    plane(&cr, columns),
                ],
            )
            .unwrap(),
        ];
        for resolution in [112, 160, 224] {
            let (wanted, wanted_bits) = seen(&picture.frame().unwrap(), resolution);
            for frame in camera.map(|frame| frame.with_colors(matrix, range)) {
                let (got, bits) = seen(&frame, resolution);
                let far = wanted
                    .iter()
                    .zip(&got)
                    .map(|(a, b)| f64::from((a - b).abs()) * 128.0)
                    .sum::<f64>()
                    / got.len() as f64;
                println!(
                    "{} {matrix:?} {range:?} {resolution}: {far:.3} of 255, cosine {:.6}, {wanted_bits} and {bits} bits",
                    frame.format(),
                    cosine(&wanted, &got)
                );
                assert!(far < 1.5 && cosine(&wanted, &got) > 0.999, "{far}");
                assert!((bits - wanted_bits).abs() < 0.1);
            }
        }
    }
}

#[test]
fn luma_alone_is_the_grey_picture() {
    let picture = decode(PHOTO, &DecodeLimits::default()).unwrap();
    let (width, height) = (picture.width, picture.height);
    let [luma, ..] = planes(
        &picture.rgb,
        width,
        height,
        ColorMatrix::Bt601,
        ColorRange::Full,
    );
    let grey = Frame::new(
        PixelFormat::Grey8,
        width,
        height,
        &[Plane {
            data: &luma,
            stride: width,
        }],
    )
    .unwrap();
    let (_, wanted) = seen(&picture.frame().unwrap(), 112);
    let (values, bits) = seen(&grey, 112);
    let (red, rest) = values.split_at(112 * 112);
    assert!(red == &rest[..112 * 112] && red == &rest[112 * 112..]);
    assert!((bits - wanted).abs() < 0.1, "{bits} {wanted}");
}

/// FNV-1a, 64 bits.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// Decoders, conversions and filters have different code for each processor; none may show. The
/// figures are what this test finds on x86-64 with AVX2; whoever changes a definition replaces them.
#[test]
fn every_processor_gives_the_same_bytes() {
    let picture = decode(PHOTO, &DecodeLimits::default()).unwrap();
    assert_eq!(fingerprint(&picture.rgb), 0xB496_C728_6113_25DB, "decoder");
    let noise: Vec<u8> = (0..1300 * 900 * 3 / 2_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let camera = Frame::contiguous(PixelFormat::Nv12, 1300, 900, 1300, &noise).unwrap();
    let photo = picture.frame().unwrap();
    // The intermediate, then the view at 112, 160 and 224.
    let cases = [
        (
            photo,
            CropMode::Centre,
            [
                0x80AE_D482_28CA_499A,
                0xF12A_CB6B_45DD_8D4B,
                0x5E06_DC52_2D08_7B08,
                0x1DAA_6BD4_8AEE_F616,
            ],
        ),
        (
            photo,
            CropMode::Squash,
            [
                0xB496_C728_6113_25DB,
                0xA2FF_EB8E_5BAF_1A60,
                0xB19E_F750_D813_D3F2,
                0x2B1C_9EC9_3FAB_A15F,
            ],
        ),
        (
            camera,
            CropMode::Centre,
            [
                0xE9A6_998C_9DCF_3040,
                0x6B82_4F51_F861_C727,
                0x169A_B4C6_F270_9499,
                0xE7A5_4169_5602_0EE2,
            ],
        ),
        (
            camera,
            CropMode::Squash,
            [
                0xB81E_A41B_6D37_8263,
                0x627B_851A_B7A4_CF40,
                0x2726_9978_F34D_0594,
                0xE4F9_D155_ED90_C423,
            ],
        ),
    ];
    for (frame, mode, wanted) in cases {
        let view = views(mode, frame.width(), frame.height(), 0.875)[0];
        let seen = Intermediate::read(&frame, &view);
        let [small, middle, large] = [112, 160, 224].map(|side| fingerprint(&seen.resize(side)));
        let got = [fingerprint(seen.data()), small, middle, large];
        assert_eq!(got, wanted, "{} {mode}: {got:#018x?}", frame.format());
    }
}
