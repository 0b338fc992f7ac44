//! The specification of [`PackedConv`](super::PackedConv).

use crate::{requantize::Requantize, window::Window};
use core::ops::Range;

/// `out[y, x, n] = requantize(n, sum over ky, kx, c of input[y * sy + ky - top, x * sx + kx - left, c] * weights[n, ky, kx, c])`,
/// where what lies outside the input is its zero point; the shapes were checked by the dispatcher.
pub fn run(
    weights: &[i8],
    window: &Window,
    requantize: &Requantize,
    (input, [h, w, channels], zero_point): (&[i8], [usize; 3], i8),
    rows: Range<usize>,
    out: &mut [i8],
) {
    let n = requantize.bias.len();
    let [kh, kw] = window.kernel;
    let out_row_len = out.len() / rows.len();
    for (oy, out_row) in rows.zip(out.chunks_exact_mut(out_row_len)) {
        for (ox, out) in out_row.chunks_exact_mut(n).enumerate() {
            for (f, out) in out.iter_mut().enumerate() {
                let mut acc = 0;
                for ky in 0..kh {
                    for kx in 0..kw {
                        let at = (window.source(0, oy, ky, h), window.source(1, ox, kx, w));
                        for c in 0..channels {
                            let value = match at {
                                (Some(y), Some(x)) => input[(y * w + x) * channels + c],
                                _ => zero_point,
                            };
                            let weight = weights[((f * kh + ky) * kw + kx) * channels + c];
                            acc += i32::from(value) * i32::from(weight);
                        }
                    }
                }
                *out = requantize.byte(f, acc);
            }
        }
    }
}
