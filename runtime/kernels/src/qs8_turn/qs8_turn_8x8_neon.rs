//! Blocks of eight rows and columns in registers; what is left at the ends goes byte by byte.

use super::qs8_turn_scalar;
use crate::isa::Neon;
use core::arch::aarch64::*;

/// Rows and columns of a block.
const SIDE: usize = 8;

/// See [`qs8_turn`](super::qs8_turn), which checked the lengths.
pub fn run(_proof: Neon, from: &[i8], [rows, columns]: [usize; 2], to: &mut [i8]) {
    let whole = [rows, columns].map(|size| size / SIDE * SIDE);
    // SAFETY: the proof says that the CPU has neon; both slices have all rows and columns.
    unsafe { blocks(from, [rows, columns], whole, to) }
    qs8_turn_scalar::run(from, [rows, columns], whole, to);
}

/// # Safety
///
/// The CPU has neon; both slices have `rows` times `columns` elements, and `whole` are multiples of eight not above these.
#[target_feature(enable = "neon")]
unsafe fn blocks(from: &[i8], [rows, columns]: [usize; 2], whole: [usize; 2], to: &mut [i8]) {
    for row in (0..whole[0]).step_by(SIDE) {
        for column in (0..whole[1]).step_by(SIDE) {
            // SAFETY: the block's eight rows of eight are in both.
            unsafe {
                let from = from.as_ptr().add(row * columns + column);
                let to = to.as_mut_ptr().add(column * rows + row);
                let mut lines = [vdup_n_s8(0); SIDE];
                for (i, line) in lines.iter_mut().enumerate() {
                    *line = vld1_s8(from.add(i * columns));
                }
                for (i, line) in turned(lines).into_iter().enumerate() {
                    vst1_s8(to.add(i * rows), line);
                }
            }
        }
    }
}

/// Bytes of neighbours change places, then pairs, then fours.
#[inline]
#[target_feature(enable = "neon")]
fn turned([a, b, c, d, e, f, g, h]: [int8x8_t; SIDE]) -> [int8x8_t; SIDE] {
    let bytes = |a, b| (vtrn1_s8(a, b), vtrn2_s8(a, b));
    let pairs = |a, b| {
        let (a, b) = (vreinterpret_s16_s8(a), vreinterpret_s16_s8(b));
        let turned = (vtrn1_s16(a, b), vtrn2_s16(a, b));
        (
            vreinterpret_s32_s16(turned.0),
            vreinterpret_s32_s16(turned.1),
        )
    };
    let ((a, b), (c, d), (e, f), (g, h)) = (bytes(a, b), bytes(c, d), bytes(e, f), bytes(g, h));
    let ((a, c), (b, d)) = (pairs(a, c), pairs(b, d));
    let ((e, g), (f, h)) = (pairs(e, g), pairs(f, h));
    let low = [
        vtrn1_s32(a, e),
        vtrn1_s32(b, f),
        vtrn1_s32(c, g),
        vtrn1_s32(d, h),
    ];
    let high = [
        vtrn2_s32(a, e),
        vtrn2_s32(b, f),
        vtrn2_s32(c, g),
        vtrn2_s32(d, h),
    ];
    let [a, b, c, d] = low.map(|line| vreinterpret_s8_s32(line));
    let [e, f, g, h] = high.map(|line| vreinterpret_s8_s32(line));
    [a, b, c, d, e, f, g, h]
}
