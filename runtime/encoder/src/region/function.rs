//! Functions of one element between Dequantize and Quantize: 256 inputs, so 256 outputs, computed once.
//!
//! The engine's own operators compute the entries, so a table is what the graph says, however its operators are connected: an
//! activation that exporters write as several is a function of one element too. Axes that come and go, and
//! reshapes of maps of one pixel, move no byte and are part of it.
//!
//! Limits: operators of one value and of numbers that hold for all elements; clamps are bounds, see [`chain`](super::chain).

use std::collections::HashMap;

use ocellus_kernels::Affine;
use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::element_wise::ElementWiseOp;
use tract_core::ops::logic::Iff;
use tract_onnx::tract_hir::internal::*;

use super::constant::{Constant, constant};
use super::find::{Nchw, StandsFor, nchw, onnx_name, without_number};
use crate::quant::Dequantize;

/// More operators than any activation is made of.
const MOST: usize = 32;

/// What the engine appends to the name of a node of the file for the operators that it writes for it.
const PARTS: [&str; 25] = [
    ".abs",
    ".add_beta",
    ".add_one",
    ".ax",
    ".c0inner",
    ".c1x3",
    ".div",
    ".erf",
    ".exp",
    ".half_x",
    ".iff",
    ".inner",
    ".ln",
    ".minus_one",
    ".mul_alpha",
    ".mul_beta",
    ".mul_gamma",
    ".one_plus",
    ".out",
    ".plus_one",
    ".relu",
    ".scale",
    ".sigmoid",
    ".test",
    ".x3",
];

/// Operators on single elements that make one value of another.
pub(super) struct Function<'m> {
    model: &'m TypedModel,
    /// What it is a function of.
    pub(super) of: OutletId,
    head: OutletId,
    /// What its operators read that is one number for all elements.
    numbers: HashMap<OutletId, f32>,
    /// In an order in which they can run.
    operators: Vec<usize>,
    pub(super) stands_for: StandsFor,
}

/// The function of dequantized integers whose values, of shape `shape`, are at `head`.
pub(super) fn function(model: &TypedModel, head: OutletId, shape: Nchw) -> Option<Function<'_>> {
    let (mut of, mut numbers, mut inner) = (None, HashMap::new(), Vec::new());
    let mut moved = false;
    let mut open = vec![head];
    while let Some(outlet) = open.pop() {
        let node = model.node(outlet.node);
        if inner.contains(&node.id) || numbers.contains_key(&outlet) || of == Some(outlet) {
            continue;
        }
        if let Some(number) = number(model, outlet) {
            numbers.insert(outlet, number);
            continue;
        }
        if node.op_is::<Dequantize>() {
            if of.is_some() {
                return None;
            }
            of = Some(outlet);
            continue;
        }
        if let Some(op) = node.op_as::<AxisOp>() {
            moved = true;
            let sizes = model.outlet_fact(node.inputs[0]).ok()?;
            if !keeps_order(op, sizes.shape.as_concrete()?) {
                return None;
            }
        } else if !is_of_elements(node) {
            return None;
        }
        if inner.len() == MOST {
            return None;
        }
        inner.push(node.id);
        open.extend(&node.inputs);
    }
    let of = of?;
    let source = nchw(model, of)?;
    let same = source == shape && (!moved || is_one_pixel(shape));
    let seen_inside = |id: &usize| {
        let outlet = OutletId::new(*id, 0);
        let mut readers = model.outlet_successors(outlet).iter();
        let inside = |reader: &InletId| inner.contains(&reader.node);
        outlet == head || !model.outputs.contains(&outlet) && readers.all(inside)
    };
    if !same || !inner.iter().all(seen_inside) {
        return None;
    }
    let operators = in_order(model, &inner)?;
    let mut names = Vec::new();
    for &id in operators.iter().rev() {
        let name = without_number(&onnx_name(&model.node(id).name, &PARTS));
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Some(Function {
        model,
        of,
        head,
        numbers,
        stands_for: (inner, names),
        operators,
    })
}

/// The one number that all elements at `outlet` are.
fn number(model: &TypedModel, outlet: OutletId) -> Option<f32> {
    let Constant::F32(reals) = constant(model, outlet)? else {
        return None;
    };
    let (first, others) = reals.split_first()?;
    others.iter().all(|other| other == first).then_some(*first)
}

/// Whether `node` computes each element of its output from one of each of its inputs.
fn is_of_elements(node: &TypedNode) -> bool {
    node.op_is::<ElementWiseOp>() || node.op_is::<TypedBinOp>() || node.op_is::<Iff>()
}

/// `nodes` such that each stands behind those that it reads.
fn in_order(model: &TypedModel, nodes: &[usize]) -> Option<Vec<usize>> {
    let mut order: Vec<usize> = Vec::new();
    while order.len() < nodes.len() {
        let ready = |id: &&usize| {
            let mut inputs = model.node(**id).inputs.iter().map(|input| input.node);
            !order.contains(id) && inputs.all(|at| order.contains(&at) || !nodes.contains(&at))
        };
        order.push(*nodes.iter().find(ready)?);
    }
    Some(order)
}

/// Bytes lie pixel by pixel; only where there is one pixel is that the order of the graph.
pub(super) fn is_one_pixel(shape: Nchw) -> bool {
    shape[2..] == [1, 1]
}

/// Whether the elements of a tensor of shape `shape` are in the same order behind `op`.
pub(super) fn keeps_order(op: &AxisOp, shape: &[usize]) -> bool {
    let &AxisOp::Move(from, to) = op else {
        return true;
    };
    let (low, high) = (from.min(to), from.max(to));
    let passed = if from < to {
        low + 1..=high
    } else {
        low..=high - 1
    };
    shape[from] == 1 || shape[passed].iter().all(|&size| size == 1)
}

/// What each byte of the meaning `from` is in that of `out`, within `bounds`, the least first; nothing where all stay what they
/// are.
pub(super) fn change_of_scale(
    from: Affine,
    out: Affine,
    bounds: (i8, i8),
) -> Option<Box<[i8; 256]>> {
    let changes = from != out || bounds != (i8::MIN, i8::MAX);
    changes.then(|| table(&reals(from), out, bounds))
}

impl Function<'_> {
    /// Whether a region pays for it alone: sums and products take as little in f32, and what computes their reals may run in
    /// integers on its own.
    pub(super) fn pays(&self) -> bool {
        let has = |is: fn(&TypedNode) -> bool| {
            let mut operators = self.operators.iter();
            operators.any(|&id| is(self.model.node(id)))
        };
        has(|node| node.op_is::<ElementWiseOp>()) || !has(|node| node.op_is::<TypedBinOp>())
    }

    /// What it makes of each byte, the least first; nothing where the engine cannot say.
    pub(super) fn table(
        &self,
        from: Affine,
        out: Affine,
        bounds: (i8, i8),
    ) -> Option<Box<[i8; 256]>> {
        let mut values: HashMap<OutletId, TValue> = HashMap::new();
        values.insert(self.of, tensor1(&reals(from)).into_tvalue());
        for (&outlet, &number) in &self.numbers {
            values.insert(outlet, tensor1(&[number]).into_tvalue());
        }
        for &id in &self.operators {
            let node = self.model.node(id);
            let inputs = node.inputs.iter().map(|input| values.get(input).cloned());
            let inputs: TVec<TValue> = inputs.collect::<Option<_>>()?;
            let made = match node.op_is::<AxisOp>() {
                true => inputs,
                false => node.op.eval_out_of_plan(inputs).ok()??,
            };
            values.insert(id.into(), made.into_iter().next()?);
        }
        let plain = values.get(&self.head)?.try_as_plain_ram().ok()?;
        let entries: &[f32; 256] = plain.as_slice::<f32>().ok()?.try_into().ok()?;
        Some(table(entries, out, bounds))
    }
}

/// What each byte stands for, the least first.
fn reals(from: Affine) -> [f32; 256] {
    std::array::from_fn(|at| (at as f32 - 128.0 - f32::from(from.zero_point)) * from.scale)
}

/// `entries` as bytes.
fn table(entries: &[f32; 256], out: Affine, bounds: (i8, i8)) -> Box<[i8; 256]> {
    Box::new(entries.map(|real| out.quantize(real).clamp(bounds.0, bounds.1)))
}
