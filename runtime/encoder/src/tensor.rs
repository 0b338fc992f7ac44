//! What a plan is fed, and what it gives.

use std::array;

/// What a plan is fed.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Elements in row-major order. Where the plan leaves one size open, the number of elements settles it.
    F32(&'a [f32]),
    /// Elements in row-major order, and their shape.
    I64(&'a [i64], &'a [usize]),
    /// A picture as a camera gives it, for a plan that is fed `[1, 3, h, w]` of f32.
    Pixels(Pixels<'a>),
}

/// RGB bytes and what they mean: the elements that a plan is fed are `(byte - mean[c]) / std[c]` in f32, channels apart.
///
/// An INT8 region takes the bytes as they are: one table for each channel does both steps, with the same result.
#[derive(Clone, Copy, Debug)]
pub struct Pixels<'a> {
    /// `[h, w, 3]`, in row-major order.
    pub rgb: &'a [u8],
    /// In R, G, B order and in units of bytes.
    pub mean: [f32; 3],
    /// The same; not 0.
    pub std: [f32; 3],
}

impl Pixels<'_> {
    /// What each byte of a channel means.
    pub(crate) fn values(&self, channel: usize) -> [f32; 256] {
        array::from_fn(|byte| (byte as f32 - self.mean[channel]) / self.std[channel])
    }

    /// The elements, `[3, h, w]`.
    pub(crate) fn planes(&self) -> Vec<f32> {
        let (pixels, _) = self.rgb.as_chunks::<3>();
        let mut planes = Vec::with_capacity(self.rgb.len());
        for channel in 0..3 {
            let values = self.values(channel);
            planes.extend(
                pixels
                    .iter()
                    .map(|pixel| values[usize::from(pixel[channel])]),
            );
        }
        planes
    }
}

/// What a plan computes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensor {
    /// The size of each axis.
    pub shape: Vec<usize>,
    /// The elements in row-major order.
    pub data: Vec<f32>,
}

impl Tensor {
    /// Takes a shape, keeping the memory.
    pub(crate) fn shape_as(&mut self, shape: &[usize]) {
        self.shape.clear();
        self.shape.extend_from_slice(shape);
        self.data.resize(shape.iter().product(), 0.0);
    }
}
