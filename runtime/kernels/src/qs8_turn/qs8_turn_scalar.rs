//! The specification of [`qs8_turn`](super::qs8_turn).

/// Turns what begins at row `first[0]` or column `first[1]`, and leaves the rest.
pub fn run(from: &[i8], [rows, columns]: [usize; 2], first: [usize; 2], to: &mut [i8]) {
    for row in 0..rows {
        let start = if row < first[0] { first[1] } else { 0 };
        for column in start..columns {
            to[column * rows + row] = from[row * columns + column];
        }
    }
}
