//! Division by a scale that is known long before it divides.
//!
//! The specifications divide, and a division takes a vector unit ten times as long as a product. Where `x / b` only becomes a byte
//! afterwards, `fma(x, high, x * low)` serves as well, `high + low` being `1 / b` to nearly the square of a float's
//! precision: both are monotone in `x`, so they round to the same integers everywhere if they do around the ties between
//! those integers that a byte can tell apart. That is looked at for each divisor; one that fails divides.

/// A positive, finite divisor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Divisor {
    value: f32,
    /// `high` and `low`, where they give the bytes of a division.
    #[cfg(target_arch = "aarch64")]
    inverse: Option<[f32; 2]>,
}

impl Divisor {
    /// Looks at the ties, which takes some thousand instructions.
    pub fn new(value: f32) -> Divisor {
        Divisor {
            value,
            #[cfg(target_arch = "aarch64")]
            inverse: neon::inverse(value),
        }
    }

    /// Divides, without a look: for a scale that lasts one run.
    pub fn of_one_run(value: f32) -> Divisor {
        Divisor {
            value,
            #[cfg(target_arch = "aarch64")]
            inverse: None,
        }
    }

    /// The divisor itself.
    pub fn value(self) -> f32 {
        self.value
    }
}

#[cfg(target_arch = "aarch64")]
pub(crate) mod neon {
    use super::Divisor;
    use core::arch::aarch64::*;

    /// How to divide four floats.
    #[derive(Clone, Copy)]
    pub struct Division<const FUSED: bool>(float32x4_t, float32x4_t);

    impl Divisor {
        pub(crate) fn is_fused(self) -> bool {
            self.inverse.is_some()
        }

        /// `FUSED` only where the divisor is.
        #[inline]
        #[target_feature(enable = "neon")]
        pub(crate) fn division<const FUSED: bool>(self) -> Division<FUSED> {
            let [high, low] = match self.inverse {
                Some(inverse) if FUSED => inverse,
                _ => [self.value; 2],
            };
            Division(vdupq_n_f32(high), vdupq_n_f32(low))
        }
    }

    impl<const FUSED: bool> Division<FUSED> {
        /// What rounds to the integers of `x` divided, from -257 to 257, and beyond them where that is; infinite and NaN as
        /// a quotient is.
        #[inline]
        #[target_feature(enable = "neon")]
        pub fn of(self, x: float32x4_t) -> float32x4_t {
            if FUSED {
                vfmaq_f32(vmulq_f32(x, self.1), x, self.0)
            } else {
                vdivq_f32(x, self.0)
            }
        }
    }

    /// `1 / value` in two parts, the first rounded down: neither is negative, so infinities stay what they are.
    pub fn inverse(value: f32) -> Option<[f32; 2]> {
        const LEAST: f32 = 1e-18;
        if !(LEAST..=1.0 / LEAST).contains(&value) {
            return None;
        }
        let inverse = 1.0 / f64::from(value);
        let nearest = inverse as f32;
        let high = if f64::from(nearest) > inverse {
            nearest.next_down()
        } else {
            nearest
        };
        // Not zero, or an infinity times it were NaN.
        let low = ((inverse - f64::from(high)) as f32).max(f32::MIN_POSITIVE);
        let (division, fused) = (
            Divisor {
                value,
                inverse: None,
            },
            Divisor {
                value,
                inverse: Some([high, low]),
            },
        );
        // SAFETY: every 64-bit ARM target of ours has neon.
        let rounds_alike = |tie| unsafe { rounds_alike(tie, division, fused) };
        (0..=256)
            .all(|k| rounds_alike(k as f32 + 0.5))
            .then_some([high, low])
    }

    /// Whether quotients around `tie` round alike by both divisors, and to other integers below than above.
    #[target_feature(enable = "neon")]
    fn rounds_alike(tie: f32, division: Divisor, fused: Divisor) -> bool {
        let near = (tie * division.value).to_bits();
        let mut least_and_most = [0; 2];
        for (bits, seen) in [near - 3, near].into_iter().zip(&mut least_and_most) {
            let x = [0, 1, 2, 3].map(|ulps| f32::from_bits(bits + ulps));
            // SAFETY: the array has four floats.
            let x = unsafe { vld1q_f32(x.as_ptr()) };
            let expected = vcvtnq_s32_f32(division.division::<false>().of(x));
            let rounded = vcvtnq_s32_f32(fused.division::<true>().of(x));
            if vminvq_u32(vceqq_s32(expected, rounded)) == 0 {
                return false;
            }
            *seen = if bits == near {
                vgetq_lane_s32::<3>(rounded)
            } else {
                vgetq_lane_s32::<0>(rounded)
            };
        }
        least_and_most == [(tie - 0.5) as i32, (tie + 0.5) as i32]
    }
}

#[cfg(all(test, target_arch = "aarch64"))]
mod tests {
    use super::*;
    use core::arch::aarch64::*;

    #[test]
    fn a_fused_division_rounds_as_a_division_does() {
        let mut seed = 1_u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed >> 8
        };
        let scales = [1.0, 0.5, 0.018, 1.0 / 255.0, 3e-7, 123.456, 1e15];
        for b in scales
            .into_iter()
            .chain((0..40).map(|i| (i + 1) as f32 * 0.001_7))
        {
            let divisor = Divisor::new(b);
            assert!(divisor.is_fused(), "{b}");
            for _ in 0..2000 {
                // Quotients near ties, and any.
                let near = ((next() % 1030) as f32 - 515.0) * 0.5 * b;
                let any = (next() as f32 / 8e6 - 1.0) * 300.0 * b;
                let x = [
                    f32::from_bits(near.to_bits() ^ (next() % 4)),
                    any,
                    near,
                    -near,
                ];
                // SAFETY: the arrays have four floats, and every 64-bit ARM target of ours has neon.
                let rounded =
                    unsafe { vcvtnq_s32_f32(divisor.division::<true>().of(vld1q_f32(x.as_ptr()))) };
                let mut lanes = [0; 4];
                // SAFETY: as above.
                unsafe { vst1q_s32(lanes.as_mut_ptr(), rounded) };
                assert_eq!(
                    lanes,
                    x.map(|x| (x / b).round_ties_even() as i32),
                    "{x:?} by {b}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_finite_stays_what_it_is() {
        let x = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX];
        for b in [0.25, 0.3] {
            // SAFETY: as above.
            let lanes: [f32; 4] = unsafe {
                let quotient = Divisor::new(b).division::<true>().of(vld1q_f32(x.as_ptr()));
                core::mem::transmute(quotient)
            };
            assert_eq!(lanes[..2], x[..2]);
            assert!(lanes[2].is_nan() && lanes[3] == f32::INFINITY);
        }
    }

    #[test]
    fn scales_without_a_good_inverse_divide() {
        // The last has an inverse that is too near the middle of two floats.
        for b in [1e-30, 1e30, f32::MIN_POSITIVE / 2.0, 2.0_f32.next_down()] {
            assert!(!Divisor::new(b).is_fused());
        }
    }
}
