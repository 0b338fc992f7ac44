//! No match: does anything fit at all?
//!
//! A cosine has no meaning by itself: some words lie near every picture, and the best of forty labels is nearer than the
//! best of two by luck alone. So a picture is compared with background pictures that the bundle carries. Each label's
//! cosines are measured in units of that label's spread over the background, the best label counts, and the picture's
//! best is measured in units of the spread of the background's bests. `models/README.md` has the formula.

use super::cosine;
use crate::bundle::{BundleError, NoMatch, Tensors};

/// A label's spread over the background is taken to be at least this, in cosine.
const LEAST_LABEL_SPREAD: f32 = 0.01;
/// The spread of the background's bests is taken to be at least this, in label spreads.
const LEAST_BEST_SPREAD: f32 = 0.05;
/// Makes the median absolute deviation of a normal distribution equal to its standard deviation.
const MAD_TO_SIGMA: f32 = 1.4826;

/// The background embeddings of one resolution, `[k, d]`.
#[derive(Debug)]
pub(crate) struct Background {
    embeddings: Vec<Vec<f32>>,
}

impl Background {
    pub fn load(tensors: &Tensors, resolution: u32, dimension: usize) -> Result<Self, BundleError> {
        let name = format!("background.{resolution}");
        let values = tensors.f16(&name, &[None, Some(dimension)])?;
        Ok(Background {
            embeddings: values
                .chunks_exact(dimension)
                .map(<[f32]>::to_vec)
                .collect(),
        })
    }
}

/// Where a set of labels stands against the background: computed once per set and resolution.
#[derive(Debug)]
pub(crate) struct Standing {
    /// Median and spread of each label's cosines.
    labels: Vec<(f32, f32)>,
    /// Median and spread of the background's best standardised cosine.
    best: (f32, f32),
}

impl Standing {
    pub fn new(background: &Background, labels: &[Vec<f32>]) -> Standing {
        let mut bests = vec![f32::NEG_INFINITY; background.embeddings.len()];
        let labels: Vec<(f32, f32)> = labels
            .iter()
            .map(|label| {
                let scores: Vec<f32> = background
                    .embeddings
                    .iter()
                    .map(|picture| cosine(picture, label))
                    .collect();
                let (median, spread) = robust(&scores, LEAST_LABEL_SPREAD);
                for (best, score) in bests.iter_mut().zip(&scores) {
                    *best = best.max((score - median) / spread);
                }
                (median, spread)
            })
            .collect();
        Standing {
            labels,
            best: robust(&bests, LEAST_BEST_SPREAD),
        }
    }

    /// The probability, 0..1, that at least one label fits a picture with these cosines.
    pub fn match_probability(&self, scores: &[f32], calibration: &NoMatch) -> f32 {
        let standardised = scores
            .iter()
            .zip(&self.labels)
            .map(|(score, (median, spread))| (score - median) / spread);
        let best = standardised.fold(f32::NEG_INFINITY, f32::max);
        let standing = (best - self.best.0) / self.best.1;
        1.0 / (1.0 + (-(calibration.slope * standing + calibration.intercept)).exp())
    }
}

/// Median, and the spread that a normal distribution with this median absolute deviation would have.
fn robust(values: &[f32], least: f32) -> (f32, f32) {
    let middle = median(values.to_vec());
    let deviations = values.iter().map(|value| (value - middle).abs()).collect();
    (middle, (MAD_TO_SIGMA * median(deviations)).max(least))
}

/// The middle value, or the mean of the two middle ones; 0 of nothing.
fn median(mut values: Vec<f32>) -> f32 {
    values.sort_unstable_by(f32::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALIBRATION: NoMatch = NoMatch {
        slope: 2.0,
        intercept: -3.0,
        threshold: 0.5,
    };

    fn background() -> Background {
        // 64 directions spread over the first two of three axes: none of them near the third.
        let picture = |i: usize| {
            let angle = i as f32 * std::f32::consts::TAU / 64.0;
            vec![angle.cos(), angle.sin(), 0.0]
        };
        Background {
            embeddings: (0..64).map(picture).collect(),
        }
    }

    #[test]
    fn medians_are_those_of_numpy() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn what_stands_out_fits_and_what_looks_like_the_background_does_not() {
        let label = vec![0.0, 0.0, 1.0];
        let standing = Standing::new(&background(), &[label]);
        assert!(standing.match_probability(&[0.9], &CALIBRATION) > 0.99);
        assert!(standing.match_probability(&[0.0], &CALIBRATION) < 0.1);
    }

    #[test]
    fn more_labels_make_the_same_score_less_telling() {
        let label = |x: f32, y: f32| vec![x, y, 0.0];
        let one = Standing::new(&background(), &[label(1.0, 0.0)]);
        let many = Standing::new(
            &background(),
            &[
                label(1.0, 0.0),
                label(0.0, 1.0),
                label(-1.0, 0.0),
                label(0.0, -1.0),
            ],
        );
        let alone = one.match_probability(&[0.9], &CALIBRATION);
        let among = many.match_probability(&[0.9, 0.0, -0.9, 0.0], &CALIBRATION);
        assert!(among < alone, "{among} against {alone}");
    }
}
