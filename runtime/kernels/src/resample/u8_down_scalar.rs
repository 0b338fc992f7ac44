//! The specification of [`super::resample_down`].

use super::byte;

/// Bytes whose sums are kept together, so that compilers keep them in registers.
const BLOCK: usize = 32;

/// `out[i] = byte(half + sum of weights[t] * rows[t][i])`; rows are `stride` apart. The dispatcher checked the lengths.
pub fn run(precision: u32, weights: &[i16], rows: &[u8], stride: usize, out: &mut [u8]) {
    let taps = || {
        weights
            .iter()
            .enumerate()
            .map(|(tap, &weight)| (&rows[tap * stride..], i32::from(weight)))
    };
    let half = 1 << (precision - 1);
    let (blocks, tail) = out.as_chunks_mut::<BLOCK>();
    for (at, block) in blocks.iter_mut().enumerate() {
        let mut sums = [half; BLOCK];
        for (row, weight) in taps() {
            for (sum, &value) in sums.iter_mut().zip(&row.as_chunks::<BLOCK>().0[at]) {
                *sum += weight * i32::from(value);
            }
        }
        *block = sums.map(|sum| byte(sum, precision));
    }
    let tail_at = BLOCK * blocks.len();
    for (at, out) in (tail_at..).zip(tail) {
        let sum: i32 = taps()
            .map(|(row, weight)| weight * i32::from(row[at]))
            .sum();
        *out = byte(half + sum, precision);
    }
}
