//! The specification of [`qs8_gemv`](super::qs8_gemv).

/// `out[r] = sum over i of weights[r][i] * x[i]`; the shapes were checked by the dispatcher.
pub fn run(weights: &[i8], x: &[i8], out: &mut [i32]) {
    for (r, sum) in out.iter_mut().enumerate() {
        let row = &weights[r * x.len()..][..x.len()];
        *sum = dot(row, x);
    }
}

fn dot(row: &[i8], x: &[i8]) -> i32 {
    row.iter()
        .zip(x)
        .map(|(&w, &x)| i32::from(w) * i32::from(x))
        .sum()
}
