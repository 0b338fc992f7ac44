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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Guarded, Place, isas, reals};

    struct Case {
        head: AttentionHead,
        rows: usize,
        q: Vec<f32>,
        k: Vec<f32>,
        v: Vec<f32>,
        mask: Option<Vec<f32>>,
        scale: f32,
    }

    impl Case {
        fn new(rows: usize, [keys, d, d_value]: [usize; 3]) -> Case {
            let head = AttentionHead { keys, d, d_value };
            Case {
                head,
                rows,
                q: reals(rows * d, 2.0),
                k: reals(keys * d + 1, 2.0)[1..].to_vec(),
                v: reals(keys * d_value + 2, 3.0)[2..].to_vec(),
                mask: None,
                scale: 1.0 / (d as f32).sqrt(),
            }
        }

        fn run(&self, isa: Isa, place: Place, gap: usize) -> Vec<f32> {
            let AttentionHead { keys, d, d_value } = self.head;
            let [q, k, v] = [&self.q, &self.k, &self.v].map(|reals| Guarded::new(reals, place));
            let rows_of = |elements, row| Strided {
                elements,
                row,
                column: 1,
            };
            let mut packed = Guarded::new(&vec![9.0; self.head.packed_len()], place);
            self.head
                .pack(rows_of(&k, d), rows_of(&v, d_value), &mut packed);
            let stride = d_value + gap;
            let len = (self.rows - 1) * stride + d_value;
            let mut out = Guarded::new(&vec![9.0; len], place);
            let mut scratch = Guarded::new(&vec![9.0; self.head.scratch_len()], place);
            let mask = self.mask.as_deref().map(|mask| rows_of(mask, keys));
            let numbers = (self.scale, mask);
            let queries = (rows_of(&q, d), 0..self.rows);
            self.head.attend(
                isa,
                &packed,
                queries,
                numbers,
                &mut scratch,
                (&mut out, stride),
            );
            for row in out.chunks(stride) {
                assert!(row[d_value..].iter().all(|&gap| gap == 9.0));
            }
            out.chunks(stride)
                .flat_map(|row| &row[..d_value])
                .copied()
                .collect()
        }

        /// The exact result, and what each row's error may be.
        fn exact(&self) -> Vec<(f64, f64)> {
            let AttentionHead { keys, d, d_value } = self.head;
            let mut exact = Vec::new();
            for i in 0..self.rows {
                let mut sizes = 0.0f64;
                let scores: Vec<f64> = (0..keys)
                    .map(|j| {
                        let products = (0..d).map(|at| {
                            f64::from(self.q[i * d + at]) * f64::from(self.k[j * d + at])
                        });
                        let products: Vec<f64> = products
                            .map(|product| product * f64::from(self.scale))
                            .collect();
                        let mask = self.mask.as_ref().map_or(0.0, |mask| mask[i * keys + j]);
                        let size: f64 = products.iter().map(|product| product.abs()).sum();
                        let mask_size = if mask > -1e4 { mask.abs() } else { 0.0 };
                        sizes = sizes.max(size + f64::from(mask_size));
                        products.iter().sum::<f64>() + f64::from(mask)
                    })
                    .collect();
                let greatest = scores.iter().copied().fold(f64::MIN, f64::max);
                let powers: Vec<f64> = scores.iter().map(|s| (s - greatest).exp()).collect();
                let sum: f64 = powers.iter().sum();
                let most = self.v.iter().fold(0.0f32, |most, v| most.max(v.abs()));
                let count = d as f64 * sizes + keys as f64 + 32.0;
                let bound = f64::from(most) * (count * 2.0f64.powi(-22) + 3e-5);
                for at in 0..d_value {
                    let terms = (0..keys).map(|j| powers[j] * f64::from(self.v[j * d_value + at]));
                    exact.push((terms.sum::<f64>() / sum, bound));
                }
            }
            exact
        }

        fn check(&self) {
            let exact = self.exact();
            for isa in isas() {
                for (place, gap) in Place::ALL.into_iter().zip([0, 3, 1]) {
                    let got = self.run(isa, place, gap);
                    for (got, (exact, bound)) in got.iter().zip(&exact) {
                        let apart = (f64::from(*got) - exact).abs();
                        let what = (self.head, self.rows, isa.name());
                        assert!(apart <= *bound, "{what:?}: {got} is not {exact}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_tail_is_within_the_bound() {
        for keys in [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 24, 25, 33, 50] {
            for (rows, d, d_value) in [
                (1, 1, 1),
                (2, 3, 8),
                (3, 4, 9),
                (4, 5, 16),
                (5, 8, 17),
                (6, 7, 24),
                (7, 16, 3),
                (13, 9, 40),
            ] {
                Case::new(rows, [keys, d, d_value]).check();
            }
        }
        Case::new(20, [197, 64, 64]).check();
    }

    #[test]
    fn a_mask_is_added_and_hides_what_it_takes_away() {
        for rows in [1, 7, 19] {
            let mut case = Case::new(rows, [rows, 12, 20]);
            for hidden in [f32::NEG_INFINITY, -1e9] {
                let at = |i: usize| (i / rows, i % rows);
                let causal = (0..rows * rows).map(|i| match at(i) {
                    (row, key) if key > row => hidden,
                    (row, key) => (row as f32 - key as f32) * 0.1,
                });
                case.mask = Some(causal.collect());
                case.check();
            }
        }
    }

    #[test]
    fn a_row_is_the_same_whichever_rows_are_computed_with_it() {
        let mut case = Case::new(17, [29, 20, 24]);
        for isa in isas() {
            let all = case.run(isa, Place::Odd, 0);
            let queries = case.q.clone();
            for start in 0..17 {
                for rows in 1..=(17 - start).min(7) {
                    case.rows = rows;
                    case.q = queries[start * 20..][..rows * 20].to_vec();
                    assert!(case.run(isa, Place::Odd, 0) == all[start * 24..][..rows * 24]);
                }
            }
            (case.rows, case.q) = (17, queries);
        }
    }

    #[test]
    fn turned_matrices_give_the_same() {
        let case = Case::new(9, [21, 12, 20]);
        let turn = |x: &[f32], rows: usize| -> Vec<f32> {
            let columns = x.len() / rows;
            (0..x.len())
                .map(|at| x[at % rows * columns + at / rows])
                .collect()
        };
        let (q, k, v) = (turn(&case.q, 9), turn(&case.k, 21), turn(&case.v, 21));
        let turned = |elements, column| Strided {
            elements,
            row: 1,
            column,
        };
        for isa in isas() {
            let mut packed = vec![9.0; case.head.packed_len()];
            case.head.pack(turned(&k, 21), turned(&v, 21), &mut packed);
            let mut out = vec![9.0; 9 * 20];
            let mut scratch = vec![9.0; case.head.scratch_len()];
            let queries = (turned(&q, 9), 0..9);
            let numbers = (case.scale, None);
            case.head
                .attend(isa, &packed, queries, numbers, &mut scratch, (&mut out, 20));
            assert!(out == case.run(isa, Place::Odd, 0));
        }
    }

    #[test]
    fn what_is_not_finite_is_not_hidden() {
        for odd in [f32::NAN, f32::INFINITY] {
            let mut case = Case::new(7, [9, 8, 8]);
            case.q[2 * 8 + 3] = odd;
            for isa in isas() {
                let out = case.run(isa, Place::Odd, 0);
                for (row, out) in out.chunks_exact(8).enumerate() {
                    assert_eq!(out.iter().all(|y| y.is_nan()), row == 2, "{odd} {row}");
                }
            }
        }
    }
}
