//! Attention of bytes on armv8.0: four cells at a time, values in f32.

use super::{
    QueryError, attend_neon, bytes,
    plan::Task,
    query_neon::Layout,
    scores_neon,
    tokens::{Keys, PackedTokens},
    vector::{Cells, Kernel, Strips},
    vector_room::{Four, Room},
};
use crate::isa::Neon;

/// The kernel, with the proof that it may run.
#[derive(Clone, Copy)]
pub struct Qs8AttentionNeon(pub Neon);

impl Kernel for Qs8AttentionNeon {
    type Element = i8;
    const BLOCKS: usize = scores_neon::ROWS;

    fn prepare(self, task: &Task, room: &mut Room, is_shared: bool) -> Result<(), QueryError> {
        bytes::quantize_map(task, room, Layout::Rows, is_shared)
    }

    fn means<'a>(self, task: &Task<'a>, room: &'a mut Room, first: usize, rows: usize) -> &'a [i8] {
        bytes::means(task, room, first, rows)
    }

    unsafe fn scores(self, tokens: &PackedTokens, means: &[i8], out: *mut f32, out_stride: usize) {
        let Keys::Int8 { bytes, scales, .. } = &tokens.keys else {
            unreachable!("keys in f32 have no bytes to multiply")
        };
        let (keys, scales) = (bytes.as_ptr(), scales.as_ptr());
        // SAFETY: the proof says that the CPU has neon; keys and scales are packed for sixteen tokens at a time; the rest
        // is the caller's promise.
        unsafe { scores_neon::scores(means, tokens, keys, scales, out, out_stride) }
    }

    fn multiply<const SHARED: bool>(
        self,
        tokens: &PackedTokens,
        room: &mut Room,
        group: usize,
        lists: [&[u32]; 4],
    ) {
        bytes::multiply::<SHARED>(tokens, room, group, lists);
    }

    fn cells(self, task: &Task, room: &mut Room, group: usize, _four: &Four) -> [*const i8; 4] {
        bytes::cells(task, room, group)
    }

    unsafe fn attend<const SHARED: bool>(
        self,
        tokens: &PackedTokens,
        cells: &Cells<i8>,
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
