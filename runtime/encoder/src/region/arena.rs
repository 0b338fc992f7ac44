//! Where each buffer of a program lies: one arena, laid out by liveness.
//!
//! Largest first, each buffer goes to the lowest place that no buffer of an overlapping life holds. That is within a
//! few percent of the least arena for chains with residual connections.
//!
//! Limits: quadratic in the number of buffers.

use std::ops::Range;

/// A buffer to be placed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    /// Its size.
    pub(super) bytes: usize,
    /// The step that writes it.
    pub(super) first: usize,
    /// The last step that reads it.
    pub(super) last: usize,
}

/// A cache line of every board.
const ALIGN: usize = 64;

/// The places of `lives`, and the size of the arena; nothing where that does not fit `usize`.
pub(super) fn lay_out(lives: &[Life]) -> Option<(Vec<Range<usize>>, usize)> {
    let mut largest_first: Vec<usize> = (0..lives.len()).collect();
    largest_first.sort_by_key(|&at| std::cmp::Reverse(lives[at].bytes));
    let mut places: Vec<Range<usize>> = vec![0..0; lives.len()];
    let mut placed: Vec<usize> = Vec::new();
    let mut arena = 0;
    for at in largest_first {
        let life = lives[at];
        let beside =
            |other: &&usize| lives[**other].first <= life.last && life.first <= lives[**other].last;
        let mut taken: Vec<Range<usize>> = placed
            .iter()
            .filter(beside)
            .map(|&other| places[other].clone())
            .collect();
        taken.sort_by_key(|range| range.start);
        let mut start = 0usize;
        for range in taken {
            if start.checked_add(life.bytes)? <= range.start {
                break;
            }
            start = start.max(range.end.checked_next_multiple_of(ALIGN)?);
        }
        let end = start.checked_add(life.bytes)?;
        places[at] = start..end;
        arena = arena.max(end);
        placed.push(at);
    }
    Some((places, arena))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lives: &[Life]) -> usize {
        let (places, arena) = lay_out(lives).expect("sizes that fit");
        for (at, a) in lives.iter().enumerate() {
            assert_eq!(places[at].len(), a.bytes);
            assert!(places[at].end <= arena && places[at].start.is_multiple_of(ALIGN));
            for (other, b) in lives.iter().enumerate().skip(at + 1) {
                let alive_together = a.first <= b.last && b.first <= a.last;
                let apart =
                    places[at].end <= places[other].start || places[other].end <= places[at].start;
                assert!(apart || !alive_together, "{a:?} {b:?} {places:?}");
            }
        }
        arena
    }

    #[test]
    fn a_chain_needs_two_buffers() {
        let chain: Vec<Life> = (0..10)
            .map(|at| Life {
                bytes: 640,
                first: at,
                last: at + 1,
            })
            .collect();
        assert_eq!(check(&chain), 1280);
    }

    #[test]
    fn buffers_alive_together_lie_apart() {
        let mut seed = 7u32;
        let mut next = |below: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) % below
        };
        for _ in 0..100 {
            let life = |_| {
                let first = next(20) as usize;
                Life {
                    bytes: 1 + next(1000) as usize,
                    first,
                    last: first + next(6) as usize,
                }
            };
            let lives: Vec<Life> = (0..30).map(life).collect();
            check(&lives);
        }
    }

    #[test]
    fn what_does_not_fit_is_no_layout() {
        let life = Life {
            bytes: usize::MAX - 10,
            first: 0,
            last: 1,
        };
        assert!(lay_out(&[life, life]).is_none());
        assert!(lay_out(&[]).is_some_and(|(_, arena)| arena == 0));
    }
}
