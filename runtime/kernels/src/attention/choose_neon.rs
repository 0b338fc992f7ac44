//! The choice of a block without sorting: as many rounds as tokens are chosen, each of which finds the greatest score by
//! the greatest of every sixteen and takes it out. What was taken is listed by one pass over all, or sorted where that is less.
//! Where many of few are chosen, a threshold that just as many reach is found sooner.

use core::arch::aarch64::*;

/// Tokens that share a maximum.
pub const CHUNK: usize = 16;

/// A score that was taken, or that nobody may take: below all others.
pub const TAKEN: f32 = f32::NEG_INFINITY;

/// Places of maxima for `tokens`, a multiple of [`CHUNK`]: as many as a search for the greatest reads.
pub fn places_of_maxima(tokens: usize) -> usize {
    let chunks = tokens / CHUNK;
    match chunks <= CHUNK {
        true => chunks.next_multiple_of(4),
        false => chunks.next_multiple_of(CHUNK),
    }
}

/// Takes the greatest of `scores`, a multiple of [`CHUNK`] of which enough are numbers and none is NaN; of equal ones
/// the first. They are written to `taken`, greatest first. `maxima` has [`places_of_maxima`].
#[inline]
#[target_feature(enable = "neon")]
pub fn take_greatest(scores: &mut [f32], taken: &mut [u32], maxima: &mut [f32]) {
    assert!(maxima.len() == places_of_maxima(scores.len()));
    let (chunks, rest) = scores.as_chunks_mut::<CHUNK>();
    assert!(rest.is_empty() && !chunks.is_empty());
    let (of_chunks, behind) = maxima.split_at_mut(chunks.len());
    for (maximum, chunk) in of_chunks.iter_mut().zip(&*chunks) {
        *maximum = greatest_of(load(chunk));
    }
    behind.fill(TAKEN);
    match maxima.as_chunks_mut::<4>() {
        ([four], _) => {
            for place in taken {
                let greatest = vdupq_n_f32(vmaxvq_f32(load_four(four)));
                let at = first_of_four(four, greatest).unwrap_or_default();
                // SAFETY: see `take`.
                *place = unsafe { take(chunks, four, at, greatest) };
            }
        }
        (fours, _) if fours.len() <= 4 => {
            for place in taken {
                let all = fours.iter().map(|four| load_four(four));
                let greatest = all.fold(vdupq_n_f32(TAKEN), |a, b| vmaxq_f32(a, b));
                let greatest = vdupq_n_f32(vmaxvq_f32(greatest));
                let found = |(i, four)| Some(4 * i + first_of_four(four, greatest)?);
                let at = fours.iter().enumerate().find_map(found).unwrap_or_default();
                // SAFETY: see `take`.
                *place = unsafe { take(chunks, fours.as_flattened_mut(), at, greatest) };
            }
        }
        (fours, _) => {
            let (sixteens, _) = fours.as_flattened_mut().as_chunks_mut::<CHUNK>();
            for place in taken {
                let all = sixteens.iter().map(|sixteen| {
                    let [a, b, c, d] = load(sixteen);
                    vmaxq_f32(vmaxq_f32(a, b), vmaxq_f32(c, d))
                });
                let greatest = all.fold(vdupq_n_f32(TAKEN), |a, b| vmaxq_f32(a, b));
                let greatest = vdupq_n_f32(vmaxvq_f32(greatest));
                let found = |(i, sixteen): (usize, &[f32; CHUNK])| {
                    let equal = equal_tokens(load(sixteen), greatest);
                    (equal != 0).then(|| CHUNK * i + equal.trailing_zeros() as usize / 4)
                };
                let found = sixteens.iter().enumerate().find_map(found);
                let at = found.unwrap_or_default();
                // SAFETY: see `take`.
                *place = unsafe { take(chunks, sixteens.as_flattened_mut(), at, greatest) };
            }
        }
    }
}

/// Takes the first score that equals `greatest` out of chunk `at`, and gives the token.
///
/// # Safety
///
/// There is such a chunk, and a place for its maximum: what is found among the maxima is a number in each round, as there are
/// enough, and those behind the last chunk's are none.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn take(
    chunks: &mut [[f32; CHUNK]],
    maxima: &mut [f32],
    at: usize,
    greatest: float32x4_t,
) -> u32 {
    // SAFETY: the caller's promise.
    let (chunk, maximum) = unsafe { (chunks.get_unchecked_mut(at), maxima.get_unchecked_mut(at)) };
    let token = equal_tokens(load(chunk), greatest).trailing_zeros() as usize / 4 % CHUNK;
    chunk[token] = TAKEN;
    *maximum = greatest_of(load(chunk));
    (at * CHUNK + token) as u32
}

/// Looks for a number that just `top_k` of `scores` reach, a multiple of [`CHUNK`] of which more are numbers, by the line
/// between the least and the greatest. Finds none where scores that are equal, or nearly, are in the way.
#[inline]
#[target_feature(enable = "neon")]
pub fn threshold(scores: &[f32], top_k: usize) -> Option<f32> {
    let (chunks, _) = scores.as_chunks::<CHUNK>();
    let mut greatest = vdupq_n_f32(TAKEN);
    let mut least = vdupq_n_f32(f32::INFINITY);
    for chunk in chunks {
        for x in load(chunk) {
            greatest = vmaxq_f32(greatest, x);
            let number = vbslq_f32(vceqq_f32(x, vdupq_n_f32(TAKEN)), least, x);
            least = vminq_f32(least, number);
        }
    }
    let (mut low, mut high) = (vminvq_f32(least), vmaxvq_f32(greatest));
    // How many more than the wanted reach `low`, and how many fewer reach `high`.
    let mut over = reaching(chunks, low).wrapping_sub(top_k as u32) as i32 as f32;
    let mut under = top_k as f32 - 1.0;
    for _ in 0..MOST_GUESSES {
        let guess = low + (high - low) * (over / (over + under));
        let off = reaching(chunks, guess) as i32 - top_k as i32;
        if off == 0 {
            return Some(guess);
        }
        if off > 0 {
            (low, over) = (guess, off as f32);
        } else {
            (high, under) = (guess, -off as f32);
        }
    }
    None
}

/// Guesses after which a search by rounds is no longer than to go on.
const MOST_GUESSES: usize = 8;

/// Whether a threshold is found sooner than `top_k` of `tokens` by rounds.
pub fn is_threshold_sooner(tokens: usize, top_k: usize) -> bool {
    top_k >= 4 + 2 * tokens.div_ceil(CHUNK)
}

/// How many scores are not below `threshold`.
#[inline]
#[target_feature(enable = "neon")]
fn reaching(chunks: &[[f32; CHUNK]], threshold: f32) -> u32 {
    let threshold = vdupq_n_f32(threshold);
    let mut counts = vdupq_n_u32(0);
    for chunk in chunks {
        for x in load(chunk) {
            // All ones is minus one.
            counts = vsubq_u32(counts, vcgeq_f32(x, threshold));
        }
    }
    vaddvq_u32(counts)
}

/// Writes the tokens among the first `count` whose scores were taken, or reach `threshold` where there is one, to `chosen`, rising.
#[inline]
#[target_feature(enable = "neon")]
pub fn list_taken<const THRESHOLD: bool>(
    scores: &[f32],
    count: usize,
    threshold: f32,
    chosen: &mut [u32],
) {
    let (chunks, _) = scores.as_chunks::<CHUNK>();
    let (taken, threshold) = (vdupq_n_f32(TAKEN), vdupq_n_f32(threshold));
    let mut places = chosen.iter_mut();
    for (i, chunk) in chunks.iter().enumerate() {
        let first = i * CHUNK;
        let is_chosen = load(chunk).map(|x| {
            let is_taken = vceqq_f32(x, taken);
            match THRESHOLD {
                true => vorrq_u32(is_taken, vcgeq_f32(x, threshold)),
                false => is_taken,
            }
        });
        let mut left = bits(is_chosen);
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

/// The first of four maxima that equals `greatest`.
#[inline]
#[target_feature(enable = "neon")]
fn first_of_four(four: &[f32; 4], greatest: float32x4_t) -> Option<usize> {
    let equal = vceqq_f32(load_four(four), greatest);
    let bits = vget_lane_u64::<0>(vreinterpret_u64_u16(vmovn_u32(equal)));
    (bits != 0).then(|| bits.trailing_zeros() as usize / 16)
}

/// Four bits for each of sixteen tokens, set where the score equals.
#[inline]
#[target_feature(enable = "neon")]
fn equal_tokens(scores: [float32x4_t; 4], to: float32x4_t) -> u64 {
    bits(scores.map(|s| vceqq_f32(s, to)))
}

/// Four bits for each of sixteen masks.
#[inline]
#[target_feature(enable = "neon")]
fn bits(masks: [uint32x4_t; 4]) -> u64 {
    let [a, b, c, d] = masks.map(|mask| vreinterpretq_u16_u32(mask));
    let low = vreinterpretq_u8_u16(vuzp1q_u16(a, b));
    let high = vreinterpretq_u8_u16(vuzp1q_u16(c, d));
    let all = vreinterpretq_u16_u8(vuzp1q_u8(low, high));
    vget_lane_u64::<0>(vreinterpret_u64_u8(vshrn_n_u16::<4>(all)))
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
