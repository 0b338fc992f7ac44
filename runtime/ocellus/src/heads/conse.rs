//! ConSE: a classifier's best guesses, mixed in the text space (Norouzi et al., "Zero-Shot Learning by Convex Combination
//! of Semantic Embeddings", ICLR 2014).
//!
//! `p = softmax((W f + b) / temperature)`; the `top_k` largest are kept, and the embedding is the unit vector along
//! `sum(p[c] * text[c])`. It needs no training on pairs: the classes' names are the bridge. The limit is the same: what
//! no class comes near has no place in the space.
//!
//! `W` is i8 by rows. The features are quantized to i8 for the product, so the sums are integers and the same on every CPU.

use super::{softmax, unit};
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

    /// Class logits `[classes]` of pooled features `[channels]`.
    pub fn logits(&self, isa: Isa, features: &[f32]) -> Vec<f32> {
        let mut quantized = vec![0i8; features.len()];
        let scale = quantize_symmetric(features, &mut quantized);
        let mut sums = vec![0i32; self.bias.len()];
        qs8_gemv(isa, &self.classifier.values, &quantized, &mut sums);
        let rows = sums.iter().zip(&self.classifier.scales).zip(&self.bias);
        rows.map(|((&sum, row_scale), bias)| sum as f32 * (scale * row_scale) + bias)
            .collect()
    }

    /// The embedding `[dimension]` of class logits; `None` where the mix has no direction.
    pub fn embed(&self, logits: &[f32]) -> Option<Vec<f32>> {
        let probabilities = softmax(logits, 1.0 / self.temperature);
        let mut sum = vec![0f32; self.texts.k];
        for class in best(&probabilities, self.top_k) {
            let weight = probabilities[class] * self.texts.scales[class];
            let row = &self.texts.values[class * self.texts.k..][..self.texts.k];
            sum.iter_mut()
                .zip(row)
                .for_each(|(sum, &value)| *sum += weight * f32::from(value));
        }
        unit(sum)
    }

    /// A class's name.
    pub fn name(&self, class: usize) -> &str {
        &self.names[class]
    }
}

/// The `k` largest, ties by the lower index.
fn best(values: &[f32], k: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    let first = |a: &usize, b: &usize| values[*b].total_cmp(&values[*a]).then(a.cmp(b));
    if k < order.len() {
        order.select_nth_unstable_by(k, first);
        order.truncate(k);
    }
    order.sort_unstable_by(first);
    order
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

    #[test]
    fn logits_are_the_scaled_product_and_bias() {
        let logits = head().logits(Isa::Scalar, &[2.0, 1.0]);
        assert!(
            (logits[0] - 2.0).abs() < 0.01
                && (logits[1] - 1.0).abs() < 0.01
                && (logits[2] + 7.0).abs() < 0.01,
            "{logits:?}"
        );
    }

    #[test]
    fn only_the_best_classes_are_mixed() {
        let embedding = head().embed(&[1.0, 1.0, 0.9]).expect("a direction");
        let half = std::f32::consts::FRAC_1_SQRT_2;
        assert!(
            (embedding[0] - half).abs() < 1e-6
                && (embedding[1] - half).abs() < 1e-6
                && embedding[2] == 0.0,
            "{embedding:?}"
        );
    }

    #[test]
    fn ties_take_the_lower_index() {
        assert_eq!(best(&[0.2, 0.4, 0.4, 0.4], 2), [1, 2]);
    }
}
