//! The specification of [`qs8_table`](super::qs8_table).

/// `out[i] = table[a[i] + 128]`; the lengths were checked by the dispatcher.
pub fn run(table: &[i8; 256], a: &[i8], out: &mut [i8]) {
    for (&a, out) in a.iter().zip(out) {
        *out = table[usize::from(a as u8 ^ 0x80)];
    }
}
