//! Rows of bytes become columns: what is packed as weights lies the other way round where products are written `[m, k] [k, n]`.

#[cfg(target_arch = "aarch64")]
mod qs8_turn_8x8_neon;
mod qs8_turn_scalar;

use crate::Isa;

/// Writes `from`, `[rows, columns]`, to `to` as `[columns, rows]`.
///
/// # Panics
///
/// If one of the two has not as many elements.
pub fn qs8_turn(isa: Isa, from: &[i8], [rows, columns]: [usize; 2], to: &mut [i8]) {
    assert!(
        rows.checked_mul(columns) == Some(from.len()) && from.len() == to.len(),
        "qs8_turn: {} elements and {} places are not {rows} rows of {columns}",
        from.len(),
        to.len()
    );
    match isa {
        Isa::Scalar => qs8_turn_scalar::run(from, [rows, columns], [0, 0], to),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(neon) => qs8_turn_8x8_neon::run(neon, from, [rows, columns], to),
        #[cfg(target_arch = "aarch64")]
        Isa::DotProd(dotprod) => qs8_turn_8x8_neon::run(dotprod.neon(), from, [rows, columns], to),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Guarded, Place, fills, isas};

    #[test]
    fn every_tail_is_turned() {
        for rows in (0..20).chain([33]) {
            for columns in (1..20).chain([40]) {
                let from = &fills(rows * columns)[5];
                let at = |i: usize| from[i % rows * columns + i / rows];
                let expected: Vec<i8> = (0..from.len()).map(at).collect();
                for isa in isas() {
                    for place in Place::ALL {
                        let from = Guarded::new(from, place);
                        let mut to = Guarded::new(&vec![9; from.len()], place);
                        qs8_turn(isa, &from, [rows, columns], &mut to);
                        assert_eq!(to[..], expected, "{} {rows}x{columns}", isa.name());
                    }
                }
            }
        }
    }
}
