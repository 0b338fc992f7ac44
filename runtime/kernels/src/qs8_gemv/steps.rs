//! How the vector kernels cut the matrix: tiles of four rows, steps of 32 columns, and a last step that looks back.
//!
//! A tail shorter than a step is not padded row by row. Its step ends where the row ends and overlaps the step before,
//! and the vector is zero in the overlap: nothing is read outside a row, nothing counts twice, and no weight is copied.

/// Rows that share each load of the vector.
pub const TILE_ROWS: usize = 4;

/// Columns in a step: two registers.
pub const STEP: usize = 32;

/// Row `r` of a matrix with `k` columns.
pub fn row_of(weights: &[i8], k: usize, r: usize) -> &[i8] {
    &weights[r * k..][..k]
}

/// The last step of a row whose length is not a whole number of steps.
pub struct Tail {
    /// The vector's last elements, behind zeros.
    pub x: [i8; STEP],
}

impl Tail {
    /// `None` where `x` is whole steps; `x` has one step at least.
    pub fn of(x: &[i8]) -> Option<Tail> {
        let (_, left) = x.as_chunks::<STEP>();
        if left.is_empty() {
            return None;
        }
        let mut padded = [0; STEP];
        padded[STEP - left.len()..].copy_from_slice(left);
        Some(Tail { x: padded })
    }

    /// The part of a row that this tail's vector is multiplied with; `row` is as long as the vector was.
    pub fn step_of<'a>(&self, row: &'a [i8]) -> &'a [i8; STEP] {
        row.last_chunk().expect("a row has one step at least")
    }
}
