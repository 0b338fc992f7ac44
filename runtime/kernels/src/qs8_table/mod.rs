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
    match isa {
        Isa::Scalar => qs8_table_scalar::run(table, a, out),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(neon) => qs8_table_16x_neon::run(neon, table, a, out),
        #[cfg(target_arch = "aarch64")]
        Isa::DotProd(dotprod) => qs8_table_16x_neon::run(dotprod.neon(), table, a, out),
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
            qs8_table_scalar::run(&table, a, &mut expected);
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
}
