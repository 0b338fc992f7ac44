//! How long products may stay in 16 bits: the schedule of the armv8.0 kernel, made and proved when weights are packed.
//!
//! An activation is at most 128 in magnitude, so a lane that has taken weights `w1, w2, ..` is at most
//! `128 * (|w1| + |w2| + ..)` in magnitude, whatever came in. While that sum of weights stays within 255 the lane stays
//! within 32 640, and an `i16` holds it. A run goes on until some lane of some channel of the panel could pass that bound.

use alloc::vec::Vec;

/// The greatest sum of weights' magnitudes in a lane: `128 * 255` is below 2^15, `128 * 256` is not.
const LANE_BOUND: u32 = 255;

/// Lanes of a register of 16-bit sums.
const LANES: usize = 8;

/// Appends the lengths of the runs that cover `steps`, in order; a step is what is multiplied between two chances to
/// widen: registers of sixteen weights, whose halves share lanes. `None` where a single step can leave 16 bits.
pub fn schedule(steps: &[&[i8]]) -> Option<Vec<u16>> {
    let mut runs = Vec::new();
    let (mut sums, mut len) = (Vec::new(), 0_u16);
    for step in steps {
        let alone = lane_sums(step);
        if alone.iter().any(|&sum| sum > LANE_BOUND) {
            return None;
        }
        let together = sums.iter().zip(&alone).all(|(a, b)| a + b <= LANE_BOUND);
        if len > 0 && together && len < u16::MAX {
            len += 1;
            for (sum, more) in sums.iter_mut().zip(&alone) {
                *sum += more;
            }
        } else {
            runs.extend((len > 0).then_some(len));
            (sums, len) = (alone, 1);
        }
    }
    runs.extend((len > 0).then_some(len));
    Some(runs)
}

/// The sums of magnitudes in each lane of each register of a step.
fn lane_sums(step: &[i8]) -> Vec<u32> {
    let magnitude = |w: &i8| u32::from(w.unsigned_abs());
    step.chunks_exact(2 * LANES)
        .flat_map(|register| {
            (0..LANES).map(|lane| magnitude(&register[lane]) + magnitude(&register[lane + LANES]))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_ends_before_any_lane_could_leave_16_bits() {
        let mut heavy = [1; 32];
        heavy[16 + 3] = 127;
        let light = [1; 32];
        // Lane 3 of the second register: 128 + 2 + 2 .. reaches 254 with 63 light steps.
        let steps: Vec<&[i8]> = core::iter::once(&heavy[..])
            .chain((0..70).map(|_| &light[..]))
            .collect();
        assert_eq!(schedule(&steps), Some(vec![64, 7]));
        assert_eq!(schedule(&[&heavy, &heavy]), Some(vec![1, 1]));
        assert_eq!(schedule(&[]), Some(vec![]));
    }

    #[test]
    fn only_two_least_weights_in_a_lane_have_no_schedule() {
        let mut step = [0; 16];
        step[5] = i8::MIN;
        step[13] = 127;
        assert_eq!(schedule(&[&step]), Some(vec![1]));
        step[13] = i8::MIN;
        assert_eq!(schedule(&[&step]), None);
    }
}
