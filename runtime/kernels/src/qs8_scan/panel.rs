//! A panel: sixteen rows, four columns of each side by side, as one load instruction takes them.

use super::{PANEL_ROWS, QUAD, SCAN_STEP};

/// Bytes of a panel of rows of `dimension` elements: `[quad][16][4]`, the last quads zero.
pub fn panel_bytes(dimension: usize) -> usize {
    dimension.next_multiple_of(SCAN_STEP) * PANEL_ROWS
}

/// Puts `row`, `[dimension]`, in place `at` of a panel.
///
/// # Panics
///
/// If the panel is not of that dimension, or has no such place.
pub fn put_panel_row(panel: &mut [i8], at: usize, row: &[i8]) {
    check(panel, at, row.len());
    let quads = panel.as_chunks_mut::<{ QUAD * PANEL_ROWS }>().0;
    let mut elements = row.iter().copied();
    for quad in quads {
        for place in &mut quad[QUAD * at..][..QUAD] {
            *place = elements.next().unwrap_or(0);
        }
    }
}

/// Reads the row in place `at` of a panel to `row`, `[dimension]`.
///
/// # Panics
///
/// As [`put_panel_row`].
pub fn panel_row(panel: &[i8], at: usize, row: &mut [i8]) {
    check(panel, at, row.len());
    let quads = panel.as_chunks::<{ QUAD * PANEL_ROWS }>().0;
    let elements = quads.iter().flat_map(|quad| &quad[QUAD * at..][..QUAD]);
    for (to, &from) in row.iter_mut().zip(elements) {
        *to = from;
    }
}

fn check(panel: &[i8], at: usize, dimension: usize) {
    assert!(
        at < PANEL_ROWS && panel.len() == panel_bytes(dimension),
        "row {at} of {dimension} elements in a panel of {} bytes",
        panel.len()
    );
}
