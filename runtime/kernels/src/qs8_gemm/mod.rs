//! Signed 8-bit matrix product with the epilogue fused: a pointwise convolution, a classifier.
//!
//! Weights are packed once for one instruction set; a run allocates nothing. Rows and columns are independent:
//! threads share a product by taking some.
//!
//! Limits: weights have no zero point. See [`Epilogue`].

#[cfg(target_arch = "aarch64")]
mod dotprod_6x16_loop;
#[cfg(target_arch = "aarch64")]
mod endings;
#[cfg(any(target_arch = "aarch64", test))]
mod groups;
#[cfg(target_arch = "aarch64")]
mod neon_1x4_loop;
#[cfg(target_arch = "aarch64")]
mod neon_3x4_loop;
#[cfg(target_arch = "aarch64")]
mod neon_quads;
#[cfg(target_arch = "aarch64")]
mod neon_quads_2_rows;
#[cfg(target_arch = "aarch64")]
mod neon_resident;
#[cfg(target_arch = "aarch64")]
mod neon_rest;
#[cfg(target_arch = "aarch64")]
mod neon_steps;
#[cfg(target_arch = "aarch64")]
mod neon_sums;
#[cfg(target_arch = "aarch64")]
mod qs8_gemm_3x4_neon;
#[cfg(target_arch = "aarch64")]
mod qs8_gemm_3x8_neon;
#[cfg(target_arch = "aarch64")]
mod qs8_gemm_6x16_dotprod;
mod qs8_gemm_scalar;
mod real;
#[cfg(any(target_arch = "aarch64", test))]
mod rows;
#[cfg(any(target_arch = "aarch64", test))]
mod runs;

pub use self::real::{Numbers, PackedRealGemm};
use crate::requantize::{Epilogue, PackError, Requantize};
use crate::{Columns, Isa, weight_sums};
use alloc::vec::Vec;

/// Weights `[n, k]` and their epilogue, packed for one instruction set.
#[derive(Clone, Debug)]
pub struct PackedGemm {
    n: usize,
    k: usize,
    requantize: Requantize,
    weights: Weights,
}

/// The packed bytes, with the proof that their kernel may run.
#[derive(Clone, Debug)]
enum Weights {
    Scalar(Vec<i8>),
    #[cfg(target_arch = "aarch64")]
    Neon(qs8_gemm_3x4_neon::Panels),
    #[cfg(target_arch = "aarch64")]
    NeonResident(qs8_gemm_3x8_neon::Panels),
    #[cfg(target_arch = "aarch64")]
    DotProd(qs8_gemm_6x16_dotprod::Panels),
}

/// The left side of a product: rows that lie `stride` elements apart.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    elements: &'a [i8],
    stride: usize,
    rows: usize,
}

impl PackedGemm {
    /// Columns are cut at multiples of this: the channels of the widest kernel's panel.
    pub const COLUMNS: usize = 16;

    /// Packs `weights`, which is `[n, k]`, row after row.
    ///
    /// # Errors
    ///
    /// If a sum may overflow, or a multiplier makes no sense.
    ///
    /// # Panics
    ///
    /// If `weights` has not `n * k` elements or the epilogue is not for `n` channels.
    pub fn new(
        isa: Isa,
        weights: &[i8],
        [n, k]: [usize; 2],
        epilogue: Epilogue,
    ) -> Result<PackedGemm, PackError> {
        assert!(
            n.checked_mul(k) == Some(weights.len()),
            "qs8_gemm: {} weights are not {n} rows of {k}",
            weights.len()
        );
        let magnitude = |c: usize| weight_sums(&weights[c * k..][..k]).1;
        let requantize = Requantize::new(epilogue, n, magnitude)?;
        let weights = &*requantize.effective(weights, |weights, c| weights[c * k..][..k].fill(0));
        let weights = match isa {
            #[cfg(target_arch = "aarch64")]
            Isa::Neon(proof) if qs8_gemm_3x8_neon::ROW_LENGTHS.contains(&k) => {
                Weights::NeonResident(qs8_gemm_3x8_neon::Panels::pack(
                    proof,
                    weights,
                    k,
                    &requantize,
                ))
            }
            #[cfg(target_arch = "aarch64")]
            Isa::Neon(proof) => Weights::Neon(qs8_gemm_3x4_neon::Panels::pack(
                proof,
                weights,
                k,
                &requantize,
            )),
            #[cfg(target_arch = "aarch64")]
            Isa::DotProd(proof) => Weights::DotProd(qs8_gemm_6x16_dotprod::Panels::pack(
                proof,
                weights,
                k,
                &requantize,
            )),
            Isa::Scalar => Weights::Scalar(weights.into()),
        };
        Ok(PackedGemm {
            n,
            k,
            requantize,
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
            Weights::Scalar(_) => "qs8_gemm_scalar",
            #[cfg(target_arch = "aarch64")]
            Weights::Neon(_) => "qs8_gemm_3x4_neon",
            #[cfg(target_arch = "aarch64")]
            Weights::NeonResident(_) => "qs8_gemm_3x8_neon",
            #[cfg(target_arch = "aarch64")]
            Weights::DotProd(_) => "qs8_gemm_6x16_dotprod",
        }
    }

    /// The bytes that the packed weights and their tables take, for a report.
    pub fn packed_bytes(&self) -> usize {
        let weights = match &self.weights {
            Weights::Scalar(weights) => weights.len(),
            #[cfg(target_arch = "aarch64")]
            Weights::Neon(panels) => panels.bytes(),
            #[cfg(target_arch = "aarch64")]
            Weights::NeonResident(panels) => panels.bytes(),
            #[cfg(target_arch = "aarch64")]
            Weights::DotProd(panels) => panels.bytes(),
        };
        weights + 8 * self.n
    }

    /// Computes `m` rows of `n` bytes from `m` rows of `k`: row `i` of `a` starts at `i * a_stride`, row `i` of `out`
    /// at `i * out_stride`. Bytes between rows are neither read nor written.
    ///
    /// # Panics
    ///
    /// If a stride is below its row's length, or a slice is too short for `m` rows.
    pub fn run(&self, a: &[i8], a_stride: usize, m: usize, out: &mut [i8], out_stride: usize) {
        if m == 0 {
            return;
        }
        check_rows("out", out.len(), out_stride, m, self.n);
        self.run_columns((a, a_stride), Columns::within(out, out_stride, m, self.n));
    }

    /// The same for some of the `n` columns of the output, and as many rows as that has.
    ///
    /// # Panics
    ///
    /// As there, and if `out` has a column beyond `n`, or a border of it is neither a multiple of
    /// [`COLUMNS`](Self::COLUMNS) nor `n`.
    pub fn run_columns(&self, (a, a_stride): (&[i8], usize), out: Columns) {
        let (m, columns) = (out.rows(), out.range());
        let is_border =
            |at: usize| at == self.n || (at < self.n && at.is_multiple_of(Self::COLUMNS));
        assert!(
            is_border(columns.start) && is_border(columns.end) && columns.start <= columns.end,
            "qs8_gemm: {columns:?} are no columns of {}",
            self.n
        );
        if m == 0 || columns.is_empty() {
            return;
        }
        check_rows("a", a.len(), a_stride, m, self.k);
        let a = Matrix {
            elements: a,
            stride: a_stride,
            rows: m,
        };
        let requantize = &self.requantize;
        match &self.weights {
            Weights::Scalar(weights) => qs8_gemm_scalar::run(weights, self.k, requantize, a, out),
            #[cfg(target_arch = "aarch64")]
            Weights::Neon(panels) => panels.run(requantize, a, out),
            #[cfg(target_arch = "aarch64")]
            Weights::NeonResident(panels) => panels.run(requantize, a, out),
            #[cfg(target_arch = "aarch64")]
            Weights::DotProd(panels) => panels.run(requantize, a, out),
        }
    }
}

fn check_rows(what: &str, len: usize, stride: usize, rows: usize, row_len: usize) {
    assert!(
        stride >= row_len,
        "qs8_gemm: rows of {what} lie {stride} apart and have {row_len} elements"
    );
    let needed = (rows - 1)
        .checked_mul(stride)
        .and_then(|start| start.checked_add(row_len));
    assert!(
        needed.is_some_and(|needed| needed <= len),
        "qs8_gemm: {what} has {len} elements, too few for {rows} rows of {row_len}, {stride} apart"
    );
}

#[cfg(test)]
mod tests;
