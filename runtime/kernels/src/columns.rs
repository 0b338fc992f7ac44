//! Some columns of a matrix of bytes: what one of several threads fills of it.
//!
//! Columns of one matrix lie between one another, so that no slice holds one thread's alone. [`Columns`] is the right to
//! write some, and a matrix is cut into several of them as a slice is split.

use core::marker::PhantomData;
use core::ops::Range;

/// The right to write some columns of a matrix, to nobody else's harm.
pub struct Columns<'a> {
    /// Where column 0 of the first row stands.
    element: *mut i8,
    /// The distance of two rows.
    stride: usize,
    rows: usize,
    range: Range<usize>,
    matrix: PhantomData<&'a mut [i8]>,
}

// SAFETY: it stands for an exclusive borrow of its columns, which are bytes; no two have a column in common.
unsafe impl Send for Columns<'_> {}

impl<'a> Columns<'a> {
    /// All columns of a matrix with rows of `columns` elements.
    ///
    /// # Panics
    ///
    /// Unless the elements are whole rows.
    pub fn of(elements: &'a mut [i8], columns: usize) -> Columns<'a> {
        assert!(
            columns > 0 && elements.len().is_multiple_of(columns),
            "{} elements are no rows of {columns}",
            elements.len()
        );
        let rows = elements.len() / columns;
        Columns::within(elements, columns, rows, columns)
    }

    /// The first `columns` columns of `rows` rows that lie `stride` elements apart, which the caller checked.
    pub(crate) fn within(
        elements: &'a mut [i8],
        stride: usize,
        rows: usize,
        columns: usize,
    ) -> Columns<'a> {
        debug_assert!(rows == 0 || (rows - 1) * stride + columns <= elements.len());
        Columns {
            element: elements.as_mut_ptr(),
            stride,
            rows,
            range: 0..columns,
            matrix: PhantomData,
        }
    }

    /// Those before `column`, and the others.
    ///
    /// # Panics
    ///
    /// Unless `column` is one of them, or where they end.
    pub fn split_at(self, column: usize) -> (Columns<'a>, Columns<'a>) {
        let Range { start, end } = self.range;
        assert!(
            start <= column && column <= end,
            "column {column} of {start}..{end}"
        );
        let before = Columns {
            range: start..column,
            ..self
        };
        let others = Columns {
            range: column..end,
            ..self
        };
        (before, others)
    }

    /// Which they are.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The elements from one row to the next.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// Where column `column` of `row` stands, or would: a pointer to write through within the range alone.
    pub(crate) fn at(&mut self, row: usize, column: usize) -> *mut i8 {
        self.element.wrapping_add(row * self.stride + column)
    }

    /// Writes an element.
    ///
    /// # Panics
    ///
    /// Unless the column is one of them, in one of the rows.
    pub(crate) fn set(&mut self, row: usize, column: usize, value: i8) {
        assert!(row < self.rows && self.range.contains(&column));
        // SAFETY: the element is one of the matrix, and of these columns.
        unsafe { self.at(row, column).write(value) }
    }

    /// Rows as they lie in memory, if they are these columns and nothing else.
    #[cfg(target_arch = "aarch64")]
    pub(crate) fn whole_rows(&mut self, rows: Range<usize>) -> Option<&mut [i8]> {
        assert!(rows.start <= rows.end && rows.end <= self.rows);
        let (first, len) = (self.at(rows.start, 0), rows.len() * self.stride);
        // SAFETY: all elements of these rows are of these columns.
        (self.range == (0..self.stride))
            .then(|| unsafe { core::slice::from_raw_parts_mut(first, len) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn each_part_writes_its_own_columns() {
        let mut matrix = vec![0; 3 * 7];
        let (left, right) = Columns::of(&mut matrix, 7).split_at(4);
        let (middle, right) = right.split_at(6);
        for (value, mut part) in [left, middle, right].into_iter().enumerate() {
            for row in 0..part.rows() {
                part.range()
                    .for_each(|column| part.set(row, column, 1 + value as i8));
            }
        }
        assert_eq!(matrix, [1, 1, 1, 1, 2, 2, 3].repeat(3));
    }

    #[test]
    #[should_panic]
    fn nobody_writes_anothers() {
        let mut matrix = vec![0; 8];
        let (mut left, _) = Columns::of(&mut matrix, 4).split_at(2);
        left.set(0, 2, 1);
    }

    #[test]
    #[should_panic(expected = "column 5 of 0..4")]
    fn there_is_no_column_beyond_the_last() {
        Columns::of(&mut [0; 8], 4).split_at(5);
    }
}
