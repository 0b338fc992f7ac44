//! The specification of [`qs8_scan`](super::qs8_scan).

use super::{PANEL_ROWS, QUAD, Rows, ScanQuery};

/// See [`qs8_scan`](super::qs8_scan); the shapes were checked by the dispatcher.
pub fn run(query: &ScanQuery, rows: Rows<'_>) {
    let panels = rows.panels.chunks_exact(query.values.len() * PANEL_ROWS);
    let out = rows.scores.iter_mut().zip(rows.bests);
    for ((panel, scales), (scores, best)) in panels.zip(rows.scales).zip(out) {
        let sums = sums(&query.values, panel);
        for r in 0..PANEL_ROWS {
            scores[r] = sums[r] as f32 * scales[r];
        }
        *best = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    }
}

fn sums(query: &[i8], panel: &[i8]) -> [i32; PANEL_ROWS] {
    let mut sums = [0; PANEL_ROWS];
    let quads = panel.as_chunks::<{ QUAD * PANEL_ROWS }>().0;
    for (x, quad) in query.as_chunks::<QUAD>().0.iter().zip(quads) {
        for (sum, row) in sums.iter_mut().zip(quad.as_chunks::<QUAD>().0) {
            for (x, w) in x.iter().zip(row) {
                *sum += i32::from(*x) * i32::from(*w);
            }
        }
    }
    sums
}
