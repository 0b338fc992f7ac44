//! One embedding from several prompts: the mean of the unit vectors, made a unit vector again (Radford et al., 2021,
//! CLIP, section 3.1.4).

use crate::LanguageError;

/// A mean this short is what rounding left of vectors that cancel.
const SHORTEST_MEAN: f64 = 1e-6;

/// The direction `[d]`, of length 1, that `embeddings` `[n][d]` share. Each counts by its direction alone: one that is
/// not a unit vector is made one first.
///
/// # Errors
///
/// There is no embedding; they differ in length; one is zero or not finite; or they cancel, which leaves no direction.
pub fn ensemble(embeddings: &[Vec<f32>]) -> Result<Vec<f32>, LanguageError> {
    let expected = embeddings.first().ok_or(LanguageError::NoEmbeddings)?.len();
    let mut mean = vec![0.0; expected];
    for (position, embedding) in (1..).zip(embeddings) {
        let got = embedding.len();
        if got != expected {
            return Err(LanguageError::EmbeddingDimension {
                position,
                expected,
                got,
            });
        }
        let length = length(embedding.iter().map(|&x| f64::from(x)));
        if !(length.is_finite() && length > 0.0) {
            return Err(LanguageError::EmbeddingLength { position, length });
        }
        let share = 1.0 / (length * embeddings.len() as f64);
        for (mean, &x) in mean.iter_mut().zip(embedding) {
            *mean += f64::from(x) * share;
        }
    }
    let length = length(mean.iter().copied());
    if length < SHORTEST_MEAN {
        return Err(LanguageError::EmbeddingsCancel { length });
    }
    Ok(mean.into_iter().map(|x| (x / length) as f32).collect())
}

/// Euclidean. Squares of `f32` values cannot leave an `f64`.
fn length(x: impl Iterator<Item = f64>) -> f64 {
    x.map(|x| x * x).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_prompt_is_its_own_direction() {
        assert_eq!(ensemble(&[vec![0.6, 0.8]]), Ok(vec![0.6, 0.8]));
        assert_eq!(ensemble(&[vec![0.0, -3.0]]), Ok(vec![0.0, -1.0]));
    }

    #[test]
    fn the_mean_is_between_and_of_length_one() {
        let mean = ensemble(&[vec![1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0]]).unwrap();
        assert_eq!(mean, [0.5_f32.sqrt(), 0.5_f32.sqrt(), 0.0]);
        let mean = ensemble(&[vec![1.0, 0.0], vec![1.0, 0.0], vec![0.0, 1.0]]).unwrap();
        assert!((mean[0] / mean[1] - 2.0).abs() < 1e-6);
    }

    #[test]
    fn length_does_not_weigh() {
        for scale in [1e-38_f32, 1.0, 1e38] {
            let mean = ensemble(&[vec![scale, 0.0], vec![0.0, 1.0]]).unwrap();
            assert!((mean[0] - mean[1]).abs() < 1e-6, "{scale}");
        }
    }

    #[test]
    fn what_has_no_direction_is_refused() {
        let without = |embedding: Vec<f32>| ensemble(&[vec![1.0, 0.0], embedding]).unwrap_err();
        for bad in [
            [0.0, 0.0],
            [f32::NAN, 0.0],
            [f32::INFINITY, 1.0],
            [1.0, f32::NEG_INFINITY],
        ] {
            let error = without(bad.to_vec());
            assert!(
                matches!(error, LanguageError::EmbeddingLength { position: 2, .. }),
                "{error}"
            );
        }
        let cancels = without(vec![-1.0, 0.0]);
        assert!(matches!(cancels, LanguageError::EmbeddingsCancel { .. }));
        let expected = LanguageError::EmbeddingDimension {
            position: 2,
            expected: 2,
            got: 3,
        };
        assert_eq!(without(vec![1.0; 3]), expected);
        assert_eq!(ensemble(&[]), Err(LanguageError::NoEmbeddings));
        let empty = ensemble(&[vec![]]).unwrap_err();
        assert!(matches!(
            empty,
            LanguageError::EmbeddingLength { position: 1, .. }
        ));
    }
}
