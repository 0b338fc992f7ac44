//! A function of one byte, looked up: an activation between two scales, a change of scale.
//!
//! `out[i] = table[a[i] + 128]`. The table is made at load, from any function of one number; so only functions that look
//! at each element alone may become one.

#[cfg(target_arch = "aarch64")]
mod qs8_table_16x_neon;
mod qs8_table_scalar;

use crate::Isa;

/// Writes each element's entry of `table` to `out`; the first entry is that of -128.
///
/// # Panics
///
/// If `a` and `out` differ in length.
pub fn qs8_table(isa: Isa, table: &[i8; 256], a: &[i8], out: &mut [i8]) {
    assert!(
        a.len() == out.len(),
        "qs8_table: {} elements for {} places",
        a.len(),
        out.len()
    );
    let columns = a.len().max(1);
    qs8_table_rows(isa, table, (a, columns), (out, columns));
}

/// The same for rows of `columns` elements that come to stand `stride` apart, with what is between them left as it is: a part
/// of a concatenation.
///
/// # Panics
///
/// If `a` is not of whole rows, `stride` less than `columns`, or `out` too short for them.
pub fn qs8_table_rows(
    isa: Isa,
    table: &[i8; 256],
    (a, columns): (&[i8], usize),
    (out, stride): (&mut [i8], usize),
) {
    let rows = a.len() / columns;
    let needed = rows.saturating_sub(1) * stride + columns.min(a.len());
    assert!(
        a.len().is_multiple_of(columns) && columns <= stride && needed <= out.len(),
        "qs8_table: {} elements in rows of {columns} for {} places {stride} apart",
        a.len(),
        out.len()
    );
    let (from, to) = ((a, columns), (out, stride));
    match isa {
        Isa::Scalar => qs8_table_scalar::run(table, from, to),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(neon) => qs8_table_16x_neon::run(neon, table, from, to),
        #[cfg(target_arch = "aarch64")]
        Isa::DotProd(dotprod) => qs8_table_16x_neon::run(dotprod.neon(), table, from, to),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Guarded, Place, fills, isas};

    #[test]
    fn the_first_entry_is_that_of_the_least_byte() {
        let table = core::array::from_fn(|at| if at == 0 { 7 } else { at as i8 });
        let mut out = [0; 3];
        qs8_table(Isa::Scalar, &table, &[-128, -127, 127], &mut out);
        assert_eq!(out, [7, 1, -1]);
    }

    #[test]
    fn every_byte_and_every_tail_equal_the_specification() {
        let [.., entries, a] = fills(700);
        let table = core::array::from_fn(|at| entries[at]);
        let all: Vec<i8> = (i8::MIN..=i8::MAX).collect();
        for a in (0..=70).map(|len| &a[..len]).chain([&all[..], &a[..]]) {
            let mut expected = vec![0; a.len()];
            let columns = a.len().max(1);
            qs8_table_scalar::run(&table, (a, columns), (&mut expected, columns));
            for isa in isas() {
                for place in Place::ALL {
                    let a = Guarded::new(a, place);
                    let mut out = Guarded::new(&vec![99; a.len()], place);
                    qs8_table(isa, &table, &a, &mut out);
                    assert!(*out == *expected, "{}: {} {place:?}", isa.name(), a.len());
                }
            }
        }
    }

    #[test]
    fn rows_apart_leave_what_is_between_them() {
        let [.., entries, noise] = fills(2000);
        let table = core::array::from_fn(|at| entries[at]);
        for (columns, gap) in [(1, 1), (5, 0), (15, 3), (16, 7), (24, 24), (33, 1)] {
            for rows in [0, 1, 4] {
                let (a, stride) = (&noise[..rows * columns], columns + gap);
                let room = (rows * stride).saturating_sub(gap);
                for isa in isas() {
                    for place in Place::ALL {
                        let a = Guarded::new(a, place);
                        let mut out = Guarded::new(&vec![99; room], place);
                        qs8_table_rows(isa, &table, (&a, columns), (&mut out, stride));
                        for (row, out) in out.chunks(stride).enumerate() {
                            let (looked_up, between) = out.split_at(columns);
                            let entry = |&byte: &i8| table[usize::from(byte as u8 ^ 0x80)];
                            let from = a[row * columns..][..columns].iter().map(entry);
                            assert!(looked_up.iter().copied().eq(from), "{}", isa.name());
                            assert!(between.iter().all(|&byte| byte == 99));
                        }
                    }
                }
            }
        }
    }
}
