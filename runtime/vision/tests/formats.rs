//! Every pixel format against a slow converter that looks each sample up on its own.

use ocellus_vision::{
    ColorMatrix, ColorRange, Frame, Intermediate, Orientation, PixelFormat, Plane, Rect, View,
};
use proptest::prelude::*;

/// The planes of a frame, filled with noise, with their strides.
struct Planes {
    format: PixelFormat,
    width: usize,
    height: usize,
    planes: Vec<(Vec<u8>, usize)>,
}

impl Planes {
    /// Each stride is `padding` bytes longer than its row; the last row has no padding.
    fn noise(format: PixelFormat, width: usize, height: usize, padding: usize, seed: u32) -> Self {
        let mut state = seed | 1;
        let mut byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let planes = (0..format.planes())
            .map(|plane| {
                let (row, rows) = format.plane_extent(plane, width, height);
                let stride = row + padding;
                (
                    (0..stride * (rows - 1) + row).map(|_| byte()).collect(),
                    stride,
                )
            })
            .collect();
        Self {
            format,
            width,
            height,
            planes,
        }
    }

    fn frame(&self) -> Frame<'_> {
        let planes: Vec<_> = self
            .planes
            .iter()
            .map(|(data, stride)| Plane {
                data,
                stride: *stride,
            })
            .collect();
        Frame::new(self.format, self.width, self.height, &planes).unwrap()
    }

    fn sample(&self, plane: usize, x: usize, y: usize) -> u8 {
        let (data, stride) = &self.planes[plane];
        data[y * stride + x]
    }

    /// Red, green and blue of one pixel, by the definition of the format.
    fn pixel(&self, x: usize, y: usize, matrix: ColorMatrix, range: ColorRange) -> [u8; 3] {
        let at = |x| self.sample(0, x, y);
        let chroma = |plane, x| self.sample(plane, x, y / 2);
        let (pair, quad) = (x / 2 * 2, x / 2 * 4);
        let (luma, cb, cr) = match self.format {
            PixelFormat::Rgb24 => return [0, 1, 2].map(|c| at(3 * x + c)),
            PixelFormat::Bgr24 => return [2, 1, 0].map(|c| at(3 * x + c)),
            PixelFormat::Rgba32 => return [0, 1, 2].map(|c| at(4 * x + c)),
            PixelFormat::Bgra32 => return [2, 1, 0].map(|c| at(4 * x + c)),
            PixelFormat::Grey8 => return [at(x); 3],
            PixelFormat::Nv12 => (at(x), chroma(1, pair), chroma(1, pair + 1)),
            PixelFormat::Nv21 => (at(x), chroma(1, pair + 1), chroma(1, pair)),
            PixelFormat::I420 => (at(x), chroma(1, x / 2), chroma(2, x / 2)),
            PixelFormat::Yuyv => (at(2 * x), at(quad + 1), at(quad + 3)),
            PixelFormat::Uyvy => (at(2 * x + 1), at(quad), at(quad + 2)),
            other => panic!("{other} has no definition here"),
        };
        yuv(luma, cb, cr, matrix, range)
    }
}

/// The standards' formula with factors rounded to 13 bits, from its symbols.
fn yuv(luma: u8, cb: u8, cr: u8, matrix: ColorMatrix, range: ColorRange) -> [u8; 3] {
    let (kr, kb) = match matrix {
        ColorMatrix::Bt601 => (0.299, 0.114),
        ColorMatrix::Bt709 => (0.2126, 0.0722),
    };
    let (black, s, c) = match range {
        ColorRange::Full => (0, 1.0, 1.0),
        ColorRange::Limited => (16, 255.0 / 219.0, 255.0 / 224.0),
    };
    let fixed = |factor: f64| (factor * 8192.0).round() as i64;
    let (red, blue, kg) = (2.0 * c * (1.0 - kr), 2.0 * c * (1.0 - kb), 1.0 - kr - kb);
    let grey = fixed(s) * (i64::from(luma) - black) + 4096;
    let (u, v) = (i64::from(cb) - 128, i64::from(cr) - 128);
    [
        grey + fixed(red) * v,
        grey - fixed(blue * kb / kg) * u - fixed(red * kr / kg) * v,
        grey + fixed(blue) * u,
    ]
    .map(|sum| (sum >> 13).clamp(0, 255) as u8)
}

fn whole(frame: &Frame<'_>) -> View {
    View {
        left: 0.0,
        top: 0.0,
        width: frame.width() as f64,
        height: frame.height() as f64,
    }
}

fn formats() -> impl Strategy<Value = PixelFormat> {
    proptest::sample::select(PixelFormat::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_crop_of_any_frame_reads_as_the_definition_says(
        format in formats(),
        (width, height) in (1_usize..70, 1_usize..40),
        padding in 0_usize..20,
        seed: u32,
        crop in (0.0..1.0, 0.0..1.0, 0.0..1.0, 0.0..1.0_f64),
        bt709: bool,
        full: bool,
    ) {
        let width = if format.needs_even_width() { width.next_multiple_of(2) } else { width };
        let planes = Planes::noise(format, width, height, padding, seed);
        let part = |at: f64, side: usize| (at * side as f64) as usize;
        let (x, y) = (part(crop.0, width), part(crop.1, height));
        let crop = Rect { x, y, width: part(crop.2, width - x) + 1, height: part(crop.3, height - y) + 1 };
        let crop = Rect { width: crop.width.min(width - x), height: crop.height.min(height - y), ..crop };
        let matrix = if bt709 { ColorMatrix::Bt709 } else { ColorMatrix::Bt601 };
        let range = if full { ColorRange::Full } else { ColorRange::Limited };

        let frame = planes.frame().with_colors(matrix, range).with_crop(crop).unwrap();
        let seen = Intermediate::read(&frame, &whole(&frame));
        prop_assert_eq!((seen.width(), seen.height()), (crop.width, crop.height));
        for (index, pixel) in seen.data().chunks(3).enumerate() {
            let (px, py) = (crop.x + index % crop.width, crop.y + index / crop.width);
            let wanted = planes.pixel(px, py, matrix, range);
            prop_assert_eq!(pixel, &wanted[..], "{} at {}, {}", format, px, py);
        }
    }

    #[test]
    fn a_buffer_is_split_as_v4l2_lays_it_out(
        format in formats(),
        (half_width, half_height) in (1_usize..30, 1_usize..20),
        padding in 0_usize..8,
        seed: u32,
    ) {
        let (width, height) = (2 * half_width, 2 * half_height);
        let row = format.plane_extent(0, width, height).0;
        let stride = row + 2 * padding;
        let planes = Planes::noise(format, width, height, 0, seed);
        let mut buffer = Vec::new();
        for (index, (data, packed)) in planes.planes.iter().enumerate() {
            let padded = if format == PixelFormat::I420 && index > 0 { stride / 2 } else { stride };
            for line in data.chunks(*packed) {
                buffer.extend_from_slice(line);
                buffer.resize(buffer.len() + padded - packed, 0xEE);
            }
        }
        let frame = Frame::contiguous(format, width, height, stride, &buffer).unwrap();
        let tight = planes.frame();
        let (a, b) = (Intermediate::read(&frame, &whole(&frame)), Intermediate::read(&tight, &whole(&tight)));
        prop_assert_eq!(a.data(), b.data());
    }

    #[test]
    fn no_view_makes_it_panic(
        (width, height) in (1_usize..700, 1_usize..40),
        edges in (any::<f64>(), any::<f64>(), any::<f64>(), any::<f64>()),
        near in (-10.0..710.0, -10.0..50.0, -5.0..800.0, -5.0..60.0_f64),
        resolution in 0_usize..20,
        orientation in proptest::sample::select(Orientation::ALL.to_vec()),
    ) {
        let planes = Planes::noise(PixelFormat::Grey8, width, height, 0, 1);
        let frame = planes.frame().with_orientation(orientation);
        for (left, top, width, height) in [edges, near] {
            let seen = Intermediate::read(&frame, &View { left, top, width, height });
            prop_assert_eq!(seen.resize(resolution).len(), 3 * resolution * resolution);
            prop_assert!((0.0..=8.0).contains(&seen.entropy_bits()));
        }
    }

    #[test]
    fn a_turned_frame_reads_as_the_turned_picture(
        (width, height) in (1_usize..50, 1_usize..50),
        orientation in proptest::sample::select(Orientation::ALL.to_vec()),
        view in (0.0..30.0, 0.0..30.0, 1.0..40.0, 1.0..40.0_f64),
    ) {
        let planes = Planes::noise(PixelFormat::Nv12, width, height, 3, 7);
        let turned = planes.frame().with_orientation(orientation);
        let all = Intermediate::read(&turned, &whole(&turned));
        let upright = Frame::rgb(all.width(), all.height(), all.data()).unwrap();
        let view = View { left: view.0, top: view.1, width: view.2, height: view.3 };
        let (a, b) = (Intermediate::read(&turned, &view), Intermediate::read(&upright, &view));
        // Columns and rows are filtered in the other order in half of the cases.
        for (a, b) in a.resize(9).into_iter().zip(b.resize(9)) {
            prop_assert!(a.abs_diff(b) <= 2, "{} {}", a, b);
        }
    }
}

#[test]
fn large_frames_are_reduced_to_a_short_side_of_512() {
    let planes = Planes::noise(PixelFormat::Uyvy, 1920, 1080, 0, 3);
    let frame = planes.frame();
    let seen = Intermediate::read(&frame, &whole(&frame));
    assert_eq!((seen.width(), seen.height()), (910, 512));
    let centre = View {
        left: 487.5,
        top: 67.5,
        width: 945.0,
        height: 945.0,
    };
    let seen = Intermediate::read(&frame, &centre);
    let view = seen.view();
    assert!(
        (511.0..=512.0).contains(&view.width) && (511.0..=512.0).contains(&view.height),
        "{view:?}"
    );
    assert!(seen.width() < 560 && seen.height() < 560);
}
