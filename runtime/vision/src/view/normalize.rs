//! The last step before the encoder: bytes to the numbers it was trained on, channels apart.

use super::MAX_RESOLUTION;

/// `(value - mean) / std` for each byte of `rgb`, `[resolution, resolution, 3]`, as `[3,
/// resolution, resolution]`; `mean` and `std` are in R, G, B order and in units of bytes, as a
/// manifest has them.
///
/// Each of the 256 results is divided once, so they are the quotients that IEEE 754 defines. Pixels
/// that `rgb` does not have are 0. A resolution over [`MAX_RESOLUTION`] counts as that.
#[must_use]
pub fn normalize(rgb: &[u8], resolution: usize, mean: [f32; 3], std: [f32; 3]) -> Vec<f32> {
    let side = resolution.min(MAX_RESOLUTION);
    let pixels = side * side;
    let mut planes = vec![0.0; 3 * pixels];
    if pixels == 0 {
        return planes;
    }
    for (channel, plane) in planes.chunks_exact_mut(pixels).enumerate() {
        let table: [f32; 256] =
            std::array::from_fn(|byte| (byte as f32 - mean[channel]) / std[channel]);
        for (value, pixel) in plane.iter_mut().zip(rgb.as_chunks::<3>().0) {
            *value = table[usize::from(pixel[channel])];
        }
    }
    planes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_come_apart() {
        let rgb = [0, 1, 2, 10, 11, 12, 20, 21, 22, 255, 254, 253];
        let planes = normalize(&rgb, 2, [0.0, 1.0, 2.0], [1.0, 2.0, 5.0]);
        assert_eq!(
            planes,
            [
                0.0, 10.0, 20.0, 255.0, 0.0, 5.0, 10.0, 126.5, 0.0, 2.0, 4.0, 50.2
            ]
        );
    }

    #[test]
    fn the_default_bundle_s_range() {
        let planes = normalize(&[0, 127, 255], 1, [127.0; 3], [128.0; 3]);
        assert_eq!(planes, [-127.0 / 128.0, 0.0, 1.0]);
        assert!(normalize(&[], 0, [0.0; 3], [1.0; 3]).is_empty());
    }
}
