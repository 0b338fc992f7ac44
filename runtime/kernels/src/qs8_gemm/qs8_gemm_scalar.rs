//! The specification of [`PackedGemm`](super::PackedGemm).

use super::Matrix;
use crate::requantize::Requantize;

/// `out[i, c] = requantize(c, sum over j of a[i, j] * weights[c, j])`; the shapes were checked by the dispatcher.
pub fn run(
    weights: &[i8],
    k: usize,
    requantize: &Requantize,
    a: Matrix,
    out: &mut [i8],
    out_stride: usize,
) {
    let n = requantize.bias.len();
    for i in 0..a.rows {
        let row = &a.elements[i * a.stride..][..k];
        for c in 0..n {
            let acc = row
                .iter()
                .zip(&weights[c * k..][..k])
                .map(|(&a, &w)| i32::from(a) * i32::from(w))
                .sum();
            out[i * out_stride + c] = requantize.byte(c, acc);
        }
    }
}
