//! Sixteen channels at a time; a last block looks back. Fewer channels than that are left to the specification.

use super::{MaxPool, qs8_maxpool_scalar};
use crate::isa::Neon;
use core::arch::aarch64::*;
use core::ops::Range;

/// Channels of a block.
const BLOCK: usize = 16;

/// See [`MaxPool::run`], which checked the shapes.
pub fn run(
    _proof: Neon,
    pool: &MaxPool,
    input: &[i8],
    size: [usize; 2],
    rows: Range<usize>,
    out: &mut [i8],
) {
    if pool.channels < BLOCK {
        qs8_maxpool_scalar::run(pool, input, size, rows, out);
    } else {
        // SAFETY: the proof says that the CPU has neon.
        unsafe { run_blocks(pool, input, size, rows, out) }
    }
}

#[target_feature(enable = "neon")]
fn run_blocks(
    pool: &MaxPool,
    input: &[i8],
    [h, w]: [usize; 2],
    rows: Range<usize>,
    out: &mut [i8],
) {
    let (window, channels) = (&pool.window, pool.channels);
    let (min, max) = (vdupq_n_s8(pool.min), vdupq_n_s8(pool.max));
    let last = channels - BLOCK;
    let out_row_len = out.len() / rows.len();
    for (oy, out_row) in rows.zip(out.chunks_exact_mut(out_row_len)) {
        let under_y = under(window.kernel[0], window.strides[0], window.pads[0], oy, h);
        for (ox, out) in out_row.chunks_exact_mut(channels).enumerate() {
            let under_x = under(window.kernel[1], window.strides[1], window.pads[1], ox, w);
            for start in (0..last).step_by(BLOCK).chain([last]) {
                let mut greatest = vdupq_n_s8(i8::MIN);
                for y in under_y.clone() {
                    let pixels =
                        &input[(y * w + under_x.start) * channels..][..under_x.len() * channels];
                    for pixel in pixels.chunks_exact(channels) {
                        // SAFETY: a block starts at most sixteen before the pixel's last channel.
                        let values = unsafe { vld1q_s8(pixel.as_ptr().add(start)) };
                        greatest = vmaxq_s8(greatest, values);
                    }
                }
                let clamped = vminq_s8(vmaxq_s8(greatest, min), max);
                // SAFETY: as above.
                unsafe { vst1q_s8(out.as_mut_ptr().add(start), clamped) }
            }
        }
    }
}

/// The input coordinates under the window of output `at`, along one axis.
fn under(kernel: usize, stride: usize, pad: usize, at: usize, len: usize) -> Range<usize> {
    let start = (at * stride).saturating_sub(pad).min(len);
    let end = (at * stride + kernel).saturating_sub(pad).min(len);
    start..end.max(start)
}
