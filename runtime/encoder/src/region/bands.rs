//! Depth first: neighbouring convolutions that run together, a few rows at a time, so that the large maps between them never
//! leave the cache.
//!
//! Layer by layer, the expanded map of an inverted residual is written to memory and read again, because it is larger than
//! the second-level cache. In a sequence each map but the last is a band of rows, in working memory: as many as
//! the rows of the sequence's output stand on that are computed next. Rows that the next ones stand on as well are moved to the
//! band's begin, so none is computed twice.
//!
//! Threads share the bands: each layer's new rows are cut among them, by rows or by channels, and they meet before the next
//! layer. Had each thread a share of the output and bands of its own, the rows between shares would be computed twice through
//! all layers.
//!
//! Every byte is that of the layers one after another, which is also how a sequence runs while it is watched.
//!
//! Limits: sequences of convolutions of one image, each read by the next alone.

use std::ops::Range;
use std::sync::Arc;

use ocellus_sys::Pool;

use super::convolve::convolve_band;
use super::find::Nchw;
use super::store::{Kernel, Packed};

/// Below so many bytes between its layers a sequence is left as it is: they stay in the second-level cache, of which the
/// boards' smallest has 512 KiB.
const LARGE: usize = 128 * 1024;

/// About the bytes of all bands of a sequence. They share the cache with weights, input and output.
const BANDS: usize = 192 * 1024;

/// Layers of a sequence.
const MOST: usize = 12;

/// Some steps that run together.
#[derive(Debug)]
pub(super) struct Sequence {
    /// The places of the steps in the program.
    pub(super) steps: Range<usize>,
    layers: Vec<Layer>,
    /// The rows of the output that are computed at a time.
    rows: usize,
    /// Where each band begins, and where the last one ends.
    places: Vec<usize>,
    /// The elements of scratch that it needs, bands and all threads included.
    scratch: usize,
}

/// One convolution of a sequence.
#[derive(Debug)]
pub(super) struct Layer {
    packed: Arc<Packed>,
    /// Height and width of the input.
    size: [usize; 2],
    /// The height of the output.
    rows: usize,
    /// The elements of a row of the input and of the output.
    row: [usize; 2],
}

impl Sequence {
    /// The sequences of a program, whose steps are `layers` where they can be, for so many threads. Of each step `alone` says
    /// whether the next one reads what it writes, and nobody else does.
    pub(super) fn find(
        layers: Vec<Option<Layer>>,
        threads: usize,
        alone: impl Fn(usize) -> bool,
    ) -> Vec<Sequence> {
        let (mut sequences, mut links) = (Vec::new(), Vec::new());
        for (at, layer) in layers.into_iter().enumerate() {
            let follows = |layer: &Layer| !layer.is_dense() && alone(at - 1);
            if links.len() == MOST || !links.is_empty() && !layer.as_ref().is_some_and(follows) {
                sequences.extend(Sequence::new(at, std::mem::take(&mut links), threads));
            }
            links.extend(layer);
        }
        sequences
    }

    /// The sequence of layers that end before step `end`, if it is worth it.
    fn new(end: usize, layers: Vec<Layer>, threads: usize) -> Option<Sequence> {
        let between = layers.split_last()?.1;
        let bytes: usize = between.iter().map(|layer| layer.rows * layer.row[1]).sum();
        if bytes < LARGE {
            return None;
        }
        let all = layers.last()?.rows;
        let fitting = (1..=all)
            .rev()
            .find(|&rows| places(&layers, rows).last() <= Some(&BANDS));
        // So many for each thread that their parts are even.
        let rows = match fitting.unwrap_or(1) {
            rows if rows == all || rows < threads => rows,
            rows => rows / threads * threads,
        };
        let places = places(&layers, rows);
        let held = heights(&layers, rows);
        let own = layers
            .iter()
            .zip(&held)
            .map(|(layer, &rows)| layer.scratch(rows));
        let scratch = places.last()? + own.max().unwrap_or(0) * threads;
        Some(Sequence {
            steps: end - layers.len()..end,
            layers,
            rows,
            places,
            scratch,
        })
    }

    /// The elements of scratch that it needs.
    pub(super) fn scratch(&self) -> usize {
        self.scratch
    }

    /// Computes `to` from `from`. The pool has the threads that the sequence is for.
    pub(super) fn run(&self, pool: &Pool, from: &[i8], to: &mut [i8], scratch: &mut [i8]) {
        let last = self.layers.len() - 1;
        let (bands, scratch) = scratch.split_at_mut(self.places[last]);
        // The rows that each band holds.
        let mut held = [const { 0..0 }; MOST];
        let all = self.layers[last].rows;
        for first in (0..all).step_by(self.rows) {
            let end = all.min(first + self.rows);
            // From the last layer back: the rows that the next layer's new rows stand on, and those that are new of them.
            let mut needed = [const { 0..0 }; MOST];
            let mut fresh = [const { 0..0 }; MOST];
            (needed[last], fresh[last]) = (first..end, first..end);
            for at in (0..last).rev() {
                let next = &fresh[at + 1];
                needed[at] = match next.is_empty() {
                    // Everything was there already: what is held stays.
                    true => held[at].clone(),
                    false => self.layers[at + 1].under(next.clone()),
                };
                fresh[at] = needed[at].start.max(held[at].end).min(needed[at].end)..needed[at].end;
            }
            for (at, layer) in self.layers.iter().enumerate() {
                let fresh = fresh[at].clone();
                let (before, own) = bands.split_at_mut(self.places[at]);
                let source = match at {
                    0 => from,
                    _ => &before[self.places[at - 1]..][..held[at - 1].len() * layer.row[0]],
                };
                let held_before = match at {
                    0 => 0..layer.size[0],
                    _ => held[at - 1].clone(),
                };
                let out = match at == last {
                    true => {
                        let row = layer.row[1];
                        &mut to[first * row..end * row]
                    }
                    false => layer.make_room(own, &mut held[at], &needed[at]),
                };
                if !fresh.is_empty() {
                    let (kernel, held) = (&layer.packed.kernel, (source, held_before));
                    convolve_band(pool, kernel, held, (layer.size, fresh), out, scratch);
                }
            }
        }
    }
}

/// The most rows that each layer's band holds where the sequence's output is computed by so many rows; the last is that number.
fn heights(layers: &[Layer], rows: usize) -> Vec<usize> {
    let mut heights = vec![rows; layers.len()];
    for at in (0..layers.len() - 1).rev() {
        let under = layers[at + 1].most_under(heights[at + 1]);
        heights[at] = under.min(layers[at].rows);
    }
    heights
}

/// Where each band begins, and where the last one ends.
fn places(layers: &[Layer], rows: usize) -> Vec<usize> {
    /// A cache line of every board.
    const ALIGN: usize = 64;
    let mut end = 0;
    let bands = heights(layers, rows).into_iter().zip(layers);
    let mut places = vec![0];
    for (rows, layer) in bands.take(layers.len() - 1) {
        end += (rows * layer.row[1]).next_multiple_of(ALIGN);
        places.push(end);
    }
    places
}

impl Layer {
    /// A convolution between maps of these shapes, if it can be in a sequence.
    pub(super) fn of(packed: &Arc<Packed>, from: Nchw, to: Nchw) -> Option<Layer> {
        let fits = match &packed.kernel {
            Kernel::Pointwise(_) | Kernel::Dense(_) => true,
            // Each row of the output has to stand on one of the input's.
            Kernel::Depthwise(conv) => {
                let window = conv.window();
                window.pads[0].max(window.pads[2]) < window.kernel[0]
            }
        };
        let row = |[_, channels, _, width]: Nchw| width * channels;
        (fits && from[0] == 1).then(|| Layer {
            packed: Arc::clone(packed),
            size: [from[2], from[3]],
            rows: to[2],
            row: [row(from), row(to)],
        })
    }

    /// Its input has to be whole: it can only begin a sequence.
    fn is_dense(&self) -> bool {
        matches!(self.packed.kernel, Kernel::Dense(_))
    }

    /// The input rows under these output rows.
    fn under(&self, rows: Range<usize>) -> Range<usize> {
        match &self.packed.kernel {
            Kernel::Pointwise(_) => rows,
            Kernel::Depthwise(conv) => conv.window().rows_under(rows, self.size[0]),
            // It begins a sequence, and its input is whole.
            Kernel::Dense(_) => 0..self.size[0],
        }
    }

    /// The most input rows under so many output rows.
    fn most_under(&self, rows: usize) -> usize {
        match &self.packed.kernel {
            Kernel::Pointwise(_) => rows,
            Kernel::Depthwise(conv) => {
                let window = conv.window();
                (rows - 1) * window.strides[0] + window.kernel[0]
            }
            Kernel::Dense(_) => self.size[0],
        }
    }

    /// The elements of scratch for so many output rows.
    fn scratch(&self, rows: usize) -> usize {
        match &self.packed.kernel {
            Kernel::Pointwise(_) => 0,
            Kernel::Dense(conv) => conv.scratch_len(self.size),
            Kernel::Depthwise(conv) => conv
                .band_scratch_len(self.size, rows)
                .max(conv.scratch_len(self.size)),
        }
    }

    /// Moves the rows of its band that are needed again to the begin, and gives the room for those that follow.
    fn make_room<'a>(
        &self,
        band: &'a mut [i8],
        held: &mut Range<usize>,
        needed: &Range<usize>,
    ) -> &'a mut [i8] {
        let row = self.row[1];
        let kept = needed.start.min(held.end)..held.end;
        if kept.start > held.start && !kept.is_empty() {
            let from = (kept.start - held.start) * row;
            band.copy_within(from..from + kept.len() * row, 0);
        }
        *held = needed.clone();
        &mut band[kept.len() * row..needed.len() * row]
    }
}
