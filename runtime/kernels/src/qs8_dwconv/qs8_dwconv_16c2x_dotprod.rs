//! Sixteen channels and two neighbouring outputs at a time with SDOT over four vertical taps, for 3 x 3 and 5 x 5.
//!
//! Rows of the window are covered by one quad of input rows (3 x 3) or two (5 x 5); a quad's taps outside the window have
//! zero weights. The quads reach further than one window, so at stride 1 they serve two output rows (3 x 3) or four
//! (5 x 5), and at stride 2 one or two, each with weights shifted down by its distance. All weights of an output row are
//! registers: those of sixteen channels for 3 x 3, of eight at a time for 5 x 5.

use super::Image;
use super::dotprod_rows::{self, Params, Row};
use super::quads::{COLUMN, Source};
use super::ring::{BLOCK, block_starts};
use crate::isa::DotProd;
use crate::requantize::Requantize;
use crate::requantize_neon::{Finish, Way};
use crate::stream::bring;
use crate::window::Window;
use alloc::{vec, vec::Vec};
use core::array;
use core::ops::Range;

/// Weights in blocks of sixteen channels, `[block][output row of a group][part][quad][kx][channel][4]`.
#[derive(Clone, Debug)]
pub struct Blocks {
    proof: DotProd,
    cover: Cover,
    weights: Vec<i8>,
    way: Way,
    params: Vec<Params>,
}

/// How quads of rows cover windows.
#[derive(Clone, Copy, Debug)]
struct Cover {
    kw: usize,
    quads: usize,
    /// Channels whose weights are registers together.
    part: usize,
    /// Output rows that the same quads serve.
    group: usize,
    stride: usize,
}

impl Cover {
    /// `None` where this kernel is not for the window or the channels.
    fn new(window: &Window, channels: usize) -> Option<Cover> {
        let (quads, kw, part) = match window.kernel {
            [3, 3] => (1, 3, 16),
            [5, 5] => (2, 5, 8),
            _ => return None,
        };
        let stride = window.strides[0];
        if channels < BLOCK || window.strides[1] != stride || stride > 2 {
            return None;
        }
        let group = (4 * quads - kw) / stride + 1;
        Some(Cover {
            kw,
            quads,
            part,
            group,
            stride,
        })
    }

    /// Bytes of weights of one output row of a group, sixteen channels.
    fn row_bytes(&self) -> usize {
        self.quads * self.kw * COLUMN
    }
}

impl Blocks {
    /// `None` where this kernel is not for the window or the channels.
    pub fn pack(
        proof: DotProd,
        weights: &[i8],
        window: &Window,
        requantize: &Requantize,
    ) -> Option<Blocks> {
        let channels = requantize.bias.len();
        let cover = Cover::new(window, channels)?;
        let blocks = block_starts(channels).count();
        let way = Way::with_shifts(requantize);
        let (starts, shifts) = (way.starts(requantize), Way::shifts(requantize));
        let mut packed = Blocks {
            proof,
            cover,
            weights: Vec::with_capacity(blocks * cover.group * cover.row_bytes()),
            way,
            params: vec![Params::NONE; blocks],
        };
        for (block, start) in block_starts(channels).enumerate() {
            for row in 0..cover.group {
                for part in (start..start + BLOCK).step_by(cover.part) {
                    for quad in 0..cover.quads {
                        for kx in 0..cover.kw {
                            let taps: [&[i8]; 4] = array::from_fn(|i| {
                                let ky = (4 * quad + i).checked_sub(row * cover.stride);
                                match ky.filter(|&ky| ky < cover.kw) {
                                    Some(ky) => &weights[(ky * cover.kw + kx) * channels + part..],
                                    None => &[0; BLOCK],
                                }
                            });
                            let taps = taps.map(|tap| &tap[..cover.part]);
                            let mut fours = [[0; 4]; BLOCK];
                            let fours = &mut fours[..cover.part];
                            for (c, four) in fours.iter_mut().enumerate() {
                                *four = taps.map(|tap| tap[c]);
                            }
                            packed.weights.extend_from_slice(fours.as_flattened());
                        }
                    }
                }
            }
            let params = &mut packed.params[block];
            params.bias.copy_from_slice(&starts[start..][..BLOCK]);
            params
                .multiplier
                .copy_from_slice(&requantize.multiplier[start..][..BLOCK]);
            params.shift.copy_from_slice(&shifts[start..][..BLOCK]);
        }
        Some(packed)
    }

    pub fn bytes(&self) -> usize {
        self.weights.len()
    }

    /// The elements of scratch for an output of this width.
    pub fn scratch_len(&self, out_width: usize) -> usize {
        self.cover.quads * self.width(out_width) * COLUMN
    }

    /// Padded columns under an output row.
    fn width(&self, out_width: usize) -> usize {
        (out_width - 1) * self.cover.stride + self.cover.kw
    }

    /// See [`PackedDepthwise::run`](super::PackedDepthwise::run), which checked the shapes.
    pub fn run(
        &self,
        window: &Window,
        requantize: &Requantize,
        image: Image,
        rows: Range<usize>,
        out: &mut [i8],
        scratch: &mut [i8],
    ) {
        let _ = self.proof;
        // SAFETY: the proof says that the CPU has neon and dotprod; the loops are for the cover's window.
        unsafe {
            match (self.cover.kw, self.cover.stride) {
                (3, 1) => self.run_rows::<3, 1>(window, requantize, image, rows, out, scratch),
                (3, _) => self.run_rows::<3, 2>(window, requantize, image, rows, out, scratch),
                (_, 1) => self.run_rows::<5, 1>(window, requantize, image, rows, out, scratch),
                (_, _) => self.run_rows::<5, 2>(window, requantize, image, rows, out, scratch),
            }
        }
    }

    /// # Safety
    ///
    /// The CPU has neon and dotprod; the cover's window is `KW` by `KW` and has this stride.
    #[target_feature(enable = "neon,dotprod")]
    unsafe fn run_rows<const KW: usize, const STRIDE: usize>(
        &self,
        window: &Window,
        requantize: &Requantize,
        image: Image,
        rows: Range<usize>,
        out: &mut [i8],
        scratch: &mut [i8],
    ) {
        let finish = Finish::new(requantize, self.way);
        let channels = image.dims[2];
        let row_len = out.len() / rows.len();
        let width = self.width(row_len / channels);
        let source = Source {
            image,
            window,
            width,
        };
        let quads = &mut scratch[..self.cover.quads * width * COLUMN];
        let out_len = out.len();
        let mut brought = 0;
        for (first, out) in rows
            .step_by(self.cover.group)
            .zip(out.chunks_mut(self.cover.group * row_len))
        {
            let top = first * self.cover.stride;
            brought = source.bring(top.max(brought)..top + 4 * self.cover.quads);
            bring(out, out_len);
            for (block, start) in block_starts(channels).enumerate() {
                for (i, quad) in quads.chunks_exact_mut(width * COLUMN).enumerate() {
                    source.build(top + 4 * i, start, quad);
                }
                for (row, out) in out.chunks_exact_mut(row_len).enumerate() {
                    let weights = (block * self.cover.group + row) * self.cover.row_bytes();
                    let weights = &self.weights[weights..][..self.cover.row_bytes()];
                    let params = (&raw const self.params[block]).cast::<i32>();
                    for first in (0..BLOCK).step_by(self.cover.part) {
                        let row = Row {
                            weights: weights[first * self.cover.row_bytes() / BLOCK..].as_ptr(),
                            params: params.wrapping_add(first),
                            finish: &finish,
                            at: quads[4 * first..].as_ptr(),
                            quad_len: width * COLUMN,
                            out: out[start + first..].as_mut_ptr(),
                            channels,
                            outputs: row_len / channels,
                        };
                        // SAFETY: the caller's; weights and numbers are for this loop, the quads have the columns under each
                        // output, and `out` has the block's channels of each.
                        unsafe { dotprod_rows::run::<KW, STRIDE>(self.way, &row) }
                    }
                }
            }
        }
    }
}
