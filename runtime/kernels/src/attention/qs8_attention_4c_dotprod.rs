//! Attention of bytes with dot product: four cells at a time, values in half precision.

use super::{
    QueryError, attend_dotprod, bytes,
    plan::Task,
    query_neon::Layout,
    scores_dotprod,
    tokens::{Keys, PackedTokens},
    vector::{Cells, Kernel, Strips},
    vector_room::{Four, Room},
};
use crate::isa::DotProd;
use alloc::{vec, vec::Vec};
use core::arch::aarch64::*;

/// The kernel; what was packed holds the proof that it may run.
#[derive(Clone, Copy)]
pub struct Qs8AttentionDotProd<'a>(pub &'a Packed);

/// What this kernel packs besides the keys' rows.
#[derive(Clone, Debug)]
pub struct Packed {
    _proof: DotProd,
    /// Keys in the tiles of [`scores_dotprod`].
    tiles: Vec<i8>,
    /// `[tokens, heads, stride]`: values in half precision, divided by `unscale`.
    values: Vec<u16>,
    /// 1, or the power of two that brings the greatest value to 1..2, where sums of halves would overflow or fall below the
    /// normal numbers.
    unscale: f32,
}

impl Packed {
    /// Packs the padded rows of [`PackedTokens`].
    pub fn new(proof: DotProd, keys: &[i8], row: usize, values: &[f32]) -> Packed {
        let greatest = values.iter().fold(0.0, |a: f32, b| a.max(b.abs()));
        let unscale = match greatest {
            0.0 => 1.0,
            v if (1.0 / 64.0..16384.0).contains(&v) => 1.0,
            // Its exponent alone; a value below the normal numbers is nothing beside the least of them.
            v => f32::from_bits(v.to_bits() & 0x7f80_0000).max(f32::MIN_POSITIVE),
        };
        let mut halves = vec![0; values.len()];
        for (halves, values) in halves
            .as_chunks_mut::<4>()
            .0
            .iter_mut()
            .zip(values.as_chunks::<4>().0)
        {
            // SAFETY: both have four elements, and the proof says that the CPU has fp16.
            unsafe { store_halves(halves, values, unscale) }
        }
        Packed {
            _proof: proof,
            tiles: scores_dotprod::pack(keys, row),
            values: halves,
            unscale,
        }
    }
}

#[target_feature(enable = "neon,fp16")]
fn store_halves(halves: &mut [u16; 4], values: &[f32; 4], unscale: f32) {
    // SAFETY: the arrays' types say that four elements can be read and written.
    unsafe {
        let values = vdivq_f32(vld1q_f32(values.as_ptr()), vdupq_n_f32(unscale));
        vst1_u16(
            halves.as_mut_ptr(),
            vreinterpret_u16_f16(vcvt_f16_f32(values)),
        );
    }
}

impl Kernel for Qs8AttentionDotProd<'_> {
    type Element = i8;
    const BLOCKS: usize = scores_dotprod::ROWS;

    fn prepare(self, task: &Task, room: &mut Room, is_shared: bool) -> Result<(), QueryError> {
        bytes::quantize_map(task, room, Layout::Quads, is_shared)
    }

    fn means<'a>(self, task: &Task<'a>, room: &'a mut Room, first: usize, rows: usize) -> &'a [i8] {
        bytes::means(task, room, first, rows)
    }

    unsafe fn scores(self, tokens: &PackedTokens, means: &[i8], out: *mut f32, out_stride: usize) {
        let Keys::Int8 { scales, .. } = &tokens.keys else {
            unreachable!("keys in f32 have no bytes to multiply")
        };
        let panels = scores_dotprod::Panels {
            keys: self.0.tiles.as_ptr(),
            scales: scales.as_ptr(),
            row: tokens.row(),
            count: tokens.valid_count(),
        };
        // SAFETY: the proof says that the CPU has dotprod; tiles and scales are packed for whole tiles; the rest is the
        // caller's promise.
        unsafe { scores_dotprod::scores(panels, means, out, out_stride) }
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
        let Packed {
            values, unscale, ..
        } = self.0;
        // SAFETY: the proof says that the CPU has dotprod and fp16; values lie as keys do; the rest is the caller's promise.
        unsafe {
            attend_dotprod::attend::<SHARED>(
                cells,
                bytes.as_ptr(),
                values.as_ptr(),
                *unscale,
                strips,
            )
        }
    }
}
