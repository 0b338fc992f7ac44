//! Sixteen elements at a time, by the specification's operations; planes and pixels are turned on the way.
//!
//! A last block looks back and computes some elements twice, so nothing is read or written outside a slice.

use super::{Affine, Quantizer, qs8_cast_scalar};
use crate::divisor::neon::Division;
use crate::isa::Neon;
use crate::reals_neon::{Real, bytes16};
use core::arch::aarch64::*;

/// Elements of a block.
const BLOCK: usize = 16;

/// Starts of blocks that cover `len`, which is at least a block.
fn starts(len: usize) -> impl Iterator<Item = usize> {
    let last = len - BLOCK;
    (0..last).step_by(BLOCK).chain([last])
}

/// See [`quantize`](super::quantize), which checked the lengths.
pub fn quantize(_proof: Neon, quantizer: Quantizer, x: &[f32], out: &mut [i8]) {
    if out.len() < BLOCK {
        return qs8_cast_scalar::quantize(quantizer.affine, x, out);
    }
    // SAFETY: the proof says that the CPU has neon.
    unsafe {
        if quantizer.divisor.is_fused() {
            quantize_blocks::<true>(quantizer, x, out)
        } else {
            quantize_blocks::<false>(quantizer, x, out)
        }
    }
}

#[target_feature(enable = "neon")]
fn quantize_blocks<const FUSED: bool>(quantizer: Quantizer, x: &[f32], out: &mut [i8]) {
    let quantizer = InRegisters::<FUSED>::new(quantizer);
    let blocks = x.as_chunks::<BLOCK>().0.iter();
    for (x, out) in blocks.zip(out.as_chunks_mut::<BLOCK>().0) {
        // SAFETY: the array's type says that there are sixteen.
        unsafe { vst1q_s8(out.as_mut_ptr(), quantizer.bytes(x)) }
    }
    if let (Some(x), Some(out)) = (x.last_chunk(), out.last_chunk_mut::<BLOCK>()) {
        // SAFETY: as above.
        unsafe { vst1q_s8(out.as_mut_ptr(), quantizer.bytes(x)) }
    }
}

/// See [`dequantize`](super::dequantize), which checked the lengths.
pub fn dequantize(_proof: Neon, affine: Affine, x: &[i8], out: &mut [f32]) {
    if out.len() < BLOCK {
        return qs8_cast_scalar::dequantize(affine, x, out);
    }
    // SAFETY: the proof says that the CPU has neon.
    unsafe { dequantize_blocks(affine, x, out) }
}

#[target_feature(enable = "neon")]
fn dequantize_blocks(affine: Affine, x: &[i8], out: &mut [f32]) {
    let real = Real::new(affine.scale, affine.zero_point);
    for start in starts(out.len()) {
        // SAFETY: start is at most sixteen below the length, which both slices have.
        unsafe {
            let reals = real.reals16(vld1q_s8(x.as_ptr().add(start)));
            for (i, reals) in reals.into_iter().enumerate() {
                vst1q_f32(out.as_mut_ptr().add(start + 4 * i), reals);
            }
        }
    }
}

/// See [`dequantize_add`](super::dequantize_add), which checked the lengths.
pub fn dequantize_add(_proof: Neon, affine: Affine, addends: &[f32], x: &[i8], out: &mut [f32]) {
    if addends.len() < BLOCK {
        return qs8_cast_scalar::dequantize_add(affine, addends, x, out);
    }
    let rows = x.chunks_exact(addends.len());
    for (x, out) in rows.zip(out.chunks_exact_mut(addends.len())) {
        // SAFETY: the proof says that the CPU has neon.
        unsafe { dequantize_add_row(affine, addends, x, out) }
    }
}

#[target_feature(enable = "neon")]
fn dequantize_add_row(affine: Affine, addends: &[f32], x: &[i8], out: &mut [f32]) {
    let real = Real::new(affine.scale, affine.zero_point);
    let blocks = x.as_chunks::<BLOCK>().0.iter();
    let numbers = addends.as_chunks::<BLOCK>().0;
    for ((x, addends), out) in blocks.zip(numbers).zip(out.as_chunks_mut::<BLOCK>().0) {
        add_block(real, addends, x, out);
    }
    let last = (addends.last_chunk(), x.last_chunk(), out.last_chunk_mut());
    if let (Some(addends), Some(x), Some(out)) = last {
        add_block(real, addends, x, out);
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn add_block(real: Real, addends: &[f32; BLOCK], x: &[i8; BLOCK], out: &mut [f32; BLOCK]) {
    // SAFETY: the arrays' types say that there are sixteen.
    unsafe {
        let reals = real.reals16(vld1q_s8(x.as_ptr()));
        for (i, reals) in reals.into_iter().enumerate() {
            let addends = vld1q_f32(addends.as_ptr().add(4 * i));
            vst1q_f32(out.as_mut_ptr().add(4 * i), vaddq_f32(reals, addends));
        }
    }
}

/// See [`quantize_planes`](super::quantize_planes), which checked the lengths. Three planes are woven; of other numbers
/// only one is worth a kernel.
pub fn quantize_planes(
    proof: Neon,
    quantizer: Quantizer,
    x: &[f32],
    channels: usize,
    out: &mut [i8],
) {
    let pixels = x.len() / channels;
    if channels == 1 {
        return quantize(proof, quantizer, x, out);
    }
    if channels != 3 || pixels < BLOCK {
        return qs8_cast_scalar::quantize_planes(quantizer.affine, x, channels, out);
    }
    let (red, rest) = x.split_at(pixels);
    let (green, blue) = rest.split_at(pixels);
    // SAFETY: the proof says that the CPU has neon.
    unsafe {
        if quantizer.divisor.is_fused() {
            weave::<true>([red, green, blue], quantizer, out)
        } else {
            weave::<false>([red, green, blue], quantizer, out)
        }
    }
}

#[target_feature(enable = "neon")]
fn weave<const FUSED: bool>(planes: [&[f32]; 3], quantizer: Quantizer, out: &mut [i8]) {
    let quantizer = InRegisters::<FUSED>::new(quantizer);
    for start in starts(planes[0].len()) {
        // Written out: a closure would be a call.
        let red = quantizer.first_bytes(&planes[0][start..]);
        let green = quantizer.first_bytes(&planes[1][start..]);
        let blue = quantizer.first_bytes(&planes[2][start..]);
        // SAFETY: start is at most sixteen pixels below the last, and a pixel has three bytes in `out`.
        unsafe {
            vst3q_s8(
                out.as_mut_ptr().add(3 * start),
                int8x16x3_t(red, green, blue),
            )
        }
    }
}

/// See [`dequantize_planes`](super::dequantize_planes), which checked the lengths.
pub fn dequantize_planes(_proof: Neon, affine: Affine, x: &[i8], channels: usize, out: &mut [f32]) {
    if channels < BLOCK {
        return qs8_cast_scalar::dequantize_planes(affine, x, channels, out);
    }
    // SAFETY: the proof says that the CPU has neon.
    unsafe { part(affine, x, channels, out) }
}

/// Pixels that are turned together.
const TURNED: usize = 4;

#[target_feature(enable = "neon")]
fn part(affine: Affine, x: &[i8], channels: usize, out: &mut [f32]) {
    let real = Real::new(affine.scale, affine.zero_point);
    let pixels = x.len() / channels;
    for start in starts(channels) {
        let mut p = 0;
        while p + TURNED <= pixels {
            // SAFETY: sixteen channels from `start` on are in each of the pixels, and each channel has a plane of `pixels`.
            unsafe {
                let from = x.as_ptr().add(p * channels + start);
                let a = real.reals16(vld1q_s8(from));
                let b = real.reals16(vld1q_s8(from.add(channels)));
                let c = real.reals16(vld1q_s8(from.add(2 * channels)));
                let d = real.reals16(vld1q_s8(from.add(3 * channels)));
                let mut to = out.as_mut_ptr().add(start * pixels + p);
                for i in 0..4 {
                    for plane in turn([a[i], b[i], c[i], d[i]]) {
                        vst1q_f32(to, plane);
                        to = to.wrapping_add(pixels);
                    }
                }
            }
            p += TURNED;
        }
        for p in p..pixels {
            // SAFETY: as above.
            unsafe {
                let reals = real.reals16(vld1q_s8(x.as_ptr().add(p * channels + start)));
                let mut to = out.as_mut_ptr().add(start * pixels + p);
                for reals in reals {
                    vst1q_lane_f32::<0>(to, reals);
                    vst1q_lane_f32::<1>(to.add(pixels), reals);
                    vst1q_lane_f32::<2>(to.add(2 * pixels), reals);
                    vst1q_lane_f32::<3>(to.add(3 * pixels), reals);
                    to = to.wrapping_add(4 * pixels);
                }
            }
        }
    }
}

/// Rows of four become columns.
#[inline]
#[target_feature(enable = "neon")]
fn turn([a, b, c, d]: [float32x4_t; 4]) -> [float32x4_t; 4] {
    let pairs = [
        vtrn1q_f32(a, b),
        vtrn1q_f32(c, d),
        vtrn2q_f32(a, b),
        vtrn2q_f32(c, d),
    ];
    let [ab, cd, ab_odd, cd_odd] = pairs.map(|pair| vreinterpretq_f64_f32(pair));
    let columns = [
        vzip1q_f64(ab, cd),
        vzip1q_f64(ab_odd, cd_odd),
        vzip2q_f64(ab, cd),
        vzip2q_f64(ab_odd, cd_odd),
    ];
    columns.map(|column| vreinterpretq_f32_f64(column))
}

/// Divisor and zero point in registers.
#[derive(Clone, Copy)]
struct InRegisters<const FUSED: bool> {
    division: Division<FUSED>,
    zero_point: int16x8_t,
}

impl<const FUSED: bool> InRegisters<FUSED> {
    /// `FUSED` only where the divisor is.
    #[inline]
    #[target_feature(enable = "neon")]
    fn new(quantizer: Quantizer) -> Self {
        InRegisters {
            division: quantizer.divisor.division(),
            zero_point: vdupq_n_s16(quantizer.affine.zero_point.into()),
        }
    }

    /// The bytes of the first sixteen elements of `x`.
    #[inline]
    #[target_feature(enable = "neon")]
    fn first_bytes(self, x: &[f32]) -> int8x16_t {
        self.bytes(x.first_chunk().expect("a block"))
    }

    /// The bytes of `x`.
    #[inline]
    #[target_feature(enable = "neon")]
    fn bytes(self, x: &[f32; BLOCK]) -> int8x16_t {
        // SAFETY: the array's type says that sixteen elements can be read.
        let x = unsafe { vld1q_f32_x4(x.as_ptr()) };
        let steps = [
            self.division.of(x.0),
            self.division.of(x.1),
            self.division.of(x.2),
            self.division.of(x.3),
        ];
        bytes16(steps, self.zero_point)
    }
}
