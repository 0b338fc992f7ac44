//! The specification of [`f32_round`](super::f32_round).

use super::Grid;
use crate::quantize::ROUNDER;

/// `out[i] = round_half_even(clamp(x[i] / scale, least, most)) * scale`; the lengths were checked by the dispatcher.
pub fn run(grid: Grid, x: &[f32], out: &mut [f32]) {
    let (least, most) = (grid.least as f32, grid.most as f32);
    for (&x, out) in x.iter().zip(out) {
        *out = nearest(x / grid.scale, least, most) * grid.scale;
    }
}

/// `out[i] = round_half_even(clamp((sums[i] - offset) * multiplier, least, most)) * scale`, as above.
pub fn run_sums(grid: Grid, (offset, multiplier): (f32, f32), sums: &[f32], out: &mut [f32]) {
    let (least, most) = (grid.least as f32, grid.most as f32);
    for (&sum, out) in sums.iter().zip(out) {
        *out = nearest((sum - offset) * multiplier, least, most) * grid.scale;
    }
}

fn nearest(steps: f32, least: f32, most: f32) -> f32 {
    // A maximum takes the number where the other is none.
    let bounded = steps.max(least).min(most);
    (bounded + ROUNDER) - ROUNDER
}
