//! A product and a sum rounded once, as vectors of fused multiply-adds do it: what the specification of f32 is made of.

/// `a * b + c`, rounded once. No operand is infinite or NaN, and nothing overflows.
#[cfg(target_arch = "aarch64")]
pub fn fused(a: f32, b: f32, c: f32) -> f32 {
    use core::arch::aarch64::{vdup_n_f32, vfma_f32, vget_lane_f32};
    // SAFETY: 64-bit ARM is compiled for neon.
    unsafe { vget_lane_f32::<0>(vfma_f32(vdup_n_f32(c), vdup_n_f32(a), vdup_n_f32(b))) }
}

/// See above.
#[cfg(not(target_arch = "aarch64"))]
pub fn fused(a: f32, b: f32, c: f32) -> f32 {
    portable(a, b, c)
}

/// The same in f64: the product is exact there, the sum is rounded to odd, and an odd sum of twice the bits rounds to f32
/// as the exact one does (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
#[cfg(any(test, not(target_arch = "aarch64")))]
fn portable(a: f32, b: f32, c: f32) -> f32 {
    let product = f64::from(a) * f64::from(b);
    let c = f64::from(c);
    let sum = product + c;
    // What the addition lost, by Knuth's two-sum.
    let taken = sum - product;
    let lost = (product - (sum - taken)) + (c - taken);
    let bits = sum.to_bits();
    let odd = match (lost != 0.0 && bits & 1 == 0, (lost > 0.0) == (sum > 0.0)) {
        (false, _) => bits,
        (true, true) => bits + 1,
        (true, false) => bits - 1,
    };
    f64::from_bits(odd) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_round_as_the_standard_library_does() {
        let mut state = 1_u64;
        let mut real = |spread: u32| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let exponent = 127 - spread / 2 + (state >> 33) as u32 % spread;
            f32::from_bits((state >> 32) as u32 & 0x807f_ffff | exponent << 23)
        };
        for spread in [2, 8, 30, 60] {
            for _ in 0..50_000 {
                let (a, b, c) = (real(spread), real(spread), real(spread));
                let expected = a.mul_add(b, c);
                assert_eq!(
                    portable(a, b, c).to_bits(),
                    expected.to_bits(),
                    "{a} {b} {c}"
                );
                assert_eq!(fused(a, b, c).to_bits(), expected.to_bits(), "{a} {b} {c}");
            }
        }
    }

    #[test]
    fn halfway_cases_and_numbers_below_the_normal_ones_round_once() {
        // Among them products that end near the middle between two neighbours of `c`, which two roundings would miss.
        let cases = [
            (1.0 + f32::EPSILON, 1.0 - f32::EPSILON / 2.0, 16_777_216.0),
            (f32::EPSILON / 2.0, 1.0 + f32::EPSILON, 1.0),
            (f32::EPSILON / 2.0, 1.0 - f32::EPSILON / 2.0, 1.0),
            (f32::EPSILON / 2.0, -1.0 - f32::EPSILON, 1.0 + f32::EPSILON),
            (1e-30, 1e-12, 1e-42),
            (1e-30, -1e-30, 1e-45),
            (0.0, -5.0, 0.0),
            (3.0, 2.0, -6.0),
        ];
        for (a, b, c) in cases {
            assert_eq!(portable(a, b, c), a.mul_add(b, c), "{a} {b} {c}");
            assert_eq!(fused(a, b, c), a.mul_add(b, c), "{a} {b} {c}");
        }
    }
}
