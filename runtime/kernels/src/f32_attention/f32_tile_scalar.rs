//! The specification of a tile, but that products are not fused.

use super::{ROWS, STEP, Tile, To, WIDEST};

/// See [`Tile::run`], which checked everything.
pub fn run(tile: &Tile, width: usize, mut to: To) {
    for row in 0..ROWS {
        let mut sums = [0.0; WIDEST];
        let a = tile.a.chunks_exact(ROWS * STEP);
        let a = a.flat_map(|step| &step[row * STEP..][..STEP]);
        for (&a, b) in a.zip(tile.panel.chunks_exact(width)) {
            for (sum, &b) in sums.iter_mut().zip(b) {
                *sum += a * b;
            }
        }
        for (column, sum) in sums[..width].iter().enumerate() {
            let made = sum * tile.factors[row];
            match &mut to {
                To::Tile(to) => to[(column / STEP * ROWS + row) * STEP + column % STEP] = made,
                To::Rows(to, stride) => to[row * *stride + column] = made,
            }
        }
    }
}
