//! The weights of one axis: Keys' cubic with a = -0.5 (Catmull-Rom; R. Keys, 1981), as Pillow applies it.
//!
//! The kernel is widened by the reduction, so that every source pixel under the box counts (antialiasing), and normalised
//! to sum 1; pixels around the box take part where the picture has them. That is `Image.resize(size, BICUBIC, box=...)` of
//! Pillow, up to the rounding of weights: here they have 16 bits, there 22.
//!
//! Weights come from additions, multiplications and divisions of f64 alone, so every processor has the same.

use ocellus_kernels::Taps;

/// Source pixels that the kernel reaches to either side, before it is widened.
pub(super) const KERNEL_REACH: f64 = 2.0;

/// The fewest fractional bits, enough for any weight below two: a normalised kernel has none that large.
const MIN_PRECISION: u32 = 14;

/// The most fractional bits: of a sum's 32, eight are a byte's, one is the sign, and two are for positive weights, which
/// sum to more than one where others are negative.
const MAX_PRECISION: u32 = 32 - 8 - 1 - 2;

/// How an axis is resampled: the part of `side` source pixels that becomes `targets` pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    /// Where the part starts, in source pixels.
    pub start: f64,
    /// Its length, more than 0; its end is at most `side`.
    pub length: f64,
    /// Source pixels, at least 1.
    pub side: usize,
    /// Target pixels, at least 1.
    pub targets: usize,
}

/// The weights of the axis that was last asked for; made again only when it is another.
#[derive(Default)]
pub(super) struct Weights {
    axis: Option<Axis>,
    taps: Taps,
    /// Weights before they are rounded, run after run, and where each run starts and ends among the pixels.
    exact: Vec<f64>,
    runs: Vec<[usize; 2]>,
}

impl Weights {
    pub(super) fn of(&mut self, axis: Axis) -> &Taps {
        if self.axis != Some(axis) {
            self.make(axis);
            self.axis = Some(axis);
        }
        &self.taps
    }

    fn make(&mut self, axis: Axis) {
        self.exact.clear();
        self.runs.clear();
        for target in 0..axis.targets {
            let run = run(axis, target, &mut self.exact);
            self.runs.push(run);
        }
        let largest = self.exact.iter().copied().fold(0.0, f64::max);
        let precision = precision(largest);
        let unit = f64::from(1 << precision);
        self.taps.begin(precision);
        let mut exact = &self.exact[..];
        for &[start, end] in &self.runs {
            let (run, rest) = exact.split_at(end - start);
            let rounded = run.iter().map(|weight| (weight * unit).round() as i16);
            self.taps.push(start, rounded);
            exact = rest;
        }
    }
}

/// Appends the weights of one target pixel to `exact`; returns the pixels that they are for, from the first to the one
/// after the last. Neither end's weight is zero.
fn run(axis: Axis, target: usize, exact: &mut Vec<f64>) -> [usize; 2] {
    // Not `axis.length`: the end is rounded first, and so is the scale by it.
    let scale = ((axis.start + axis.length) - axis.start) / axis.targets as f64;
    let widened = scale.max(1.0);
    let reach = KERNEL_REACH * widened;
    let centre = axis.start + (target as f64 + 0.5) * scale;
    let start = (centre - reach).floor().max(0.0) as usize;
    let end = (centre + reach).ceil().min(axis.side as f64) as usize;
    // From the middle of a pixel.
    let (middle, narrowing) = (centre - 0.5, 1.0 / widened);
    let weight = |pixel: usize| kernel((pixel as f64 - middle) * narrowing);
    let mut pixels = start..end;
    while pixels.len() > 1 && weight(pixels.start) == 0.0 {
        pixels.start += 1;
    }
    while pixels.len() > 1 && weight(pixels.end - 1) == 0.0 {
        pixels.end -= 1;
    }
    let first = exact.len();
    exact.extend(pixels.clone().map(weight));
    let sum: f64 = exact[first..].iter().sum();
    for weight in &mut exact[first..] {
        *weight /= sum;
    }
    [pixels.start, pixels.end]
}

/// The kernel at a distance in target pixels.
fn kernel(distance: f64) -> f64 {
    let x = distance.abs();
    if x < 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < KERNEL_REACH {
        (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5
    } else {
        0.0
    }
}

/// The most fractional bits that leave the largest weight below 2^15.
fn precision(largest: f64) -> u32 {
    (MIN_PRECISION..MAX_PRECISION)
        .find(|&bits| (largest * f64::from(2 << bits)).round() >= f64::from(1 << 15))
        .unwrap_or(MAX_PRECISION)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(start: f64, length: f64, side: usize, targets: usize) -> Axis {
        Axis {
            start,
            length,
            side,
            targets,
        }
    }

    #[test]
    fn known_weights() {
        let mut weights = Weights::default();
        // Halved: the middle lies between two pixels, and the kernel is sampled at quarters of its reach.
        let exact = [-3.0, -9.0, 29.0, 111.0, 111.0, 29.0, -9.0, -3.0].map(|w| w / 256.0);
        weights.of(axis(0.0, 32.0, 32, 16));
        let at = weights.runs[..4]
            .iter()
            .map(|[start, end]| end - start)
            .sum::<usize>();
        assert_eq!(weights.exact[at..][..8], exact);
        assert_eq!(weights.taps.sources(4), 5..13);
    }

    #[test]
    fn the_same_size_copies() {
        let mut weights = Weights::default();
        let taps = weights.of(axis(3.0, 10.0, 20, 10));
        let sources: Vec<_> = (0..10).map(|target| taps.sources(target)).collect();
        assert_eq!(sources, (3..13).map(|at| at..at + 1).collect::<Vec<_>>());
    }

    #[test]
    fn weights_fill_sixteen_bits() {
        assert_eq!(precision(1.0), 14);
        assert_eq!(precision(0.5), 15);
        assert_eq!(precision(0.499_995), 15);
        assert_eq!(precision(0.499_99), 16);
        assert_eq!(precision(1e-9), 21);
        assert_eq!(precision(1.99), 14);
    }
}
