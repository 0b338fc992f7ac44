//! The query of a scan, quantized once for all rows.

use super::{CHAIN, QUAD, SCAN_STEP, row_scale};
use alloc::vec::Vec;

/// The most that the magnitudes of a chain may sum up to: times the largest of any row, 128, it stays within 16 bits.
const CHAIN_LIMIT: u32 = (i16::MAX as u32) / 128;

/// A query vector as the kernels take it.
///
/// Without dot product a chain of eight products is summed in 16 bits before it is widened. That holds whatever the rows
/// are, because the query's scale is chosen for it: in each 32 columns, the magnitudes of the eight that are four
/// apart sum up to 255 at most. A query with one large element keeps its 127 steps to a side; one that is even gets as
/// few as 31.
#[derive(Clone, Debug, PartialEq)]
pub struct ScanQuery {
    /// `[dimension]`, padded with zeros to whole steps.
    pub(super) values: Vec<i8>,
    /// Each quad of `values` four times over: `[quad][4][4]`.
    pub(super) repeated: Vec<i8>,
    dimension: usize,
}

impl ScanQuery {
    /// Quantizes a query, `[dimension]`, of finite numbers; its length does not matter. Elements that are not finite
    /// count as zero.
    ///
    /// # Panics
    ///
    /// If the query has no element.
    pub fn new(query: &[f32]) -> ScanQuery {
        let mut made = ScanQuery {
            values: Vec::new(),
            repeated: Vec::new(),
            dimension: 0,
        };
        made.set(query);
        made
    }

    /// Makes it another query, as [`ScanQuery::new`] would; of the same dimension, without an allocation.
    ///
    /// # Panics
    ///
    /// If the query has no element.
    pub fn set(&mut self, query: &[f32]) {
        assert!(!query.is_empty(), "a query of no elements");
        let finite = |x: f32| if x.is_finite() { x } else { 0.0 };
        let magnitude = |x: &f32| finite(*x).abs();
        let largest = query.iter().map(magnitude).fold(0.0, f32::max);
        let values = &mut self.values;
        values.clear();
        values.resize(query.len().next_multiple_of(SCAN_STEP), 0);
        // From the largest element alone; a chain that is too long makes the steps wider.
        let mut step = largest / 127.0;
        while step >= f32::MIN_POSITIVE {
            for (value, &x) in values.iter_mut().zip(query) {
                *value = (finite(x) / step).clamp(-127.0, 127.0).round_ties() as i8;
            }
            match longest_chain(values) {
                longest if longest <= CHAIN_LIMIT => break,
                longest => step *= longest as f32 / CHAIN_LIMIT as f32 * 1.001,
            }
        }
        let quads = values.as_chunks::<QUAD>().0;
        self.repeated.clear();
        self.repeated
            .extend(quads.iter().flat_map(|quad| [*quad; 4]).flatten());
        self.dimension = query.len();
    }

    /// How many elements the query and each row have.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// One over the quantized query's length: what makes a score a cosine. Zero of a query without direction.
    pub fn unit(&self) -> f32 {
        row_scale(&self.values)
    }
}

/// The largest sum of magnitudes of eight elements that are four apart.
fn longest_chain(values: &[i8]) -> u32 {
    let chains = values.as_chunks::<CHAIN>().0.iter().flat_map(|columns| {
        (0..QUAD).map(|lane| -> u32 {
            let chain = columns.iter().skip(lane).step_by(QUAD);
            chain.map(|x| u32::from(x.unsigned_abs())).sum()
        })
    });
    chains.max().unwrap_or(0)
}

/// Half to even, which `core` lacks; for magnitudes far below 2^22.
trait RoundTies {
    fn round_ties(self) -> f32;
}

impl RoundTies for f32 {
    fn round_ties(self) -> f32 {
        (self + crate::quantize::ROUNDER) - crate::quantize::ROUNDER
    }
}
