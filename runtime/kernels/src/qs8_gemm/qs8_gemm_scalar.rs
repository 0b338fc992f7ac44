//! The specification of [`PackedGemm`](super::PackedGemm).

use super::Matrix;
use crate::requantize::Requantize;
use core::ops::Range;

/// `out[i, c - columns.start] = requantize(c, sum over j of a[i, j] * weights[c, j])`, `c` in `columns`; the shapes were checked by the dispatcher.
pub fn run(
    weights: &[i8],
    k: usize,
    requantize: &Requantize,
    columns: Range<usize>,
    a: Matrix,
    out: &mut [i8],
    out_stride: usize,
) {
    for i in 0..a.rows {
        let row = &a.elements[i * a.stride..][..k];
        for c in columns.clone() {
            let acc = row
                .iter()
                .zip(&weights[c * k..][..k])
                .map(|(&a, &w)| i32::from(a) * i32::from(w))
                .sum();
            out[i * out_stride + c - columns.start] = requantize.byte(c, acc);
        }
    }
}
