//! The specification of [`f32_range`](super::f32_range).

/// The least and the greatest of `x` and 0.
pub fn run(x: &[f32]) -> (f32, f32) {
    let wider = |(least, greatest): (f32, f32), &x: &f32| (least.min(x), greatest.max(x));
    x.iter().fold((0.0, 0.0), wider)
}
