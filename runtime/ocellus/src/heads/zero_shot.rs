//! Zero-shot labels: cosines, probabilities, ranking.

use serde::Serialize;

/// What the probabilities of a report are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Probabilities {
    /// Shares of one: how likely each label is if one of them fits (Radford et al., 2021).
    #[default]
    Softmax,
    /// Each label's own: how likely it fits, whatever the others are; several may, or none (Zhai et al., 2023).
    Sigmoid,
}

/// The scalar product of two vectors; of unit vectors, their cosine.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// `exp(scale * x) / sum`, computed from the largest, so that no term overflows.
pub fn softmax(scores: &[f32], scale: f32) -> Vec<f32> {
    let mut terms = Vec::new();
    softmax_into(scores, scale, &mut terms);
    terms
}

/// [`softmax`] into memory that is kept.
pub(crate) fn softmax_into(scores: &[f32], scale: f32, terms: &mut Vec<f32>) {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    terms.clear();
    terms.extend(scores.iter().map(|score| ((score - largest) * scale).exp()));
    let sum: f32 = terms.iter().sum();
    terms.iter_mut().for_each(|term| *term /= sum);
}

/// Makes `probabilities` what a model with a logit bias says of each score: `1 / (1 + exp(-(scale * x + bias)))`.
pub(crate) fn sigmoid_into(scores: &[f32], scale: f32, bias: f32, probabilities: &mut Vec<f32>) {
    let probability = |score: &f32| 1.0 / (1.0 + (-(scale * score + bias)).exp());
    probabilities.clear();
    probabilities.extend(scores.iter().map(probability));
}

/// Makes `order` the indices from the best score down; equal scores keep their order.
pub(crate) fn rank(scores: &[f32], order: &mut Vec<usize>) {
    order.clear();
    order.extend(0..scores.len());
    // The indices make every two different, and a sort that need not keep the order of equals needs no memory.
    order.sort_unstable_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
}

/// How far the best share is ahead of the second, 0..1; 1 for a single label.
pub(crate) fn label_margin(shares: &[f32], order: &[usize]) -> f32 {
    match order {
        [best, second, ..] => shares[*best] - shares[*second],
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_sums_to_one_and_does_not_overflow() {
        let p = softmax(&[1.0, 0.9, -1.0], 1e4);
        assert!((p.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!(p[0] > 0.999);
        let even = softmax(&[0.25; 4], 20.0);
        assert!(even.iter().all(|&p| (p - 0.25).abs() < 1e-6));
    }

    #[test]
    fn a_sigmoid_says_of_each_score_the_same_whatever_the_others_are() {
        let mut p = vec![9.0];
        sigmoid_into(&[0.1, 0.1, 1.0, -1.0], 1e4, -1e3, &mut p);
        assert_eq!(p, [0.5, 0.5, 1.0, 0.0]);
        sigmoid_into(&[0.25], 8.0, -3.0, &mut p);
        assert!((p[0] - 1.0 / (1.0 + 1f32.exp())).abs() < 1e-6, "{p:?}");
    }

    #[test]
    fn ties_keep_the_order_of_the_labels() {
        let mut order = vec![7];
        rank(&[0.1, 0.3, 0.3, 0.2], &mut order);
        assert_eq!(order, [1, 2, 3, 0]);
    }

    #[test]
    fn a_single_label_has_no_rival() {
        assert_eq!(label_margin(&[1.0], &[0]), 1.0);
        assert!((label_margin(&[0.2, 0.7, 0.1], &[1, 0, 2]) - 0.5).abs() < 1e-6);
    }
}
