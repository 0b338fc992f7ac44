//! The choice of a block without sorting: as many rounds as tokens are chosen, each of which finds the greatest score by
//! the greatest of every sixteen and takes it out, and then one pass that lists what was taken, rising.

use core::arch::aarch64::*;

/// Tokens that share a maximum.
pub const CHUNK: usize = 16;

/// A score that was taken, or that nobody may take: below all others.
pub const TAKEN: f32 = f32::NEG_INFINITY;

/// Takes the `top_k` greatest of `scores`, a multiple of [`CHUNK`] of which enough are numbers and none is NaN; of equal ones
/// the first. `maxima` has a place for each chunk, rounded up to four.
#[inline]
#[target_feature(enable = "neon")]
pub fn take_greatest(scores: &mut [f32], top_k: usize, maxima: &mut [f32]) {
    let (chunks, rest) = scores.as_chunks_mut::<CHUNK>();
    let (maxima, odd) = maxima.as_chunks_mut::<4>();
    assert!(rest.is_empty() && odd.is_empty() && !chunks.is_empty());
    assert!(maxima.len() == chunks.len().div_ceil(4));
    maxima[maxima.len() - 1].fill(TAKEN);
    for (maximum, chunk) in maxima.as_flattened_mut().iter_mut().zip(&*chunks) {
        *maximum = greatest_of(load(chunk));
    }
    for _ in 0..top_k {
        let mut greatest = load_four(&maxima[0]);
        for four in &maxima[1..] {
            greatest = vmaxq_f32(greatest, load_four(four));
        }
        let greatest = vdupq_n_f32(vmaxvq_f32(greatest));
        let at = first_chunk(maxima, greatest);
        // SAFETY: a maximum that is found belongs to a chunk: those behind the last are of no score that is a number, and
        // there is a number left in each round.
        let chunk = unsafe { chunks.get_unchecked_mut(at) };
        let token = equal_tokens(load(chunk), greatest).trailing_zeros() / 4;
        chunk[token as usize % CHUNK] = TAKEN;
        let left = greatest_of(load(chunk));
        // SAFETY: there is a place for each chunk.
        unsafe { *maxima.as_flattened_mut().get_unchecked_mut(at) = left };
    }
}

/// Writes the tokens among the first `count` whose scores were taken to `chosen`, rising.
#[inline]
#[target_feature(enable = "neon")]
pub fn list_taken(scores: &[f32], count: usize, chosen: &mut [u32]) {
    let (chunks, _) = scores.as_chunks::<CHUNK>();
    let taken = vdupq_n_f32(TAKEN);
    let mut places = chosen.iter_mut();
    for (i, chunk) in chunks.iter().enumerate() {
        let first = i * CHUNK;
        let mut left = equal_tokens(load(chunk), taken);
        // One bit a token, and none behind the last.
        left &= 0x1111_1111_1111_1111;
        if count - first < CHUNK {
            left &= (1 << (4 * (count - first))) - 1;
        }
        while left != 0 {
            let Some(place) = places.next() else {
                unreachable!("there is a place for each token that was taken")
            };
            *place = first as u32 + left.trailing_zeros() / 4;
            left &= left - 1;
        }
    }
}

/// The first place of `greatest` among the maxima.
#[inline]
#[target_feature(enable = "neon")]
fn first_chunk(maxima: &[[f32; 4]], greatest: float32x4_t) -> usize {
    let mut i = 0;
    loop {
        // SAFETY: `i` is 0 or below the length.
        let equal = vceqq_f32(load_four(unsafe { maxima.get_unchecked(i) }), greatest);
        let bits = vget_lane_u64::<0>(vreinterpret_u64_u16(vmovn_u32(equal)));
        if bits != 0 || i + 1 == maxima.len() {
            return 4 * i + bits.trailing_zeros() as usize % 64 / 16;
        }
        i += 1;
    }
}

/// Four bits for each of sixteen tokens, set where the score equals.
#[inline]
#[target_feature(enable = "neon")]
fn equal_tokens(scores: [float32x4_t; 4], to: float32x4_t) -> u64 {
    let [a, b, c, d] = scores.map(|s| vreinterpretq_u16_u32(vceqq_f32(s, to)));
    let low = vreinterpretq_u8_u16(vuzp1q_u16(a, b));
    let high = vreinterpretq_u8_u16(vuzp1q_u16(c, d));
    let equal = vreinterpretq_u16_u8(vuzp1q_u8(low, high));
    vget_lane_u64::<0>(vreinterpret_u64_u8(vshrn_n_u16::<4>(equal)))
}

#[inline]
#[target_feature(enable = "neon")]
fn load(chunk: &[f32; CHUNK]) -> [float32x4_t; 4] {
    // SAFETY: the array has sixteen elements.
    let x = unsafe { vld1q_f32_x4(chunk.as_ptr()) };
    [x.0, x.1, x.2, x.3]
}

#[inline]
#[target_feature(enable = "neon")]
fn load_four(four: &[f32; 4]) -> float32x4_t {
    // SAFETY: the array has four elements.
    unsafe { vld1q_f32(four.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn greatest_of([a, b, c, d]: [float32x4_t; 4]) -> f32 {
    vmaxvq_f32(vmaxq_f32(vmaxq_f32(a, b), vmaxq_f32(c, d)))
}
