//! What is known of weights before they are packed.

/// The sum of `weights` and the sum of their magnitudes: what an input's zero point multiplies, and what bounds a sum of
/// products.
pub fn weight_sums(weights: &[i8]) -> (i64, i64) {
    // Short enough for 16 bits, which a compiler adds in eight lanes.
    const CHUNK: usize = 128;
    weights
        .chunks(CHUNK)
        .map(|chunk| {
            let (sum, magnitude) = chunk.iter().fold((0, 0), |(sum, magnitude), &weight| {
                let weight = i16::from(weight);
                (sum + weight, magnitude + weight.abs())
            });
            (i64::from(sum), i64::from(magnitude))
        })
        .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_long_rows_do_not_wrap() {
        assert_eq!(weight_sums(&[]), (0, 0));
        assert_eq!(weight_sums(&[1, -2, 127]), (126, 130));
        let least = vec![i8::MIN; (1 << 17) + 3];
        let all = 128 * ((1 << 17) + 3);
        assert_eq!(weight_sums(&least), (-all, all));
    }
}
