//! The specification of [`MaxPool`].

use super::MaxPool;
use core::ops::Range;

/// `out[y, x, c] = clamp(max over ky, kx of input[y * sy + ky - top, x * sx + kx - left, c])`, where what lies outside the
/// input does not count; the shapes were checked by the dispatcher.
pub fn run(pool: &MaxPool, input: &[i8], [h, w]: [usize; 2], rows: Range<usize>, out: &mut [i8]) {
    let (window, channels) = (&pool.window, pool.channels);
    let [kh, kw] = window.kernel;
    let out_row_len = out.len() / rows.len();
    for (oy, out_row) in rows.zip(out.chunks_exact_mut(out_row_len)) {
        for (ox, out) in out_row.chunks_exact_mut(channels).enumerate() {
            for (c, out) in out.iter_mut().enumerate() {
                let mut greatest = i8::MIN;
                for ky in 0..kh {
                    for kx in 0..kw {
                        let at = (window.source(0, oy, ky, h), window.source(1, ox, kx, w));
                        if let (Some(y), Some(x)) = at {
                            greatest = greatest.max(input[(y * w + x) * channels + c]);
                        }
                    }
                }
                *out = greatest.clamp(pool.min, pool.max);
            }
        }
    }
}
