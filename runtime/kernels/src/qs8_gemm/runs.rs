//! How long products may stay in 16 bits: the schedule of the armv8.0 kernel, made and proved when weights are packed.
//!
//! An activation is at most 128 in magnitude, so a lane that has taken weights `w1, w2, ..` is at most
//! `128 * (|w1| + |w2| + ..)` in magnitude, whatever came in. While that sum of weights stays within 255 the lane stays
//! within 32 640, and an `i16` holds it. A run goes on until some lane of some channel of the panel could pass that bound.

use alloc::vec::Vec;

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

/// Appends the moves over a panel of whole steps and a last one for `left` elements, in order; the last is [`Move::End`].
/// `None` where a single step can leave 16 bits: then there are no moves.
pub fn append_moves(
    moves: &mut Vec<Move>,
    whole: &[Step],
    last: &[Step],
    left: usize,
) -> Option<()> {
    schedule(last, |_| {})?;
    let before = moves.len();
    let run = |len| {
        moves.push(if len == 1 { Move::One } else { Move::Two });
        moves.extend((2..len).map(|_| Move::More));
    };
    let scheduled = schedule(whole, run);
    if scheduled.is_none() {
        moves.truncate(before);
        return None;
    }
    moves.extend(Move::tail(left));
    moves.push(Move::End);
    Some(())
}

/// Tells the lengths of the runs that cover `steps`, in order. `None` where a single step can leave 16 bits.
fn schedule(steps: &[Step], mut run: impl FnMut(u16)) -> Option<()> {
    let (mut sums, mut len) = (LaneSums::default(), 0_u16);
    for step in steps {
        let alone = LaneSums::of(step);
        if !alone.fit() {
            return None;
        }
        let together = sums.plus(&alone);
        if len > 0 && together.fit() && len < u16::MAX {
            (sums, len) = (together, len + 1);
        } else {
            if len > 0 {
                run(len);
            }
            (sums, len) = (alone, 1);
        }
    }
    if len > 0 {
        run(len);
    }
    Some(())
}

/// The sums of magnitudes in each lane of each register, four 16-bit fields to a word: activations that are multiplied with one
/// another are packed at each run, so that this is not only of loading. A sum of two that fit is at most 511.
#[derive(Clone, Copy, Default)]
struct LaneSums([u64; REGISTERS * LANES / 4]);

/// What a field has beyond [`LANE_BOUND`].
const BEYOND: u64 = 0xff00_ff00_ff00_ff00;

impl LaneSums {
    /// Those of one step.
    fn of(step: &Step) -> LaneSums {
        let mut sums = LaneSums::default();
        let (eights, _) = step.as_chunks::<LANES>();
        for (halves, sums) in eights.chunks_exact(2).zip(sums.0.chunks_exact_mut(2)) {
            let [low, high] = [halves[0], halves[1]].map(magnitudes);
            sums[0] = (low & !BEYOND) + (high & !BEYOND);
            sums[1] = ((low >> 8) & !BEYOND) + ((high >> 8) & !BEYOND);
        }
        sums
    }

    fn plus(&self, other: &LaneSums) -> LaneSums {
        let mut sums = *self;
        for (sum, other) in sums.0.iter_mut().zip(other.0) {
            *sum += other;
        }
        sums
    }

    /// Whether all are within [`LANE_BOUND`].
    fn fit(&self) -> bool {
        self.0.iter().fold(0, |bits, sums| bits | sums) & BEYOND == 0
    }
}

/// The magnitudes of eight bytes.
fn magnitudes(bytes: [i8; LANES]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let bytes = u64::from_le_bytes(bytes.map(i8::cast_unsigned));
    let negative = (bytes >> 7) & ONES;
    // 255 where negative: all bits change, and one is added, which leaves no byte.
    (bytes ^ (negative * 0xff)) + negative
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(steps: &[Step]) -> Option<Vec<u16>> {
        let mut runs = Vec::new();
        schedule(steps, |len| runs.push(len)).map(|()| runs)
    }

    fn moves(whole: &[Step], last: &[Step], left: usize) -> Option<Vec<Move>> {
        let mut moves = vec![Move::End];
        let appended = append_moves(&mut moves, whole, last, left);
        assert!(appended.is_some() || moves.len() == 1);
        appended.map(|()| moves.split_off(1))
    }

    #[test]
    fn a_run_ends_before_any_lane_could_leave_16_bits() {
        let mut heavy = [1; 64];
        heavy[16 + 3] = 127;
        let light = [1; 64];
        // Lane 3 of the second register: 128 + 2 + 2 .. reaches 254 with 63 light steps.
        let mut steps = [light; 71];
        steps[0] = heavy;
        assert_eq!(lengths(&steps), Some(vec![64, 7]));
        assert_eq!(lengths(&[heavy; 2]), Some(vec![1, 1]));
        assert_eq!(lengths(&[]), Some(vec![]));
    }

    #[test]
    fn a_lane_is_told_from_its_neighbours() {
        for lane in 0..REGISTERS * LANES {
            let at = lane / LANES * 2 * LANES + lane % LANES;
            let mut step = [0; 64];
            (step[at], step[at + LANES]) = (-127, -128);
            assert!(LaneSums::of(&step).fit(), "{lane}");
            for other in 0..64 {
                let mut more = [0; 64];
                more[other] = -1;
                let sums = LaneSums::of(&step).plus(&LaneSums::of(&more));
                assert_eq!(
                    sums.fit(),
                    other != at && other != at + LANES,
                    "{lane} {other}"
                );
            }
        }
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
        assert_eq!(lengths(&[step]), Some(vec![1]));
        step[13] = i8::MIN;
        assert_eq!(lengths(&[step]), None);
        assert_eq!(moves(&[[1; 64], step], &[], 0), None);
        assert_eq!(moves(&[[1; 64]], &[step], 8), None);
    }
}
