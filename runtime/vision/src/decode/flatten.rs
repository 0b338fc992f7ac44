//! Samples of any kind to opaque 8-bit RGB.
//!
//! Pixels of three bytes and more shrink within their own buffer, so that the largest pictures need
//! no second one.

/// Rewrites pixels of `BYTES` bytes as RGB.
pub(super) fn flatten<const BYTES: usize>(
    mut pixels: Vec<u8>,
    rgb: impl Fn(&[u8; BYTES]) -> [u8; 3],
) -> Vec<u8> {
    let count = pixels.len() / BYTES;
    if BYTES < 3 {
        return pixels
            .as_chunks()
            .0
            .iter()
            .map(rgb)
            .collect::<Vec<_>>()
            .into_flattened();
    }
    for index in 0..count {
        let mut pixel = [0; BYTES];
        pixel.copy_from_slice(&pixels[index * BYTES..][..BYTES]);
        pixels[index * 3..][..3].copy_from_slice(&rgb(&pixel));
    }
    pixels.truncate(count * 3);
    pixels
}

/// A colour seen through: `alpha` of it, the rest white.
pub(super) fn on_white(color: [u8; 3], alpha: u8) -> [u8; 3] {
    let (alpha, white) = (u32::from(alpha), 255 * (255 - u32::from(alpha)));
    color.map(|light| ((u32::from(light) * alpha + white + 127) / 255) as u8)
}

/// The 16-bit sample at `index`, in the machine's byte order, rounded to 8 bits.
pub(super) fn wide<const BYTES: usize>(pixel: &[u8; BYTES], index: usize) -> u8 {
    let sample = u32::from(u16::from_ne_bytes([pixel[2 * index], pixel[2 * index + 1]]));
    ((sample + 128) / 257) as u8
}

/// The 32-bit floating-point sample at `index`, in the machine's byte order, 0.0..=1.0 to 8 bits.
/// What is no number is black.
pub(super) fn float<const BYTES: usize>(pixel: &[u8; BYTES], index: usize) -> u8 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&pixel[4 * index..][..4]);
    (f32::from_ne_bytes(bytes) * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinking_and_growing() {
        assert_eq!(
            flatten(vec![1, 2, 3, 4, 5, 6, 7, 8, 9], |&[r, _, _, b]| [r, 0, b]),
            [1, 0, 4, 5, 0, 8]
        );
        assert_eq!(flatten(vec![1, 2], |&[grey]| [grey; 3]), [1, 1, 1, 2, 2, 2]);
    }

    #[test]
    fn transparency_is_white() {
        assert_eq!(on_white([10, 20, 30], 255), [10, 20, 30]);
        assert_eq!(on_white([10, 20, 30], 0), [255; 3]);
        assert_eq!(on_white([0, 100, 255], 128), [127, 177, 255]);
    }

    #[test]
    fn wide_samples_round() {
        for (wide_sample, byte) in [
            (0_u16, 0),
            (128, 0),
            (129, 1),
            (65_535, 255),
            (257 * 77, 77),
        ] {
            assert_eq!(wide(&wide_sample.to_ne_bytes(), 0), byte);
        }
        for (sample, byte) in [(0.5_f32, 128), (-3.0, 0), (7.0, 255), (f32::NAN, 0)] {
            assert_eq!(float(&sample.to_ne_bytes(), 0), byte);
        }
    }
}
