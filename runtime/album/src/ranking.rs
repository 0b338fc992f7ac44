//! The best few of many scores.
//!
//! A scan writes the best score of each sixteen rows beside them; a panel whose best is not above the worst of the best so
//! far is not looked at.

use ocellus_kernels::PANEL_ROWS;
use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

/// Panels whose bests are compared at once.
const GROUP: usize = 16;

/// A slot and its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// The slot.
    pub slot: i64,
    /// Its score.
    pub score: f32,
}

impl Eq for Ranked {}

impl Ord for Ranked {
    /// By score; of equal ones the lower slot is the higher.
    fn cmp(&self, other: &Ranked) -> Ordering {
        let by_score = self.score.total_cmp(&other.score);
        by_score.then(other.slot.cmp(&self.slot))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Ranked) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The best slots so far.
pub struct Ranking {
    top: usize,
    /// The worst of the best on top.
    best: BinaryHeap<Reverse<Ranked>>,
    /// The score that a slot has to exceed.
    bar: f32,
}

impl Ranking {
    /// Of the best `top`, at least one.
    pub fn new(top: usize) -> Ranking {
        Ranking {
            top: top.max(1),
            best: BinaryHeap::new(),
            bar: f32::NEG_INFINITY,
        }
    }

    /// Takes in the scores of slots from `first` on, `[n]`, and each panel's best, `[n / 16]`. Slots must come in order;
    /// one counts where `counts` says so of its distance to the first.
    pub fn offer(
        &mut self,
        first: i64,
        scores: &[f32],
        bests: &[f32],
        counts: impl Fn(usize) -> bool,
    ) {
        let (groups, rest) = bests.as_chunks::<GROUP>();
        let mut start = 0;
        for group in groups {
            let bar = self.bar;
            // Without a branch for each, so that the compiler compares several at once.
            if group.iter().fold(false, |any, &best| any | (best > bar)) {
                self.panels(first, start, scores, group, &counts);
            }
            start += GROUP * PANEL_ROWS;
        }
        self.panels(first, start, scores, rest, &counts);
    }

    #[cold]
    fn panels(
        &mut self,
        first: i64,
        start: usize,
        scores: &[f32],
        bests: &[f32],
        counts: &impl Fn(usize) -> bool,
    ) {
        for (start, &best) in (start..).step_by(PANEL_ROWS).zip(bests) {
            if best <= self.bar {
                continue;
            }
            for (at, &score) in (start..).zip(&scores[start..][..PANEL_ROWS]) {
                if score > self.bar && counts(at) {
                    self.push(Ranked {
                        slot: first + at as i64,
                        score,
                    });
                }
            }
        }
    }

    fn push(&mut self, ranked: Ranked) {
        if self.best.len() == self.top {
            self.best.pop();
        }
        self.best.push(Reverse(ranked));
        if let Some(Reverse(worst)) = self.best.peek()
            && self.best.len() == self.top
        {
            self.bar = worst.score;
        }
    }

    /// The best, best first.
    pub fn into_best(self) -> Vec<Ranked> {
        let sorted = self.best.into_sorted_vec();
        sorted.into_iter().map(|Reverse(ranked)| ranked).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_many_are_those_of_a_sort() {
        let mut state = 1_u32;
        let scores: Vec<f32> = (0..640)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Few values, so that many are equal.
                (state >> 24) as f32 / 64.0 - 2.0
            })
            .collect();
        let counts = |at: usize| at % 7 != 3;
        let best_of = |panel: &[f32]| panel.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let bests: Vec<f32> = scores.chunks(PANEL_ROWS).map(best_of).collect();
        let mut sorted: Vec<Ranked> = (0..640)
            .filter(|&at| counts(at))
            .map(|at| Ranked {
                slot: 5 + at as i64,
                score: scores[at],
            })
            .collect();
        sorted.sort_by(|a, b| b.cmp(a));
        for top in [1, 2, 10, 639, 5000] {
            let mut ranking = Ranking::new(top);
            for (part, start) in [(0..320, 0), (320..640, 320)] {
                let panels = part.start / PANEL_ROWS..part.end / PANEL_ROWS;
                ranking.offer(5 + start as i64, &scores[part], &bests[panels], |at| {
                    counts(start + at)
                });
            }
            let expected = &sorted[..top.min(sorted.len())];
            assert_eq!(ranking.into_best(), expected, "top {top}");
        }
    }
}
