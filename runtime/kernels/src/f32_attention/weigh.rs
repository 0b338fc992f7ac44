//! Scores become powers of two, six rows at a time.

use super::{ROWS, STEP};
use crate::Isa;
use crate::exp::exp2;

/// Writes `2^(x - greatest of the row)` in the place of each score of a tile, and gives one divided by the sum of each row: NaN where
/// the greatest is infinite or there is a NaN.
pub fn weigh(isa: Isa, tile: &mut [f32]) -> [f32; ROWS] {
    let (steps, _) = tile.as_chunks_mut::<{ ROWS * STEP }>();
    let (greatest, sums) = match isa {
        Isa::Scalar => powers(steps),
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the instruction set includes neon.
        Isa::Neon(_) | Isa::DotProd(_) => unsafe { neon::powers(steps) },
    };
    core::array::from_fn(|row| match greatest[row].is_finite() {
        true => 1.0 / sums[row],
        false => f32::NAN,
    })
}

/// Four elements of each row.
type Step = [f32; ROWS * STEP];

/// The greatest of each row, and the sums of the powers.
fn powers(steps: &mut [Step]) -> ([f32; ROWS], [f32; ROWS]) {
    let greater = |greatest: f32, x: f32| match x > greatest || x.is_nan() {
        true => x,
        false => greatest,
    };
    let (mut greatest, mut sums) = ([f32::NEG_INFINITY; ROWS], [0.0; ROWS]);
    for step in &*steps {
        for (at, &x) in step.iter().enumerate() {
            greatest[at / STEP] = greater(greatest[at / STEP], x);
        }
    }
    for step in steps {
        for (at, x) in step.iter_mut().enumerate() {
            *x = exp2(*x - greatest[at / STEP]);
            sums[at / STEP] += *x;
        }
    }
    (greatest, sums)
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use super::{ROWS, STEP, Step};
    use crate::exp_neon::exp2;
    use core::arch::aarch64::*;

    /// Rows that go together: all would not leave enough registers.
    const HALF: usize = ROWS / 2;

    #[target_feature(enable = "neon")]
    pub fn powers(steps: &mut [Step]) -> ([f32; ROWS], [f32; ROWS]) {
        let mut maxima = [vdupq_n_f32(f32::NEG_INFINITY); ROWS];
        for step in &*steps {
            for (row, maximum) in maxima.iter_mut().enumerate() {
                // SAFETY: a step has four elements of each row.
                let x = unsafe { vld1q_f32(step.as_ptr().add(row * STEP)) };
                *maximum = vmaxq_f32(*maximum, x);
            }
        }
        let greatest = maxima.map(|maximum| vmaxvq_f32(maximum));
        let each = greatest.map(|greatest| vdupq_n_f32(greatest));
        let mut sums = [vdupq_n_f32(0.0); ROWS];
        for step in steps {
            for half in [0, HALF] {
                for row in half..half + HALF {
                    // SAFETY: a step has four elements of each row.
                    unsafe {
                        let place = step.as_mut_ptr().add(row * STEP);
                        let power = exp2(vsubq_f32(vld1q_f32(place), each[row]));
                        vst1q_f32(place, power);
                        sums[row] = vaddq_f32(sums[row], power);
                    }
                }
            }
        }
        (greatest, sums.map(|sum| vaddvq_f32(sum)))
    }
}
