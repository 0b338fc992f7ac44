//! The choice of a block without sorting: as many rounds as tokens are chosen, each of which finds the greatest score by
//! the greatest of every sixteen, and a bit for each chosen token, so that the list comes out rising.

use core::arch::aarch64::*;

/// Tokens that share a maximum.
pub const CHUNK: usize = 16;

/// Chooses the `top_k` greatest of `scores`, a multiple of [`CHUNK`] of which enough are above minus infinity; chosen ones
/// become minus infinity. `maxima` has a place for each chunk, rounded up to four; `marks` has a zero for each chunk
/// and gets the bits of the chosen tokens.
#[inline]
#[target_feature(enable = "neon")]
pub fn mark_greatest(scores: &mut [f32], top_k: usize, maxima: &mut [f32], marks: &mut [u16]) {
    let (chunks, rest) = scores.as_chunks_mut::<CHUNK>();
    let (maxima, odd) = maxima.as_chunks_mut::<4>();
    assert!(rest.is_empty() && odd.is_empty() && marks.len() == chunks.len());
    assert!(maxima.len() == chunks.len().div_ceil(4));
    let (last, _) = maxima.split_last_mut().expect("a chunk");
    last.fill(f32::NEG_INFINITY);
    for (i, chunk) in chunks.iter().enumerate() {
        maxima[i / 4][i % 4] = vmaxvq_f32(greatest_of_four(load(chunk)));
    }
    for _ in 0..top_k {
        let mut greatest = vdupq_n_f32(f32::NEG_INFINITY);
        for four in maxima.iter() {
            // SAFETY: the array has four elements.
            greatest = vmaxq_f32(greatest, unsafe { vld1q_f32(four.as_ptr()) });
        }
        let greatest = vdupq_n_f32(vmaxvq_f32(greatest));
        let at = first_chunk(maxima, greatest);
        let scores = load(&chunks[at]);
        let equal = scores.map(|s| vreinterpretq_u16_u32(vceqq_f32(s, greatest)));
        let low = vreinterpretq_u8_u16(vuzp1q_u16(equal[0], equal[1]));
        let high = vreinterpretq_u8_u16(vuzp1q_u16(equal[2], equal[3]));
        let equal = vreinterpretq_u16_u8(vuzp1q_u8(low, high));
        // Four bits a token.
        let bits = vget_lane_u64::<0>(vreinterpret_u64_u8(vshrn_n_u16::<4>(equal)));
        let token = bits.trailing_zeros() as usize / 4;
        chunks[at][token % CHUNK] = f32::NEG_INFINITY;
        marks[at] |= 1 << (token % CHUNK);
        maxima[at / 4][at % 4] = vmaxvq_f32(greatest_of_four(load(&chunks[at])));
    }
}

/// The first place of `greatest` among the maxima.
#[inline]
#[target_feature(enable = "neon")]
fn first_chunk(maxima: &[[f32; 4]], greatest: float32x4_t) -> usize {
    for (i, four) in maxima.iter().enumerate() {
        // SAFETY: the array has four elements.
        let equal = vceqq_f32(unsafe { vld1q_f32(four.as_ptr()) }, greatest);
        let bits = vget_lane_u64::<0>(vreinterpret_u64_u16(vmovn_u32(equal)));
        if bits != 0 {
            return 4 * i + bits.trailing_zeros() as usize / 16;
        }
    }
    unreachable!("the greatest of the maxima is one of them")
}

/// Writes the tokens of the bits to `chosen`, rising.
pub fn list_marks(marks: &[u16], chosen: &mut [u32]) {
    let mut places = chosen.iter_mut();
    for (i, &marks) in marks.iter().enumerate() {
        let mut left = u32::from(marks);
        while left != 0 {
            let place = places.next().expect("a place for each mark");
            *place = (i * CHUNK) as u32 + left.trailing_zeros();
            left &= left - 1;
        }
    }
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
fn greatest_of_four([a, b, c, d]: [float32x4_t; 4]) -> float32x4_t {
    vmaxq_f32(vmaxq_f32(a, b), vmaxq_f32(c, d))
}
