//! How much examples count beside words, chosen by leaving each example out.
//!
//! An example that is left out of its label is a picture whose label is known. The blend that makes those labels
//! likeliest is chosen from a few around the bundle's default, and only where it is plainly better: a handful of pictures says
//! little. Each is left out once more with all others of its label, as a picture of a label that is known by its words only:
//! without that, nothing would speak against examples that take the pictures of labels that were not taught. With one label there is nothing that it could be mistaken for, and with one example of each nothing is left
//! of a label without it; then the default holds.

/// The most examples that are left out, evenly over all: teaching one more must not take ever longer.
const MOST_LEFT_OUT: usize = 128;

/// What is tried, as multiples of the default's weight and sharpness.
const WEIGHTS: [f32; 4] = [0.25, 0.5, 1.0, 2.0];
const SHARPNESSES: [f32; 4] = [0.5, 0.75, 1.0, 1.5];

/// A blend replaces the default where its mean loss, in nats, is smaller by this for one example left out, and by the
/// root of that many less for more.
const LEAST_GAIN: f32 = 0.05;

/// The share of the loss of examples that are left out with all others of their label.
const APART: f32 = 0.2;

/// How examples count beside words: a label's score is its cosine plus `weight * exp(sharpness * (similarity - 1))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blend {
    /// What an example that equals the picture adds.
    pub weight: f32,
    /// How fast that falls off with the similarity, which is a cosine.
    pub sharpness: f32,
    /// How many examples were left out to choose them; 0: they are the bundle's default.
    pub left_out: usize,
}

/// An example that is left out.
pub(super) struct LeftOut<'a> {
    /// The number of its label.
    pub label: usize,
    /// Its cosine with the words of each label.
    pub cosines: &'a [f32],
    /// Its similarity to the nearest other example of each label.
    pub nearest: &'a [f32],
}

impl Blend {
    /// What the nearest example of a label adds to the label's score.
    pub fn bonus(&self, similarity: f32) -> f32 {
        self.weight * (self.sharpness * (similarity - 1.0)).exp()
    }

    /// The better one of the default and those around it.
    pub(super) fn fit(default: Blend, logit_scale: f32, left_out: &[LeftOut<'_>]) -> Blend {
        let labels = left_out.first().map_or(0, |example| example.cosines.len());
        if labels < 2 {
            return default;
        }
        let count = left_out.len();
        let mut tried = Vec::new();
        for sharpness in SHARPNESSES {
            let unweighted = Blend {
                weight: 1.0,
                sharpness: default.sharpness * sharpness,
                left_out: count,
            };
            // The dearest part, which weights share: an exponential for each example and label.
            let bonuses = left_out.iter().flat_map(|example| example.nearest);
            let bonuses: Vec<f32> = bonuses.map(|&near| unweighted.bonus(near)).collect();
            for weight in WEIGHTS {
                let blend = Blend {
                    weight: default.weight * weight,
                    ..unweighted
                };
                tried.push((blend, blend.loss(logit_scale, left_out, &bonuses)));
            }
        }
        let own = Blend {
            left_out: count,
            ..default
        };
        let of_default = tried.iter().find(|(blend, _)| *blend == own);
        let mut least = of_default.map_or(f32::INFINITY, |(_, loss)| *loss);
        least -= LEAST_GAIN / (count as f32).sqrt();
        let mut best = own;
        for (blend, loss) in tried {
            if loss < least {
                (best, least) = (blend, loss);
            }
        }
        best
    }

    /// The mean of minus the logarithm of the right label's probability; `bonuses` are those of a weight of one, of each
    /// example and label.
    fn loss(&self, logit_scale: f32, left_out: &[LeftOut<'_>], bonuses: &[f32]) -> f32 {
        let labels = bonuses.len() / left_out.len();
        let mut logits = vec![0.0; labels];
        let losses = left_out.iter().zip(bonuses.chunks_exact(labels));
        let losses = losses.map(|(example, bonuses)| {
            let scores = example.cosines.iter().zip(bonuses);
            for (logit, (cosine, bonus)) in logits.iter_mut().zip(scores) {
                *logit = logit_scale * (cosine + self.weight * bonus);
            }
            // What the other labels come to is the same with the label's other examples and without them.
            let own = std::mem::replace(&mut logits[example.label], f32::NEG_INFINITY);
            let others = log_of_sum(&logits);
            let by_words = logit_scale * example.cosines[example.label];
            let loss = |own: f32| log_of_sum(&[own, others]) - own;
            (1.0 - APART) * loss(own) + APART * loss(by_words)
        });
        losses.sum::<f32>() / left_out.len() as f32
    }
}

/// The logarithm of the sum of exponentials, of which one at least is not zero.
fn log_of_sum(logits: &[f32]) -> f32 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|logit| (logit - largest).exp()).sum();
    sum.ln() + largest
}

/// Which of so many examples are left out.
pub(super) fn chosen(count: usize) -> impl Iterator<Item = usize> {
    let step = count.div_ceil(MOST_LEFT_OUT).max(1);
    (0..count).step_by(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: Blend = Blend {
        weight: 2.0,
        sharpness: 8.0,
        left_out: 0,
    };

    fn left_out<'a>(label: usize, cosines: &'a [f32; 2], nearest: &'a [f32; 2]) -> LeftOut<'a> {
        LeftOut {
            label,
            cosines,
            nearest,
        }
    }

    #[test]
    fn the_nearest_example_adds_the_weight_and_a_far_one_nothing() {
        assert_eq!(DEFAULT.bonus(1.0), 2.0);
        assert!(DEFAULT.bonus(0.2) < 0.01);
        assert_eq!(DEFAULT.bonus(f32::NEG_INFINITY), 0.0);
    }

    #[test]
    fn words_that_mislead_give_the_examples_more_weight_and_examples_that_do_less() {
        // The words say the other label, the examples the right one.
        let near = [[0.8, 0.3], [0.3, 0.8]];
        let misled: Vec<_> = (0..8)
            .map(|i| left_out(i % 2, &[[0.0, 0.6], [0.6, 0.0]][i % 2], &near[i % 2]))
            .collect();
        let blend = Blend::fit(DEFAULT, 9.5, &misled);
        assert!(
            blend.weight > DEFAULT.weight && blend.left_out == 8,
            "{blend:?}"
        );
        // And the other way round.
        let far = [[0.3, 0.8], [0.8, 0.3]];
        let words: Vec<_> = (0..8)
            .map(|i| left_out(i % 2, &[[0.6, 0.0], [0.0, 0.6]][i % 2], &far[i % 2]))
            .collect();
        let blend = Blend::fit(DEFAULT, 9.5, &words);
        assert!(blend.weight < DEFAULT.weight, "{blend:?}");
    }

    #[test]
    fn the_loss_is_that_of_a_plain_computation() {
        let (cosines, nearest) = (
            [[0.3, 0.25], [0.1, 0.4]],
            [[0.8, 0.7], [f32::NEG_INFINITY, 0.6]],
        );
        let examples = [0, 1].map(|at| left_out(at, &cosines[at], &nearest[at]));
        let logit_scale = 9.5;
        let plain = |weighted: bool| -> f64 {
            let loss = |at: usize| {
                let logit = |label: usize| {
                    let bonus = 2.0 * (8.0 * (f64::from(nearest[at][label]) - 1.0)).exp();
                    let counts = label != at || weighted;
                    logit_scale * (f64::from(cosines[at][label]) + if counts { bonus } else { 0.0 })
                };
                ((logit(0) - logit(at)).exp() + (logit(1) - logit(at)).exp()).ln()
            };
            (loss(0) + loss(1)) / 2.0
        };
        let want = f64::from(1.0 - APART) * plain(true) + f64::from(APART) * plain(false);
        let unweighted = Blend {
            weight: 1.0,
            ..DEFAULT
        };
        let near = examples.iter().flat_map(|example| example.nearest);
        let bonuses: Vec<f32> = near.map(|&near| unweighted.bonus(near)).collect();
        let got = DEFAULT.loss(logit_scale as f32, &examples, &bonuses);
        assert!((f64::from(got) - want).abs() < 1e-5, "{got} {want}");
    }

    #[test]
    fn nothing_to_go_by_is_the_default() {
        assert_eq!(Blend::fit(DEFAULT, 9.5, &[]), DEFAULT);
        let alone = LeftOut {
            label: 0,
            cosines: &[0.1],
            nearest: &[0.9],
        };
        assert_eq!(Blend::fit(DEFAULT, 9.5, &[alone]), DEFAULT);
        // All is right already: no blend is plainly better.
        let near = [0.9, 0.1];
        let right = Blend::fit(DEFAULT, 9.5, &[left_out(0, &[0.5, 0.0], &near)]);
        assert_eq!((right.weight, right.sharpness), (2.0, 8.0));
    }

    #[test]
    fn as_many_are_left_out_as_there_are_up_to_a_limit() {
        assert_eq!(chosen(0).count(), 0);
        assert_eq!(chosen(5).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        for count in [128, 129, 1000, 1024] {
            assert!(
                (64..=MOST_LEFT_OUT).contains(&chosen(count).count()),
                "{count}"
            );
        }
    }
}
