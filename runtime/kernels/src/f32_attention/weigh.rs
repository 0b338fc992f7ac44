//! Scores become powers of two.

use crate::Isa;
use crate::exp::exp2;
use crate::lanes;

/// Writes `2^(x - greatest)` in the place of each of `x`, whole sixteens, and gives the sum of all. All are NaN where the greatest
/// is infinite or there is a NaN.
pub fn weigh(isa: Isa, x: &mut [f32]) -> f32 {
    match isa {
        Isa::Scalar => weigh_scalar(x),
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the instruction set includes neon.
        Isa::Neon(_) | Isa::DotProd(_) => unsafe { neon::weigh(x) },
    }
}

fn weigh_scalar(x: &mut [f32]) -> f32 {
    let greater = |greatest: f32, &x: &f32| match x > greatest || x.is_nan() {
        true => x,
        false => greatest,
    };
    let greatest = x.iter().fold(f32::NEG_INFINITY, greater);
    if !greatest.is_finite() {
        x.fill(f32::NAN);
        return f32::NAN;
    }
    for x in &mut *x {
        *x = exp2(*x - greatest);
    }
    lanes::sum(x, |power| power)
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use crate::exp_neon::exp2;
    use crate::lanes::{LANES, neon::*};
    use core::arch::aarch64::*;

    #[target_feature(enable = "neon")]
    pub fn weigh(x: &mut [f32]) -> f32 {
        let (sixteens, _) = x.as_chunks_mut::<LANES>();
        let mut maxima = [vdupq_n_f32(f32::NEG_INFINITY); 4];
        for sixteen in &*sixteens {
            let x = load(sixteen);
            maxima = [0, 1, 2, 3].map(|i| vmaxq_f32(maxima[i], x[i]));
        }
        let greatest = greatest(maxima);
        if !greatest.is_finite() {
            sixteens.as_flattened_mut().fill(f32::NAN);
            return f32::NAN;
        }
        let greatest = vdupq_n_f32(greatest);
        let mut sums = zeros();
        for sixteen in sixteens {
            let powers = load(sixteen).map(|x| exp2(vsubq_f32(x, greatest)));
            store(sixteen, powers);
            sums = add(sums, powers);
        }
        total(sums)
    }
}
