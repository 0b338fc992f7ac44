//! Looks at values of a typed graph: through conversions that change nothing, and into constants.

use tract_core::ops::binary::{BinMiniOp, TypedBinOp};
use tract_core::ops::cast::Cast;
use tract_core::ops::element_wise::{ElementWiseMiniOp, ElementWiseOp};
use tract_onnx::tract_hir::internal::*;

/// Where the values at `outlet` come from, before conversions to the type that they have.
pub(super) fn source(model: &TypedModel, mut outlet: OutletId) -> OutletId {
    while is_identity(model, model.node(outlet.node)) {
        outlet = model.node(outlet.node).inputs[0];
    }
    outlet
}

fn is_identity(model: &TypedModel, node: &TypedNode) -> bool {
    let converts = |cast: &Cast| {
        let fed = model.outlet_fact(node.inputs[0]);
        fed.is_ok_and(|fact| fact.datum_type == cast.to)
    };
    node.op_as::<Cast>().is_some_and(converts)
}

/// The one node that uses the values at `outlet`, and where those come to it, if nobody else sees them.
pub(super) fn only_user(
    model: &TypedModel,
    mut outlet: OutletId,
) -> Option<(&TypedNode, OutletId)> {
    loop {
        let &[reader] = model.outlet_successors(outlet) else {
            return None;
        };
        if model.outputs.contains(&outlet) {
            return None;
        }
        let node = model.node(reader.node);
        if !is_identity(model, node) {
            return Some((node, outlet));
        }
        outlet = node.id.into();
    }
}

/// Whether nobody but one node sees what `node` makes.
pub(super) fn is_used_once(model: &TypedModel, outlet: OutletId) -> bool {
    only_user(model, outlet).is_some()
}

/// The two inputs of `node`, if it is the operator `Op`.
pub(super) fn binary<Op: BinMiniOp>(model: &TypedModel, node: &TypedNode) -> Option<[OutletId; 2]> {
    let &[a, b] = &node.inputs[..] else {
        return None;
    };
    let is = node.op_as::<TypedBinOp>()?.0.is::<Op>();
    is.then(|| [source(model, a), source(model, b)])
}

/// The input of `node`, if it is the operator `Op`.
pub(super) fn unary<Op: ElementWiseMiniOp>(
    model: &TypedModel,
    node: &TypedNode,
) -> Option<OutletId> {
    let is = node.op_as::<ElementWiseOp>()?.0.is::<Op>();
    is.then(|| source(model, node.inputs[0]))
}

/// What `node` computes with `with` by the operator `Op`, in either order.
pub(super) fn other<Op: BinMiniOp>(
    model: &TypedModel,
    node: &TypedNode,
    with: OutletId,
) -> Option<OutletId> {
    let with = source(model, with);
    match binary::<Op>(model, node)? {
        [a, b] if a == with => Some(b),
        [a, b] if b == with => Some(a),
        _ => None,
    }
}

/// The value that `node` multiplies by a number, and the number. A division counts.
pub(super) fn scaled(model: &TypedModel, node: &TypedNode) -> Option<(OutletId, f32)> {
    use tract_core::ops::math::{Div, Mul};
    if let Some([a, b]) = binary::<Div>(model, node) {
        let number = number(model, b)?;
        return keeps_shape(model, a, node).then_some((a, 1.0 / number));
    }
    let [a, b] = binary::<Mul>(model, node)?;
    let (of, number) = match (number(model, a), number(model, b)) {
        (_, Some(number)) => (a, number),
        (Some(number), None) => (b, number),
        (None, None) => return None,
    };
    keeps_shape(model, of, node).then_some((of, number))
}

/// The value that `node` adds `number` to.
pub(super) fn plus(model: &TypedModel, node: &TypedNode, of: OutletId) -> Option<f32> {
    let added = other::<tract_core::ops::math::Add>(model, node, of)?;
    number(model, added).filter(|_| keeps_shape(model, of, node))
}

/// Whether what `node` makes has the shape of what is at `outlet`.
pub(super) fn keeps_shape(model: &TypedModel, outlet: OutletId, node: &TypedNode) -> bool {
    let fact = model.outlet_fact(outlet);
    fact.is_ok_and(|fact| fact.shape == node.outputs[0].fact.shape)
}

/// The one number that every element of the constant at `outlet` is.
pub(super) fn number(model: &TypedModel, outlet: OutletId) -> Option<f32> {
    let reals = constant(model, outlet)?;
    let (first, others) = reals.split_first()?;
    let same = others.iter().all(|other| other == first) && first.is_finite();
    same.then_some(*first)
}

/// The elements of the constant at `outlet`, behind conversions to f32 and axes of size one that come and go.
pub(super) fn constant(model: &TypedModel, mut outlet: OutletId) -> Option<Vec<f32>> {
    loop {
        let fact = model.outlet_fact(outlet).ok()?;
        if let Some(tensor) = &fact.konst {
            let reals = tensor.cast_to::<f32>().ok()?;
            return Some(
                reals
                    .try_as_plain_ram()
                    .ok()?
                    .as_slice::<f32>()
                    .ok()?
                    .to_vec(),
            );
        }
        let node = model.node(outlet.node);
        let &[input] = &node.inputs[..] else {
            return None;
        };
        let axis = matches!(node.op_as(), Some(AxisOp::Add(_) | AxisOp::Rm(_)));
        let converts = node
            .op_as::<Cast>()
            .is_some_and(|cast| cast.to == DatumType::F32);
        if !axis && !converts {
            return None;
        }
        outlet = input;
    }
}

/// The numbers of the constant at `outlet` if it has one for each element of the last axis, which is `row`, or one for all.
pub(super) fn of_row(model: &TypedModel, outlet: OutletId, row: usize) -> Option<Vec<f32>> {
    let shape = model.outlet_fact(outlet).ok()?.shape.as_concrete()?;
    let (last, before) = shape.split_last()?;
    if before.iter().any(|&size| size != 1) {
        return None;
    }
    let reals = constant(model, outlet)?;
    match *last {
        size if size == row => Some(reals),
        1 => Some(vec![*reals.first()?; row]),
        _ => None,
    }
}

/// The shape at `outlet`, of at least one axis, if it is of f32, known and not empty.
pub(super) fn shape(model: &TypedModel, outlet: OutletId) -> Option<&[usize]> {
    let fact = model.outlet_fact(outlet).ok()?;
    let shape = fact.shape.as_concrete()?;
    let some = !shape.is_empty() && shape.iter().all(|&size| size > 0);
    (some && fact.datum_type == DatumType::F32).then_some(shape)
}
