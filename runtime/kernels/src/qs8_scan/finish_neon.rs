//! What a panel's sums become: scores, and the best of them.

use super::PANEL_ROWS;
use core::arch::aarch64::{
    int32x4_t, vcvtq_f32_s32, vld1q_f32, vmaxnmq_f32, vmaxnmvq_f32, vmulq_f32, vst1q_f32,
};

/// Writes `sums`, four rows in a register, times `scales` to `scores`; the best.
#[inline]
#[target_feature(enable = "neon")]
pub fn finish(
    sums: [int32x4_t; 4],
    scales: &[f32; PANEL_ROWS],
    scores: &mut [f32; PANEL_ROWS],
) -> f32 {
    let scales = scales.as_chunks::<4>().0;
    let scores = scores.as_chunks_mut::<4>().0;
    let products: [_; 4] = core::array::from_fn(|i| {
        // SAFETY: an array of four can be read.
        let scale = unsafe { vld1q_f32(scales[i].as_ptr()) };
        vmulq_f32(vcvtq_f32_s32(sums[i]), scale)
    });
    for (to, product) in scores.iter_mut().zip(products) {
        // SAFETY: an array of four can be written.
        unsafe { vst1q_f32(to.as_mut_ptr(), product) };
    }
    let [a, b, c, d] = products;
    vmaxnmvq_f32(vmaxnmq_f32(vmaxnmq_f32(a, b), vmaxnmq_f32(c, d)))
}
