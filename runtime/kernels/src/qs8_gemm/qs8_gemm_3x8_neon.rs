//! Tiles of three rows by eight channels with SMULL, SMLAL2 and SADALP for rows of 16 to 40 elements, which stay in
//! registers while all panels of weights go by.
//!
//! Weights lie in [`Quad`]s, and a row's bytes are spread to match: see [`neon_quads`](super::neon_quads). A quad's products
//! are two to a lane of 16 bits, which only two -128 leave; a panel that has them is computed product by product.
//!
//! Three rows have registers for up to seven quads; tiles of longer rows have two.
//!
//! A row is read by loads of sixteen bytes and one that ends where the row ends. Where the quads of the last look back at
//! elements of the others their weights are zero. Nothing is read outside a row.

use super::Matrix;
use super::groups::groups;
use super::neon_resident::{self, Group, tile_rows};
use super::neon_rest::store_row;
use super::qs8_gemm_3x4_neon::{BLOCK_BYTES, CHANNELS, GROUP_BYTES, Params};
use super::rows::{Tiles, block_rows};
use super::runs::{Quad, fits_a_lane};
use crate::Columns;
use crate::isa::Neon;
use crate::requantize::Requantize;
use crate::requantize_neon::{Finish, Way};
use alloc::{vec, vec::Vec};
use core::arch::aarch64::*;
use core::ops::{Range, RangeInclusive};

/// The lengths of rows that this kernel takes.
pub const ROW_LENGTHS: RangeInclusive<usize> = 16..=40;

/// Elements of `k` in a quad, for each of four channels.
const QUAD: usize = 4;

/// The quads that a loop loads behind the panels it computes.
const QUADS_AHEAD: usize = 2;

/// Weights in panels of four channels, `[panel][quad][2][channel][2]`.
#[derive(Clone, Debug)]
pub struct Panels {
    proof: Neon,
    k: usize,
    n: usize,
    /// The quads of a panel.
    quads: usize,
    /// Those of all panels, and [`QUADS_AHEAD`].
    weights: Vec<Quad>,
    /// Which panels assembly can compute: their products fit 16 bits, and each of their channels is one of the output's.
    loopable: Vec<bool>,
    params: Vec<Params>,
}

/// The elements of a row that stand where they are in its quads; those behind them stand at the quads' end.
fn straight(quads: usize) -> usize {
    (quads - 1) / 4 * 16
}

impl Panels {
    /// `k` is one of [`ROW_LENGTHS`].
    pub fn pack(proof: Neon, weights: &[i8], k: usize, requantize: &Requantize) -> Panels {
        let n = requantize.bias.len();
        let quads = k.div_ceil(QUAD);
        let count = n.div_ceil(CHANNELS);
        let mut packed: Vec<Quad> = vec![[0; CHANNELS * QUAD]; count * quads + QUADS_AHEAD];
        for channel in 0..n {
            let (panel, column) = (channel / CHANNELS, channel % CHANNELS);
            let panel = &mut packed[panel * quads..][..quads];
            for (i, &weight) in weights[channel * k..][..k].iter().enumerate() {
                // The last element stands at the end of the last quad.
                let at = if i < straight(quads) {
                    i
                } else {
                    i + quads * QUAD - k
                };
                let (pair, element) = (at % QUAD / 2, at % 2);
                panel[at / QUAD][(pair * CHANNELS + column) * 2 + element] = weight;
            }
        }
        let loopable = (0..count)
            .map(|panel| {
                let full = (panel + 1) * CHANNELS <= n;
                full && packed[panel * quads..][..quads].iter().all(fits_a_lane)
            })
            .collect();
        Panels {
            proof,
            k,
            n,
            quads,
            weights: packed,
            loopable,
            params: Params::of(requantize),
        }
    }

    pub fn bytes(&self) -> usize {
        size_of_val(&*self.weights) + self.loopable.len() + size_of_val(&*self.params)
    }

    /// See [`PackedGemm::run`](super::PackedGemm::run), which checked the shapes.
    pub fn run(&self, requantize: &Requantize, a: Matrix, out: Columns) {
        let _ = self.proof;
        // SAFETY: the proof says that the CPU has neon; the dispatcher checked that `a` holds its rows of `k` and `out`
        // as many of the columns, which are whole panels.
        unsafe {
            if Way::of(requantize).is_short() {
                self.run_blocks::<true>(requantize, a, out)
            } else {
                self.run_blocks::<false>(requantize, a, out)
            }
        }
    }

    /// # Safety
    ///
    /// The CPU has neon; `a` holds `a.rows` rows of `k`, `out` as many of its columns, which are whole panels.
    #[target_feature(enable = "neon")]
    unsafe fn run_blocks<const SHORT: bool>(
        &self,
        requantize: &Requantize,
        a: Matrix,
        mut out: Columns,
    ) {
        let columns = out.range();
        let panels = columns.start / CHANNELS..columns.end.div_ceil(CHANNELS);
        let finish = Finish::new(requantize, Way::of(requantize));
        let fitting = GROUP_BYTES / (self.quads * size_of::<Quad>());
        let block = block_rows(a.rows, self.k, BLOCK_BYTES, tile_rows(self.quads));
        for start in (0..a.rows).step_by(block) {
            let rows = block.min(a.rows - start);
            // In bounds: the block's rows are in `a` and `out`.
            let a = (a.elements[start * a.stride..].as_ptr(), a.stride);
            let out = (out.at(start, 0), out.stride());
            for panels in groups(panels.clone(), fitting, |panel| self.loopable[panel]) {
                // SAFETY: the block's rows are in `a` and `out`.
                unsafe {
                    if self.loopable[panels.start] {
                        self.run_group::<SHORT>(panels, &finish, a, out, rows);
                    } else {
                        self.run_rest::<SHORT>(panels.start, &finish, a, out, rows);
                    }
                }
            }
        }
    }

    /// Computes all rows of loopable panels. Rows that fill no tile are computed by one that takes rows before them once
    /// more, or, where there are too few for a tile, each as all rows of one: the same bytes are written again.
    ///
    /// # Safety
    ///
    /// The CPU has neon. `a` points to `rows` rows of `k`, `out` to where channel 0 of as
    /// many stands or would, at the given strides.
    #[target_feature(enable = "neon")]
    unsafe fn run_group<const SHORT: bool>(
        &self,
        panels: Range<usize>,
        finish: &Finish,
        (a, a_stride): (*const i8, usize),
        (out, out_stride): (*mut i8, usize),
        rows: usize,
    ) {
        let group = Group {
            params: self.params[panels.clone()].as_ptr(),
            weights: self.weights[panels.start * self.quads..].as_ptr(),
            panels: panels.len(),
            k: self.k,
            finish,
        };
        let out = out.wrapping_add(panels.start * CHANNELS);
        let tiles = |row: usize, strides: usize, count| Tiles {
            a: a.wrapping_add(row * a_stride),
            a_stride: strides * a_stride,
            out: out.wrapping_add(row * out_stride),
            out_stride: strides * out_stride,
            count,
        };
        // SAFETY: the caller's; weights and numbers were packed panel after panel, and a row of `out` has four channels
        // for each. Every tile's rows are of the `rows`.
        unsafe {
            let tile_rows = tile_rows(self.quads);
            let run = neon_resident::run::<SHORT>;
            if rows < tile_rows {
                for row in 0..rows {
                    run(&group, tiles(row, 0, 1));
                }
                return;
            }
            run(&group, tiles(0, 1, rows / tile_rows));
            if !rows.is_multiple_of(tile_rows) {
                run(&group, tiles(rows - tile_rows, 1, 1));
            }
        }
    }

    /// Computes all rows of one panel, each product widened by itself.
    ///
    /// # Safety
    ///
    /// The CPU has neon. `a` points to `rows` rows of `k`, `out` to where channel 0 of as
    /// many stands or would, at the given strides.
    #[inline(never)]
    #[target_feature(enable = "neon")]
    unsafe fn run_rest<const SHORT: bool>(
        &self,
        panel: usize,
        finish: &Finish,
        (a, a_stride): (*const i8, usize),
        (out, out_stride): (*mut i8, usize),
        rows: usize,
    ) {
        let first = panel * CHANNELS;
        let channels = (self.n - first).min(CHANNELS);
        for row in 0..rows {
            // SAFETY: the caller's.
            unsafe {
                let sums = self.row_sums(panel, a.add(row * a_stride));
                let out = out.wrapping_add(row * out_stride + first);
                store_row::<SHORT>(finish, &self.params[panel], sums, out, channels);
            }
        }
    }

    /// The sums of a row's products with a panel's four channels.
    ///
    /// # Safety
    ///
    /// The CPU has neon. `row` points to `k` elements.
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn row_sums(&self, panel: usize, row: *const i8) -> int32x4_t {
        let mut values = [0_u8; *ROW_LENGTHS.end()];
        let (first, last) = values[..self.quads * QUAD].split_at_mut(straight(self.quads));
        // SAFETY: the caller's; the last bytes are at most sixteen, which a row has.
        unsafe {
            let row = row.cast::<u8>();
            row.copy_to_nonoverlapping(first.as_mut_ptr(), first.len());
            row.add(self.k - last.len())
                .copy_to_nonoverlapping(last.as_mut_ptr(), last.len());
        }
        let quads = &self.weights[panel * self.quads..][..self.quads];
        let mut sums = vdupq_n_s32(0);
        for (quad, values) in quads.iter().zip(values.chunks_exact(QUAD)) {
            let pair = |a, b| vreinterpret_s8_s16(vdup_n_s16(i16::from_le_bytes([a, b])));
            // SAFETY: a quad has sixteen weights.
            let weights = unsafe { vld1q_s8(quad.as_ptr()) };
            let low = vmull_s8(pair(values[0], values[1]), vget_low_s8(weights));
            let high = vmull_s8(pair(values[2], values[3]), vget_high_s8(weights));
            sums = vpadalq_s16(vpadalq_s16(sums, low), high);
        }
        sums
    }
}
