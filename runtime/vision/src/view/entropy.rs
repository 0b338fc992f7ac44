//! How much there is to see: the entropy of a picture's brightness.
//!
//! Everything before the logarithm is integer arithmetic, so the histogram is the same on every
//! processor. Averaging down first makes the figure comparable between sensors and takes their
//! noise out of it.
//!
//! Limits: a histogram knows nothing of where the levels lie; it tells flat from busy, not what is
//! in the picture.

use crate::frame::Extent;

/// Longest side of the picture the histogram is taken of, in pixels.
const LOOK_SIDE: usize = 160;

/// Entropy in bits of `rows`, which are `size.height` RGB rows of `size.width` pixels; both at
/// least 1. `columns` is memory to work in.
pub(super) fn entropy_bits<'a>(
    rows: impl Iterator<Item = &'a [u8]>,
    size: Extent,
    columns: &mut Vec<u32>,
) -> f32 {
    bits(&histogram(rows, size, columns))
}

/// The size that a picture is averaged down to.
fn looked_at(size: Extent) -> Extent {
    let long = size.width.max(size.height);
    if long <= LOOK_SIDE {
        return size;
    }
    let scaled = |side: usize| ((side * LOOK_SIDE + long / 2) / long).max(1);
    Extent {
        width: scaled(size.width),
        height: scaled(size.height),
    }
}

/// Counts of the 256 luma levels of the averaged picture.
fn histogram<'a>(
    rows: impl Iterator<Item = &'a [u8]>,
    size: Extent,
    columns: &mut Vec<u32>,
) -> [u32; 256] {
    let look = looked_at(size);
    let mut counts = [0; 256];
    columns.clear();
    columns.resize(3 * size.width, 0);
    let mut block_row = 0;
    for (y, row) in rows.enumerate() {
        for (sum, &sample) in columns.iter_mut().zip(row) {
            *sum += u32::from(sample);
        }
        let next = (block_row + 1) * size.height / look.height;
        if y + 1 == next {
            let rows = next - block_row * size.height / look.height;
            count(columns, rows, look.width, &mut counts);
            columns.fill(0);
            block_row += 1;
        }
    }
    counts
}

/// Adds the luma of `blocks` averages along one row of column sums, each over `rows` rows, to the
/// counts.
fn count(columns: &[u32], rows: usize, blocks: usize, counts: &mut [u32; 256]) {
    let columns = columns.as_chunks::<3>().0;
    for block in 0..blocks {
        let columns =
            &columns[block * columns.len() / blocks..(block + 1) * columns.len() / blocks];
        let pixels = (rows * columns.len()) as u64;
        let mut sums = [0_u64; 3];
        for column in columns {
            for (sum, &sample) in sums.iter_mut().zip(column) {
                *sum += u64::from(sample);
            }
        }
        let [r, g, b] = sums.map(|sum| ((sum + pixels / 2) / pixels) as u32);
        counts[((77 * r + 150 * g + 29 * b + 128) >> 8) as usize] += 1;
    }
}

/// `-sum(p log2 p)`, as `log2(n) - sum(c log2 c) / n`.
fn bits(counts: &[u32; 256]) -> f32 {
    let total: u32 = counts.iter().sum();
    let weighted: f64 = counts
        .iter()
        .filter(|&&count| count > 1)
        .map(|&count| f64::from(count) * f64::from(count).log2())
        .sum();
    let total = f64::from(total);
    (total.log2() - weighted / total).clamp(0.0, 8.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(width: usize, height: usize, level: impl Fn(usize, usize) -> u8) -> f32 {
        let rgb: Vec<u8> = (0..width * height)
            .flat_map(|i| [level(i % width, i / width); 3])
            .collect();
        let size = Extent { width, height };
        entropy_bits(rgb.chunks(3 * width), size, &mut Vec::new())
    }

    #[test]
    fn known_distributions() {
        assert_eq!(grey(300, 7, |_, _| 93), 0.0);
        assert_eq!(grey(16, 16, |x, y| (16 * y + x) as u8), 8.0);
        assert_eq!(grey(10, 10, |x, _| if x < 5 { 0 } else { 255 }), 1.0);
        assert_eq!(grey(16, 3, |x, _| x as u8), 4.0);
        assert_eq!(grey(1, 1, |_, _| 9), 0.0);
        assert!((grey(4, 1, |x, _| (x == 0).into()) - 0.811_278_1).abs() < 1e-6);
    }

    #[test]
    fn reduction_averages_noise_away() {
        assert_eq!(
            grey(320, 320, |x, y| if (x + y) % 2 == 0 { 0 } else { 255 }),
            0.0
        );
        assert_eq!(
            grey(160, 160, |x, y| if (x + y) % 2 == 0 { 0 } else { 255 }),
            1.0
        );
        assert_eq!(grey(1600, 2, |x, _| (x / 10 % 2) as u8 * 99), 1.0);
    }

    #[test]
    fn blocks_cover_every_pixel_once() {
        for (width, height) in [(161, 1), (163, 90), (1, 999), (500, 333), (65_535, 1)] {
            let size = Extent { width, height };
            let look = looked_at(size);
            assert!(look.width.max(look.height) == LOOK_SIDE && look.width.min(look.height) >= 1);
            let rgb = vec![7; 3 * width * height];
            let counts = histogram(rgb.chunks(3 * width), size, &mut Vec::new());
            assert_eq!(
                counts[7] as usize,
                look.width * look.height,
                "{width}x{height}"
            );
            assert_eq!(counts.iter().sum::<u32>(), counts[7]);
        }
    }
}
