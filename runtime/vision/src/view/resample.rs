//! Bicubic resampling, as Pillow defines it.
//!
//! The kernel is Keys' cubic with a = -0.5 (Catmull-Rom; R. Keys, 1981). It is widened by the
//! reduction, so that every source pixel under the box counts (antialiasing), and normalised to sum
//! 1; pixels around the box take part where the picture has them. That is `Image.resize(size,
//! BICUBIC, box=...)` of Pillow, up to the rounding of weights: here they have 16 bits, there 22.
//!
//! Weights come from additions, multiplications and divisions of f64 alone, and sums are integers,
//! so NEON, SSE, AVX2 and portable code give the same bytes.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use super::View;
use crate::frame::Extent;

/// Resamples; keeps its memory from one picture to the next.
#[derive(Default)]
pub(super) struct Resampler(Resizer);

impl Resampler {
    /// Resamples the part `view` of `source` to `target`, each RGB bytes and their size.
    ///
    /// The caller keeps `view` inside the source, both sizes at least 1x1, and bytes exactly as long
    /// as their size says.
    pub fn resample(
        &mut self,
        (rgb, source): (&[u8], Extent),
        view: &View,
        (resized, target): (&mut [u8], Extent),
    ) {
        let (left, width) = inside(view.left, view.right(), source.width);
        let (top, height) = inside(view.top, view.bottom(), source.height);
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom))
            .crop(left, top, width, height)
            .use_alpha(false);
        // The typed call compiles one pixel type; the untyped one compiles all of them into this crate.
        let from =
            TypedImageRef::<U8x3>::from_buffer(source.width as u32, source.height as u32, rgb)
                .expect("the buffer has the size that its extent says");
        let mut to =
            TypedImage::<U8x3>::from_buffer(target.width as u32, target.height as u32, resized)
                .expect("the buffer has the size that its extent says");
        self.0
            .resize_typed(&from, &mut to, &options)
            .expect("the box was brought inside the picture");
    }
}

/// Start and length of `start..end` cut to `0..side`, such that their sum in f64 is at most `side`
/// too.
fn inside(start: f64, end: f64, side: usize) -> (f64, f64) {
    let side = side as f64;
    let start = start.clamp(0.0, side.next_down());
    let mut length = end.min(side) - start;
    while start + length > side {
        length = length.next_down();
    }
    (start, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_stays_constant() {
        let source = Extent {
            width: 37,
            height: 23,
        };
        let view = View {
            left: 1.3,
            top: 0.0,
            width: 30.1,
            height: 23.0,
        };
        let rgb = [200, 7, 255].repeat(37 * 23);
        let target = Extent {
            width: 11,
            height: 50,
        };
        let mut resized = vec![0; 3 * 11 * 50];
        Resampler::default().resample((&rgb, source), &view, (&mut resized, target));
        assert_eq!(resized, [200, 7, 255].repeat(11 * 50));
    }

    #[test]
    fn rounding_cannot_push_a_box_out() {
        for side in 1..2000 {
            let start = side as f64 / 3.0;
            let (start, length) = inside(start, start + side as f64, side);
            assert!(start + length <= side as f64 && length > 0.0);
        }
    }
}
