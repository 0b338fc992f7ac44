//! Puts members that pass integers to one another into regions, each of which can be one node.
//!
//! A region may not feed itself through a part of the graph that stays outside. So each node has a level: that of its
//! inputs, plus one where a value leaves a member other than as integers for a member of the same level. Along any path
//! levels never fall, and on the way out of a region they rise; no path leads back into it. A region is what is connected
//! on one level.
//!
//! Limits: a member whose inputs lie on different levels takes those from below as bytes from outside.

use std::collections::{HashMap, HashSet};

use ocellus_kernels::Affine;
use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::math::Add;
use tract_onnx::tract_hir::internal::*;

use super::chain::read_once;
use super::constant::{Constant, constant};
use super::find::{Found, Member, Work, affine, without_number};
use super::function::is_one_pixel;
use super::program::{Border, Kind};
use crate::quant::Dequantize;

/// Members that become one operator.
pub(super) struct Group {
    /// Indices of its members, in an order in which they can run.
    pub(super) members: Vec<usize>,
    pub(super) inputs: Vec<Source>,
    pub(super) outputs: Vec<Exit>,
    /// The names in the file of the nodes that it replaces.
    pub(super) names: Vec<String>,
}

/// A tensor that comes from outside.
pub(super) struct Source {
    pub(super) outlet: OutletId,
    pub(super) border: Border,
}

/// A tensor that is needed outside.
pub(super) struct Exit {
    /// The member that computes it.
    pub(super) member: usize,
    /// What its bytes mean; nothing where they leave as they are, or the member computes reals.
    pub(super) affine: Option<Affine>,
    /// What is added to the reals of each row, if anything is.
    pub(super) addends: Option<Vec<f32>>,
    /// What it replaces.
    pub(super) outlet: OutletId,
    pub(super) border: Border,
}

/// The regions of `model` among `found`.
pub(super) fn group(model: &TypedModel, found: &Found) -> TractResult<Vec<Group>> {
    let members = &found.members;
    let ends: HashMap<usize, usize> = members
        .iter()
        .enumerate()
        .map(|(at, member)| (member.output.node, at))
        .collect();
    let levels = levels(model, members, &ends)?;
    let level = |member: usize| levels[members[member].output.node];

    let mut root: Vec<usize> = (0..members.len()).collect();
    for (at, member) in members.iter().enumerate() {
        for from in integer_sources(model, member, &ends) {
            if level(from) == level(at) {
                let (a, b) = (find_root(&mut root, from), find_root(&mut root, at));
                root[a] = b;
            }
        }
    }
    let mut connected: Vec<Vec<usize>> = vec![Vec::new(); members.len()];
    for at in 0..members.len() {
        connected[find_root(&mut root, at)].push(at);
    }
    connected.retain(|group| group.iter().any(|&member| members[member].work.gains()));

    let absorbed: HashSet<usize> = connected
        .iter()
        .flatten()
        .flat_map(|&member| members[member].covered.iter().copied())
        .collect();
    let shared = shared(model, members, &ends, &connected);
    let border = Borders {
        model,
        members,
        absorbed,
        shared,
    };
    let groups = connected
        .into_iter()
        .map(|group| border.group(group))
        .collect::<TractResult<Vec<_>>>()?;
    Ok(groups
        .into_iter()
        .filter(|group| !group.outputs.is_empty())
        .collect())
}

/// The level of each node.
fn levels(
    model: &TypedModel,
    members: &[Member],
    ends: &HashMap<usize, usize>,
) -> TractResult<Vec<usize>> {
    let mut levels = vec![0; model.nodes().len()];
    for id in model.eval_order()? {
        let inherited = match ends.get(&id).map(|&at| &members[at]) {
            Some(member) => {
                let from = |inlet: &InletId| {
                    let source = model.node(inlet.node).inputs[inlet.slot];
                    let integers = reads_integers(member, source, members, ends);
                    levels[source.node] + usize::from(!integers && ends.contains_key(&source.node))
                };
                member.inputs.iter().map(from).max()
            }
            None => {
                let from = |input: &OutletId| {
                    levels[input.node] + usize::from(ends.contains_key(&input.node))
                };
                model.node(id).inputs.iter().map(from).max()
            }
        };
        levels[id] = inherited.unwrap_or(0);
    }
    Ok(levels)
}

/// Whether `reader` takes `source` as the bytes that another member computes.
fn reads_integers(
    reader: &Member,
    source: OutletId,
    members: &[Member],
    ends: &HashMap<usize, usize>,
) -> bool {
    let computed = ends.get(&source.node).map(|&at| &members[at]);
    let bytes = computed.is_some_and(|member| !matches!(member.work, Work::PoolToReal { .. }));
    bytes && reader.work.computes()
}

/// The members whose bytes `reader` takes.
fn integer_sources(
    model: &TypedModel,
    reader: &Member,
    ends: &HashMap<usize, usize>,
) -> Vec<usize> {
    if !reader.work.computes() {
        return Vec::new();
    }
    let source = |inlet: &InletId| {
        ends.get(&model.node(inlet.node).inputs[inlet.slot].node)
            .copied()
    };
    reader.inputs.iter().filter_map(source).collect()
}

fn find_root(root: &mut [usize], mut at: usize) -> usize {
    while root[at] != at {
        root[at] = root[root[at]];
        at = root[at];
    }
    at
}

/// The members whose bytes another region reads.
fn shared(
    model: &TypedModel,
    members: &[Member],
    ends: &HashMap<usize, usize>,
    connected: &[Vec<usize>],
) -> HashSet<usize> {
    let mut region: HashMap<usize, usize> = HashMap::new();
    for (at, group) in connected.iter().enumerate() {
        region.extend(group.iter().map(|&member| (member, at)));
    }
    let mut shared = HashSet::new();
    for (at, group) in connected.iter().enumerate() {
        for &member in group {
            let sources = integer_sources(model, &members[member], ends);
            shared.extend(
                sources
                    .into_iter()
                    .filter(|source| region.get(source) != Some(&at)),
            );
        }
    }
    shared
}

struct Borders<'m> {
    model: &'m TypedModel,
    members: &'m [Member],
    /// Nodes that regions replace.
    absorbed: HashSet<usize>,
    /// Members whose bytes another region reads.
    shared: HashSet<usize>,
}

impl Borders<'_> {
    fn group(&self, members: Vec<usize>) -> TractResult<Group> {
        let mut group = Group {
            inputs: self.sources(&members)?,
            outputs: Vec::new(),
            names: Vec::new(),
            members,
        };
        for &at in &group.members {
            let member = &self.members[at];
            group.names.extend(member.names.iter().cloned());
            for inlet in &member.inputs {
                let dequantize = self.model.node(inlet.node);
                if !self.is_needed(OutletId::new(inlet.node, 0)) {
                    group.names.push(dequantize.name.clone());
                }
            }
            match member.work {
                Work::PoolToReal { .. } => {
                    group
                        .outputs
                        .push(self.real(at, None, member.output, &mut group.names)?);
                }
                _ => self.exits(at, &mut group.outputs, &mut group.names)?,
            }
        }
        Ok(group)
    }

    /// What `members` read that none of them computes.
    fn sources(&self, members: &[usize]) -> TractResult<Vec<Source>> {
        let inside: HashSet<OutletId> = members
            .iter()
            .map(|&member| &self.members[member])
            .filter(|member| !matches!(member.work, Work::PoolToReal { .. }))
            .map(|member| member.output)
            .collect();
        let mut sources: Vec<Source> = Vec::new();
        for inlet in members
            .iter()
            .flat_map(|&member| &self.members[member].inputs)
        {
            let outlet = self.model.node(inlet.node).inputs[inlet.slot];
            if inside.contains(&outlet) || sources.iter().any(|source| source.outlet == outlet) {
                continue;
            }
            let border = self.border(outlet)?;
            sources.push(Source { outlet, border });
        }
        Ok(sources)
    }

    /// What is needed outside of the bytes that the member `at` computes.
    fn exits(&self, at: usize, exits: &mut Vec<Exit>, names: &mut Vec<String>) -> TractResult<()> {
        let member = &self.members[at];
        let mut as_bytes = self.shared.contains(&at) || self.model.outputs.contains(&member.output);
        for reader in self.model.outlet_successors(member.output) {
            let node = self.model.node(reader.node);
            let outlet = OutletId::new(reader.node, 0);
            let dequantize = node.op_as::<Dequantize>();
            let kind = self.model.outlet_fact(member.output)?.datum_type;
            match dequantize.map(|dequantize| affine(dequantize.scale(), kind)) {
                Some(_) if !self.is_needed(outlet) => {}
                Some(Some(affine)) => {
                    names.push(node.name.clone());
                    exits.push(self.real(at, Some(affine), outlet, names)?);
                }
                // A member that takes the bytes as they are.
                None if self.absorbed.contains(&reader.node) => {}
                Some(None) | None => as_bytes = true,
            }
        }
        if as_bytes {
            exits.push(Exit {
                member: at,
                affine: None,
                addends: None,
                outlet: member.output,
                border: self.border(member.output)?,
            });
        }
        Ok(())
    }

    /// Reals that leave at `outlet`, or behind what only reshapes them there: the order of the elements stays.
    fn real(
        &self,
        member: usize,
        affine: Option<Affine>,
        mut outlet: OutletId,
        names: &mut Vec<String>,
    ) -> TractResult<Exit> {
        let mut addends = None;
        if let Some((sum, numbers)) = affine.and_then(|_| self.sum(member, outlet)) {
            (outlet, addends) = (sum, Some(numbers));
        }
        while read_once(self.model, outlet) {
            let reader = self
                .model
                .node(self.model.outlet_successors(outlet)[0].node);
            let Some(AxisOp::Add(_) | AxisOp::Rm(_) | AxisOp::Reshape(..)) =
                reader.op_as::<AxisOp>()
            else {
                break;
            };
            if reader.outputs[0].fact.shape.as_concrete().is_none() {
                break;
            }
            names.push(without_number(&reader.name));
            outlet = OutletId::new(reader.id, 0);
        }
        Ok(Exit {
            member,
            affine,
            addends,
            outlet,
            border: self.border(outlet)?,
        })
    }

    /// What makes a sum of the reals at `outlet`, rows of the channels of `member`, and the numbers that it adds to each row: a bias
    /// that is not quantized.
    fn sum(&self, member: usize, outlet: OutletId) -> Option<(OutletId, Vec<f32>)> {
        let channels = self.members[member].shape[1];
        if !is_one_pixel(self.members[member].shape) || !read_once(self.model, outlet) {
            return None;
        }
        let sum = self
            .model
            .node(self.model.outlet_successors(outlet)[0].node);
        let &[a, b] = &sum.inputs[..] else {
            return None;
        };
        let added = if a == outlet { b } else { a };
        let [of, made, by] = [outlet, sum.id.into(), added].map(|outlet| {
            let fact = self.model.outlet_fact(outlet).ok()?;
            fact.shape.as_concrete()
        });
        let (&last, before) = by?.split_last()?;
        let is_row = last == channels && before.iter().all(|&size| size == 1);
        let keeps = of == made && of?.last() == Some(&channels);
        let Constant::F32(numbers) = constant(self.model, added)? else {
            return None;
        };
        let is_sum = sum.op_as::<TypedBinOp>()?.0.is::<Add>() && is_row && keeps;
        is_sum.then(|| (sum.id.into(), numbers))
    }

    /// Whether the value at `outlet` must exist in the engine.
    fn is_needed(&self, outlet: OutletId) -> bool {
        let outside = |reader: &InletId| !self.absorbed.contains(&reader.node);
        self.model.outputs.contains(&outlet)
            || self.model.outlet_successors(outlet).iter().any(outside)
    }

    fn border(&self, outlet: OutletId) -> TractResult<Border> {
        let fact = self.model.outlet_fact(outlet)?;
        let kind = match fact.datum_type {
            DatumType::F32 => Kind::F32,
            DatumType::U8 => Kind::U8,
            DatumType::I8 => Kind::I8,
            other => bail!("no region has {other:?} at its border"),
        };
        let shape = fact
            .shape
            .as_concrete()
            .context("the shape at a region's border is open")?;
        Ok(Border {
            kind,
            shape: shape.to_vec(),
        })
    }
}
