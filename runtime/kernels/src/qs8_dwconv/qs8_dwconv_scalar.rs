//! The specification of [`PackedDepthwise`](super::PackedDepthwise).

use super::Image;
use crate::{Columns, requantize::Requantize, window::Window};
use core::ops::Range;

/// `out[y, x, c] = requantize(c, sum over ky, kx of input[y * sy + ky - top, x * sx + kx - left, c] * weights[ky, kx, c])`,
/// `c` in the range of `out`, where what lies outside the input is its zero point; the shapes were checked by the dispatcher.
pub fn run(
    weights: &[i8],
    window: &Window,
    requantize: &Requantize,
    input: Image,
    rows: Range<usize>,
    mut out: Columns,
) {
    let [h, w, channels] = input.dims;
    let [kh, kw] = window.kernel;
    let outputs = out.rows() / rows.len();
    for (row, oy) in rows.enumerate() {
        for ox in 0..outputs {
            for c in out.range() {
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
                out.set(row * outputs + ox, c, requantize.byte(c, acc));
            }
        }
    }
}
