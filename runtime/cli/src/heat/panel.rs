//! One label's panel: the photo in grey, the heat over what was seen of it, the peak, and the colour bar beside it.

use super::canvas::{Canvas, LETTER_WIDTH, LINE_HEIGHT};
use image::{Rgb, RgbImage};
use ocellus::{Hit, Seen};

/// Height of the line with the label.
pub const TITLE_HEIGHT: u32 = LINE_HEIGHT + 8;
/// Width of the colour bar with its numbers.
pub const BAR_WIDTH: u32 = 14 + 4 * LETTER_WIDTH + 10;
/// The bar itself.
const BAR: u32 = 14;
/// How much of the heat covers the photo where it is greatest.
const COVER: f32 = 0.75;
/// What was not seen is dimmed to this part.
const UNSEEN: f32 = 0.45;

/// A photo at the panel's size, and how it came from the frame.
pub struct Photo {
    pub picture: RgbImage,
    /// Pixels of the panel to one of the frame.
    pub scale: f64,
}

/// The smoothed relevance at each pixel of a panel, from the view that has most of it; nothing where no view is.
pub struct Heat {
    values: Vec<Option<f32>>,
}

impl Heat {
    pub fn new(photo: &Photo, hit: &Hit, seen: &[Seen]) -> Heat {
        let (width, height) = photo.picture.dimensions();
        let mut heat = vec![None; (width * height) as usize];
        let grids = hit.place.as_ref().map_or(&[][..], |place| &place.relevance);
        for (grid, seen) in grids.iter().zip(seen) {
            let edge = |value: f64, most: u32| {
                (value * photo.scale).round().clamp(0.0, f64::from(most)) as u32
            };
            let (x0, x1) = (edge(seen.x, width), edge(seen.x + seen.width, width));
            let (y0, y1) = (edge(seen.y, height), edge(seen.y + seen.height, height));
            let (columns, rows) = (x1 - x0, y1 - y0);
            let values = grid.smooth(rows as usize, columns as usize);
            for (row, line) in values.chunks_exact(columns.max(1) as usize).enumerate() {
                let first = ((y0 + row as u32) * width + x0) as usize;
                for (place, &value) in heat[first..].iter_mut().zip(line) {
                    *place = Some(place.map_or(value, |other: f32| other.max(value)));
                }
            }
        }
        Heat { values: heat }
    }

    /// The greatest value, at least 0.
    pub fn most(&self) -> f32 {
        self.values.iter().flatten().copied().fold(0.0, f32::max)
    }
}

/// Draws the panel of `hit` with its upper left corner at `corner`; the scale runs from 0 to `most`.
pub fn draw(
    canvas: &mut Canvas,
    photo: &Photo,
    hit: &Hit,
    heat: &Heat,
    most: f32,
    corner: [u32; 2],
) {
    let (width, height) = photo.picture.dimensions();
    let [left, top] = corner;
    title(canvas, hit, left, top, width + BAR_WIDTH);
    let top = top + TITLE_HEIGHT;
    for ((x, y, pixel), value) in photo.picture.enumerate_pixels().zip(&heat.values) {
        let shown = blend(*pixel, value.map(|value| value / most));
        canvas.picture.put_pixel(left + x, top + y, shown);
    }
    if let Some([x, y]) = hit.place.as_ref().and_then(|place| place.peak_px) {
        let at = |from: u32, value: f64| from as i32 + (value * photo.scale).round() as i32;
        canvas.ring(at(left, x), at(top, y));
    }
    bar(canvas, left + width + 6, top, height, most);
}

/// Draws the edges of what was seen.
pub fn outline(canvas: &mut Canvas, photo: &Photo, seen: &[Seen], corner: [u32; 2]) {
    let [left, top] = corner.map(|side| side as i32);
    let at = |value: f64| (value * photo.scale).round() as i32;
    for seen in seen {
        canvas.frame(
            left + at(seen.x),
            top + TITLE_HEIGHT as i32 + at(seen.y),
            at(seen.width) as u32,
            at(seen.height) as u32,
        );
    }
}

/// The label, cut where it is too long, and its probability.
fn title(canvas: &mut Canvas, hit: &Hit, left: u32, top: u32, width: u32) {
    let room = (width / LETTER_WIDTH) as usize;
    let percent = format!(" {:.1} %", hit.probability * 100.0);
    let found = hit
        .place
        .as_ref()
        .is_some_and(|place| place.peak_px.is_some());
    let tail = if found {
        percent
    } else {
        format!("{percent}, nowhere")
    };
    let letters = room.saturating_sub(tail.chars().count());
    let mut label: String = hit.label.chars().take(letters).collect();
    if label.chars().count() < hit.label.chars().count() {
        label = label.chars().take(letters.saturating_sub(2)).collect();
        label.push_str("..");
    }
    let text = format!("{label}{tail}");
    canvas.text(&text, left as i32, top as i32 + 4);
}

/// A pixel of the photo in grey under its heat, 0..1; dimmed where nothing was seen.
fn blend(pixel: Rgb<u8>, heat: Option<f32>) -> Rgb<u8> {
    let [r, g, b] = pixel.0.map(f32::from);
    let grey = 0.299 * r + 0.587 * g + 0.114 * b;
    let Some(heat) = heat else {
        return Rgb([(grey * UNSEEN) as u8; 3]);
    };
    let color = colorous::INFERNO.eval_continuous(f64::from(heat.clamp(0.0, 1.0)));
    let cover = COVER * heat.clamp(0.0, 1.0);
    Rgb([color.r, color.g, color.b]
        .map(|channel| (f32::from(channel) * cover + grey * (1.0 - cover)) as u8))
}

/// The scale from 0 to `most`, over `height` pixels.
fn bar(canvas: &mut Canvas, left: u32, top: u32, height: u32, most: f32) {
    for y in 0..height {
        let part = 1.0 - (f64::from(y) + 0.5) / f64::from(height);
        let color = colorous::INFERNO.eval_continuous(part);
        for x in 0..BAR {
            let color = Rgb([color.r, color.g, color.b]);
            canvas.picture.put_pixel(left + x, top + y, color);
        }
    }
    let x = (left + BAR + 4) as i32;
    canvas.text(&format!("{most:.2}"), x, top as i32);
    let bottom = (top + height).saturating_sub(LINE_HEIGHT) as i32;
    canvas.text("0", x, bottom);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heat_shows_and_what_was_not_seen_is_dim() {
        let pixel = Rgb([200, 200, 200]);
        assert_eq!(blend(pixel, Some(0.0)), pixel);
        let hot = blend(pixel, Some(1.0));
        assert!(hot[0] > 200 && hot[2] < 190, "{hot:?}");
        assert!(blend(pixel, None)[0] < 100);
    }
}
