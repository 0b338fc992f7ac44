//! Convolutions and matrix products with constant weights, as the engine writes them.
//!
//! A Gemm is an EinSum and, where it has a bias, a sum; so is a MatMul with an Add behind it.
//!
//! Limits: products of rows with weights of two axes, the left side as it is: no transposed activations.

use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::cnn::Conv;
use tract_core::ops::einsum::EinSum;
use tract_core::ops::math::Add;
use tract_onnx::tract_hir::internal::*;

use super::chain::read_once;
use super::constant::constant;
use super::find::{Nchw, StandsFor, nchw, onnx_name};
use super::pack::Layer;

/// What the engine appends to the name of a Gemm for its product.
pub(super) const PRODUCT: &str = ".ab";

/// What looks like a layer.
pub(super) struct Candidate {
    /// Its input in reals.
    pub(super) x: OutletId,
    /// Nothing where no kernel is for its shapes.
    pub(super) layer: Option<Layer>,
    pub(super) stands_for: StandsFor,
}

/// The layer whose sums, of shape `target`, are computed by `node`.
pub(super) fn layer(model: &TypedModel, node: &TypedNode, target: Nchw) -> Option<Candidate> {
    if let (Some(conv), &[x, weights, bias]) = (node.op_as::<Conv>(), &node.inputs[..]) {
        let layer =
            nchw(model, x).and_then(|source| Layer::conv(conv, [weights, bias], [source, target]));
        return Some(Candidate {
            x,
            layer,
            stands_for: (vec![node.id], vec![node.name.clone()]),
        });
    }
    let name = onnx_name(&node.name, &[PRODUCT]);
    if node.op_is::<EinSum>() {
        return product(model, node, target, None, (vec![node.id], vec![name]));
    }
    let &[a, b] = &node.inputs[..] else {
        return None;
    };
    if !node.op_as::<TypedBinOp>()?.0.is::<Add>() {
        return None;
    }
    let is_product = |&(sums, bias): &(OutletId, OutletId)| {
        model.node(sums.node).op_is::<EinSum>()
            && read_once(model, sums)
            && constant(model, bias).is_some()
    };
    let (sums, bias) = [(a, b), (b, a)].into_iter().find(is_product)?;
    let einsum = model.node(sums.node);
    let names = vec![name, onnx_name(&einsum.name, &[PRODUCT])];
    product(
        model,
        einsum,
        target,
        Some(bias),
        (vec![einsum.id, node.id], names),
    )
}

/// The product that `einsum` is, if its right side is constant.
fn product(
    model: &TypedModel,
    einsum: &TypedNode,
    target: Nchw,
    bias: Option<OutletId>,
    stands_for: StandsFor,
) -> Option<Candidate> {
    let &[x, weights] = &einsum.inputs[..] else {
        return None;
    };
    constant(model, weights)?;
    let rank = model.outlet_fact(x).ok()?.rank();
    let transposed = is_transposed(einsum.op_as::<EinSum>()?, rank);
    let layer = nchw(model, x)
        .zip(transposed)
        .and_then(|([m, k, ..], transposed)| {
            let product = || Layer::product([target[1], k], weights, transposed, bias);
            (rank < 4 && target == [m, target[1], 1, 1]).then(product)
        });
    Some(Candidate {
        x,
        layer,
        stands_for,
    })
}

/// Whether the right side of a plain product of rows is `[k, n]` and not `[n, k]`; nothing for other products. What is
/// fed has `rank` axes, and the weights two, or as many of which the first are of a batch of one.
pub(crate) fn is_transposed(einsum: &EinSum, rank: usize) -> Option<bool> {
    let before = rank.checked_sub(2)?;
    let left_out = rank - einsum.axes.rank(InOut::In(1)).clamp(2, rank);
    if einsum.q_params.is_some() || ![0, before].contains(&left_out) {
        return None;
    }
    let axes: Vec<[&[usize]; 3]> = einsum
        .axes
        .iter_all_axes()
        .filter(|axis| axis.inputs.len() == 2 && axis.outputs.len() == 1)
        .map(|axis| [&axis.inputs[0][..], &axis.inputs[1], &axis.outputs[0]])
        .collect();
    let has = |wanted: [&[usize]; 3]| axes.contains(&wanted);
    let rows = has([&[before], &[], &[before]]);
    let batch = (0..before).all(|axis| match left_out {
        0 => has([&[axis], &[axis], &[axis]]),
        _ => has([&[axis], &[], &[axis]]),
    });
    if axes.len() != rank + 1 || !rows || !batch {
        return None;
    }
    let last = before + 1;
    let of_weights = [before - left_out, last - left_out];
    let is = |k: usize, n: usize| has([&[last], &[k], &[]]) && has([&[], &[n], &[last]]);
    match of_weights {
        [first, second] if is(first, second) => Some(true),
        [first, second] if is(second, first) => Some(false),
        _ => None,
    }
}
