//! The heat picture: for each of the best labels a panel that shows where it is in the photo.
//!
//! One colour scale holds for all panels, from 0 to the greatest smoothed relevance of any: labels are compared by their
//! colours, and what is nowhere stays dark. What the encoder did not see is dimmed.
//!
//! Limits: the best [`MOST_PANELS`] labels; letters of Latin-1.

mod canvas;
mod panel;

use canvas::Canvas;
use image::{ImageError, ImageFormat, Rgb, RgbImage, imageops};
use ocellus::Report;
use panel::{BAR_WIDTH, Heat, Photo, TITLE_HEIGHT};
use std::path::Path;

/// More labels than this have no panel.
pub const MOST_PANELS: usize = 6;
/// Panels in a row, at most.
const COLUMNS: u32 = 3;
/// The longer side of a photo in its panel.
const SIDE: u32 = 400;
/// Between panels, and around them.
const GAP: u32 = 12;
/// The scale ends no lower: noise is not stretched to full heat.
const LEAST_TOP: f32 = 0.05;

/// Draws the best labels of `report` over the photo of `width` x `height` pixels.
pub fn picture(rgb: &[u8], width: usize, height: usize, report: &Report) -> RgbImage {
    let photo = photo(rgb, width, height);
    let panels = report.labels.len().clamp(1, MOST_PANELS) as u32;
    let columns = match panels {
        4 => 2,
        panels => panels.min(COLUMNS),
    };
    let rows = panels.div_ceil(columns);
    let panel_width = photo.picture.width() + BAR_WIDTH + GAP;
    let panel_height = photo.picture.height() + TITLE_HEIGHT + GAP;
    let mut canvas = Canvas::new(
        GAP + columns * panel_width,
        GAP + rows * panel_height,
        Rgb([255; 3]),
    );
    let shown = &report.labels[..report.labels.len().min(MOST_PANELS)];
    let heats: Vec<Heat> = shown
        .iter()
        .map(|hit| Heat::new(&photo, hit, &report.seen))
        .collect();
    let most = heats.iter().map(Heat::most).fold(LEAST_TOP, f32::max);
    for ((at, hit), heat) in (0..).zip(shown).zip(&heats) {
        let corner = [
            GAP + at % columns * panel_width,
            GAP + at / columns * panel_height,
        ];
        panel::draw(&mut canvas, &photo, hit, heat, most, corner);
        panel::outline(&mut canvas, &photo, &report.seen, corner);
    }
    canvas.picture
}

/// Writes a picture as PNG.
pub fn write(picture: &RgbImage, path: &Path) -> Result<(), ImageError> {
    picture.save_with_format(path, ImageFormat::Png)
}

/// The photo, its longer side [`SIDE`] pixels.
fn photo(rgb: &[u8], width: usize, height: usize) -> Photo {
    let scale = f64::from(SIDE) / width.max(height) as f64;
    let side = |length: usize| ((length as f64 * scale).round() as u32).max(1);
    let pixel = |x: u32, y: u32| {
        let at = (y as usize * width + x as usize) * 3;
        Rgb([rgb[at], rgb[at + 1], rgb[at + 2]])
    };
    let whole = RgbImage::from_fn(width as u32, height as u32, pixel);
    Photo {
        picture: imageops::resize(
            &whole,
            side(width),
            side(height),
            imageops::FilterType::Triangle,
        ),
        scale,
    }
}
