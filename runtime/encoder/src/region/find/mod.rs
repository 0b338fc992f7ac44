//! Looks for operators that can run in INT8, and says of the others why they cannot.
//!
//! A member is found from its end: a Quantize, the clamps before it, and before those a convolution, a pool or a join of
//! several values whose inputs are dequantized integers. A Quantize behind anything else is a member too: it takes f32 in.
//!
//! Limits: see the module above.

mod bytes;
mod joins;
mod left;
mod pools;
mod values;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ocellus_kernels::{AddScales, Affine, Isa, MaxPool, MulScales};
use tract_core::ops::cnn;
use tract_onnx::tract_hir::internal::*;

use super::chain::{Chain, chain};
use super::function::function;
use super::layer::{Candidate, PRODUCT, layer};
use super::pack;
use super::store::{Packed, Store};
use crate::Reason;
use crate::qoperator::REAL;
use crate::quant::{Dequantize, Quantize};

pub(crate) use self::values::affine;
pub(super) use self::values::{Nchw, nchw, onnx_name, without_number};

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
    /// A product with its clamps, of values of one shape or with a number for each channel on the right.
    Mul(MulScales),
    /// Maps behind one another along their channels, each with the table that changes its scale, if that is another.
    Concat(Vec<Option<Box<[i8; 256]>>>),
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
    Table {
        table: Box<[i8; 256]>,
        /// Whether a region pays for it alone.
        pays: bool,
    },
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
        match self {
            Work::Quantize(_) | Work::Concat(_) | Work::Move => false,
            Work::Table { pays, .. } => *pays,
            _ => true,
        }
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
        } else if let Some(reason) = finder.reason(id) {
            let name = onnx_name(&model.node(id).name, &[PRODUCT]);
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
        if let Some(computed) = self.join(node, chain, out, shape) {
            return Some(computed);
        }
        if let Some(function) = function(model, chain.head, shape) {
            let (input, from) = self.integers(function.of)?;
            let table = function.table(from, out, chain.bounds)?;
            let pays = function.pays();
            let work = Work::Table { table, pays };
            return Some((work, tvec![input], function.stands_for));
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
}

/// The nodes that work stands for, and their names in the file.
pub(super) type StandsFor = (Vec<usize>, Vec<String>);

/// Work, where it reads, and what it stands for.
type Computed = (Work, TVec<InletId>, StandsFor);
