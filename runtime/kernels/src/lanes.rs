//! Sums of many reals in an order that vectors keep: sixteen lanes, element `i` in lane `i % 16`, put together at the end. So every
//! instruction set has the same bits.

/// Reals that are added up side by side.
pub const LANES: usize = 16;

/// The sum of all lanes: those of four registers one by one, then neighbours.
pub fn total(lanes: &[f32; LANES]) -> f32 {
    let [a, b, c, d] =
        [0, 1, 2, 3].map(|i| (lanes[i] + lanes[4 + i]) + (lanes[8 + i] + lanes[12 + i]));
    (a + b) + (c + d)
}

/// The sum of `f` of each of `x`.
pub fn sum(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    for sixteen in x.chunks(LANES) {
        for (lane, &x) in lanes.iter_mut().zip(sixteen) {
            *lane += f(x);
        }
    }
    total(&lanes)
}

/// The same for vectors.
#[cfg(target_arch = "aarch64")]
pub mod neon {
    use super::LANES;
    use core::arch::aarch64::*;

    /// Sixteen reals.
    pub type Reals = [float32x4_t; 4];

    #[inline]
    #[target_feature(enable = "neon")]
    pub fn load(from: &[f32; LANES]) -> Reals {
        // SAFETY: the array's type says that there are sixteen.
        unsafe { [0, 4, 8, 12].map(|i| vld1q_f32(from.as_ptr().add(i))) }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    pub fn store(to: &mut [f32; LANES], reals: Reals) {
        for (i, reals) in reals.into_iter().enumerate() {
            // SAFETY: the array's type says that there are sixteen.
            unsafe { vst1q_f32(to.as_mut_ptr().add(4 * i), reals) }
        }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    pub fn zeros() -> Reals {
        [vdupq_n_f32(0.0); 4]
    }

    #[inline]
    #[target_feature(enable = "neon")]
    pub fn add(lanes: Reals, reals: Reals) -> Reals {
        [0, 1, 2, 3].map(|i| vaddq_f32(lanes[i], reals[i]))
    }

    /// See [`total`](super::total).
    #[inline]
    #[target_feature(enable = "neon")]
    pub fn total([a, b, c, d]: Reals) -> f32 {
        let four = vaddq_f32(vaddq_f32(a, b), vaddq_f32(c, d));
        let two = vpaddq_f32(four, four);
        vgetq_lane_f32::<0>(vpaddq_f32(two, two))
    }

    /// The greatest of all lanes; NaN where there is one.
    #[inline]
    #[target_feature(enable = "neon")]
    pub fn greatest([a, b, c, d]: Reals) -> f32 {
        vmaxvq_f32(vmaxq_f32(vmaxq_f32(a, b), vmaxq_f32(c, d)))
    }

    /// `reals` whose first `count` stay and whose others become 0.
    #[inline]
    #[target_feature(enable = "neon")]
    pub fn first(count: usize, reals: Reals) -> Reals {
        let mut array = [0.0; LANES];
        store(&mut array, reals);
        array[count..].fill(0.0);
        load(&array)
    }
}
