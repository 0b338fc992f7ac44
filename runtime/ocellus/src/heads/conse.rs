//! ConSE: a classifier's best guesses, mixed in the text space (Norouzi et al., "Zero-Shot Learning by Convex Combination
//! of Semantic Embeddings", ICLR 2014).
//!
//! `p = softmax((W f + b) / temperature)`, and the embedding is the unit vector along `sum(max(p[c] - cut, 0) * text[c])`,
//! where `cut` is the largest `p` that is not among the `top_k`. Measured from there, a class enters and leaves the mix
//! with no weight: a hard choice of `top_k` makes the embedding jump when noise swaps two of nearly equal classes.
//!
//! It needs no training on pairs: the classes' names are the bridge. The limit is the same: what no class comes near has
//! no place in the space.
//!
//! `W` is i8 by rows. The features are quantized to i8 for the product, so the sums are integers and the same on every CPU.

use super::{HeadSpace, cosine, make_unit, softmax, softmax_into, unit};
use crate::bundle::{BundleError, Head, I8Rows, Tensors};
use ocellus_kernels::{Isa, qs8_gemv, quantize_symmetric};

/// The ConSE head of a bundle.
#[derive(Debug)]
pub(crate) struct Conse {
    classifier: I8Rows,
    bias: Vec<f32>,
    texts: I8Rows,
    names: Vec<String>,
    temperature: f32,
    top_k: usize,
}

impl Conse {
    /// Reads the head's tensors for features `[channels]` and a text space of `dimension`.
    pub fn load(
        head: &Head,
        tensors: &Tensors,
        names: &str,
        channels: usize,
        dimension: usize,
    ) -> Result<Option<Self>, BundleError> {
        let Head::Conse {
            classes,
            temperature,
            top_k,
            ..
        } = head
        else {
            return Ok(None);
        };
        let names: Vec<String> = names.lines().map(str::to_owned).collect();
        let rows = Some(names.len());
        let conse = Conse {
            classifier: tensors.i8_rows("classifier.weight", "classifier.scale", rows, channels)?,
            bias: tensors.f32("classifier.bias", &[rows])?,
            texts: tensors.i8_rows("class_texts", "class_texts.scale", rows, dimension)?,
            names,
            temperature: *temperature,
            top_k: *top_k,
        };
        if conse.names.len() < conse.top_k {
            return Err(BundleError::Contents {
                file: classes.clone(),
                what: "class names".into(),
                expected: format!("at least top_k = {}", conse.top_k),
                got: conse.names.len().to_string(),
            });
        }
        Ok(Some(conse))
    }

    /// Computes the class logits `[classes]` of pooled features `[channels]`.
    pub fn logits(&self, isa: Isa, features: &[f32], space: &mut HeadSpace) {
        space.quantized.resize(features.len(), 0);
        let scale = quantize_symmetric(features, &mut space.quantized);
        space.sums.resize(self.bias.len(), 0);
        let sums = &mut space.sums;
        qs8_gemv(isa, &self.classifier.values, &space.quantized, sums);
        let rows = sums.iter().zip(&self.classifier.scales).zip(&self.bias);
        space.logits.clear();
        space
            .logits
            .extend(rows.map(|((&sum, row_scale), bias)| sum as f32 * (scale * row_scale) + bias));
    }

    /// Computes the embedding `[dimension]` of the class logits; whether the mix has a direction.
    pub fn embed(&self, space: &mut HeadSpace) -> bool {
        softmax_into(
            &space.logits,
            1.0 / self.temperature,
            &mut space.probabilities,
        );
        let cut = largest_beyond(&space.probabilities, self.top_k, &mut space.sorted);
        let sum = &mut space.embedding;
        sum.clear();
        sum.resize(self.texts.k, 0.0);
        let rows = self.texts.values.chunks_exact(self.texts.k);
        for ((row, scale), probability) in rows.zip(&self.texts.scales).zip(&space.probabilities) {
            let weight = (probability - cut).max(0.0) * scale;
            if weight > 0.0 {
                sum.iter_mut()
                    .zip(row)
                    .for_each(|(sum, &value)| *sum += weight * f32::from(value));
            }
        }
        make_unit(sum)
    }

    /// The key `[channels]` of a label in the space of the features: `f . key` is the mean of the class logits of `f`
    /// over the classes that `softmax(sharpness * cosine(class text, label))` weighs, less their mean over all classes
    /// (biases left out: they are the same in every cell).
    pub fn key(&self, embedding: &[f32], sharpness: f32) -> Vec<f32> {
        let texts = self.texts.values.chunks_exact(self.texts.k);
        let cosines: Vec<f32> = texts
            .map(|text| {
                let text: Vec<f32> = text.iter().map(|&value| f32::from(value)).collect();
                unit(text).map_or(0.0, |text| cosine(&text, embedding))
            })
            .collect();
        let mut weights = softmax(&cosines, sharpness);
        let share = 1.0 / weights.len() as f32;
        weights.iter_mut().for_each(|weight| *weight -= share);
        let mut key = vec![0f32; self.classifier.k];
        let rows = self.classifier.values.chunks_exact(self.classifier.k);
        for ((row, scale), weight) in rows.zip(&self.classifier.scales).zip(weights) {
            let weight = weight * scale;
            key.iter_mut()
                .zip(row)
                .for_each(|(key, &value)| *key += weight * f32::from(value));
        }
        key
    }

    /// A class's name.
    pub fn name(&self, class: usize) -> &str {
        &self.names[class]
    }
}

/// The largest of `values` that is not among the `k` largest; 0 where there is none. `sorted` is memory to work in.
fn largest_beyond(values: &[f32], k: usize, sorted: &mut Vec<f32>) -> f32 {
    if k >= values.len() {
        return 0.0;
    }
    sorted.clear();
    sorted.extend_from_slice(values);
    *sorted.select_nth_unstable_by(k, |a, b| b.total_cmp(a)).1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Conse {
        Conse {
            classifier: I8Rows {
                values: vec![127, 0, 0, 127, 127, 127],
                scales: vec![1.0 / 127.0; 3],
                k: 2,
            },
            bias: vec![0.0, 0.0, -10.0],
            texts: I8Rows {
                values: vec![100, 0, 0, 0, 100, 0, 0, 0, 100],
                scales: vec![0.01; 3],
                k: 3,
            },
            names: ["a", "b", "c"].map(String::from).to_vec(),
            temperature: 1.0,
            top_k: 2,
        }
    }

    fn embed(head: &Conse, logits: &[f32]) -> Vec<f32> {
        let mut space = HeadSpace {
            logits: logits.to_vec(),
            ..HeadSpace::default()
        };
        assert!(head.embed(&mut space), "no direction");
        space.embedding
    }

    #[test]
    fn logits_are_the_scaled_product_and_bias() {
        let mut space = HeadSpace::default();
        head().logits(Isa::Scalar, &[2.0, 1.0], &mut space);
        let logits = space.logits;
        assert!(
            (logits[0] - 2.0).abs() < 0.01
                && (logits[1] - 1.0).abs() < 0.01
                && (logits[2] + 7.0).abs() < 0.01,
            "{logits:?}"
        );
    }

    #[test]
    fn the_best_classes_are_mixed_by_what_they_have_over_the_rest() {
        let [a, b, c] = [0.5f32, 0.3, 0.2];
        let embedding = embed(&head(), &[a.ln(), b.ln(), c.ln()]);
        let want = unit(vec![a - c, b - c, 0.0]).expect("a direction");
        assert!(cosine(&embedding, &want) > 0.999_999, "{embedding:?}");
    }

    #[test]
    fn all_classes_are_mixed_by_their_probabilities() {
        let mut head = head();
        head.top_k = 3;
        let embedding = embed(&head, &[1.0, 1.0, 1.0]);
        let want = [1f32 / 3.0; 3].map(f32::sqrt);
        assert!(cosine(&embedding, &want) > 0.999_999, "{embedding:?}");
    }

    #[test]
    fn a_label_s_key_reads_the_logit_of_its_class_over_the_mean() {
        let (head, feature) = (head(), [0.5f32, 2.0]);
        // Without biases: rows are [1, 0], [0, 1], [1, 1].
        let raw = [0.5, 2.0, 2.5];
        let mean = raw.iter().sum::<f32>() / 3.0;
        for (class, logit) in raw.iter().enumerate() {
            let label: Vec<f32> = (0..3).map(|c| f32::from(u8::from(c == class))).collect();
            let key = head.key(&label, 100.0);
            assert!((cosine(&key, &feature) - (logit - mean)).abs() < 0.01);
        }
        let blunt = head.key(&[1.0, 0.0, 0.0], 0.0);
        assert!(blunt.iter().all(|x| x.abs() < 1e-6), "{blunt:?}");
    }

    #[test]
    fn classes_that_swap_places_do_not_move_the_embedding() {
        let head = head();
        let one = embed(&head, &[2.0, 1.001, 1.0]);
        let other = embed(&head, &[2.0, 1.0, 1.001]);
        assert!(cosine(&one, &other) > 0.999_99, "{one:?} {other:?}");
    }
}
