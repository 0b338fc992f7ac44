//! Signed 8-bit matrix times vector with exact 32-bit sums: a classifier's logits, a search through an index.
//!
//! Every weight is used once, so the time goes into loading; a tile of four rows shares each load of the vector. There
//! is no packing: rows lie as the file has them, which lets an index be searched where it is mapped.
//!
//! Limits: zero points and scales are the caller's; a row has at most [`MAX_GEMV_K`] elements.

#[cfg(target_arch = "aarch64")]
mod qs8_gemv_4x_dotprod;
#[cfg(target_arch = "aarch64")]
mod qs8_gemv_4x_neon;
mod qs8_gemv_scalar;
#[cfg(target_arch = "aarch64")]
mod steps;

use crate::Isa;

/// The longest row whose sum cannot leave an `i32`: a product of two `i8` is at most 2^14 in magnitude, reached by
/// -128 x -128, and 131 071 of them stay below 2^31.
pub const MAX_GEMV_K: usize = i32::MAX as usize / (128 * 128);

/// Writes `weights x` to `out`: `out[r]` is the exact sum of `weights[r][i] * x[i]`, the same on every `isa`.
///
/// `weights` is `[rows, k]`, row after row; `x` is `[k]`; `out` is `[rows]`.
///
/// # Panics
///
/// If `weights` has not `rows * k` elements, or `k` is above [`MAX_GEMV_K`].
pub fn qs8_gemv(isa: Isa, weights: &[i8], x: &[i8], out: &mut [i32]) {
    let (rows, k) = (out.len(), x.len());
    assert!(
        k <= MAX_GEMV_K,
        "qs8_gemv: a row of {k} may overflow its sum; at most {MAX_GEMV_K}"
    );
    assert!(
        rows.checked_mul(k) == Some(weights.len()),
        "qs8_gemv: {} weights are not {rows} rows of {k}",
        weights.len()
    );
    match isa {
        Isa::Scalar => qs8_gemv_scalar::run(weights, x, out),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(neon) => qs8_gemv_4x_neon::run(neon, weights, x, out),
        #[cfg(target_arch = "aarch64")]
        Isa::DotProd(dotprod) => qs8_gemv_4x_dotprod::run(dotprod, weights, x, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Guarded, Place, fills, isas};

    /// Every instruction set, in every place, against the specification.
    fn check(weights: &[i8], x: &[i8], rows: usize) {
        let mut expected = vec![0; rows];
        qs8_gemv_scalar::run(weights, x, &mut expected);
        for isa in isas() {
            for place in Place::ALL {
                let weights = Guarded::new(weights, place);
                let x = Guarded::new(x, place);
                let mut out = Guarded::new(&vec![-1; rows], Place::BeforeGuard);
                qs8_gemv(isa, &weights, &x, &mut out);
                let (name, k) = (isa.name(), x.len());
                assert_eq!(*out, *expected, "{name}: {rows} rows of {k} {place:?}");
            }
        }
    }

    #[test]
    fn the_specification_is_the_sum_of_products() {
        let mut out = [0; 2];
        qs8_gemv_scalar::run(&[1, -2, 3, -128, 127, 0], &[-128, 127, 5], &mut out);
        assert_eq!(out, [-128 - 254 + 15, 128 * 128 + 127 * 127]);
    }

    #[test]
    fn every_tail_of_rows_and_columns_equals_the_specification() {
        for k in (0..=2 * 32 + 1).chain([95, 96, 97, 127, 128]) {
            for rows in 0..=9 {
                let [.., weights, x] = fills(rows * k + k);
                check(&weights[..rows * k], &x[rows * k..], rows);
            }
        }
    }

    #[test]
    fn extremes_equal_the_specification() {
        for k in [1, 15, 16, 31, 32, 33, 64, 100] {
            for weights in fills(5 * k) {
                for x in fills(k) {
                    check(&weights, &x, 5);
                }
            }
        }
    }

    #[test]
    fn the_longest_row_of_extremes_does_not_overflow() {
        let least = vec![i8::MIN; 2 * MAX_GEMV_K];
        for isa in isas() {
            let mut out = [0; 2];
            qs8_gemv(isa, &least, &least[..MAX_GEMV_K], &mut out);
            assert_eq!(out, [MAX_GEMV_K as i32 * 128 * 128; 2], "{}", isa.name());
            qs8_gemv(isa, &least, &vec![127; MAX_GEMV_K], &mut out);
            assert_eq!(out, [MAX_GEMV_K as i32 * -128 * 127; 2], "{}", isa.name());
        }
    }

    #[test]
    fn a_single_least_value_anywhere_is_enough_to_matter() {
        for k in [32, 40] {
            for position in 0..k {
                let mut x = vec![127; k];
                x[position] = i8::MIN;
                check(&vec![i8::MIN; 4 * k], &x, 4);
                x[k - 1 - position] = i8::MIN;
                check(&vec![i8::MIN; 4 * k], &x, 4);
            }
        }
    }

    #[test]
    #[should_panic(expected = "may overflow")]
    fn a_row_that_could_overflow_is_refused() {
        let k = MAX_GEMV_K + 1;
        qs8_gemv(Isa::Scalar, &vec![0; k], &vec![0; k], &mut [0]);
    }

    #[test]
    #[should_panic(expected = "7 weights are not 2 rows of 4")]
    fn shapes_that_disagree_are_refused() {
        qs8_gemv(Isa::Scalar, &[0; 7], &[0; 4], &mut [0; 2]);
    }
}
