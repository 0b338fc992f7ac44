//! A picture that letters and lines are drawn on.

use embedded_graphics::{
    Drawable, Pixel,
    geometry::{OriginDimensions, Point, Size},
    mono_font::{MonoTextStyle, iso_8859_1::FONT_9X15},
    pixelcolor::{Rgb888, RgbColor},
    prelude::{DrawTarget, Primitive},
    primitives::{Circle, PrimitiveStyle, Rectangle},
    text::{Baseline, Text},
};
use image::{Rgb, RgbImage};
use std::convert::Infallible;

/// Width of a letter in pixels.
pub const LETTER_WIDTH: u32 = 9;
/// Height of a line of text in pixels.
pub const LINE_HEIGHT: u32 = 15;

/// Drawn on without bounds: what falls outside is cut.
pub struct Canvas {
    pub picture: RgbImage,
}

impl Canvas {
    pub fn new(width: u32, height: u32, background: Rgb<u8>) -> Canvas {
        Canvas {
            picture: RgbImage::from_pixel(width, height, background),
        }
    }

    /// One line of text, black, its left end at `x` and its top at `y`. Letters beyond Latin-1 become `?`.
    pub fn text(&mut self, text: &str, x: i32, y: i32) {
        let letters = MonoTextStyle::new(&FONT_9X15, Rgb888::BLACK);
        drawn(Text::with_baseline(text, Point::new(x, y), letters, Baseline::Top).draw(self));
    }

    /// A white ring with a black rim, which shows on every ground.
    pub fn ring(&mut self, x: i32, y: i32) {
        for (diameter, width, color) in [(19, 5, Rgb888::BLACK), (17, 2, Rgb888::WHITE)] {
            let style = PrimitiveStyle::with_stroke(color, width);
            let circle = Circle::with_center(Point::new(x, y), diameter);
            drawn(circle.into_styled(style).draw(self));
        }
    }

    /// The outline of a rectangle, white.
    pub fn frame(&mut self, x: i32, y: i32, width: u32, height: u32) {
        let style = PrimitiveStyle::with_stroke(Rgb888::WHITE, 1);
        let outline = Rectangle::new(Point::new(x, y), Size::new(width, height));
        drawn(outline.into_styled(style).draw(self));
    }
}

/// Drawing on memory does not fail.
fn drawn<T>(result: Result<T, Infallible>) {
    let Ok(_) = result;
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.picture.width(), self.picture.height())
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(
        &mut self,
        pixels: I,
    ) -> Result<(), Infallible> {
        for Pixel(Point { x, y }, color) in pixels {
            let place = u32::try_from(x).ok().zip(u32::try_from(y).ok());
            if let Some(pixel) = place.and_then(|(x, y)| self.picture.get_pixel_mut_checked(x, y)) {
                *pixel = Rgb([color.r(), color.g(), color.b()]);
            }
        }
        Ok(())
    }
}
