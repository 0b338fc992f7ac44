//! A short clip of three pictures that tell their answers apart, as a camera or a file gives it.

use crate::{nv12, photo, yu12, yuyv};
use image::{RgbImage, imageops::FilterType};

/// The pictures, small so that reading them takes no time.
pub struct Clip {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The pictures.
    pub pictures: Vec<RgbImage>,
}

/// What the pictures show, in their order.
pub const CLIP_LABELS: [&str; 3] = ["a cat", "a cup of coffee", "a rocket"];

impl Clip {
    /// A cat, a cup of coffee and a rocket.
    pub fn new() -> Clip {
        let (width, height) = (96, 64);
        let pictures = ["chelsea.jpg", "coffee.jpg", "rocket.jpg"].map(|name| {
            let picture = image::open(photo(name)).expect("a photo");
            let small = picture.resize_exact(width, height, FilterType::Triangle);
            small.to_rgb8()
        });
        Clip {
            width,
            height,
            pictures: pictures.to_vec(),
        }
    }

    /// The frames one after another, without padding. A multi-planar format is the single-planar one in pieces.
    pub fn raw(&self, fourcc: &str) -> Vec<u8> {
        let pixels = match fourcc {
            "NV12" | "NM12" => nv12,
            "YU12" | "YM12" => yu12,
            "YUYV" => yuyv,
            "RGB3" => |rgb: &RgbImage| rgb.as_raw().clone(),
            other => panic!("{other}"),
        };
        self.pictures.iter().flat_map(pixels).collect()
    }

    /// The frames as YUV4MPEG2.
    pub fn y4m(&self) -> Vec<u8> {
        let (width, height) = (self.width, self.height);
        let mut bytes =
            format!("YUV4MPEG2 W{width} H{height} F30:1 Ip A1:1 C420jpeg\n").into_bytes();
        for picture in &self.pictures {
            bytes.extend(b"FRAME\n");
            bytes.extend(yu12(picture));
        }
        bytes
    }

    /// The frames in I420 with padded rows.
    pub fn padded(&self, stride: usize) -> Vec<u8> {
        let (width, height) = (self.width as usize, self.height as usize);
        let mut bytes = Vec::new();
        for picture in &self.pictures {
            let frame = yu12(picture);
            let (luma, chroma) = frame.split_at(width * height);
            let mut rows = |plane: &[u8], width: usize, stride: usize| {
                for row in plane.chunks(width) {
                    bytes.extend(row);
                    bytes.resize(bytes.len() + stride - width, 0xee);
                }
            };
            rows(luma, width, stride);
            rows(chroma, width / 2, stride / 2);
        }
        bytes
    }
}

impl Default for Clip {
    fn default() -> Clip {
        Clip::new()
    }
}
