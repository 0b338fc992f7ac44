//! Convolutions and matrix products with constant weights, as the engine writes them.
//!
//! A Gemm is an EinSum and, where it has a bias, a sum; so is a MatMul with an Add behind it.
//!
//! Limits: products of two axes, the left side as it is: no batched ones, no transposed activations.

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
    let transposed = is_transposed(einsum.op_as::<EinSum>()?);
    let layer = nchw(model, x)
        .zip(transposed)
        .and_then(|([m, k, ..], transposed)| {
            let rows = model.outlet_fact(x).is_ok_and(|fact| fact.rank() == 2);
            let product = || Layer::product([target[1], k], weights, transposed, bias);
            (rows && target == [m, target[1], 1, 1]).then(product)
        });
    Some(Candidate {
        x,
        layer,
        stands_for,
    })
}

/// Whether the right side of a plain product is `[k, n]` and not `[n, k]`; nothing for other products.
fn is_transposed(einsum: &EinSum) -> Option<bool> {
    if einsum.q_params.is_some() {
        return None;
    }
    let axes: Vec<[TVec<usize>; 3]> = einsum
        .axes
        .iter_all_axes()
        .filter(|axis| axis.inputs.len() == 2 && axis.outputs.len() == 1)
        .map(|axis| {
            [
                axis.inputs[0].clone(),
                axis.inputs[1].clone(),
                axis.outputs[0].clone(),
            ]
        })
        .collect();
    let is = |wanted: [[&[usize]; 3]; 3]| {
        axes.len() == 3
            && wanted.iter().all(|wanted| {
                axes.iter()
                    .any(|axis| (0..3).all(|i| axis[i][..] == *wanted[i]))
            })
    };
    let m: [&[usize]; 3] = [&[0], &[], &[0]];
    if is([m, [&[1], &[0], &[]], [&[], &[1], &[1]]]) {
        Some(true)
    } else if is([m, [&[1], &[1], &[]], [&[], &[0], &[1]]]) {
        Some(false)
    } else {
        None
    }
}
