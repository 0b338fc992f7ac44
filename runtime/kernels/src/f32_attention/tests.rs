//! Attention of a head against f64.

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
                    let products = (0..d)
                        .map(|at| f64::from(self.q[i * d + at]) * f64::from(self.k[j * d + at]));
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
