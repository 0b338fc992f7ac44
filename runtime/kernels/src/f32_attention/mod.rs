//! Attention of one head in f32: `softmax(scale * Q K^T + mask) V`, row by row of Q.
//!
//! Keys and values are packed once for all rows, in panels of sixteen or eight columns that a tile of six rows of queries or of
//! weights is multiplied with. The scores of six rows are all that exists of the matrix of scores. Weights are left as powers of two,
//! and what is computed of them is divided by their sum. A tile lies as its products read it, `[k / 4][6][4]`, with zeros where a
//! row ends or is missing.
//!
//! Products are fused on ARM and not on other machines, so results differ between the two. A result is within
//! `2^-22 * (d * S + n + 32) * max |v|` and `3e-5 * max |v|` of the exact one, where `n` is the number of keys, `d` the size of a key
//! and `S` the greatest sum of `|scale * q k|` of a query and a key, and of masks. A row is the same whichever rows are computed with
//! it. A row whose greatest score is infinite or that has a NaN is NaN altogether.
//!
//! Limits: a scale of 0 and more; a value that is not finite reaches every row.

#[cfg(target_arch = "aarch64")]
mod f32_tile_6x16_neon;
mod f32_tile_scalar;
mod pack;
#[cfg(test)]
mod tests;
mod weigh;

use core::ops::Range;

use self::pack::{Panel, pack, packed_len, padded, panels};
use crate::Isa;
use crate::f32_softmax::LOG2_E;

/// Rows of a tile.
const ROWS: usize = 6;
/// Elements of a row that lie together in a tile.
const STEP: usize = 4;
/// The widest panel.
const WIDEST: usize = 16;

/// A matrix whose element `[i, j]` is `elements[i * row + j * column]`.
#[derive(Clone, Copy, Debug)]
pub struct Strided<'a> {
    /// From the first element of the matrix on.
    pub elements: &'a [f32],
    /// The distance of neighbours in a column.
    pub row: usize,
    /// The distance of neighbours in a row.
    pub column: usize,
}

/// The sizes of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionHead {
    /// How many keys, and values, there are; at least one.
    pub keys: usize,
    /// The size of a key and of a query; at least one.
    pub d: usize,
    /// The size of a value; at least one.
    pub d_value: usize,
}

/// A product of a tile, `[k / 4][6][4]`, with a panel, `[k, width]`, whose rows are multiplied by a factor each.
struct Tile<'a> {
    a: &'a [f32],
    panel: &'a [f32],
    k: usize,
    factors: &'a [f32; ROWS],
}

/// Where a product of a tile goes.
enum To<'a> {
    /// Into a tile, `[width / 4][6][4]`.
    Tile(&'a mut [f32]),
    /// Into six rows, so far apart.
    Rows(&'a mut [f32], usize),
}

impl AttentionHead {
    /// The kernel's name, for reports.
    pub fn name(isa: Isa) -> &'static str {
        match isa {
            Isa::Scalar => "f32_attention_scalar",
            #[cfg(target_arch = "aarch64")]
            Isa::Neon(_) | Isa::DotProd(_) => "f32_attention_6x16_neon",
        }
    }

    /// Multiply-accumulates of a row.
    pub fn macs(self) -> usize {
        self.keys * (self.d + self.d_value)
    }

    /// The elements that [`pack`](Self::pack) fills.
    pub fn packed_len(self) -> usize {
        packed_len([self.d, self.keys]) + packed_len([self.keys, self.d_value])
    }

    /// The elements of scratch that [`attend`](Self::attend) needs.
    pub fn scratch_len(self) -> usize {
        ROWS * (padded(self.keys) + self.d.next_multiple_of(STEP) + WIDEST)
    }

    /// Packs `keys`, `[keys, d]`, and `values`, `[keys, d_value]`, into `to`.
    ///
    /// # Panics
    ///
    /// If a size is 0, a matrix is too short for its sizes, or `to` has not [`packed_len`](Self::packed_len) elements.
    pub fn pack(self, keys: Strided<'_>, values: Strided<'_>, to: &mut [f32]) {
        self.check();
        assert!(
            to.len() == self.packed_len(),
            "f32_attention: {} places for {} elements",
            to.len(),
            self.packed_len()
        );
        let (to_keys, to_values) = to.split_at_mut(packed_len([self.d, self.keys]));
        // The columns of a panel are keys, and those of the other elements of values.
        let columns = Strided {
            row: keys.column,
            column: keys.row,
            ..keys
        };
        pack(columns, [self.d, self.keys], to_keys);
        pack(values, [self.keys, self.d_value], to_values);
    }

    /// Lets the rows `rows` of `queries` attend to what is `packed`: row `i` of what they find, `d_value` elements, starts at
    /// `(i - rows.start) * stride` of the output. Elements between rows are not written. The mask, `[.., keys]`, is added to the
    /// scores.
    ///
    /// # Panics
    ///
    /// If a slice is too short for what is said of it, or the scale is below 0 or no number.
    pub fn attend(
        self,
        isa: Isa,
        packed: &[f32],
        (queries, rows): (Strided<'_>, Range<usize>),
        (scale, mask): (f32, Option<Strided<'_>>),
        scratch: &mut [f32],
        (out, stride): (&mut [f32], usize),
    ) {
        self.check();
        assert!(
            packed.len() == self.packed_len() && scratch.len() >= self.scratch_len(),
            "f32_attention: {} packed elements and {} of scratch",
            packed.len(),
            scratch.len()
        );
        assert!(scale >= 0.0, "f32_attention: a scale of {scale}");
        assert!(
            stride >= self.d_value,
            "f32_attention: rows of {} in steps of {stride}",
            self.d_value
        );
        let packed = packed.split_at(packed_len([self.d, self.keys]));
        let first = rows.start;
        for start in rows.clone().step_by(ROWS) {
            let rows = start..rows.end.min(start + ROWS);
            let to = &mut out[(start - first) * stride..];
            self.attend_tile(
                isa,
                packed,
                (queries, rows),
                (scale, mask),
                scratch,
                (to, stride),
            );
        }
    }

    fn attend_tile(
        self,
        isa: Isa,
        (keys, values): (&[f32], &[f32]),
        (queries, rows): (Strided<'_>, Range<usize>),
        (scale, mask): (f32, Option<Strided<'_>>),
        scratch: &mut [f32],
        (out, stride): (&mut [f32], usize),
    ) {
        let count = rows.len();
        let (d, columns) = (self.d.next_multiple_of(STEP), padded(self.keys));
        let (scores, scratch) = scratch.split_at_mut(ROWS * columns);
        let (tile, edge) = scratch.split_at_mut(ROWS * d);
        let edge = &mut edge[..ROWS * WIDEST];
        queries.fill_tile(rows.clone(), self.d, tile);
        for panel in panels(self.keys) {
            let product = Tile {
                a: tile,
                panel: panel.of(keys, d),
                k: d,
                factors: &[scale * LOG2_E; ROWS],
            };
            let to = &mut scores[panel.start * ROWS..][..panel.width * ROWS];
            product.run(isa, panel, To::Tile(to));
        }
        if let Some(mask) = mask {
            mask.add_to_tile(rows, self.keys, scores);
        }
        for column in self.keys..columns {
            let fours = scores[column / STEP * STEP * ROWS..].iter_mut();
            let column = fours.skip(column % STEP).step_by(STEP).take(ROWS);
            column.for_each(|score| *score = f32::NEG_INFINITY);
        }
        let factors = weigh::weigh(isa, scores);
        let k = self.keys.next_multiple_of(STEP);
        for panel in panels(self.d_value) {
            let product = Tile {
                a: &scores[..ROWS * k],
                panel: panel.of(values, k),
                k,
                factors: &factors,
            };
            if panel.live == panel.width && count == ROWS {
                product.run(isa, panel, To::Rows(&mut out[panel.start..], stride));
                continue;
            }
            product.run(isa, panel, To::Rows(edge, WIDEST));
            for (row, edge) in edge.chunks_exact(WIDEST).take(count).enumerate() {
                let to = &mut out[row * stride + panel.start..][..panel.live];
                to.copy_from_slice(&edge[..panel.live]);
            }
        }
    }

    fn check(self) {
        assert!(
            self.keys > 0 && self.d > 0 && self.d_value > 0,
            "f32_attention: a head of {self:?}"
        );
    }
}

impl Tile<'_> {
    /// Computes a panel's columns.
    fn run(&self, isa: Isa, panel: Panel, to: To) {
        let (room, len) = match &to {
            To::Tile(tile) => (tile.len(), ROWS * panel.width),
            To::Rows(rows, stride) => (rows.len(), (ROWS - 1) * stride + panel.width),
        };
        assert!(
            self.k.is_multiple_of(STEP)
                && self.a.len() == ROWS * self.k
                && self.panel.len() == self.k * panel.width
                && room >= len,
            "f32_attention: a tile beyond its slices"
        );
        match isa {
            Isa::Scalar => f32_tile_scalar::run(self, panel.width, to),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon(_) | Isa::DotProd(_) => {
                // SAFETY: the instruction set includes neon; the slices' lengths were checked.
                unsafe { f32_tile_6x16_neon::run(self, panel.width, to) }
            }
        }
    }
}

impl Strided<'_> {
    /// Puts the first `d` elements of the rows `rows` into a tile.
    fn fill_tile(self, rows: Range<usize>, d: usize, tile: &mut [f32]) {
        if rows.len() < ROWS || !d.is_multiple_of(STEP) {
            tile.fill(0.0);
        }
        for (i, row) in rows.enumerate() {
            let from = &self.elements[row * self.row..];
            let to = tile.chunks_exact_mut(ROWS * STEP);
            let to = to.map(|step| &mut step[i * STEP..][..STEP]);
            if self.column == 1 && d.is_multiple_of(STEP) {
                for (from, to) in from[..d].as_chunks::<STEP>().0.iter().zip(to) {
                    to.copy_from_slice(from);
                }
                continue;
            }
            if self.column == 1 {
                for (from, to) in from[..d].chunks(STEP).zip(to) {
                    to[..from.len()].copy_from_slice(from);
                }
                continue;
            }
            for (at, to) in to.flatten().take(d).enumerate() {
                *to = from[at * self.column];
            }
        }
    }

    /// Adds the first `columns` elements of the rows `rows` to the scores in a tile, which are powers of two.
    fn add_to_tile(self, rows: Range<usize>, columns: usize, tile: &mut [f32]) {
        for (i, row) in rows.enumerate() {
            let from = &self.elements[row * self.row..];
            let to = tile.chunks_exact_mut(ROWS * STEP);
            let to = to.flat_map(|step| &mut step[i * STEP..][..STEP]);
            for (at, to) in to.take(columns).enumerate() {
                *to += from[at * self.column] * LOG2_E;
            }
        }
    }
}
