//! How long products may stay in 16 bits: the schedule of the armv8.0 kernel, made and proved when weights are packed.
//!
//! An activation is at most 128 in magnitude, so a lane that has taken weights `w1, w2, ..` is at most
//! `128 * (|w1| + |w2| + ..)` in magnitude, whatever came in. While that sum of weights stays within 255 the lane stays
//! within 32 640, and an `i16` holds it. A run goes on until some lane of some channel of the panel could pass that bound.

use alloc::vec::Vec;
use core::array;

/// The greatest sum of weights' magnitudes in a lane: `128 * 255` is below 2^15, `128 * 256` is not.
const LANE_BOUND: u16 = 255;

/// Lanes of a register of 16-bit sums.
const LANES: usize = 8;

/// The registers of a step, one for each channel of a panel.
const REGISTERS: usize = 4;

/// What is multiplied between two chances to widen: for each channel sixteen weights, whose halves share lanes.
pub type Step = [i8; REGISTERS * 2 * LANES];

/// What rows that stay in registers are multiplied by: four weights of each channel of a panel, `[2][channel][2]`. Its
/// halves share lanes, and are a run of their own.
pub type Quad = [i8; 2 * LANES];

/// Whether a quad's products stay in 16 bits.
pub fn fits_a_lane(quad: &Quad) -> bool {
    let (low, high) = quad.split_at(LANES);
    low.iter()
        .zip(high)
        .all(|(a, b)| u16::from(a.unsigned_abs()) + u16::from(b.unsigned_abs()) <= LANE_BOUND)
}

/// What an assembly loop does next with a panel. Its loop goes by single bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Move {
    /// Widens the last products and finishes the panel.
    End = 0,
    /// Begins a run with two steps.
    Two = 1,
    /// Begins a run with one step.
    One = 2,
    /// Goes on with a run by one step.
    More = 4,
    /// Takes at most eight elements behind the steps as a run, by a load of eight.
    HalfTail = 8,
    /// Takes more of them, by a load of sixteen.
    WholeTail = 16,
}

impl Move {
    /// For `left` elements behind whole steps.
    fn tail(left: usize) -> Option<Move> {
        match left {
            0 => None,
            1..=LANES => Some(Move::HalfTail),
            _ => Some(Move::WholeTail),
        }
    }
}

/// The moves over a panel of whole steps and a last one for `left` elements, in order; the last is [`Move::End`]. `None`
/// where a single step can leave 16 bits.
pub fn moves(whole: &[Step], last: &[Step], left: usize) -> Option<Vec<Move>> {
    schedule(last)?;
    let mut moves = Vec::new();
    for len in schedule(whole)? {
        moves.push(if len == 1 { Move::One } else { Move::Two });
        moves.extend((2..len).map(|_| Move::More));
    }
    moves.extend(Move::tail(left));
    moves.push(Move::End);
    Some(moves)
}

/// The lengths of the runs that cover `steps`, in order. `None` where a single step can leave 16 bits.
fn schedule(steps: &[Step]) -> Option<Vec<u16>> {
    let mut runs = Vec::new();
    let (mut sums, mut len) = ([0; REGISTERS * LANES], 0_u16);
    for step in steps {
        let alone = lane_sums(step);
        if greatest(&alone) > LANE_BOUND {
            return None;
        }
        let together = array::from_fn(|lane| sums[lane] + alone[lane]);
        if len > 0 && greatest(&together) <= LANE_BOUND && len < u16::MAX {
            (sums, len) = (together, len + 1);
        } else {
            runs.extend((len > 0).then_some(len));
            (sums, len) = (alone, 1);
        }
    }
    runs.extend((len > 0).then_some(len));
    Some(runs)
}

/// The sums of magnitudes in each lane of each register of a step.
fn lane_sums(step: &Step) -> [u16; REGISTERS * LANES] {
    array::from_fn(|i| {
        let at = i / LANES * 2 * LANES + i % LANES;
        u16::from(step[at].unsigned_abs()) + u16::from(step[at + LANES].unsigned_abs())
    })
}

fn greatest(sums: &[u16; REGISTERS * LANES]) -> u16 {
    sums.iter().fold(0, |most, &sum| most.max(sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_ends_before_any_lane_could_leave_16_bits() {
        let mut heavy = [1; 64];
        heavy[16 + 3] = 127;
        let light = [1; 64];
        // Lane 3 of the second register: 128 + 2 + 2 .. reaches 254 with 63 light steps.
        let mut steps = [light; 71];
        steps[0] = heavy;
        assert_eq!(schedule(&steps), Some(vec![64, 7]));
        assert_eq!(schedule(&[heavy; 2]), Some(vec![1, 1]));
        assert_eq!(schedule(&[]), Some(vec![]));
    }

    #[test]
    fn moves_cover_every_run_and_the_tail() {
        let mut full = [1; 64];
        full[0] = 127;
        full[8] = 127;
        let light = [1; 64];
        // Lane 0 of a full step is 254: nothing that has a weight there joins it.
        let steps = [full, full, light, light, light, light];
        use Move::*;
        assert_eq!(
            moves(&steps, &[], 0),
            Some(vec![One, One, Two, More, More, End])
        );
        assert_eq!(
            moves(&[light; 2], &[full], 8),
            Some(vec![Two, HalfTail, End])
        );
        assert_eq!(moves(&[light], &[full], 9), Some(vec![One, WholeTail, End]));
    }

    #[test]
    fn only_two_least_weights_in_a_lane_leave_a_quad() {
        for lane in 0..LANES {
            let mut quad = [i8::MAX; 2 * LANES];
            quad[lane] = i8::MIN;
            assert!(fits_a_lane(&quad));
            quad[(lane + 1) % LANES + LANES] = i8::MIN;
            assert!(fits_a_lane(&quad));
            quad[lane + LANES] = i8::MIN;
            assert!(!fits_a_lane(&quad));
        }
    }

    #[test]
    fn only_two_least_weights_in_a_lane_have_no_schedule() {
        let mut step = [0; 64];
        step[5] = i8::MIN;
        step[13] = 127;
        assert_eq!(schedule(&[step]), Some(vec![1]));
        step[13] = i8::MIN;
        assert_eq!(schedule(&[step]), None);
    }
}
