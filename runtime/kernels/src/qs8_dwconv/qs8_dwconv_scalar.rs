//! The specification of [`PackedDepthwise`](super::PackedDepthwise).

use super::Image;
use crate::{requantize::Requantize, window::Window};
use core::ops::Range;

/// `out[y, x, c] = requantize(c, sum over ky, kx of input[y * sy + ky - top, x * sx + kx - left, c] * weights[ky, kx, c])`,
/// where what lies outside the input is its zero point; the shapes were checked by the dispatcher.
pub fn run(
    weights: &[i8],
    window: &Window,
    requantize: &Requantize,
    input: Image,
    rows: Range<usize>,
    out: &mut [i8],
) {
    let [h, w, channels] = input.dims;
    let [kh, kw] = window.kernel;
    let out_row_len = out.len() / rows.len();
    for (oy, out_row) in rows.zip(out.chunks_exact_mut(out_row_len)) {
        for (ox, out) in out_row.chunks_exact_mut(channels).enumerate() {
            for (c, out) in out.iter_mut().enumerate() {
                let mut acc = 0;
                for ky in 0..kh {
                    for kx in 0..kw {
                        let weight = weights[(ky * kw + kx) * channels + c];
                        let at = (window.source(0, oy, ky, h), window.source(1, ox, kx, w));
                        let value = match at {
                            (Some(y), Some(x)) => input.elements[(y * w + x) * channels + c],
                            _ => input.zero_point,
                        };
                        acc += i32::from(value) * i32::from(weight);
                    }
                }
                *out = requantize.byte(c, acc);
            }
        }
    }
}
