//! The specification of [`f32_round`](super::f32_round).

use super::Grid;
use crate::quantize::ROUNDER;

/// `out[i] = round_half_even(clamp(x[i] / scale, least, most)) * scale`; the lengths were checked by the dispatcher.
pub fn run(grid: Grid, x: &[f32], out: &mut [f32]) {
    let (least, most) = (grid.least as f32, grid.most as f32);
    for (&x, out) in x.iter().zip(out) {
        // A maximum takes the number where the other is none.
        let steps = (x / grid.scale).max(least).min(most);
        *out = ((steps + ROUNDER) - ROUNDER) * grid.scale;
    }
}
