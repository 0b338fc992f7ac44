//! The resampler gives the bytes of the crate `fast_image_resize`, whose Catmull-Rom it was made after: goldens and
//! calibrations rest on them.

use fast_image_resize::{
    FilterType, ResizeAlg, ResizeOptions, Resizer,
    images::{TypedImage, TypedImageRef},
    pixels::U8x3,
};
use ocellus_vision::{Frame, Intermediate, View};
use proptest::prelude::*;

/// What the crate makes of a part of a picture.
fn theirs(rgb: &[u8], [width, height]: [usize; 2], part: &View, target: [usize; 2]) -> Vec<u8> {
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom))
        .crop(part.left, part.top, part.width, part.height)
        .use_alpha(false);
    let from = TypedImageRef::<U8x3>::from_buffer(width as u32, height as u32, rgb);
    let from = from.expect("a picture");
    let mut resized = vec![0; 3 * target[0] * target[1]];
    let [columns, rows] = target.map(|side| side as u32);
    let to = TypedImage::<U8x3>::from_buffer(columns, rows, &mut resized);
    Resizer::new()
        .resize_typed(&from, &mut to.expect("room"), &options)
        .expect("a part of the picture");
    resized
}

/// Bytes that neither repeat nor are smooth, with the ends of their range among them.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let next = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        match state >> 60 {
            0 => 0,
            1 => 255,
            _ => (state >> 40) as u8,
        }
    };
    (0..len).map(next).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_part_at_any_resolution(
        sides in [1..400usize, 1..300usize],
        corner in [0.0..0.9f64, 0.0..0.9f64],
        share in [0.1..1.0f64, 0.1..1.0f64],
        resolution in 1..260usize,
        seed: u64,
    ) {
        let [width, height] = sides;
        let rgb = noise(3 * width * height, seed);
        let frame = Frame::rgb(width, height, &rgb).expect("a frame");
        let wanted = View {
            left: corner[0] * width as f64,
            top: corner[1] * height as f64,
            width: share[0] * (1.0 - corner[0]) * width as f64,
            height: share[1] * (1.0 - corner[1]) * height as f64,
        };
        let seen = Intermediate::read(&frame, &wanted);
        let size = [seen.width(), seen.height()];
        // The crate sums over rows first: it is asked for one axis after the other.
        let view = seen.view();
        let whole = View { left: 0.0, width: size[0] as f64, ..view };
        let columns = View { top: 0.0, height: size[1] as f64, ..view };
        let narrow = theirs(seen.data(), size, &columns, [resolution, size[1]]);
        let rows = View { width: resolution as f64, ..whole };
        let expected = theirs(&narrow, [resolution, size[1]], &rows, [resolution; 2]);
        prop_assert!(seen.resize(resolution) == expected, "{size:?} {:?}", seen.view());
    }

    #[test]
    fn the_reading_of_a_large_frame(
        sides in [513..1300usize, 513..1300usize],
        seed: u64,
    ) {
        let [width, height] = sides;
        let rgb = noise(3 * width * height, seed);
        let frame = Frame::rgb(width, height, &rgb).expect("a frame");
        let whole = View {
            left: 0.0,
            top: 0.0,
            width: width as f64,
            height: height as f64,
        };
        let seen = Intermediate::read(&frame, &whole);
        let expected = theirs(&rgb, sides, &whole, [seen.width(), seen.height()]);
        prop_assert!(seen.data() == expected, "{sides:?}");
    }
}
