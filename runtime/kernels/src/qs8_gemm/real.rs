//! The same product with sums that leave as f32: where the input's scale is known only when it runs, or where what is
//! computed is not quantized again.
//!
//! `y = f32(acc + bias[c]) * multiplier[c] + addend[c]`, each operation rounded by itself: no instruction set fuses them, so
//! every one gives these bits. The numbers come with a run.
//!
//! Limits: weights have no zero point.

use super::Matrix;
#[cfg(target_arch = "aarch64")]
use super::{qs8_gemm_3x4_neon, qs8_gemm_6x16_dotprod};
use crate::requantize::PackError;
use crate::{Isa, weight_sums};
use alloc::{vec, vec::Vec};

/// Weights `[n, k]`, packed for one instruction set.
#[derive(Clone, Debug)]
pub struct PackedRealGemm {
    n: usize,
    k: usize,
    /// Of each channel's weights.
    sums: Vec<i32>,
    weights: Weights,
}

/// The packed bytes, with the proof that their kernel may run.
#[derive(Clone, Debug)]
enum Weights {
    Scalar(Vec<i8>),
    #[cfg(target_arch = "aarch64")]
    Neon(qs8_gemm_3x4_neon::Panels),
    #[cfg(target_arch = "aarch64")]
    DotProd(qs8_gemm_6x16_dotprod::Panels),
}

/// What becomes of the sums of one run.
#[derive(Clone, Debug)]
pub struct Numbers {
    pub(super) bias: Vec<i32>,
    pub(super) multiplier: Vec<f32>,
    pub(super) addend: Vec<f32>,
    /// The same in panels of four.
    #[cfg(target_arch = "aarch64")]
    pub(super) panels: Vec<RealParams>,
}

/// The numbers of a panel of four channels, as assembly reads them.
#[cfg(target_arch = "aarch64")]
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct RealParams {
    pub bias: [i32; 4],
    pub multiplier: [f32; 4],
    pub addend: [f32; 4],
}

/// Where a product goes: rows of `columns` elements, `stride` apart.
pub(super) struct RealOutput<'a> {
    pub elements: &'a mut [f32],
    pub stride: usize,
    pub columns: usize,
}

impl PackedRealGemm {
    /// Packs `weights`, which is `[n, k]`, row after row.
    ///
    /// # Errors
    ///
    /// If a sum may overflow, whatever the zero point of the input.
    ///
    /// # Panics
    ///
    /// If `weights` has not `n * k` elements.
    pub fn new(isa: Isa, weights: &[i8], [n, k]: [usize; 2]) -> Result<PackedRealGemm, PackError> {
        assert!(
            n.checked_mul(k) == Some(weights.len()),
            "qs8_gemm: {} weights are not {n} rows of {k}",
            weights.len()
        );
        let mut sums = Vec::with_capacity(n);
        for channel in 0..n {
            let (sum, magnitude) = weight_sums(&weights[channel * k..][..k]);
            // An element and its zero point are 255 apart at the most.
            let bound = 256 * magnitude;
            if bound > i64::from(i32::MAX) {
                return Err(PackError::SumOverflow { channel, bound });
            }
            sums.push(sum as i32);
        }
        let weights =
            match isa {
                #[cfg(target_arch = "aarch64")]
                Isa::Neon(proof) => Weights::Neon(qs8_gemm_3x4_neon::Panels::pack_weights(
                    proof,
                    weights,
                    [n, k],
                )),
                #[cfg(target_arch = "aarch64")]
                Isa::DotProd(proof) => Weights::DotProd(
                    qs8_gemm_6x16_dotprod::Panels::pack_weights(proof, weights, [n, k]),
                ),
                Isa::Scalar => Weights::Scalar(weights.into()),
            };
        Ok(PackedRealGemm {
            n,
            k,
            sums,
            weights,
        })
    }

    /// `[n, k]`.
    pub fn shape(&self) -> [usize; 2] {
        [self.n, self.k]
    }

    /// The kernel's name, for reports.
    pub fn name(&self) -> &'static str {
        match &self.weights {
            Weights::Scalar(_) => "qs8_f32_gemm_scalar",
            #[cfg(target_arch = "aarch64")]
            Weights::Neon(_) => "qs8_f32_gemm_3x4_neon",
            #[cfg(target_arch = "aarch64")]
            Weights::DotProd(_) => "qs8_f32_gemm_6x16_dotprod",
        }
    }

    /// The numbers of a run on elements of zero point `zero_point`: `multiplier(c)` is the scale of the sums of channel `c`,
    /// that of the input times that of the weights, and `addend(c)` what is added to their reals.
    pub fn numbers(
        &self,
        zero_point: i8,
        multiplier: impl Fn(usize) -> f32,
        addend: impl Fn(usize) -> f32,
    ) -> Numbers {
        let padded = self.n.next_multiple_of(super::PackedGemm::COLUMNS);
        let mut numbers = Numbers {
            bias: vec![0; padded],
            multiplier: vec![0.0; padded],
            addend: vec![0.0; padded],
            #[cfg(target_arch = "aarch64")]
            panels: Vec::new(),
        };
        for (channel, sum) in self.sums.iter().enumerate() {
            numbers.bias[channel] = -i32::from(zero_point) * sum;
            numbers.multiplier[channel] = multiplier(channel);
            numbers.addend[channel] = addend(channel);
        }
        #[cfg(target_arch = "aarch64")]
        if let Weights::Neon(_) = self.weights {
            numbers.panels = numbers.in_panels();
        }
        numbers
    }

    /// Computes `m` rows of `n` reals from `m` rows of `k` bytes: row `i` of `a` starts at `i * a_stride`, row `i` of `out`
    /// at `i * out_stride`. Elements between rows are neither read nor written.
    ///
    /// # Panics
    ///
    /// If a stride is below its row's length, a slice is too short for `m` rows, or the numbers are for fewer channels.
    pub fn run(
        &self,
        numbers: &Numbers,
        (a, a_stride): (&[i8], usize),
        m: usize,
        (out, out_stride): (&mut [f32], usize),
    ) {
        let padded = self.n.next_multiple_of(super::PackedGemm::COLUMNS);
        assert!(
            numbers.bias.len() == padded,
            "qs8_gemm: numbers of another product"
        );
        if m == 0 || self.n == 0 {
            return;
        }
        super::check_rows("a", a.len(), a_stride, m, self.k);
        super::check_rows("out", out.len(), out_stride, m, self.n);
        let a = Matrix {
            elements: a,
            stride: a_stride,
            rows: m,
        };
        let out = RealOutput {
            elements: out,
            stride: out_stride,
            columns: self.n,
        };
        match &self.weights {
            Weights::Scalar(weights) => run_scalar(weights, self.k, numbers, a, out),
            #[cfg(target_arch = "aarch64")]
            Weights::Neon(panels) => {
                assert!(
                    numbers.panels.len() == padded / 4,
                    "qs8_gemm: numbers for another instruction set"
                );
                panels.run_real(numbers, a, out);
            }
            #[cfg(target_arch = "aarch64")]
            Weights::DotProd(panels) => panels.run_real(numbers, a, out),
        }
    }
}

#[cfg(target_arch = "aarch64")]
impl Numbers {
    fn in_panels(&self) -> Vec<RealParams> {
        let [bias, _] = [self.bias.as_chunks::<4>().0; 2];
        let reals = [&self.multiplier, &self.addend].map(|reals| reals.as_chunks::<4>().0);
        let panels = bias.iter().zip(reals[0]).zip(reals[1]);
        panels
            .map(|((&bias, &multiplier), &addend)| RealParams {
                bias,
                multiplier,
                addend,
            })
            .collect()
    }
}

/// The specification; the shapes were checked by the dispatcher.
fn run_scalar(weights: &[i8], k: usize, numbers: &Numbers, a: Matrix, out: RealOutput) {
    for i in 0..a.rows {
        let row = &a.elements[i * a.stride..][..k];
        for c in 0..out.columns {
            let products = row.iter().zip(&weights[c * k..][..k]);
            let acc: i32 = products.map(|(&a, &w)| i32::from(a) * i32::from(w)).sum();
            let scaled = (acc + numbers.bias[c]) as f32 * numbers.multiplier[c];
            out.elements[i * out.stride + c] = scaled + numbers.addend[c];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Guarded, Place, fills, isas};

    /// Holds every instruction set to the specification, in every place, with gaps between rows that must stay.
    fn check(weights: &[i8], a: &[i8], [m, n, k]: [usize; 3], gap: usize) {
        let (a_stride, out_stride) = (k + gap, n + gap);
        let len =
            |stride: usize, row: usize| m.checked_sub(1).map_or(0, |rows| rows * stride + row);
        let mut expected = vec![f32::NAN; len(out_stride, n)];
        for isa in [vec![Isa::Scalar], isas()].concat() {
            let packed = PackedRealGemm::new(isa, weights, [n, k]).expect("sums that fit");
            let numbers = packed.numbers(
                -7,
                |c| 0.0123 / (1 + c % 5) as f32,
                |c| (c as f32 - 3.0) * 0.37,
            );
            if expected.iter().all(|real| real.is_nan()) {
                packed.run(&numbers, (a, a_stride), m, (&mut expected, out_stride));
            }
            for place in Place::ALL {
                let a = Guarded::new(&a[..len(a_stride, k)], place);
                let mut out = Guarded::new(&vec![f32::NAN; expected.len()], place);
                packed.run(&numbers, (&a, a_stride), m, (&mut out, out_stride));
                let bits = |reals: &[f32]| reals.iter().map(|real| real.to_bits()).collect();
                let (got, expected): (Vec<u32>, Vec<u32>) = (bits(&out), bits(&expected));
                assert!(
                    got == expected,
                    "{} {m}x{n}x{k} gap {gap} {place:?}",
                    isa.name()
                );
            }
        }
    }

    #[test]
    fn every_tail_equals_the_specification() {
        let noise = &fills(8192)[5];
        let other = &fills(8192)[6];
        for k in (1..=20).chain([31, 32, 33, 48, 63, 64, 65, 96, 127]) {
            for n in [1, 3, 4, 5, 8, 9, 15, 16, 17, 24, 40] {
                for m in [0, 1, 2, 3, 5, 6, 7, 13] {
                    if (n + k + m) % 3 == 0 {
                        check(&noise[..n * k], other, [m, n, k], m % 2);
                    }
                }
            }
        }
    }

    #[test]
    fn blocks_of_rows_and_extremes_equal_the_specification() {
        let [least, most, .., weights, a] = fills(331 * 200);
        check(&weights[..20 * 200], &a, [331, 20, 200], 0);
        check(&least[..16 * 192], &least, [7, 16, 192], 0);
        check(&least[..16 * 192], &most, [7, 16, 192], 0);
    }

    #[test]
    fn the_specification_is_the_product_less_the_zero_point_scaled() {
        let packed =
            PackedRealGemm::new(Isa::Scalar, &[1, 2, -3, 4], [2, 2]).expect("sums that fit");
        let numbers = packed.numbers(10, |c| [0.5, 0.25][c], |c| [1.0, -1.0][c]);
        let mut out = [0.0; 2];
        packed.run(&numbers, (&[12, 7], 2), 1, (&mut out, 2));
        // 2 * 1 - 3 * 2 = -4; 2 * -3 - 3 * 4 = -18.
        assert_eq!(out, [-4.0 * 0.5 + 1.0, -18.0 * 0.25 - 1.0]);
    }

    #[test]
    fn a_sum_that_could_overflow_is_refused() {
        let k = (i32::MAX / 256 / 127) as usize + 1;
        let error = PackedRealGemm::new(Isa::Scalar, &vec![127; k], [1, k]).unwrap_err();
        assert!(matches!(error, PackError::SumOverflow { channel: 0, .. }));
        assert!(PackedRealGemm::new(Isa::Scalar, &vec![127; k - 1], [1, k - 1]).is_ok());
    }
}
