//! The specification of [`PackedGemm`](super::PackedGemm).

use super::{Matrix, Output};
use crate::requantize::Requantize;

/// `out[i, c - columns.start] = requantize(c, sum over j of a[i, j] * weights[c, j])`, `c` in `columns`; the shapes were checked by the dispatcher.
pub fn run(weights: &[i8], k: usize, requantize: &Requantize, a: Matrix, out: Output) {
    for i in 0..a.rows {
        let row = &a.elements[i * a.stride..][..k];
        for c in out.columns.clone() {
            let acc = row
                .iter()
                .zip(&weights[c * k..][..k])
                .map(|(&a, &w)| i32::from(a) * i32::from(w))
                .sum();
            out.elements[i * out.stride + c - out.columns.start] = requantize.byte(c, acc);
        }
    }
}
