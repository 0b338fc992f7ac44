//! The specification of [`qs8_table`](super::qs8_table) and [`qs8_table_rows`](super::qs8_table_rows).

/// `out[r * stride + c] = table[a[r * columns + c] + 128]`; the lengths were checked by the dispatcher.
pub fn run(table: &[i8; 256], (a, columns): (&[i8], usize), (out, stride): (&mut [i8], usize)) {
    for (a, out) in a.chunks_exact(columns).zip(out.chunks_mut(stride)) {
        for (&a, out) in a.iter().zip(out) {
            *out = table[usize::from(a as u8 ^ 0x80)];
        }
    }
}
