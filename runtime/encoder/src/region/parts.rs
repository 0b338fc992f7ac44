//! How a step's work is cut into parts, one for each thread of a pool.
//!
//! A part is a range of output rows with the bytes that they fill and working memory of its own. Where a product has few
//! rows, it is a range of columns instead, so that each thread loads its own weights only; where a depthwise convolution has,
//! it is a range of channels. Every byte is computed by the same arithmetic wherever the cuts are, so that any number of
//! threads gives the same bytes.
//!
//! Limits: a pool and the borders in f32 stay whole.

use std::mem;
use std::ops::Range;

use ocellus_kernels::{Columns, PackedGemm};
use ocellus_sys::Pool;

/// From so many rows for each thread on, whole tiles of rows make parts as even as columns do, and bytes of one part lie
/// together.
const MANY_ROWS: usize = 16;

/// What one thread does of a step.
struct Part<'a, T> {
    rows: Range<usize>,
    to: &'a mut [T],
    scratch: &'a mut [i8],
}

/// Does `work` on `rows` rows, which fill `to`: on a range of rows, the bytes that these fill, and as much of `scratch` as
/// there is for each thread. A range begins at a multiple of `unit`.
pub(crate) fn by_rows<T: Send>(
    pool: &Pool,
    rows: usize,
    unit: usize,
    to: &mut [T],
    scratch: &mut [i8],
    work: impl Fn(Range<usize>, &mut [T], &mut [i8]) + Sync,
) {
    let units = rows.div_ceil(unit);
    let count = pool.threads().min(units);
    if count <= 1 {
        return work(0..rows, to, scratch);
    }
    let row = to.len() / rows;
    let each = scratch.len() / pool.threads();
    let mut parts = [const { None }; Pool::MOST];
    let (mut to, mut scratch) = (to, scratch);
    for (at, part) in parts[..count].iter_mut().enumerate() {
        let rows = range(rows, unit, [at, count]);
        let (own, rest) = mem::take(&mut to).split_at_mut(rows.len() * row);
        let (room, others) = mem::take(&mut scratch).split_at_mut(each);
        (to, scratch) = (rest, others);
        *part = Some(Part {
            rows,
            to: own,
            scratch: room,
        });
    }
    pool.each(&mut parts[..count], |part| {
        if let Some(part) = part {
            work(part.rows.clone(), part.to, part.scratch);
        }
    });
}

/// The part `at` of `count` nearly equal ones of `0..len`, which begin at multiples of `unit`.
fn range(len: usize, unit: usize, [at, count]: [usize; 2]) -> Range<usize> {
    let border = |at: usize| (len.div_ceil(unit) * at / count * unit).min(len);
    border(at)..border(at + 1)
}

/// Whether a product of `[rows, columns]` is best cut by columns.
pub(super) fn is_cut_by_columns(threads: usize, [rows, columns]: [usize; 2]) -> bool {
    let units = columns.div_ceil(PackedGemm::COLUMNS);
    let widest = (units.div_ceil(threads) * PackedGemm::COLUMNS).min(columns);
    // A part of rows costs about a row more, for the weights that each part loads.
    let even = widest * rows <= columns * (rows.div_ceil(threads) + 1);
    threads > 1 && rows < MANY_ROWS * threads && even
}

/// Does `work` on `to`, rows of `columns` elements: on some columns of all rows, and as much of `scratch` as there is for
/// each thread. Columns are cut at multiples of `unit`.
pub(super) fn by_columns(
    pool: &Pool,
    (columns, unit): (usize, usize),
    to: &mut [i8],
    scratch: &mut [i8],
    work: impl Fn(Columns, &mut [i8]) + Sync,
) {
    let count = pool.threads().min(columns.div_ceil(unit));
    let each = scratch.len() / pool.threads();
    let mut parts = [const { None }; Pool::MOST];
    let (mut left, mut scratch) = (Columns::of(to, columns), scratch);
    for (at, part) in parts[..count].iter_mut().enumerate() {
        let (own, rest) = left.split_at(range(columns, unit, [at, count]).end);
        let (room, others) = mem::take(&mut scratch).split_at_mut(each);
        (left, scratch) = (rest, others);
        *part = Some((own, room));
    }
    pool.each(&mut parts[..count], |part| {
        if let Some((own, room)) = part.take() {
            work(own, room);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn every_column_is_in_one_part() {
        for threads in 1..=Pool::MOST {
            let pool = Pool::in_turn(threads);
            for (rows, columns) in [(1, 1), (3, 16), (2, 40), (5, 320), (1, 1000)] {
                let mut to = vec![0; rows * columns];
                let mut scratch = vec![0; 2 * threads];
                let seen = Mutex::new(vec![0; columns]);
                by_columns(&pool, (columns, 16), &mut to, &mut scratch, |part, room| {
                    assert_eq!((part.rows(), part.range().start % 16), (rows, 0));
                    room.copy_from_slice(&[1, 1]);
                    let mut seen = seen.lock().unwrap();
                    seen[part.range()].iter_mut().for_each(|seen| *seen += 1);
                });
                assert_eq!(*seen.lock().unwrap(), vec![1; columns], "{threads}");
                let parts = threads.min(columns.div_ceil(16));
                assert_eq!(scratch.iter().filter(|&&own| own == 1).count(), 2 * parts);
            }
        }
    }

    #[test]
    fn few_rows_are_cut_by_columns_where_these_are_even() {
        let cut = |threads, rows, columns| is_cut_by_columns(threads, [rows, columns]);
        assert!(cut(4, 16, 1280) && cut(4, 49, 480) && cut(4, 1, 1000));
        assert!(!cut(4, 49, 80) && !cut(4, 196, 672));
        assert!(!cut(2, 49, 480) && !cut(1, 1, 480));
    }

    #[test]
    fn every_row_is_in_one_part_and_parts_are_nearly_equal() {
        for threads in 1..=Pool::MOST {
            let pool = Pool::in_turn(threads);
            for (rows, unit) in [(1, 1), (7, 1), (49, 1), (16, 16), (100, 16), (1000, 16)] {
                let mut to = vec![0; rows * 3];
                let mut scratch = vec![0; threads * 5];
                by_rows(
                    &pool,
                    rows,
                    unit,
                    &mut to,
                    &mut scratch,
                    |rows, to, room| {
                        assert_eq!(to.len(), rows.len() * 3);
                        assert!(room.len() >= 5);
                        assert_eq!(rows.start % unit, 0);
                        room[0] = 1;
                        for (row, to) in rows.zip(to.chunks_exact_mut(3)) {
                            to.fill(to[0] + 1 + (row % 100) as i8);
                        }
                    },
                );
                let expected = (0..rows).flat_map(|row| [1 + (row % 100) as i8; 3]);
                assert!(to.iter().copied().eq(expected), "{threads} {rows}");
                let parts = scratch.chunks_exact(5).filter(|room| room[0] == 1).count();
                assert_eq!(parts, threads.min(rows.div_ceil(unit)));
            }
        }
    }
}
