//! Sixteen channels and two neighbouring outputs at a time with SDOT over four vertical taps, for 3 x 3 and 5 x 5.
//!
//! Rows of the window are covered by one quad of input rows (3 x 3) or two (5 x 5); a quad's taps outside the window have
//! zero weights. The quads reach further than one window, so at stride 1 they serve two output rows (3 x 3) or four
//! (5 x 5), and at stride 2 one or two, each with weights shifted down by its distance. All weights of an output row are
//! registers: those of sixteen channels for 3 x 3, of eight at a time for 5 x 5.

use super::Image;
use super::dotprod_3x3_2;
use super::dotprod_rows::{self, Params, Row};
use super::quads::{COLUMN, Source, bring_rows};
use super::ring::{BLOCK, block_start, block_starts, blocks_of};
use crate::Columns;
use crate::isa::DotProd;
use crate::requantize::Requantize;
use crate::requantize_neon::{Finish, Way};
use crate::stream::{LINE, bring};
use crate::window::Window;
use alloc::{vec, vec::Vec};
use core::array;
use core::ops::Range;

/// Blocks of channels that go over all rows before the next do, where quads are kept and the image is small: what a line
/// of cache has of a pixel.
const SLAB: usize = LINE / BLOCK;

/// The bytes of a small image. The lines of a larger one are brought in in the order in which they lie in memory.
const SMALL_IMAGE: usize = 144 * 1024;

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
    /// Output rows that the same quads serve. Where there are two quads, the next group's first is this one's second.
    group: usize,
    stride: usize,
}

impl Cover {
    /// `None` where this kernel is not for the window or the channels.
    fn new(window: &Window, channels: usize) -> Option<Cover> {
        let stride = window.strides[0];
        if channels < BLOCK || window.strides[1] != stride || stride > 2 {
            return None;
        }
        match window.kernel {
            [3, 3] => Some(Cover::of(3, stride)),
            [5, 5] => Some(Cover::of(5, stride)),
            _ => None,
        }
    }

    /// Of windows of `kw` by `kw`, 3 or 5.
    const fn of(kw: usize, stride: usize) -> Cover {
        let (quads, part) = if kw == 3 { (1, BLOCK) } else { (2, BLOCK / 2) };
        Cover {
            kw,
            quads,
            part,
            group: (4 * quads - kw) / stride + 1,
            stride,
        }
    }

    /// Bytes of weights of one output row of a group, sixteen channels.
    const fn row_bytes(&self) -> usize {
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
        self.weights.len() + self.params.len() * size_of::<[f32; BLOCK]>()
    }

    /// Output rows that the same quads serve.
    pub fn rows_together(&self) -> usize {
        self.cover.group
    }

    /// About what `rows` neighbouring rows take: taps of each, and quads of input rows, which are woven once for a group of
    /// rows, and one more where there are two.
    pub fn cost(&self, rows: usize) -> usize {
        let Cover {
            kw,
            quads,
            group,
            stride,
            ..
        } = self.cover;
        match group {
            // Woven in registers.
            1 => rows,
            _ => rows * kw + (rows.div_ceil(group) + quads - 1) * stride,
        }
    }

    /// The blocks of channels that are computed together, of an image of so many bytes.
    fn slab(&self, image_bytes: usize) -> usize {
        match self.cover.quads {
            2 if image_bytes <= SMALL_IMAGE => SLAB,
            _ => self.params.len(),
        }
    }

    /// The elements of scratch for an image of so many bytes and an output of this width.
    pub fn scratch_len(&self, image_bytes: usize, out_width: usize) -> usize {
        // One quad is built anew for each block.
        let rings = match self.cover.quads {
            1 => 1,
            _ => self.slab(image_bytes).min(self.params.len()),
        };
        rings * self.cover.quads * self.width(out_width) * COLUMN
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
        out: Columns,
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
        mut out: Columns,
        scratch: &mut [i8],
    ) {
        let finish = Finish::new(requantize, self.way);
        let channels = image.dims[2];
        let outputs = out.rows() / rows.len();
        if let Some(source) = dotprod_3x3_2::Source::new(image, window, outputs) {
            // SAFETY: the caller's.
            return unsafe { self.run_woven(&source, &finish, rows, out) };
        }
        let source = Source {
            image,
            window,
            width: self.width(outputs),
        };
        let Cover { quads, group, .. } = const { Cover::of(KW, STRIDE) };
        let quad_len = source.width * COLUMN;
        let slab = self.slab(image.elements.len());
        let rings = &mut scratch[..self.scratch_len(image.elements.len(), outputs)];
        source.pad(rings);
        let all_blocks = blocks_of(&out);
        for first_block in all_blocks.clone().step_by(slab) {
            let blocks = first_block..all_blocks.end.min(first_block + slab);
            let mut brought = 0;
            for (g, first) in rows.clone().step_by(group).enumerate() {
                let top = first * STRIDE;
                let group_rows = group.min(rows.end - first);
                let pixel = g * group * outputs;
                if blocks.len() == self.params.len() {
                    brought = bring_rows(image, window, top.max(brought)..top + 4 * quads);
                    bring_out(&mut out, pixel..pixel + group_rows * outputs);
                }
                for block in blocks.clone() {
                    let channel = block_start(block, channels);
                    let ring = (block - first_block) * (quads - 1) * quads * quad_len;
                    let ring = &mut rings[ring..][..quads * quad_len];
                    let quad = |i: usize| (g + i) % quads * quad_len;
                    // Those before the last were built for the rows before.
                    for i in if g == 0 { 0 } else { quads - 1 }..quads {
                        source.build(top + 4 * i, channel, &mut ring[quad(i)..][..quad_len]);
                    }
                    let row = Row {
                        weights: self.weights_of(block).as_ptr(),
                        params: (&raw const self.params[block]).cast(),
                        finish: &finish,
                        at: ring[quad(0)..].as_ptr(),
                        below: ring[quad(quads - 1)..].as_ptr(),
                        out: out.at(pixel, channel),
                        channels,
                        outputs,
                    };
                    // SAFETY: the caller's; weights and numbers are for these loops, the quads have the columns under each
                    // output, and `out` has the block's channels of each.
                    unsafe { self.run_group::<KW, STRIDE>(row, group_rows) }
                }
            }
        }
    }

    /// Computes rows straight from the image, all blocks of channels of one before the next.
    ///
    /// # Safety
    ///
    /// The CPU has neon and dotprod; `out` has the source's outputs of the rows.
    #[target_feature(enable = "neon,dotprod")]
    unsafe fn run_woven(
        &self,
        source: &dotprod_3x3_2::Source,
        finish: &Finish,
        rows: Range<usize>,
        mut out: Columns,
    ) {
        let outputs = out.rows() / rows.len();
        let blocks = blocks_of(&out);
        let mut brought = 0;
        for (row, y) in rows.enumerate() {
            let pixel = row * outputs;
            if blocks.len() == self.params.len() {
                brought = source.bring(y, brought);
                bring_out(&mut out, pixel..pixel + outputs);
            }
            for block in blocks.clone() {
                let block = dotprod_3x3_2::Block {
                    weights: self.weights_of(block),
                    params: &self.params[block],
                    finish,
                    channel: block_start(block, source.channels()),
                };
                // SAFETY: the caller's; the block was packed for this window and way.
                unsafe { source.run(self.way, &block, y, out.at(pixel, 0)) }
            }
        }
    }

    /// The weights of all rows of a group.
    fn weights_of(&self, block: usize) -> &[i8] {
        let len = self.cover.group * self.cover.row_bytes();
        &self.weights[block * len..][..len]
    }

    /// Computes the `rows` rows of a group, of which `first` is the first part of the first one.
    ///
    /// # Safety
    ///
    /// The CPU has neon and dotprod; the row is sound, and so are those below it.
    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    unsafe fn run_group<const KW: usize, const STRIDE: usize>(&self, first: Row, rows: usize) {
        let cover = const { Cover::of(KW, STRIDE) };
        let parts = BLOCK / cover.part;
        for row in 0..rows {
            for part in 0..parts {
                let channel = part * cover.part;
                let out = row * first.outputs * first.channels + channel;
                let row = Row {
                    weights: first
                        .weights
                        .wrapping_add((row * parts + part) * cover.row_bytes() / parts),
                    params: first.params.wrapping_add(channel),
                    at: first.at.wrapping_add(4 * channel),
                    below: first.below.wrapping_add(4 * channel),
                    out: first.out.wrapping_add(out),
                    ..first
                };
                // SAFETY: the caller's.
                unsafe { dotprod_rows::run::<KW, STRIDE>(self.way, &row) }
            }
        }
    }
}

/// Brings pixels of the output in, all of whose channels are written.
fn bring_out(out: &mut Columns, pixels: Range<usize>) {
    let all = out.rows() * out.stride();
    if let Some(pixels) = out.whole_rows(pixels) {
        bring(pixels, all);
    }
}
