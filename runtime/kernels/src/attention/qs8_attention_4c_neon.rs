//! Attention of bytes on armv8.0: four cells at a time, values in f32.

use super::{
    attend_neon,
    query_neon::Layout,
    scores_neon,
    tokens::{Keys, PackedTokens},
    vector::{Cells, Kernel, Strips},
};
use crate::isa::Neon;

/// The kernel, with the proof that it may run.
#[derive(Clone, Copy)]
pub struct Qs8AttentionNeon(pub Neon);

impl Kernel for Qs8AttentionNeon {
    const BLOCKS: usize = scores_neon::ROWS;
    const SHARED_LAYOUT: Layout = Layout::Rows;

    unsafe fn scores(
        self,
        tokens: &PackedTokens,
        means: *const i8,
        rows: usize,
        out: *mut f32,
        out_stride: usize,
    ) {
        let Keys::Int8 { bytes, scales, .. } = &tokens.keys else {
            unreachable!("keys in f32 have no bytes to multiply")
        };
        // SAFETY: the proof says that the CPU has neon; keys and scales are packed for sixteen tokens at a time; the rest
        // is the caller's promise.
        unsafe {
            scores_neon::scores(
                means,
                rows,
                tokens,
                bytes.as_ptr(),
                scales.as_ptr(),
                out,
                out_stride,
            )
        }
    }

    unsafe fn attend<const SHARED: bool>(
        self,
        tokens: &PackedTokens,
        cells: &Cells,
        strips: &mut Strips,
    ) {
        let Keys::Int8 { bytes, .. } = &tokens.keys else {
            unreachable!("keys in f32 have no bytes to multiply")
        };
        let (keys, values) = (bytes.as_ptr(), tokens.values.as_ptr());
        // SAFETY: the proof says that the CPU has neon; the rest is the caller's promise.
        unsafe { attend_neon::attend::<SHARED>(cells, keys, values, strips) }
    }
}
