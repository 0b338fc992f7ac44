//! From members to a program: the order of the steps, the life and place of every buffer, the sizes of the arena.
//!
//! A tensor from outside enters right before its first reader, and what is needed outside leaves right after it was
//! computed: nothing is alive longer than it must be.
//!
//! Limits: members run in the graph's order, which is not chosen for a small arena.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use ocellus_kernels::{Isa, Quantizer};
use ocellus_sys::Pool;
use tract_onnx::tract_hir::internal::*;

use super::arena::{Life, lay_out};
use super::bands::{Layer, Sequence};
use super::find::{Member, Nchw, Work};
use super::group::Group;
use super::joins::Part;
use super::planes::Images;
use super::program::{Label, Program, Sizes, Step};
use super::store::Kernel;
use crate::{Limits, guard};

/// A step before its buffers have places.
enum Draft {
    /// The region's input of that index.
    Enter(usize),
    /// The member of that index.
    Run(usize),
    /// The region's output of that index.
    Leave(usize),
}

/// The program of `region`, whose members are among `members`.
pub(super) fn compile(
    model: &TypedModel,
    (isa, pool): (Isa, &Arc<Pool>),
    members: &[Member],
    region: &Group,
    limits: &Limits,
) -> TractResult<Program> {
    let sources = |member: &Member| -> TVec<OutletId> {
        member
            .inputs
            .iter()
            .map(|inlet| model.node(inlet.node).inputs[inlet.slot])
            .collect()
    };
    let mut buffers = Buffers::default();
    let mut drafts = Vec::new();
    for &at in &region.members {
        let member = &members[at];
        for (input, source) in region.inputs.iter().enumerate() {
            let reads = member.work.computes() && sources(member).contains(&source.outlet);
            if reads && !buffers.at.contains_key(&source.outlet) {
                let shape = shape_of(model, source.outlet)?;
                buffers.write(source.outlet, shape, drafts.len())?;
                drafts.push(Draft::Enter(input));
            }
        }
        if member.work.computes() {
            sources(member)
                .iter()
                .for_each(|source| buffers.read(source, drafts.len()));
        }
        match member.work {
            // Straight from the arena to the output.
            Work::PoolToReal { .. } => {}
            _ => {
                buffers.write(member.output, member.shape, drafts.len())?;
                drafts.push(Draft::Run(at));
            }
        }
        for (output, _) in region
            .outputs
            .iter()
            .enumerate()
            .filter(|(_, exit)| exit.member == at)
        {
            let read = match member.work {
                Work::PoolToReal { .. } => sources(member)[0],
                _ => member.output,
            };
            buffers.read(&read, drafts.len());
            drafts.push(Draft::Leave(output));
        }
    }

    let sequences = sequences(model, members, &buffers, &drafts, pool.threads())?;
    for sequence in &sequences {
        if let Draft::Run(first) = drafts[sequence.steps.start] {
            // Its last rows are written when the first ones are long done.
            let from = sources(&members[first])[0];
            buffers.read(&from, (sequence.steps.end - 1).max(buffers.last(&from)));
        }
    }

    let too_large = || guard::check_bytes("INT8 region", i64::MAX, limits);
    let Some((places, bytes)) = lay_out(&buffers.lives) else {
        too_large()?;
        bail!("the arena of a region has no size");
    };
    let place = |outlet: &OutletId| -> Range<usize> { places[buffers.at[outlet]].clone() };
    let mut sizes = Sizes {
        bytes,
        scratch: sequences.iter().map(Sequence::scratch).max().unwrap_or(0),
        sums: 0,
    };
    let mut steps = Vec::new();
    for draft in drafts {
        let label = label(model, members, region, &draft);
        let step = match draft {
            Draft::Enter(input) => {
                let source = &region.inputs[input];
                Step::Enter {
                    input,
                    dims: border(shape_of(model, source.outlet)?),
                    to: place(&source.outlet),
                }
            }
            Draft::Run(at) => {
                let member = &members[at];
                let from = sources(member);
                let input = |outlet: OutletId| {
                    region
                        .inputs
                        .iter()
                        .position(|source| source.outlet == outlet)
                };
                let shape = shape_of(model, from[0])?;
                let to = place(&member.output);
                match &member.work {
                    Work::Quantize(affine) => Step::Quantize {
                        input: input(from[0]).context("an entry reads an input")?,
                        quantizer: Quantizer::new(*affine),
                        dims: border(member.shape),
                        to,
                    },
                    Work::Conv(packed) => {
                        let size = [shape[2], shape[3]];
                        let scratch = match &packed.kernel {
                            Kernel::Pointwise(_) => 0,
                            Kernel::Dense(conv) => conv.scratch_len(size),
                            Kernel::Depthwise(conv) => conv.scratch_len(size),
                        };
                        sizes.scratch = sizes.scratch.max(scratch * pool.threads());
                        Step::Conv {
                            packed: packed.clone(),
                            images: shape[0],
                            size,
                            rows: member.shape[2],
                            from: place(&from[0]),
                            to,
                        }
                    }
                    Work::Add(scales) => Step::Add {
                        scales: *scales,
                        a: place(&from[0]),
                        b: place(&from[1]),
                        to,
                    },
                    Work::Mul(scales) => Step::Mul {
                        scales: *scales,
                        images: shape[0],
                        a: place(&from[0]),
                        b: place(&from[1]),
                        to,
                    },
                    Work::Concat(tables) => {
                        let (mut parts, mut first) = (Vec::new(), 0);
                        for (table, outlet) in tables.iter().zip(&from) {
                            let channels = shape_of(model, *outlet)?[1];
                            parts.push(Part {
                                table: table.clone(),
                                channels: first..first + channels,
                                width: member.shape[1],
                                from: place(outlet),
                            });
                            first += channels;
                        }
                        Step::Concat { parts, to }
                    }
                    Work::Pool {
                        zero_point,
                        multiplier,
                        out_zero_point,
                    } => {
                        sizes.sums = sizes.sums.max(shape[1]);
                        Step::Pool {
                            zero_point: *zero_point,
                            multiplier: *multiplier,
                            out_zero_point: *out_zero_point,
                            dims: images(shape),
                            from: place(&from[0]),
                            to,
                        }
                    }
                    Work::MaxPool(pool) => Step::MaxPool {
                        pool: *pool,
                        images: shape[0],
                        size: [shape[2], shape[3]],
                        rows: member.shape[2],
                        from: place(&from[0]),
                        to,
                    },
                    Work::Table { table, .. } => Step::Table {
                        table: table.clone(),
                        from: place(&from[0]),
                        to,
                    },
                    Work::Move => Step::Table {
                        table: Box::new(std::array::from_fn(|at| (at as i16 - 128) as i8)),
                        from: place(&from[0]),
                        to,
                    },
                    Work::PoolToReal { .. } => bail!("a pool to f32 is an exit"),
                }
            }
            Draft::Leave(output) => {
                let exit = &region.outputs[output];
                let member = &members[exit.member];
                match (&member.work, exit.affine) {
                    (
                        Work::PoolToReal {
                            zero_point,
                            multiplier,
                        },
                        _,
                    ) => {
                        let from = sources(member)[0];
                        let shape = shape_of(model, from)?;
                        sizes.sums = sizes.sums.max(shape[1]);
                        Step::PoolToReal {
                            zero_point: *zero_point,
                            multiplier: *multiplier,
                            dims: images(shape),
                            from: place(&from),
                            output,
                        }
                    }
                    (_, Some(affine)) => Step::Dequantize {
                        affine,
                        addends: exit.addends.clone(),
                        dims: border(member.shape),
                        from: place(&member.output),
                        output,
                    },
                    (_, None) => Step::Leave {
                        dims: border(member.shape),
                        from: place(&member.output),
                        output,
                    },
                }
            }
        };
        steps.push((step, label));
    }
    let working = sizes
        .bytes
        .saturating_add(sizes.scratch)
        .saturating_add(sizes.sums.saturating_mul(4));
    guard::check_bytes(
        "INT8 region",
        i64::try_from(working).unwrap_or(i64::MAX),
        limits,
    )?;
    let inputs = region
        .inputs
        .iter()
        .map(|source| source.border.clone())
        .collect();
    let outputs = region
        .outputs
        .iter()
        .map(|exit| exit.border.clone())
        .collect();
    Ok(Program::new(
        (isa, pool.clone()),
        (steps, sequences),
        inputs,
        outputs,
        sizes,
    ))
}

/// The convolutions among `drafts` that run together.
fn sequences(
    model: &TypedModel,
    members: &[Member],
    buffers: &Buffers,
    drafts: &[Draft],
    threads: usize,
) -> TractResult<Vec<Sequence>> {
    let member = |at: usize| match drafts[at] {
        Draft::Run(member) => Some(&members[member]),
        Draft::Enter(_) | Draft::Leave(_) => None,
    };
    let source = |member: &Member| model.node(member.inputs[0].node).inputs[member.inputs[0].slot];
    let mut layers = Vec::with_capacity(drafts.len());
    for at in 0..drafts.len() {
        layers.push(match member(at) {
            Some(member) => match &member.work {
                Work::Conv(packed) => {
                    Layer::of(packed, shape_of(model, source(member))?, member.shape)
                }
                _ => None,
            },
            None => None,
        });
    }
    Ok(Sequence::find(layers, threads, |at| {
        let (Some(before), Some(next)) = (member(at), member(at + 1)) else {
            return false;
        };
        source(next) == before.output && buffers.last(&before.output) == at + 1
    }))
}

/// What `draft` is called in reports.
fn label(model: &TypedModel, members: &[Member], region: &Group, draft: &Draft) -> Label {
    let (member, border) = match *draft {
        Draft::Enter(input) => (None, region.inputs[input].outlet),
        Draft::Run(member) => (Some(&members[member]), members[member].output),
        Draft::Leave(output) => {
            let exit = &region.outputs[output];
            let member = Some(&members[exit.member])
                .filter(|member| matches!(member.work, Work::PoolToReal { .. }));
            (member, exit.outlet)
        }
    };
    let (op, kernel) = match (member.map(|member| &member.work), draft) {
        (Some(Work::Quantize(_)), _) => ("QuantizeLinear", "qs8_cast"),
        (Some(Work::Conv(packed)), _) => ("Conv", packed.kernel.name()),
        (Some(Work::Add(_)), _) => ("Add", "qs8_add"),
        (Some(Work::Mul(_)), _) => ("Mul", "qs8_mul"),
        (Some(Work::Concat(_)), _) => ("Concat", "qs8_table"),
        (Some(Work::MaxPool(_)), _) => ("MaxPool", "qs8_maxpool"),
        (Some(Work::Table { .. }), _) => ("Requantize", "qs8_table"),
        (Some(Work::Move), _) => ("Reshape", "qs8_table"),
        (Some(Work::Pool { .. } | Work::PoolToReal { .. }), _) => {
            ("GlobalAveragePool", "qs8_gavgpool")
        }
        (None, Draft::Leave(output)) if region.outputs[*output].affine.is_some() => {
            ("DequantizeLinear", "qs8_cast")
        }
        (None, _) => ("Transpose", "planes"),
    };
    // A member's first name is that of the node that computes, before its clamps and conversions.
    let name = member.and_then(|member| member.names.first());
    Label {
        name: name.unwrap_or(&model.node(border.node).name).clone(),
        op,
        kernel,
    }
}

/// The buffers of a program, by the tensors that they hold.
#[derive(Default)]
struct Buffers {
    at: HashMap<OutletId, usize>,
    lives: Vec<Life>,
}

impl Buffers {
    fn write(&mut self, outlet: OutletId, shape: Nchw, step: usize) -> TractResult<()> {
        let bytes = shape
            .iter()
            .try_fold(1usize, |product, &size| product.checked_mul(size));
        self.at.insert(outlet, self.lives.len());
        self.lives.push(Life {
            bytes: bytes.context("a tensor of more bytes than can be counted")?,
            first: step,
            last: step,
        });
        Ok(())
    }

    /// The last step that reads a tensor.
    fn last(&self, outlet: &OutletId) -> usize {
        self.at.get(outlet).map_or(0, |&at| self.lives[at].last)
    }

    fn read(&mut self, outlet: &OutletId, step: usize) {
        if let Some(&at) = self.at.get(outlet) {
            self.lives[at].last = step;
        }
    }
}

fn images([n, c, h, w]: Nchw) -> Images {
    [n, h * w, c]
}

/// The same where tensors come and go: images of one pixel lie like one image, in one piece.
fn border(shape: Nchw) -> Images {
    match images(shape) {
        [n, 1, c] => [1, 1, n * c],
        images => images,
    }
}

fn shape_of(model: &TypedModel, outlet: OutletId) -> TractResult<Nchw> {
    super::find::nchw(model, outlet).context("a map of known size")
}
