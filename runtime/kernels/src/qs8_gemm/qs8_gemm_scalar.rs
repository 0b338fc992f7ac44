//! The specification of [`PackedGemm`](super::PackedGemm).

use super::Matrix;
use crate::Columns;
use crate::requantize::Requantize;

/// `out[i, c] = requantize(c, sum over j of a[i, j] * weights[c, j])`, `c` in the range of `out`; the shapes were checked by the dispatcher.
pub fn run(weights: &[i8], k: usize, requantize: &Requantize, a: Matrix, mut out: Columns) {
    for i in 0..a.rows {
        let row = &a.elements[i * a.stride..][..k];
        for c in out.range() {
            let acc = row
                .iter()
                .zip(&weights[c * k..][..k])
                .map(|(&a, &w)| i32::from(a) * i32::from(w))
                .sum();
            out.set(i, c, requantize.byte(c, acc));
        }
    }
}
