//! A picture as a camera gives it: BT.601, limited range, even sides, no padding.

use image::RgbImage;

/// NV12 of a picture, BT.601 and limited range: ITU-R BT.601-7 forwards, chroma the mean of four pixels.
pub fn nv12(rgb: &RgbImage) -> Vec<u8> {
    let (width, height) = rgb.dimensions();
    let mut bytes: Vec<u8> = rgb
        .pixels()
        .map(|pixel| {
            let [r, g, b] = pixel.0.map(f64::from);
            (16.0 + (65.481 * r + 128.553 * g + 24.966 * b) / 255.0).round() as u8
        })
        .collect();
    for y in (0..height).step_by(2) {
        for x in (0..width).step_by(2) {
            let mut mean = [0.0; 3];
            for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let pixel = rgb.get_pixel(x + dx, y + dy).0;
                for (mean, value) in mean.iter_mut().zip(pixel) {
                    *mean += f64::from(value) / 4.0;
                }
            }
            let [r, g, b] = mean;
            for weights in [[-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]] {
                let sum = weights[0] * r + weights[1] * g + weights[2] * b;
                bytes.push((128.0 + sum / 255.0).round() as u8);
            }
        }
    }
    bytes
}

/// YU12: NV12 with its chroma apart.
pub fn yu12(rgb: &RgbImage) -> Vec<u8> {
    let mut bytes = nv12(rgb);
    let chroma = bytes.split_off((rgb.width() * rgb.height()) as usize);
    for first in [0, 1] {
        bytes.extend(chroma.iter().skip(first).step_by(2));
    }
    bytes
}

/// YUYV: luma of NV12, and its chroma for both of the rows that share it.
pub fn yuyv(rgb: &RgbImage) -> Vec<u8> {
    let (width, height) = (rgb.width() as usize, rgb.height() as usize);
    let bytes = nv12(rgb);
    let (luma, chroma) = bytes.split_at(width * height);
    let pairs = (0..height).flat_map(|y| (0..width).step_by(2).map(move |x| (x, y)));
    pairs
        .flat_map(|(x, y)| {
            let (luma, chroma) = (&luma[y * width + x..], &chroma[y / 2 * width + x..]);
            [luma[0], chroma[0], luma[1], chroma[1]]
        })
        .collect()
}
