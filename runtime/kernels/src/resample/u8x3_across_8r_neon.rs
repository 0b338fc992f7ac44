//! A pixel of eight rows at a time: its three channels are six registers of sums, which a pair of taps adds to.

use super::sums_neon::{Rounding, pair, widened};
use super::{Lane, Taps};
use crate::isa::Neon;
use core::arch::aarch64::*;

/// The sums of three channels of eight rows.
type Sums = [[int32x4_t; 2]; 3];

/// See [`super::u8x3_across_scalar::run`].
pub fn run(_proof: Neon, taps: &Taps, source: &[Lane], target: &mut [Lane]) {
    // SAFETY: the proof says that the CPU has neon.
    unsafe {
        match taps.precision() {
            14 => run_pixels::<2, false>(taps, source, target),
            15 => run_pixels::<1, false>(taps, source, target),
            16 => run_pixels::<0, false>(taps, source, target),
            _ => run_pixels::<0, true>(taps, source, target),
        }
    }
}

#[target_feature(enable = "neon")]
fn run_pixels<const UP: i32, const REST: bool>(taps: &Taps, source: &[Lane], target: &mut [Lane]) {
    let rounding = Rounding::of(taps.precision());
    let (source, target) = (source.as_chunks::<3>().0, target.as_chunks_mut::<3>().0);
    for (target, (start, pairs)) in target.iter_mut().zip(taps.pairs()) {
        let pixels = source[start..][..2 * pairs.len()].as_chunks().0;
        let mut taps = pixels.iter().zip(pairs);
        let Some((pixels, weights)) = taps.next() else {
            continue;
        };
        let mut sums = products(channels::<UP>(pixels), pair(weights));
        for (pixels, weights) in taps {
            add(&mut sums, channels::<UP>(pixels), pair(weights));
        }
        for (lane, [low, high]) in target.iter_mut().zip(sums) {
            // SAFETY: a lane is eight bytes.
            unsafe { vst1_u8(lane.as_mut_ptr(), rounding.bytes::<REST>(low, high)) }
        }
    }
}

/// Two pixels, each three channels of eight rows.
#[inline]
#[target_feature(enable = "neon")]
fn channels<const UP: i32>(pixels: &[[Lane; 3]; 2]) -> [[int16x8_t; 3]; 2] {
    // SAFETY: the array's type says that two pixels of three lanes of eight bytes can be read, three registers.
    let bytes = unsafe { vld1q_u8_x3(pixels.as_ptr().cast()) };
    let [[a, b], [c, d], [e, f]] = [
        widened::<UP>(bytes.0),
        widened::<UP>(bytes.1),
        widened::<UP>(bytes.2),
    ];
    [[a, b, c], [d, e, f]]
}

/// Two pixels, each times its weight.
#[inline]
#[target_feature(enable = "neon")]
fn products([first, second]: [[int16x8_t; 3]; 2], weights: int16x4_t) -> Sums {
    let mut sums = [[vdupq_n_s32(0); 2]; 3];
    for (sums, value) in sums.iter_mut().zip(first) {
        *sums = [
            vmull_lane_s16::<0>(vget_low_s16(value), weights),
            vmull_high_lane_s16::<0>(value, weights),
        ];
    }
    add_second(&mut sums, second, weights);
    sums
}

/// Adds two pixels, each times its weight.
#[inline]
#[target_feature(enable = "neon")]
fn add(sums: &mut Sums, [first, second]: [[int16x8_t; 3]; 2], weights: int16x4_t) {
    for (sums, value) in sums.iter_mut().zip(first) {
        sums[0] = vmlal_lane_s16::<0>(sums[0], vget_low_s16(value), weights);
        sums[1] = vmlal_high_lane_s16::<0>(sums[1], value, weights);
    }
    add_second(sums, second, weights);
}

#[inline]
#[target_feature(enable = "neon")]
fn add_second(sums: &mut Sums, second: [int16x8_t; 3], weights: int16x4_t) {
    for (sums, value) in sums.iter_mut().zip(second) {
        sums[0] = vmlal_lane_s16::<1>(sums[0], vget_low_s16(value), weights);
        sums[1] = vmlal_high_lane_s16::<1>(sums[1], value, weights);
    }
}
