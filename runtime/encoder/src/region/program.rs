//! The program of a region: steps on bytes in one arena.
//!
//! Every step reads and writes places that were settled when the program was made, and its shapes were checked then. A
//! run borrows an arena from the idle ones; the first is made with the program, more only while runs overlap in time. So a
//! run in one thread allocates nothing.
//!
//! A step's work is cut into parts for the threads of a pool; the step after it begins when all are done.
//!
//! Limits: a batch is worked off image by image, step by step.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use ocellus_kernels::{
    AddScales, Affine, Isa, MaxPool, MulScales, Quantizer, dequantize_add, dequantize_planes,
    pool_to_f32, pool_to_s8, qs8_add, qs8_channel_sums, qs8_table, quantize_pixels,
    quantize_planes,
};

use ocellus_sys::Pool;

use super::bands::Sequence;
use super::constant::{shifted, unshifted};
use super::convolve::convolve;
use super::joins::{self, Part};
use super::parts::by_rows;
use super::planes::{Images, to_pixels, to_planes};
use super::store::Packed;
use crate::{Observer, Pixels};

/// What is fed, in row-major NCHW.
#[derive(Clone, Copy)]
pub(crate) enum Fed<'a> {
    F32(&'a [f32]),
    /// For an f32 input of `[1, 3, h, w]`.
    Pixels(Pixels<'a>),
    U8(&'a [u8]),
    I8(&'a [i8]),
}

/// What is computed, in row-major NCHW.
pub(crate) enum Computed<'a> {
    F32(&'a mut [f32]),
    U8(&'a mut [u8]),
    I8(&'a mut [i8]),
}

/// A tensor at the border of a program.
#[derive(Clone, Debug)]
pub(crate) struct Border {
    pub(crate) kind: Kind,
    pub(crate) shape: Vec<usize>,
}

/// The type of a tensor at the border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    F32,
    U8,
    I8,
}

/// One operator on places of the arena.
#[derive(Debug)]
pub(super) enum Step {
    /// f32 to bytes, planes to pixels.
    Quantize {
        input: usize,
        quantizer: Quantizer,
        dims: Images,
        to: Range<usize>,
    },
    /// Bytes to bytes, planes to pixels.
    Enter {
        input: usize,
        dims: Images,
        to: Range<usize>,
    },
    /// `size` is the height and width of the input, `rows` the height of the output.
    Conv {
        packed: Arc<Packed>,
        images: usize,
        size: [usize; 2],
        rows: usize,
        from: Range<usize>,
        to: Range<usize>,
    },
    Add {
        scales: AddScales,
        a: Range<usize>,
        b: Range<usize>,
        to: Range<usize>,
    },
    /// The numbers of `b` are used for every pixel where they are fewer.
    Mul {
        scales: MulScales,
        images: usize,
        a: Range<usize>,
        b: Range<usize>,
        to: Range<usize>,
    },
    Concat {
        parts: Vec<Part>,
        to: Range<usize>,
    },
    Pool {
        zero_point: i8,
        multiplier: f32,
        out_zero_point: i8,
        dims: Images,
        from: Range<usize>,
        to: Range<usize>,
    },
    MaxPool {
        pool: MaxPool,
        images: usize,
        size: [usize; 2],
        rows: usize,
        from: Range<usize>,
        to: Range<usize>,
    },
    Table {
        table: Box<[i8; 256]>,
        from: Range<usize>,
        to: Range<usize>,
    },
    PoolToReal {
        zero_point: i8,
        multiplier: f32,
        dims: Images,
        from: Range<usize>,
        output: usize,
    },
    /// Bytes to f32, pixels to planes; rows may have numbers added.
    Dequantize {
        affine: Affine,
        addends: Option<Vec<f32>>,
        dims: Images,
        from: Range<usize>,
        output: usize,
    },
    /// Bytes to bytes, pixels to planes.
    Leave {
        dims: Images,
        from: Range<usize>,
        output: usize,
    },
}

/// What a step is called in reports.
#[derive(Debug)]
pub(crate) struct Label {
    /// The name in the file of the node that it stands for: that of its first output.
    pub(crate) name: String,
    /// What it does, where that name is not one of the file's.
    pub(crate) op: &'static str,
    pub(crate) kernel: &'static str,
}

/// Working memory of one run.
struct Arena {
    bytes: Vec<i8>,
    scratch: Vec<i8>,
    sums: Vec<i32>,
}

/// The sizes of an [`Arena`], in elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) bytes: usize,
    /// Of all threads.
    pub(super) scratch: usize,
    pub(super) sums: usize,
}

impl Sizes {
    fn arena(self) -> Arena {
        Arena {
            bytes: vec![0; self.bytes],
            scratch: vec![0; self.scratch],
            sums: vec![0; self.sums],
        }
    }
}

/// A compiled region.
pub(crate) struct Program {
    isa: Isa,
    pool: Arc<Pool>,
    steps: Vec<Step>,
    /// One for each step.
    labels: Vec<Label>,
    /// Steps that run together where nobody watches them, in their order.
    sequences: Vec<Sequence>,
    inputs: Vec<Border>,
    outputs: Vec<Border>,
    sizes: Sizes,
    idle: Mutex<Vec<Arena>>,
}

impl Program {
    pub(super) fn new(
        (isa, pool): (Isa, Arc<Pool>),
        (steps, sequences): (Vec<(Step, Label)>, Vec<Sequence>),
        inputs: Vec<Border>,
        outputs: Vec<Border>,
        sizes: Sizes,
    ) -> Program {
        let (steps, labels) = steps.into_iter().unzip();
        Program {
            isa,
            steps,
            labels,
            sequences,
            inputs,
            outputs,
            sizes,
            idle: Mutex::new(vec![sizes.arena()]),
            pool,
        }
    }

    /// What its steps are called, in the order in which they run.
    pub(crate) fn labels(&self) -> &[Label] {
        &self.labels
    }

    pub(crate) fn inputs(&self) -> &[Border] {
        &self.inputs
    }

    pub(crate) fn outputs(&self) -> &[Border] {
        &self.outputs
    }

    /// Whether everything at its border is f32.
    pub(crate) fn takes_and_gives_reals(&self) -> bool {
        self.inputs
            .iter()
            .chain(&self.outputs)
            .all(|border| border.kind == Kind::F32)
    }

    /// Runs.
    ///
    /// # Panics
    ///
    /// If what is passed differs from [`inputs`](Self::inputs) or [`outputs`](Self::outputs) in number, type or length.
    pub(crate) fn run<O: Observer>(
        &self,
        inputs: &[Fed<'_>],
        outputs: &mut [Computed<'_>],
        observer: &mut O,
    ) {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut arena = idle.unwrap_or_else(|| self.sizes.arena());
        let mut sequences = self.sequences.iter().peekable();
        let mut at = 0;
        while at < self.steps.len() {
            let sequence = sequences.next_if(|sequence| sequence.steps.start == at);
            if let (false, Some(sequence)) = (O::WATCHES, sequence) {
                let Arena { bytes, scratch, .. } = &mut arena;
                let (from, to) = self.ends(sequence);
                let (from, to) = from_to(bytes, from, to);
                sequence.run(&self.pool, from, to, scratch);
                at = sequence.steps.end;
                continue;
            }
            observer.begin(at);
            self.step(&self.steps[at], &mut arena, inputs, outputs);
            observer.end(at);
            at += 1;
        }
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(arena);
    }

    /// Where a sequence's input and output lie.
    fn ends(&self, sequence: &Sequence) -> (&Range<usize>, &Range<usize>) {
        match &self.steps[sequence.steps.clone()] {
            [Step::Conv { from, .. }, .., Step::Conv { to, .. }] => (from, to),
            _ => unreachable!("a sequence is of two convolutions or more"),
        }
    }

    fn step(
        &self,
        step: &Step,
        arena: &mut Arena,
        inputs: &[Fed<'_>],
        outputs: &mut [Computed<'_>],
    ) {
        let Arena {
            bytes,
            scratch,
            sums,
        } = arena;
        let (isa, pool) = (self.isa, &*self.pool);
        match step {
            Step::Quantize {
                input,
                quantizer,
                dims: [_, pixels, channels],
                to,
            } => {
                let image = pixels * channels;
                let to = &mut bytes[to.clone()];
                match inputs[*input] {
                    Fed::F32(reals) => {
                        let images = reals.chunks_exact(image).zip(to.chunks_exact_mut(image));
                        for (reals, to) in images {
                            quantize_planes(isa, *quantizer, reals, *channels, to);
                        }
                    }
                    Fed::Pixels(pixels) => {
                        let affine = quantizer.affine();
                        let table = |channel| pixels.values(channel).map(|x| affine.quantize(x));
                        let tables = [0, 1, 2].map(table);
                        by_rows(pool, to.len() / 3, 1, to, &mut [], |rows, to, _| {
                            let rgb = &pixels.rgb[3 * rows.start..3 * rows.end];
                            quantize_pixels(&tables, rgb, to);
                        });
                    }
                    Fed::U8(_) | Fed::I8(_) => panic!("input {input} is not f32"),
                }
            }
            Step::Enter { input, dims, to } => match inputs[*input] {
                Fed::U8(from) => to_pixels(from, *dims, &mut bytes[to.clone()], shifted),
                Fed::I8(from) => to_pixels(from, *dims, &mut bytes[to.clone()], |byte| byte),
                Fed::F32(_) | Fed::Pixels(_) => panic!("input {input} is not bytes"),
            },
            Step::Conv {
                packed,
                images,
                size,
                rows,
                from,
                to,
            } => {
                let (from, to) = from_to(bytes, from, to);
                let whole = (*images, *size, *rows);
                convolve(pool, &packed.kernel, whole, from, to, scratch);
            }
            Step::Add { scales, a, b, to } if a == b => {
                let (a, to) = from_to(bytes, a, to);
                add(pool, isa, scales, [a, a], to);
            }
            Step::Add { scales, a, b, to } => {
                let apart = bytes.get_disjoint_mut([a.clone(), b.clone(), to.clone()]);
                let [a, b, to] = apart.expect("buffers that are alive together lie apart");
                add(pool, isa, scales, [a, b], to);
            }
            Step::Mul {
                scales,
                images,
                a,
                b,
                to,
            } if a == b => {
                let (a, to) = from_to(bytes, a, to);
                joins::multiply(pool, isa, scales, *images, [a, a], to);
            }
            Step::Mul {
                scales,
                images,
                a,
                b,
                to,
            } => {
                let apart = bytes.get_disjoint_mut([a.clone(), b.clone(), to.clone()]);
                let [a, b, to] = apart.expect("buffers that are alive together lie apart");
                joins::multiply(pool, isa, scales, *images, [a, b], to);
            }
            Step::Concat { parts, to } => {
                for part in parts {
                    let (from, to) = from_to(bytes, &part.from, to);
                    part.put(pool, isa, from, to);
                }
            }
            Step::Pool {
                zero_point,
                multiplier,
                out_zero_point,
                dims: [_, pixels, channels],
                from,
                to,
            } => {
                let sums = &mut sums[..*channels];
                let (from, to) = from_to(bytes, from, to);
                for (from, to) in from
                    .chunks_exact(pixels * channels)
                    .zip(to.chunks_exact_mut(*channels))
                {
                    qs8_channel_sums(isa, from, *zero_point, sums);
                    pool_to_s8(sums, *multiplier, *out_zero_point, to);
                }
            }
            Step::MaxPool {
                pool,
                images,
                size,
                rows,
                from,
                to,
            } => {
                let (from, to) = from_to(bytes, from, to);
                let each = from
                    .chunks_exact(from.len() / images)
                    .zip(to.chunks_exact_mut(to.len() / images));
                each.for_each(|(from, to)| pool.run(isa, from, *size, 0..*rows, to));
            }
            Step::Table { table, from, to } => {
                let (from, to) = from_to(bytes, from, to);
                by_bytes(pool, to, |range, to| {
                    qs8_table(isa, table, &from[range], to)
                });
            }
            Step::PoolToReal {
                zero_point,
                multiplier,
                dims: [_, pixels, channels],
                from,
                output,
            } => {
                let sums = &mut sums[..*channels];
                let to = reals(outputs, *output);
                for (from, to) in bytes[from.clone()]
                    .chunks_exact(pixels * channels)
                    .zip(to.chunks_exact_mut(*channels))
                {
                    qs8_channel_sums(isa, from, *zero_point, sums);
                    pool_to_f32(sums, *multiplier, to);
                }
            }
            Step::Dequantize {
                affine,
                addends: Some(addends),
                from,
                output,
                ..
            } => {
                let to = reals(outputs, *output);
                dequantize_add(isa, *affine, addends, &bytes[from.clone()], to);
            }
            Step::Dequantize {
                affine,
                addends: None,
                dims: [_, pixels, channels],
                from,
                output,
            } => {
                let image = pixels * channels;
                let to = reals(outputs, *output);
                for (from, to) in bytes[from.clone()]
                    .chunks_exact(image)
                    .zip(to.chunks_exact_mut(image))
                {
                    dequantize_planes(isa, *affine, from, *channels, to);
                }
            }
            Step::Leave { dims, from, output } => match &mut outputs[*output] {
                Computed::U8(to) => to_planes(&bytes[from.clone()], *dims, to, unshifted),
                Computed::I8(to) => to_planes(&bytes[from.clone()], *dims, to, |byte| byte),
                Computed::F32(_) => panic!("output {output} is not bytes"),
            },
        }
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("isa", &self.isa)
            .field("steps", &self.steps.len())
            .field("inputs", &self.inputs)
            .field("outputs", &self.outputs)
            .field("sizes", &self.sizes)
            .finish_non_exhaustive()
    }
}

fn add(pool: &Pool, isa: Isa, scales: &AddScales, [a, b]: [&[i8]; 2], to: &mut [i8]) {
    by_bytes(pool, to, |range, to| {
        qs8_add(isa, scales, &a[range.clone()], &b[range], to)
    });
}

/// Cuts what is computed byte by byte into parts that are worth a thread's while.
pub(super) fn by_bytes(pool: &Pool, to: &mut [i8], work: impl Fn(Range<usize>, &mut [i8]) + Sync) {
    /// About what a thread does in the time of two handovers.
    const UNIT: usize = 4096;
    by_rows(pool, to.len(), UNIT, to, &mut [], |range, to, _| {
        work(range, to)
    });
}

fn from_to<'a>(
    bytes: &'a mut [i8],
    from: &Range<usize>,
    to: &Range<usize>,
) -> (&'a [i8], &'a mut [i8]) {
    let apart = bytes.get_disjoint_mut([from.clone(), to.clone()]);
    let [from, to] = apart.expect("buffers that are alive together lie apart");
    (from, to)
}

fn reals<'a>(outputs: &'a mut [Computed<'_>], output: usize) -> &'a mut [f32] {
    match &mut outputs[output] {
        Computed::F32(reals) => reals,
        _ => panic!("output {output} is not f32"),
    }
}
