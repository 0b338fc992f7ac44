//! Tiles of three rows by four channels with SMULL, SMLAL2 and SADALP, sixteen `k` in lanes.
//!
//! Products stay in 16-bit lanes for a whole run, which [`runs`](super::runs) proves safe for the panel's weights; a
//! panel with two -128 in one lane has no moves, and each product is widened by itself.
//!
//! A row's end that is not whole sixteens is read by one load of eight or sixteen bytes that ends where the row ends,
//! against weights that are zero where it looks back. Nothing is read outside a row; a shorter row is copied first.

use super::endings::{PLAIN, REAL, SHORT, element};
use super::groups::groups;
use super::neon_rest::StoreRow;
use super::real::{Numbers, RealOutput};
use super::rows::{Tiles, block_rows};
use super::runs::{Move, Step, append_moves};
use super::{Matrix, neon_1x4_loop, neon_3x4_loop};
use crate::Columns;
use crate::isa::Neon;
use crate::requantize::Requantize;
use crate::requantize_neon::{Finish, Way};
use alloc::{vec, vec::Vec};
use core::ops::Range;

/// Elements of `k` that one load of a row brings.
pub(super) const STEP: usize = 16;

/// Channels of a panel.
pub(super) const CHANNELS: usize = 4;

/// Rows of a tile.
const ROWS: usize = 3;

/// The bytes of weights that a tile goes over before the next tile does: what the first-level cache has beside a block
/// of rows.
pub(super) const GROUP_BYTES: usize = 16 * 1024;

/// A panel's numbers of the epilogue.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Params {
    /// What the sums start from.
    pub bias: [i32; CHANNELS],
    pub multiplier: [f32; CHANNELS],
}

impl Params {
    /// Of all panels; channels that a last panel lacks have zeros.
    pub fn of(requantize: &Requantize) -> Vec<Params> {
        let n = requantize.bias.len();
        let none = Params {
            bias: [0; CHANNELS],
            multiplier: [0.0; CHANNELS],
        };
        let mut params = vec![none; n.div_ceil(CHANNELS)];
        for (c, start) in Way::of(requantize)
            .starts(requantize)
            .into_iter()
            .enumerate()
        {
            let panel = &mut params[c / CHANNELS];
            panel.bias[c % CHANNELS] = start;
            panel.multiplier[c % CHANNELS] = requantize.multiplier[c];
        }
        params
    }
}

/// Weights in panels of four channels, `[panel][k step][channel][16]`.
#[derive(Clone, Debug)]
pub struct Panels {
    proof: Neon,
    pub(super) k: usize,
    pub(super) n: usize,
    /// The steps of a panel: whole ones, and one for what is left.
    pub(super) steps: usize,
    pub(super) weights: Vec<Step>,
    /// The moves of every panel, one after the other.
    moves: Vec<Move>,
    /// Where each panel's moves start in `moves`; `None` where it has none.
    starts: Vec<Option<usize>>,
    pub(super) params: Vec<Params>,
}

/// Neighbouring panels that have moves, and what an assembly loop needs to know of them.
pub struct Group {
    /// One [`Params`] or [`RealParams`](super::real::RealParams) after the other.
    pub params: *const u8,
    pub weights: *const Step,
    /// Panel after panel.
    pub moves: *const Move,
    pub panels: usize,
    /// The length of a row, at least sixteen.
    pub k: usize,
    pub finish: *const Finish,
}

impl Group {
    /// How far behind the whole steps the load of what is left of a row starts, which is backwards.
    pub fn back(&self) -> isize {
        let left = self.k % STEP;
        let len = if left <= STEP / 2 { STEP / 2 } else { STEP };
        left as isize - len as isize
    }
}

/// Where a product goes: where channel 0 of its first row stands or would, and the columns that are written. The stride is
/// in bytes.
struct To {
    element: *mut i8,
    stride: usize,
    columns: Range<usize>,
}

/// The bytes of a block of rows: half of the smallest first-level data cache of the boards, the other half being left to a
/// group of weights, all of whose outputs a tile writes before the next.
pub(super) const BLOCK_BYTES: usize = 16 * 1024;

impl Panels {
    pub fn pack(proof: Neon, weights: &[i8], k: usize, requantize: &Requantize) -> Panels {
        Panels {
            params: Params::of(requantize),
            ..Panels::pack_weights(proof, weights, [requantize.bias.len(), k])
        }
    }

    /// The weights alone, `[n, k]`: for sums that become reals, whose numbers come with a run.
    pub fn pack_weights(proof: Neon, weights: &[i8], [n, k]: [usize; 2]) -> Panels {
        let (whole, left) = (k / STEP, k % STEP);
        let steps = whole + usize::from(left > 0);
        let count = n.div_ceil(CHANNELS);
        let mut packed: Vec<Step> = vec![[0; CHANNELS * STEP]; count * steps];
        for channel in 0..n {
            let (panel, column) = (channel / CHANNELS, channel % CHANNELS);
            let panel = &mut packed[panel * steps..][..steps];
            let (bodies, tail) = weights[channel * k..][..k].split_at(whole * STEP);
            for (step, body) in panel.iter_mut().zip(bodies.chunks_exact(STEP)) {
                step[column * STEP..][..STEP].copy_from_slice(body);
            }
            if left > 0 {
                // At the end of a half step where that is enough, else of a whole one.
                let end = if left <= 8 { 8 } else { STEP };
                panel[whole][column * STEP + end - left..][..left].copy_from_slice(tail);
            }
        }
        let mut all_moves = Vec::with_capacity(count * (steps + 1));
        let mut starts = Vec::with_capacity(count);
        for panel in 0..count {
            let panel = &packed[panel * steps..][..steps];
            let (bodies, tail) = panel.split_at(whole);
            let start = all_moves.len();
            let has_moves = k >= STEP && append_moves(&mut all_moves, bodies, tail, left).is_some();
            starts.push(has_moves.then_some(start));
        }
        Panels {
            proof,
            k,
            n,
            steps,
            weights: packed,
            moves: all_moves,
            starts,
            params: Vec::new(),
        }
    }

    pub fn bytes(&self) -> usize {
        size_of_val(&*self.weights)
            + size_of_val(&*self.moves)
            + size_of_val(&*self.starts)
            + size_of_val(&*self.params)
    }

    /// See [`PackedGemm::run`](super::PackedGemm::run), which checked the shapes.
    pub fn run(&self, requantize: &Requantize, a: Matrix, mut out: Columns) {
        let _ = self.proof;
        // SAFETY: the proof says that the CPU has neon; the dispatcher checked that `a` holds its rows of `k` and `out`
        // as many of the columns, which are whole panels.
        unsafe {
            let way = Way::of(requantize);
            let finish = Finish::new(requantize, way);
            let to = To {
                element: out.at(0, 0),
                stride: out.stride(),
                columns: out.range(),
            };
            if way.is_short() {
                self.run_blocks::<SHORT, _>(&self.params, &finish, a, to)
            } else {
                self.run_blocks::<PLAIN, _>(&self.params, &finish, a, to)
            }
        }
    }

    /// See [`PackedRealGemm::run`](super::PackedRealGemm::run), which checked the shapes.
    pub fn run_real(&self, numbers: &Numbers, a: Matrix, out: RealOutput) {
        let _ = self.proof;
        // SAFETY: the proof says that the CPU has neon; the dispatcher checked that `a` holds its rows of `k` and `out`
        // as many of all channels.
        unsafe {
            let to = To {
                element: out.elements.as_mut_ptr().cast(),
                stride: size_of::<f32>() * out.stride,
                columns: 0..out.columns,
            };
            self.run_blocks::<REAL, _>(&numbers.panels, &Finish::unused(), a, to);
        }
    }

    /// # Safety
    ///
    /// The CPU has neon; `a` holds `a.rows` rows of `k`, `to` as many of its columns, which are whole panels, of elements
    /// that `ENDING` makes.
    #[target_feature(enable = "neon")]
    unsafe fn run_blocks<const ENDING: u8, P: StoreRow>(
        &self,
        params: &[P],
        finish: &Finish,
        a: Matrix,
        to: To,
    ) {
        let panels = to.columns.start / CHANNELS..to.columns.end.div_ceil(CHANNELS);
        let fitting = GROUP_BYTES / (self.steps.max(1) * size_of::<Step>());
        let block = block_rows(a.rows, self.k, BLOCK_BYTES, ROWS);
        for start in (0..a.rows).step_by(block) {
            let rows = block.min(a.rows - start);
            // In bounds: the block's rows are in `a` and `to`.
            let a = (a.elements[start * a.stride..].as_ptr(), a.stride);
            let out = (to.element.wrapping_add(start * to.stride), to.stride);
            for panels in groups(panels.clone(), fitting, |panel| self.is_loopable(panel)) {
                // SAFETY: the block's rows are in `a` and `to`.
                unsafe {
                    if self.is_loopable(panels.start) {
                        let params = params[panels.start..].as_ptr().cast();
                        self.run_group::<ENDING>(panels, params, finish, a, out, rows);
                    } else {
                        let panel = panels.start;
                        self.run_rest::<ENDING, P>(panel, &params[panel], finish, a, out, rows);
                    }
                }
            }
        }
    }

    /// Whether an assembly loop can compute a panel: it has moves, and each of its channels is one of the output's.
    fn is_loopable(&self, panel: usize) -> bool {
        self.starts[panel].is_some() && (panel + 1) * CHANNELS <= self.n
    }

    /// Computes all rows of panels that have moves.
    ///
    /// # Safety
    ///
    /// The CPU has neon. `a` points to `rows` rows of `k`, `out` to where channel 0 of as
    /// many stands or would, at the given strides.
    #[target_feature(enable = "neon")]
    unsafe fn run_group<const ENDING: u8>(
        &self,
        panels: Range<usize>,
        params: *const u8,
        finish: &Finish,
        (a, a_stride): (*const i8, usize),
        (out, out_stride): (*mut i8, usize),
        rows: usize,
    ) {
        let start = self.starts[panels.start].expect("a panel with moves");
        let group = Group {
            params,
            weights: self.weights[panels.start * self.steps..].as_ptr(),
            moves: self.moves[start..].as_ptr(),
            panels: panels.len(),
            k: self.k,
            finish,
        };
        let out = out.wrapping_add(panels.start * CHANNELS * element(ENDING));
        let count = rows / ROWS;
        // SAFETY: the caller's; weights, moves and numbers were packed panel after panel, and a row of `out` has four
        // channels for each.
        unsafe {
            if count > 0 {
                let tiles = Tiles {
                    a,
                    a_stride,
                    out,
                    out_stride,
                    count,
                };
                neon_3x4_loop::run::<ENDING>(&group, tiles);
            }
            for row in count * ROWS..rows {
                let (a, out) = (a.add(row * a_stride), out.add(row * out_stride));
                neon_1x4_loop::run::<ENDING>(&group, a, out);
            }
        }
    }
}
