//! One query against many stored vectors: a search through an index of embeddings.
//!
//! Rows lie in panels of sixteen as the kernels read them, on a disk as in memory: a search is one pass over bytes that
//! nobody packs again. A row's sum is exact in 32 bits, its score that sum times the row's own scale, and each panel's best
//! score is written beside, so that whoever wants the few best of many rows looks at one number for sixteen.
//!
//! The query is quantized so that eight products fit into 16 bits: see [`ScanQuery`].
//!
//! Limits: rows are padded with zeros to whole [`SCAN_STEP`]s; a scale is finite and not negative.

#[cfg(target_arch = "aarch64")]
mod finish_neon;
mod panel;
#[cfg(target_arch = "aarch64")]
mod qs8_scan_16r_dotprod;
#[cfg(target_arch = "aarch64")]
mod qs8_scan_16r_neon;
mod qs8_scan_scalar;
mod query;
#[cfg(test)]
mod tests;

pub use panel::{panel_bytes, panel_row, put_panel_row};
pub use query::ScanQuery;

use crate::Isa;

/// Rows of a panel.
pub const PANEL_ROWS: usize = 16;

/// A row's length in a panel is a whole number of these.
pub const SCAN_STEP: usize = 64;

/// Columns that are multiplied before a sum in 16 bits is widened; four lanes share them.
const CHAIN: usize = 32;

/// Columns in a lane of 32 bits.
const QUAD: usize = 4;

/// Writes each row's score to `scores`, `[n]`, and each panel's best to `bests`, `[n / 16]`.
///
/// `scores[r] = f32(sum of row[r][i] * query[i]) * scales[r]`, bit for bit the same on every `isa`: the sum is
/// exact, and its rounding to an `f32` and that of the product are those of IEEE 754. With scales from [`row_scale`], a score times
/// [`ScanQuery::unit`] is the cosine of the two quantized vectors. `panels` is `[n / 16]` panels of
/// [`panel_bytes`] each; `scales` is `[n]`, zero where there is no row.
///
/// # Panics
///
/// If the lengths contradict each other, or `n` is not whole panels.
pub fn qs8_scan(
    isa: Isa,
    query: &ScanQuery,
    panels: &[i8],
    scales: &[f32],
    scores: &mut [f32],
    bests: &mut [f32],
) {
    let bytes = panel_bytes(query.dimension());
    let (scales, rest) = scales.as_chunks::<PANEL_ROWS>();
    let (scores, scores_rest) = scores.as_chunks_mut::<PANEL_ROWS>();
    let count = scales.len();
    assert!(
        rest.is_empty()
            && scores_rest.is_empty()
            && scores.len() == count
            && bests.len() == count
            && count.checked_mul(bytes) == Some(panels.len()),
        "qs8_scan: {} bytes, {} scores and {} bests for {count} panels of {bytes} bytes",
        panels.len(),
        scores.len() * PANEL_ROWS,
        bests.len(),
    );
    let rows = Rows {
        panels,
        scales,
        scores,
        bests,
    };
    match isa {
        Isa::Scalar => qs8_scan_scalar::run(query, rows),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(neon) => qs8_scan_16r_neon::run(neon, query, rows),
        #[cfg(target_arch = "aarch64")]
        Isa::DotProd(dotprod) => qs8_scan_16r_dotprod::run(dotprod, query, rows),
    }
}

/// One over the length of a row, which makes its products cosines; zero of a row of zeros.
pub fn row_scale(row: &[i8]) -> f32 {
    let square: f64 = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    match square {
        0.0 => 0.0,
        // The root by Newton's steps, since `core` has none: five from a start that is a few per cent off.
        _ => (1.0 / root(square)) as f32,
    }
}

/// The square root of a finite number that is at least one.
fn root(square: f64) -> f64 {
    let mut root = f64::from_bits((square.to_bits() >> 1) + (0x3ff0_0000_0000_0000_u64 >> 1));
    for _ in 0..5 {
        root = 0.5 * (root + square / root);
    }
    root
}

/// What is read and written, a panel at a time; the dispatcher checked that all are as many.
struct Rows<'a> {
    panels: &'a [i8],
    scales: &'a [[f32; PANEL_ROWS]],
    scores: &'a mut [[f32; PANEL_ROWS]],
    bests: &'a mut [f32],
}
