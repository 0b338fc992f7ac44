//! The specification of laying rows beside each other and apart again: two transpositions.

use super::{Lane, ROWS_ACROSS};

/// `lanes[i][row] = rows[row][i]`; `rows` is `[8, lanes.len()]`.
pub fn beside(rows: &[u8], lanes: &mut [Lane]) {
    let mut rows = rows.chunks_exact(lanes.len());
    let rows: [&[u8]; ROWS_ACROSS] = core::array::from_fn(|_| rows.next().unwrap_or_default());
    for (i, lane) in lanes.iter_mut().enumerate() {
        *lane = rows.map(|row| row[i]);
    }
}

/// `out[row][i] = lanes[i][row]`; `out` is `[1..=8, lanes.len()]`.
pub fn apart(lanes: &[Lane], out: &mut [u8]) {
    for (row, out) in out.chunks_exact_mut(lanes.len()).enumerate() {
        for (out, lane) in out.iter_mut().zip(lanes) {
            *out = lane[row];
        }
    }
}
