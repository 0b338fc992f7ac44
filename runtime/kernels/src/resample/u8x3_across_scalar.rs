//! The specification of [`super::resample_across`] between its two transpositions.

use super::{Lane, ROWS_ACROSS, Taps, byte};

/// `target[x][c][row] = byte(half + sum of weights[t] * source[start + t][c][row])`; `source` is `[span + 1, 3]` lanes and
/// `target` `[targets, 3]`.
pub fn run(taps: &Taps, source: &[Lane], target: &mut [Lane]) {
    let precision = taps.precision();
    let (source, target) = (source.as_chunks::<3>().0, target.as_chunks_mut::<3>().0);
    for (target, (start, pairs)) in target.iter_mut().zip(taps.pairs()) {
        let mut sums = [[1 << (precision - 1); ROWS_ACROSS]; 3];
        for (&weight, pixel) in pairs.as_flattened().iter().zip(&source[start..]) {
            for (sums, lane) in sums.iter_mut().zip(pixel) {
                for (sum, &value) in sums.iter_mut().zip(lane) {
                    *sum += i32::from(weight) * i32::from(value);
                }
            }
        }
        *target = sums.map(|lane| lane.map(|sum| byte(sum, precision)));
    }
}
