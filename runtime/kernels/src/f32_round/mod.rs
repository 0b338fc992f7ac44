//! Reals rounded to the integers of a scale and back: what a QuantizeLinear and a DequantizeLinear of one scale make of them.
//!
//! `y = round_half_even(clamp(x / scale, least, most)) * scale`, where the bounds are those of the integers less the zero
//! point. NaN becomes the least.

#[cfg(target_arch = "aarch64")]
mod f32_round_16x_neon;
mod f32_round_scalar;

use crate::Isa;

/// The reals that integers stand for: `scale` times the integers from `least` to `most`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// Finite and above 0.
    pub scale: f32,
    /// The least integer less the zero point, within +-2^20.
    pub least: i32,
    /// The greatest one less the zero point, within +-2^20, not below the least.
    pub most: i32,
}

/// Writes the nearest real of `grid` to each of `x` to `out`.
///
/// # Panics
///
/// If the two differ in length.
pub fn f32_round(isa: Isa, grid: Grid, x: &[f32], out: &mut [f32]) {
    assert!(
        x.len() == out.len(),
        "f32_round: {} elements for {} places",
        x.len(),
        out.len()
    );
    match isa {
        Isa::Scalar => f32_round_scalar::run(grid, x, out),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(neon) => f32_round_16x_neon::run(neon, grid, x, out),
        #[cfg(target_arch = "aarch64")]
        Isa::DotProd(dotprod) => f32_round_16x_neon::run(dotprod.neon(), grid, x, out),
    }
}

/// Writes the nearest real of `grid` to each of `sums`, less `offset` and in steps of `multiplier`, to `out`:
/// `round_half_even(clamp((sum - offset) * multiplier, least, most)) * scale`.
///
/// # Panics
///
/// If the two differ in length.
pub fn f32_round_sums(
    isa: Isa,
    grid: Grid,
    (offset, multiplier): (f32, f32),
    sums: &[f32],
    out: &mut [f32],
) {
    assert!(
        sums.len() == out.len(),
        "f32_round: {} elements for {} places",
        sums.len(),
        out.len()
    );
    let steps = (offset, multiplier);
    match isa {
        Isa::Scalar => f32_round_scalar::run_sums(grid, steps, sums, out),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(neon) => f32_round_16x_neon::run_sums(neon, grid, steps, sums, out),
        #[cfg(target_arch = "aarch64")]
        Isa::DotProd(dotprod) => {
            f32_round_16x_neon::run_sums(dotprod.neon(), grid, steps, sums, out)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Guarded, Place, isas};

    #[test]
    fn every_tail_equals_the_specification() {
        for len in (0..70).chain([1000]) {
            let mut x: Vec<f32> = (0..len)
                .map(|i| ((i * 7919 % 2003) as f32 - 1000.0) * 0.03)
                .collect();
            let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e-40];
            x.iter_mut().rev().zip(odd).for_each(|(x, odd)| *x = odd);
            for (least, most) in [(-128, 127), (0, 255), (-255, 0)] {
                let grid = Grid {
                    scale: 0.06,
                    least,
                    most,
                };
                let mut expected = vec![0.0; len];
                f32_round_scalar::run(grid, &x, &mut expected);
                for isa in isas() {
                    for place in Place::ALL {
                        let x = Guarded::new(&x, place);
                        let mut out = Guarded::new(&vec![9.0; len], place);
                        f32_round(isa, grid, &x, &mut out);
                        let equal = out.iter().zip(&expected);
                        let mut equal = equal.map(|(a, b)| a.to_bits() == b.to_bits());
                        assert!(equal.all(|equal| equal), "{} {len} {place:?}", isa.name());

                        let steps = (3.5, 2.25);
                        let mut expected = vec![0.0; len];
                        f32_round_scalar::run_sums(grid, steps, &x, &mut expected);
                        f32_round_sums(isa, grid, steps, &x, &mut out);
                        let equal = out.iter().zip(&expected);
                        let mut equal = equal.map(|(a, b)| a.to_bits() == b.to_bits());
                        assert!(equal.all(|equal| equal), "{} {len} {place:?}", isa.name());
                    }
                }
            }
        }
    }

    #[test]
    fn halves_go_to_even_and_what_is_beyond_to_the_ends() {
        let grid = Grid {
            scale: 0.5,
            least: -3,
            most: 4,
        };
        let x = [0.25, 0.75, -0.25, 9.0, -9.0, f32::NAN];
        let mut out = [9.0; 6];
        f32_round(Isa::Scalar, grid, &x, &mut out);
        assert_eq!(out, [0.0, 1.0, 0.0, 2.0, -1.5, -1.5]);
    }
}
