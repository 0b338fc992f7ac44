//! Every tier against the specification, and the specification against plain sums.

use super::*;
use crate::harness::{Guarded, Place, fills, isas};
use std::iter;

/// Sixteen rows to a panel, in order.
fn packed(rows: &[Vec<i8>], dimension: usize) -> Vec<i8> {
    let mut panels = vec![0; rows.len().div_ceil(PANEL_ROWS) * panel_bytes(dimension)];
    for (r, row) in rows.iter().enumerate() {
        let panel = &mut panels[r / PANEL_ROWS * panel_bytes(dimension)..];
        put_panel_row(&mut panel[..panel_bytes(dimension)], r % PANEL_ROWS, row);
    }
    panels
}

/// A query and rows, whatever their scales: every instruction set, in every place, against the specification.
fn check(query: &ScanQuery, rows: &[Vec<i8>], scales: &[f32]) {
    let panels = packed(rows, query.dimension());
    let (n, count) = (scales.len(), scales.len() / PANEL_ROWS);
    let run = |isa, panels: &[i8], scales: &[f32]| {
        let mut scores = Guarded::new(&vec![-1.0; n], Place::BeforeGuard);
        let mut bests = Guarded::new(&vec![-1.0; count], Place::BeforeGuard);
        qs8_scan(isa, query, panels, scales, &mut scores, &mut bests);
        let bits: Vec<u32> = scores.iter().map(|score| score.to_bits()).collect();
        (bits, bests.to_vec())
    };
    let expected = run(Isa::Scalar, &panels, scales);
    for isa in isas() {
        for place in Place::ALL {
            let panels = Guarded::new(&panels, place);
            let scales = Guarded::new(scales, place);
            let got = run(isa, &panels, &scales);
            let (name, dimension) = (isa.name(), query.dimension());
            assert_eq!(got, expected, "{name}: {n} rows of {dimension} {place:?}");
        }
    }
}

/// Numbers in a bell shape, the same on every machine.
fn reals(len: usize, seed: usize) -> Vec<f32> {
    let [.., a, b] = fills(4 * len + seed);
    let real = |i: usize| -> f32 {
        let four = a[seed..][4 * i..][..4].iter().zip(&b[4 * i..]);
        four.map(|(&a, &b)| f32::from(a) + f32::from(b)).sum()
    };
    (0..len).map(real).collect()
}

#[test]
fn the_specification_is_the_sum_of_products_times_the_scale() {
    let query = ScanQuery::new(&[127.0, -1.0, 2.0]);
    let rows = [vec![-128, 127, 5], vec![1, 2, 3]];
    let mut scales = [0.0; PANEL_ROWS];
    scales[..2].copy_from_slice(&[0.5, 2.0]);
    let (mut scores, mut bests) = ([9.0; PANEL_ROWS], [9.0]);
    let panels = packed(&rows, 3);
    qs8_scan(
        Isa::Scalar,
        &query,
        &panels,
        &scales,
        &mut scores,
        &mut bests,
    );
    let first = (-128 * 127 - 127 + 10) as f32 * 0.5;
    let second = (127 - 2 + 6) as f32 * 2.0;
    assert_eq!(scores[..2], [first, second]);
    assert!(scores[2..].iter().all(|&score| score == 0.0));
    assert_eq!(bests, [second]);
}

#[test]
fn rows_come_back_out_of_their_panel() {
    for dimension in [1, 3, 4, 63, 64, 65, 130] {
        let rows: Vec<Vec<i8>> = (0..PANEL_ROWS)
            .map(|r| fills(dimension + r)[5][r..].to_vec())
            .collect();
        let panel = packed(&rows, dimension);
        for (r, row) in rows.iter().enumerate() {
            let mut back = vec![99; dimension];
            panel_row(&panel, r, &mut back);
            assert_eq!(back, *row, "row {r} of {dimension}");
        }
    }
}

#[test]
fn every_dimension_and_number_of_panels_equals_the_specification() {
    for dimension in (1..=4).chain([63, 64, 65, 127, 128, 129, 192, 384, 512]) {
        let query = ScanQuery::new(&reals(dimension, 1));
        for panels in 0..4 {
            let rows: Vec<Vec<i8>> = (0..panels * PANEL_ROWS)
                .map(|r| fills(dimension + r)[5 + r % 2][r..].to_vec())
                .collect();
            let scales: Vec<f32> = rows.iter().map(|row| row_scale(row)).collect();
            check(&query, &rows, &scales);
        }
    }
}

#[test]
fn extremes_equal_the_specification() {
    for dimension in [32, 64, 100, 128, 256] {
        let flat = vec![1.0; dimension];
        let spike: Vec<f32> = iter::once(-1e6)
            .chain(flat.iter().copied())
            .take(dimension)
            .collect();
        let alternating: Vec<f32> = (0..dimension)
            .map(|i| if i % 2 == 0 { 1.0 } else { -1.0 })
            .collect();
        for query in [flat, spike, alternating, reals(dimension, 2)] {
            let query = ScanQuery::new(&query);
            for row in fills(dimension) {
                let rows = vec![row; PANEL_ROWS];
                check(&query, &rows, &[1.0; PANEL_ROWS]);
            }
        }
    }
}

#[test]
fn eight_products_of_a_query_fit_into_16_bits_whatever_the_row() {
    for seed in 0..20 {
        for dimension in [1, 31, 128, 200] {
            for power in [1, 3] {
                let query: Vec<f32> = reals(dimension, seed)
                    .iter()
                    .map(|x| x.powi(power))
                    .collect();
                let query = ScanQuery::new(&query);
                for columns in query.values.as_chunks::<CHAIN>().0 {
                    for lane in 0..QUAD {
                        let chain = columns.iter().skip(lane).step_by(QUAD);
                        let sum: i32 = chain.map(|&x| i32::from(x).abs() * 128).sum();
                        assert!(sum <= i32::from(i16::MAX), "{sum}");
                    }
                }
            }
        }
    }
}

#[test]
fn scores_are_cosines_within_what_quantization_costs() {
    let dimension = 128;
    let (mut most, mut squares) = (0.0_f64, 0.0);
    let count = 400;
    for seed in 0..count {
        let (x, y) = (reals(dimension, seed), reals(dimension, seed + 400));
        // From far apart to nearly the same.
        let near = seed as f32 / count as f32;
        let y: Vec<f32> = x
            .iter()
            .zip(&y)
            .map(|(x, y)| near * x + (1.0 - near) * y)
            .collect();
        let dot = |a: &[f32], b: &[f32]| -> f64 {
            let products = a.iter().zip(b);
            products.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
        };
        let exact = dot(&x, &y) / (dot(&x, &x) * dot(&y, &y)).sqrt();
        let mut row = vec![0; dimension];
        crate::quantize_symmetric(&y, &mut row);
        let query = ScanQuery::new(&x);
        let mut scales = [0.0; PANEL_ROWS];
        scales[0] = row_scale(&row);
        let (mut scores, mut bests) = ([0.0; PANEL_ROWS], [0.0]);
        let panels = packed(&[row], dimension);
        qs8_scan(
            Isa::Scalar,
            &query,
            &panels,
            &scales,
            &mut scores,
            &mut bests,
        );
        let off = (f64::from(scores[0] * query.unit()) - exact).abs();
        most = most.max(off);
        squares += off * off;
    }
    let mean = (squares / count as f64).sqrt();
    assert!(most < 0.006 && mean < 0.0015, "{most} at most, {mean} rms");
}

#[test]
fn a_row_times_its_scale_has_length_one() {
    for row in [vec![1], vec![127; 128], vec![3, 4], fills(300)[5].clone()] {
        let length: f64 = row
            .iter()
            .map(|&x| (f64::from(x) * f64::from(row_scale(&row))).powi(2))
            .sum();
        assert!((length - 1.0).abs() < 1e-6, "{length}");
    }
    assert_eq!(row_scale(&[0; 5]), 0.0);
    assert_eq!(row_scale(&[]), 0.0);
}

#[test]
fn a_query_without_direction_scores_nothing() {
    for query in [vec![0.0; 70], vec![f32::NAN; 70], vec![1e-44; 70]] {
        let query = ScanQuery::new(&query);
        assert_eq!(query.unit(), 0.0);
        let rows = vec![vec![127; query.dimension()]; PANEL_ROWS];
        check(&query, &rows, &[1.0; PANEL_ROWS]);
    }
}

#[test]
#[should_panic(expected = "for 1 panels of 1024 bytes")]
fn shapes_that_disagree_are_refused() {
    let query = ScanQuery::new(&[1.0]);
    qs8_scan(
        Isa::Scalar,
        &query,
        &[0; 1000],
        &[0.0; 16],
        &mut [0.0; 16],
        &mut [0.0],
    );
}
