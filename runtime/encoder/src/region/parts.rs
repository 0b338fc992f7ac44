//! How a step's work is cut into parts, one for each thread of a pool.
//!
//! A part is a range of output rows with the bytes that they fill and working memory of its own. Every byte is computed by
//! the same arithmetic wherever the cuts are, so that any number of threads gives the same bytes.
//!
//! Limits: rows only. A product of one row, a pool and the borders in f32 stay whole.

use std::mem;
use std::ops::Range;

use ocellus_sys::Pool;

/// What one thread does of a step.
struct Part<'a> {
    rows: Range<usize>,
    to: &'a mut [i8],
    scratch: &'a mut [i8],
}

/// Does `work` on `rows` rows, which fill `to`: on a range of rows, the bytes that these fill, and as much of `scratch` as
/// there is for each thread. A range begins at a multiple of `unit`.
pub(super) fn by_rows(
    pool: &Pool,
    rows: usize,
    unit: usize,
    to: &mut [i8],
    scratch: &mut [i8],
    work: impl Fn(Range<usize>, &mut [i8], &mut [i8]) + Sync,
) {
    let units = rows.div_ceil(unit.max(1));
    let count = pool.threads().min(units);
    if count <= 1 {
        return work(0..rows, to, scratch);
    }
    let row = to.len() / rows;
    let each = scratch.len() / pool.threads();
    let mut parts = [const { None }; Pool::MOST];
    let (mut to, mut scratch) = (to, scratch);
    for (at, part) in parts[..count].iter_mut().enumerate() {
        let border = |at: usize| (units * at / count * unit).min(rows);
        let rows = border(at)..border(at + 1);
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

#[cfg(test)]
mod tests {
    use super::*;

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
