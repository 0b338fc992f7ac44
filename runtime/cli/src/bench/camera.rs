//! A camera's frame to measure with: a picture as large as a camera's, in NV12.

use ocellus::vision::{Frame, Picture, PixelFormat, Plane};

/// Width and height of the frame.
pub const FRAME_PX: [usize; 2] = [1920, 1080];

/// The bytes of the frame: a plane of luma, and one of Cb and Cr at half the resolution.
pub struct Camera(Vec<u8>);

impl Camera {
    /// Fills the frame with a picture, each pixel from the nearest one (BT.601, limited range).
    pub fn new(picture: &Picture) -> Camera {
        let [width, height] = FRAME_PX;
        let mut bytes = Vec::with_capacity(width * height * 3 / 2);
        let rgb = |x: usize, y: usize| {
            let (x, y) = (x * picture.width / width, y * picture.height / height);
            let at = 3 * (y * picture.width + x);
            [0, 1, 2].map(|channel| f32::from(picture.rgb[at + channel]) / 255.0)
        };
        let mixed = |rgb: [f32; 3], weights: [f32; 3], offset: f32| {
            let sum: f32 = rgb
                .iter()
                .zip(weights)
                .map(|(value, weight)| value * weight)
                .sum();
            (sum + offset).round() as u8
        };
        for y in 0..height {
            bytes.extend((0..width).map(|x| mixed(rgb(x, y), [65.481, 128.553, 24.966], 16.0)));
        }
        for y in (0..height).step_by(2) {
            for x in (0..width).step_by(2) {
                bytes.push(mixed(rgb(x, y), [-37.797, -74.203, 112.0], 128.0));
                bytes.push(mixed(rgb(x, y), [112.0, -93.786, -18.214], 128.0));
            }
        }
        Camera(bytes)
    }

    /// The frame.
    pub fn frame(&self) -> anyhow::Result<Frame<'_>> {
        let [width, height] = FRAME_PX;
        let (luma, chroma) = self.0.split_at(width * height);
        let plane = |data| Plane {
            data,
            stride: width,
        };
        let planes = [plane(luma), plane(chroma)];
        Ok(Frame::new(PixelFormat::Nv12, width, height, &planes)?)
    }
}
