//! Looks for operators that can run in INT8, and says of the others why they cannot.
//!
//! A member is found from its end: a Quantize, the clamps before it, and before those a convolution, an addition or a
//! pool whose inputs are dequantized integers. A Quantize behind anything else is a member too: it takes f32 in.
//!
//! Limits: see the module above.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ocellus_kernels::{AddScales, Affine, Divisor, Isa, MAX_POOL_PIXELS, MaxPool};
use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::cnn::{self, Conv};
use tract_core::ops::einsum::EinSum;
use tract_core::ops::element_wise::ElementWiseOp;
use tract_core::ops::math::{Add, Div};
use tract_core::ops::nn::{Reduce, Reducer};
use tract_onnx::tract_hir::internal::*;

use super::chain::{Chain, chain, read_once};
use super::constant::{constant, shifted, uniform};
use super::function::{function, is_one_pixel, keeps_order};
use super::layer::{Candidate, PRODUCT, layer};
use super::pack;
use super::store::{Packed, Store};
use crate::Reason;
use crate::qoperator::REAL;
use crate::quant::{Dequantize, Quantize, Scale};

/// `[n, c, h, w]`, each at least 1.
pub(super) type Nchw = [usize; 4];

/// What was found in a graph.
pub(super) struct Found {
    /// In an order in which they can run.
    pub(super) members: Vec<Member>,
    /// Why others are none, by their names in the file.
    pub(super) left: HashMap<String, Reason>,
}

/// An operator that a region can run.
pub(super) struct Member {
    pub(super) work: Work,
    /// Where it reads: the input of the Dequantize or Quantize before it.
    pub(super) inputs: TVec<InletId>,
    /// What it computes.
    pub(super) output: OutletId,
    /// The shape of that.
    pub(super) shape: Nchw,
    /// The nodes that it replaces.
    pub(super) covered: Vec<usize>,
    /// Their names in the file.
    pub(super) names: Vec<String>,
}

/// What a member does.
pub(super) enum Work {
    /// f32 to bytes.
    Quantize(Affine),
    /// A convolution or a matrix product with its clamps.
    Conv(Arc<Packed>),
    /// A sum with its clamps.
    Add(AddScales),
    /// A mean over each channel's map, to bytes.
    Pool {
        zero_point: i8,
        multiplier: f32,
        out_zero_point: i8,
    },
    /// The same, to f32.
    PoolToReal { zero_point: i8, multiplier: f32 },
    /// The greatest under a window, with its clamps.
    MaxPool(MaxPool),
    /// A function of each byte, by its entry.
    Table(Box<[i8; 256]>),
    /// The same bytes with other axes.
    Move,
}

impl Work {
    /// Whether it takes bytes.
    pub(super) fn computes(&self) -> bool {
        !matches!(self, Work::Quantize(_))
    }

    /// Whether there is something to gain.
    pub(super) fn gains(&self) -> bool {
        !matches!(self, Work::Quantize(_) | Work::Move)
    }
}

/// Finds every member of `model`.
pub(super) fn find(model: &TypedModel, isa: Isa, store: &Store) -> TractResult<Found> {
    let mut finder = Finder {
        model,
        isa,
        store,
        covered: HashSet::new(),
        left: HashMap::new(),
    };
    let order = model.eval_order()?;
    let mut members = Vec::new();
    for &id in &order {
        if let Some(member) = finder.ending_in(id).or_else(|| finder.on_bytes(id)) {
            finder.covered.extend(&member.covered);
            members.push(member);
        }
    }
    for &id in &order {
        if finder.covered.contains(&id) {
            continue;
        }
        if let Some(member) = finder.pool_to_real(id) {
            members.push(member);
        } else if finder.is_fed_integers(id) && !is_of_activations(model, id) {
            let node = model.node(id);
            let reason = match node.outputs[0].fact.shape.as_concrete() {
                None => Reason::OpenShape,
                Some(shape) if !matches!(shape.len(), 2..=4) => Reason::Attribute,
                Some(_) => Reason::OutputNotQuantized,
            };
            let name = onnx_name(&node.name, &[PRODUCT]);
            finder.left.entry(name).or_insert(reason);
        }
    }
    let position: HashMap<usize, usize> =
        order.iter().enumerate().map(|(at, &id)| (id, at)).collect();
    members.sort_by_key(|member| position.get(&member.output.node).copied());
    // An operator on integers was written as one on reals.
    let in_file = |name: &str| onnx_name(name, &[REAL]);
    for name in members.iter_mut().flat_map(|member| &mut member.names) {
        *name = in_file(name);
    }
    let left = finder.left.into_iter();
    Ok(Found {
        members,
        left: left
            .map(|(name, reason)| (in_file(&name), reason))
            .collect(),
    })
}

struct Finder<'m> {
    model: &'m TypedModel,
    isa: Isa,
    store: &'m Store,
    covered: HashSet<usize>,
    left: HashMap<String, Reason>,
}

impl Finder<'_> {
    /// The member whose Quantize the node `id` is.
    fn ending_in(&mut self, id: usize) -> Option<Member> {
        let model = self.model;
        let node = model.node(id);
        let quantize = node.op_as::<Quantize>()?;
        let output = OutletId::new(id, 0);
        let out = affine(quantize.scale(), node.outputs[0].fact.datum_type)?;
        let shape = nchw(model, output)?;
        if let Some(chain) = chain(model, id, out)
            && let Some((work, inputs, more)) = self.work(&chain, out, shape)
        {
            let (covered, names) = more;
            let mut member = Member {
                work,
                inputs,
                output,
                shape,
                covered,
                names,
            };
            member.covered.extend(chain.nodes);
            member.covered.push(id);
            member.names.extend(chain.names);
            member.names.push(node.name.clone());
            return Some(member);
        }
        if model.outlet_fact(node.inputs[0]).ok()?.konst.is_some() {
            return None;
        }
        Some(Member {
            work: Work::Quantize(out),
            inputs: tvec![InletId::new(id, 0)],
            output,
            shape,
            covered: vec![id],
            names: vec![node.name.clone()],
        })
    }

    /// The member that ends in the node `id` and takes integers as they are: a pool, or axes that come and go.
    fn on_bytes(&self, id: usize) -> Option<Member> {
        let model = self.model;
        let output = OutletId::new(id, 0);
        let shape = nchw(model, output)?;
        if let Some(pool) = model.node(id).op_as::<cnn::MaxPool>() {
            let x = model.node(id).inputs[0];
            let work = Work::MaxPool(max_pool(pool, [nchw(model, x)?, shape])?);
            return self.is_bytes(x).then(|| self.alone(work, id, shape));
        }
        let mut moved: Option<Member> = None;
        let mut at = output;
        // On the way there may be shapes that no region has.
        while let Some(op) = model.node(at.node).op_as::<AxisOp>() {
            let x = model.node(at.node).inputs[0];
            let sizes = model.outlet_fact(x).ok()?.shape.as_concrete()?;
            if !self.is_bytes(x) || !keeps_order(op, sizes) || self.covered.contains(&at.node) {
                break;
            }
            let member = moved.get_or_insert_with(|| self.alone(Work::Move, id, shape));
            if at != output {
                member.covered.push(at.node);
                member.names.push(without_number(&model.node(at.node).name));
            }
            member.inputs = tvec![InletId::new(at.node, 0)];
            if !read_once(model, x) {
                break;
            }
            at = x;
        }
        let first = moved.as_ref()?.inputs[0];
        let source = nchw(model, model.node(first.node).inputs[0])?;
        moved.filter(|_| source == shape && is_one_pixel(shape))
    }

    /// The member that is the node `id`.
    fn alone(&self, work: Work, id: usize, shape: Nchw) -> Member {
        Member {
            work,
            inputs: tvec![InletId::new(id, 0)],
            output: OutletId::new(id, 0),
            shape,
            covered: vec![id],
            names: vec![without_number(&self.model.node(id).name)],
        }
    }

    /// Whether the values at `outlet` are bytes that are computed.
    fn is_bytes(&self, outlet: OutletId) -> bool {
        let fact = self.model.outlet_fact(outlet);
        fact.is_ok_and(|fact| {
            matches!(fact.datum_type, DatumType::U8 | DatumType::I8) && fact.konst.is_none()
        })
    }

    /// What computes the values at the head of `chain`.
    fn work(&mut self, chain: &Chain, out: Affine, shape: Nchw) -> Option<Computed> {
        let model = self.model;
        let node = model.node(chain.head.node);
        if let Some(layer) = layer(model, node, shape) {
            return match self.layer(&layer, chain, out) {
                Ok(work) => work.map(|(work, input)| (work, tvec![input], layer.stands_for)),
                Err(reason) => {
                    self.left
                        .extend(layer.stands_for.1.into_iter().map(|name| (name, reason)));
                    None
                }
            };
        }
        if let Some(pool) = node.op_as::<cnn::MaxPool>() {
            return match self.max_pool(node, pool, chain, out, shape) {
                Ok(computed) => computed,
                Err(reason) => {
                    self.left.insert(node.name.clone(), reason);
                    None
                }
            };
        }
        if let Some(computed) = self.add(node, chain, out, shape) {
            return Some(computed);
        }
        if let Some(function) = function(model, chain.head, shape) {
            let (input, from) = self.integers(function.of)?;
            let table = function.table(from, out, chain.bounds)?;
            return Some((Work::Table(table), tvec![input], function.stands_for));
        }
        if !chain.nodes.is_empty() {
            return None;
        }
        let pool = self.pool(chain.head.node)?;
        let multiplier = pool.from.scale / (out.scale * pool.pixels as f32);
        let work = Work::Pool {
            zero_point: pool.from.zero_point,
            multiplier,
            out_zero_point: out.zero_point,
        };
        multiplier
            .is_normal()
            .then(|| (work, tvec![pool.input], (pool.nodes, vec![pool.name])))
    }

    /// Packs `found`; nothing where it is not fed integers.
    fn layer(
        &self,
        found: &Candidate,
        chain: &Chain,
        out: Affine,
    ) -> Result<Option<(Work, InletId)>, Reason> {
        if !self.is_dequantize(found.x) {
            return Ok(None);
        }
        let (input, from) = self.integers(found.x).ok_or(Reason::ActivationScale)?;
        let values = pack::Requantization {
            from,
            out,
            bounds: chain.bounds,
        };
        let layer = found.layer.as_ref().ok_or(Reason::Attribute)?;
        let packed = pack::pack(self.model, layer, values, self.isa, self.store)?;
        Ok(Some((Work::Conv(packed), input)))
    }

    fn max_pool(
        &self,
        node: &TypedNode,
        pool: &cnn::MaxPool,
        chain: &Chain,
        out: Affine,
        shape: Nchw,
    ) -> Result<Option<Computed>, Reason> {
        let x = node.inputs[0];
        if !self.is_dequantize(x) {
            return Ok(None);
        }
        let (input, from) = self.integers(x).ok_or(Reason::ActivationScale)?;
        let source = nchw(self.model, x).ok_or(Reason::OpenShape)?;
        let pool = max_pool(pool, [source, shape]).ok_or(Reason::Attribute)?;
        if from != out {
            return Err(Reason::OutputScale);
        }
        let work = Work::MaxPool(MaxPool {
            min: chain.bounds.0,
            max: chain.bounds.1,
            ..pool
        });
        let stands_for = (vec![node.id], vec![node.name.clone()]);
        Ok(Some((work, tvec![input], stands_for)))
    }

    fn add(&self, node: &TypedNode, chain: &Chain, out: Affine, shape: Nchw) -> Option<Computed> {
        let op = node.op_as::<TypedBinOp>()?;
        let &[a, b] = &node.inputs[..] else {
            return None;
        };
        let same = nchw(self.model, a)? == shape && nchw(self.model, b)? == shape;
        if !op.0.is::<Add>() || !same {
            return None;
        }
        let ((a, from_a), (b, from_b)) = (self.integers(a)?, self.integers(b)?);
        let scales = AddScales {
            a_zero_point: from_a.zero_point,
            a_scale: from_a.scale,
            b_zero_point: from_b.zero_point,
            b_scale: from_b.scale,
            out_zero_point: out.zero_point,
            out_scale: Divisor::new(out.scale),
            min: chain.bounds.0,
            max: chain.bounds.1,
        };
        Some((
            Work::Add(scales),
            tvec![a, b],
            (vec![node.id], vec![node.name.clone()]),
        ))
    }

    fn pool_to_real(&self, id: usize) -> Option<Member> {
        let output = OutletId::new(id, 0);
        let pool = self.pool(id)?;
        let multiplier = pool.from.scale / pool.pixels as f32;
        if !multiplier.is_normal() {
            return None;
        }
        Some(Member {
            work: Work::PoolToReal {
                zero_point: pool.from.zero_point,
                multiplier,
            },
            inputs: tvec![pool.input],
            output,
            shape: nchw(self.model, output)?,
            covered: pool.nodes,
            names: vec![pool.name],
        })
    }

    /// The pool whose division the node `id` is: a sum over the map, divided by the number of its pixels.
    fn pool(&self, id: usize) -> Option<Pool> {
        let division = self.model.node(id);
        let &[sums, divisor] = &division.inputs[..] else {
            return None;
        };
        let sum = self.model.node(sums.node);
        let reduce = sum.op_as::<Reduce>()?;
        let x = *sum.inputs.first()?;
        let [_, _, h, w] = nchw(self.model, x)?;
        let pixels = h
            .checked_mul(w)
            .filter(|&pixels| pixels <= MAX_POOL_PIXELS)?;
        let is_pool = division.op_as::<TypedBinOp>()?.0.is::<Div>()
            && reduce.reducer == Reducer::Sum
            && reduce.axes[..] == [2, 3]
            && read_once(self.model, sums)
            && uniform(self.model, divisor)? == pixels as f32;
        let (input, from) = self.integers(x)?;
        is_pool.then(|| Pool {
            input,
            from,
            pixels,
            nodes: vec![sum.id, id],
            name: onnx_name(&sum.name, &[".sum"]),
        })
    }

    /// Where the integers behind `outlet` are read, and what they mean, if it is their Dequantize.
    fn integers(&self, outlet: OutletId) -> Option<(InletId, Affine)> {
        let node = self.model.node(outlet.node);
        let dequantize = node.op_as::<Dequantize>()?;
        let fact = self.model.outlet_fact(node.inputs[0]).ok()?;
        if fact.konst.is_some() {
            return None;
        }
        Some((
            InletId::new(node.id, 0),
            affine(dequantize.scale(), fact.datum_type)?,
        ))
    }

    fn is_dequantize(&self, outlet: OutletId) -> bool {
        self.model.node(outlet.node).op_is::<Dequantize>()
    }

    /// Whether the node `id` is of a kind that has a kernel, and all that it is fed are integers.
    fn is_fed_integers(&self, id: usize) -> bool {
        let node = self.model.node(id);
        let add = node
            .op_as::<TypedBinOp>()
            .is_some_and(|op| op.0.is::<Add>());
        let first = node.op_is::<Conv>()
            || node.op_is::<EinSum>()
            || node.op_is::<cnn::MaxPool>()
            || node.op_is::<ElementWiseOp>();
        match first {
            true => node
                .inputs
                .first()
                .is_some_and(|&x| self.integers(x).is_some()),
            false => add && node.inputs.iter().all(|&x| self.integers(x).is_some()),
        }
    }
}

/// Whether the node `id` multiplies activations with one another, for which there is no kernel.
fn is_of_activations(model: &TypedModel, id: usize) -> bool {
    let node = model.node(id);
    let others = node.inputs.get(1).map(|&other| constant(model, other));
    node.op_is::<EinSum>() && matches!(others, Some(None))
}

/// The nodes that work stands for, and their names in the file.
pub(super) type StandsFor = (Vec<usize>, Vec<String>);

/// Work, where it reads, and what it stands for.
type Computed = (Work, TVec<InletId>, StandsFor);

struct Pool {
    input: InletId,
    from: Affine,
    pixels: usize,
    nodes: Vec<usize>,
    name: String,
}

/// `pool` without clamps, from maps of shape `source` to those of `target`.
fn max_pool(pool: &cnn::MaxPool, [source, target]: [Nchw; 2]) -> Option<MaxPool> {
    let plain = pool.with_index_outputs.is_none() && source[1] == target[1];
    Some(MaxPool {
        window: pack::window(&pool.pool_spec, [source, target]).filter(|_| plain)?,
        channels: target[1],
        min: i8::MIN,
        max: i8::MAX,
    })
}

/// What `scale` means for integers of type `datum_type`, shifted to signed bytes; nothing where there is a scale per
/// channel.
pub(crate) fn affine(scale: &Scale, datum_type: DatumType) -> Option<Affine> {
    let &[(scale, zero_point)] = scale.pairs() else {
        return None;
    };
    let zero_point = match datum_type {
        DatumType::U8 => shifted(u8::try_from(zero_point).ok()?),
        DatumType::I8 => i8::try_from(zero_point).ok()?,
        _ => return None,
    };
    Some(Affine { scale, zero_point })
}

/// The shape of `outlet`, if it is a batch of maps of known size, or of rows, which are maps of one pixel. Sequences are
/// batches of rows.
pub(super) fn nchw(model: &TypedModel, outlet: OutletId) -> Option<Nchw> {
    let shape = match *model.outlet_fact(outlet).ok()?.shape.as_concrete()? {
        [n, c] => [n, c, 1, 1],
        [n, length, c] => [n.checked_mul(length)?, c, 1, 1],
        [n, c, h, w] => [n, c, h, w],
        _ => return None,
    };
    shape.iter().all(|&size| size > 0).then_some(shape)
}

/// The name in the file of the node called `name`, which the engine made with one of `suffixes`.
pub(super) fn onnx_name(name: &str, suffixes: &[&str]) -> String {
    let stem = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix));
    stem.unwrap_or(name).to_owned()
}

/// The name in the file of the node called `name`, one of several that the engine made and numbered.
pub(super) fn without_number(name: &str) -> String {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match name.rsplit_once('.') {
        Some((stem, number)) if is_number(number) => stem.to_owned(),
        _ => name.to_owned(),
    }
}
