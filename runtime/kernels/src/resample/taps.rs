//! Which source pixels make each target pixel along one axis, and how much each counts.

use alloc::vec::Vec;
use core::ops::{Range, RangeInclusive};

/// Fractional bits that weights may have: fourteen are what a weight of one leaves of 16 bits.
const PRECISIONS: RangeInclusive<u32> = 14..=22;

/// The most that the magnitudes of one run's weights may sum to, in units of `2^-16` or of the precision where that is
/// finer: 255 times that, and a half, fits the sums' 32 bits.
const MAX_MAGNITUDE: u32 = 1 << 22;

/// One run of weights for each target pixel of an axis.
///
/// Made once for a pair of sizes; made again, it keeps its memory.
#[derive(Clone, Debug)]
pub struct Taps {
    precision: u32,
    runs: Vec<Run>,
    /// Each run's weights, and a zero where their number is odd: kernels take them in pairs.
    weights: Vec<i16>,
    /// The source pixels that any run reaches.
    span: Range<usize>,
    longest: usize,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    start: usize,
    len: usize,
    /// Where its weights begin.
    at: usize,
}

impl Default for Taps {
    /// No run.
    fn default() -> Taps {
        Taps {
            precision: *PRECISIONS.start(),
            runs: Vec::new(),
            weights: Vec::new(),
            span: 0..0,
            longest: 0,
        }
    }
}

impl Taps {
    /// Forgets every run. Weights that are pushed from now on are in units of `2^-precision`, 14..=22.
    ///
    /// # Panics
    ///
    /// If the precision is outside of its range.
    pub fn begin(&mut self, precision: u32) {
        assert!(
            PRECISIONS.contains(&precision),
            "taps: precision {precision}"
        );
        self.precision = precision;
        self.runs.clear();
        self.weights.clear();
        self.span = 0..0;
        self.longest = 0;
    }

    /// Adds the next target pixel: the source pixels from `start` on, one for each weight, at least one.
    ///
    /// # Panics
    ///
    /// If there is no weight, or the magnitudes of the weights sum to more than 64, or to more than 2^22 units.
    pub fn push(&mut self, start: usize, weights: impl IntoIterator<Item = i16>) {
        let at = self.weights.len();
        self.weights.extend(weights);
        let run = &self.weights[at..];
        let (len, end) = (run.len(), start + run.len());
        let magnitude: u32 = run.iter().map(|&w| u32::from(w.unsigned_abs())).sum();
        let magnitude = magnitude << 16_u32.saturating_sub(self.precision);
        assert!(
            len > 0 && magnitude <= MAX_MAGNITUDE,
            "taps: {len} weights of magnitude {magnitude}"
        );
        if len % 2 == 1 {
            self.weights.push(0);
        }
        self.span = if self.runs.is_empty() {
            start..end
        } else {
            self.span.start.min(start)..self.span.end.max(end)
        };
        self.longest = self.longest.max(len);
        self.runs.push(Run { start, len, at });
    }

    /// The number of target pixels.
    pub fn targets(&self) -> usize {
        self.runs.len()
    }

    /// The source pixels that any target pixel is made of, and those between them.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The most source pixels of one target pixel.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// The source pixels of the target pixel `target`.
    ///
    /// # Panics
    ///
    /// If there is no such target pixel.
    pub fn sources(&self, target: usize) -> Range<usize> {
        let run = self.runs[target];
        run.start..run.start + run.len
    }

    /// Fractional bits of the weights.
    pub(super) fn precision(&self) -> u32 {
        self.precision
    }

    /// The weights of the target pixel `target`, as many as it has sources.
    pub(super) fn weights(&self, target: usize) -> &[i16] {
        let run = self.runs[target];
        &self.weights[run.at..][..run.len]
    }

    /// [`Taps::weights`], and a zero where their number is odd.
    #[cfg(target_arch = "aarch64")]
    pub(super) fn even_weights(&self, target: usize) -> &[i16] {
        let run = self.runs[target];
        &self.weights[run.at..][..run.len.next_multiple_of(2)]
    }

    /// For each target pixel, its first source counted from the span's start, and its weights in pairs.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (usize, &[[i16; 2]])> {
        self.runs.iter().map(|run| {
            let weights = &self.weights[run.at..][..run.len.next_multiple_of(2)];
            (run.start - self.span.start, weights.as_chunks().0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_what_was_pushed() {
        let mut taps = Taps::default();
        for _ in 0..2 {
            taps.begin(14);
            taps.push(5, [1, -2, 3]);
            taps.push(4, [7, 8]);
            assert_eq!((taps.targets(), taps.span(), taps.longest()), (2, 4..8, 3));
            assert_eq!((taps.sources(0), taps.weights(0)), (5..8, &[1, -2, 3][..]));
            let pairs: Vec<_> = taps.pairs().collect();
            assert_eq!(pairs, [(1, &[[1, -2], [3, 0]][..]), (0, &[[7, 8]][..])]);
        }
    }

    #[test]
    #[should_panic(expected = "magnitude")]
    fn sums_that_could_overflow_are_refused() {
        let mut taps = Taps::default();
        taps.begin(22);
        taps.push(0, [i16::MIN; 129]);
    }

    #[test]
    #[should_panic(expected = "0 weights")]
    fn a_target_of_nothing_is_refused() {
        let mut taps = Taps::default();
        taps.begin(14);
        taps.push(0, []);
    }
}
