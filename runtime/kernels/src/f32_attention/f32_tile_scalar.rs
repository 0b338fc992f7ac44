//! The specification of a tile, but that products are not fused.

use super::{Tile, WIDEST};

/// See [`Tile::run`], which checked everything.
pub fn run(tile: &Tile, rows: usize, width: usize, (out, stride): (&mut [f32], usize)) {
    for row in 0..rows {
        let mut sums = [0.0; WIDEST];
        let a = &tile.a[row * tile.a_stride..][..tile.k];
        for (&a, b) in a.iter().zip(tile.panel.chunks_exact(width)) {
            for (sum, &b) in sums.iter_mut().zip(b) {
                *sum += a * b;
            }
        }
        let out = &mut out[row * stride..][..width];
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = sum * tile.factors[row];
        }
    }
}
