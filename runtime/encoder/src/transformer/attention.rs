//! Looks for attention: two products with a Softmax between them.
//!
//! Limits: what is scored is not seen from outside; a factor of scores is one number of 0 and more; a mask has the rows and columns of
//! one head, or one row for all, and is the same for all heads.

use ocellus_kernels::AttentionHead;
use tract_core::ops::einsum::EinSum;
use tract_core::ops::math::Add;
use tract_onnx::tract_hir::internal::*;

use super::attend::{Attend, Mask};
use super::values::{binary, only_user, scaled, shape, source};
use super::{Means, Replacement, softmax};
use crate::layout::{self, Matrices, View};
use crate::region::is_transposed;

/// The attention whose Softmax `node` is.
pub(super) fn find(model: &TypedModel, node: &TypedNode, means: &Means) -> Option<Replacement> {
    let scores = source(model, *node.inputs.first()?);
    let rank = shape(model, scores)?.len();
    if rank < 2 || !softmax::is_of_rows(node, rank) {
        return None;
    }
    let (product, weights) = only_user(model, node.id.into())?;
    let of_values = product.op_as::<EinSum>()?;
    if source(model, product.inputs[0]) != source(model, weights) {
        return None;
    }
    let values = *product.inputs.get(1)?;
    let values_turned = !is_transposed(of_values, rank)?;
    let scored = scored(model, scores)?;

    let operand = |outlet, turned| operand(model, outlet, turned, rank);
    let (q_from, q) = operand(scored.queries, false)?;
    let (k_from, k) = operand(scored.keys, scored.keys_turned)?;
    let (v_from, v) = operand(values, values_turned)?;
    let [batch @ .., rows, d] = &q.shape[..] else {
        return None;
    };
    let head = AttentionHead {
        keys: k.shape[rank - 2],
        d: *d,
        d_value: v.shape[rank - 1],
    };
    let same = |view: &View, last: [usize; 2]| {
        view.shape[..rank - 2] == *batch && view.shape[rank - 2..] == last
    };
    let made = shape(model, product.id.into())?;
    if !same(&k, [head.keys, head.d]) || !same(&v, [head.keys, head.d_value]) || made.len() != rank
    {
        return None;
    }
    let (output, out) = layout::behind(model, product.id.into())?;
    let mask = match scored.mask {
        Some(mask) => Some((mask, Mask::of(shape(model, mask)?, [*rows, head.keys])?)),
        None => None,
    };
    let mut inputs = tvec![q_from, k_from, v_from];
    inputs.extend(mask.as_ref().map(|(outlet, _)| *outlet));
    let op = Attend::new(
        head,
        *rows,
        [
            Matrices::of(&q),
            Matrices::of(&k),
            Matrices::of(&v),
            Matrices::of(&out),
        ],
        (scored.scale, mask.map(|(_, mask)| mask)),
        model.outlet_fact(output).ok()?.shape.as_concrete()?,
        means,
    )?;
    Some(Replacement {
        op: Box::new(op),
        inputs,
        output,
    })
}

/// How scores come about.
struct Scored {
    queries: OutletId,
    keys: OutletId,
    /// Whether keys are columns.
    keys_turned: bool,
    scale: f32,
    mask: Option<OutletId>,
}

/// Walks back from the scores at `outlet`, each of which one node sees.
fn scored(model: &TypedModel, mut outlet: OutletId) -> Option<Scored> {
    let (mut scale, mut mask) = (1.0, None);
    let rank = shape(model, outlet)?.len();
    loop {
        let (node, whole) = (model.node(outlet.node), shape(model, outlet)?);
        only_user(model, outlet)?;
        if let Some(product) = node.op_as::<EinSum>() {
            let &[queries, keys] = &node.inputs[..] else {
                return None;
            };
            return Some(Scored {
                queries,
                keys,
                keys_turned: is_transposed(product, rank).filter(|_| whole.len() == rank)?,
                scale,
                mask,
            });
        }
        if keeps_matrices(model, node) {
            outlet = node.inputs[0];
            continue;
        }
        if let Some((of, factor)) = scaled(model, node) {
            if !(0.0..=f32::MAX).contains(&factor) {
                return None;
            }
            scale *= factor;
            outlet = of;
            continue;
        }
        let [a, b] = binary::<Add>(model, node)?;
        let is_scores = |outlet: OutletId| {
            shape(model, outlet) == Some(whole) && only_user(model, outlet).is_some()
        };
        let comes_from_product = |outlet: OutletId| {
            let node = model.node(outlet.node);
            node.op_is::<EinSum>() || scaled(model, node).is_some() || keeps_matrices(model, node)
        };
        let [of, added] = [[a, b], [b, a]]
            .into_iter()
            .find(|&[of, _]| is_scores(of) && comes_from_product(of))?;
        // What scales a masked score scales the mask too.
        if mask.is_some() || scale != 1.0 {
            return None;
        }
        (outlet, mask) = (of, Some(added));
    }
}

/// Whether `node` puts matrices into another batch.
fn keeps_matrices(model: &TypedModel, node: &TypedNode) -> bool {
    let shapes = || Some([shape(model, node.inputs[0])?, shape(model, node.id.into())?]);
    let moves = match node.op_as::<AxisOp>() {
        None | Some(AxisOp::Move(..)) => return false,
        Some(_) => shapes(),
    };
    moves.is_some_and(|[from, to]| {
        let last = from.len().min(to.len()).min(2);
        from[from.len() - last..] == to[to.len() - last..] && last == 2
    })
}

/// The matrices of all heads at `outlet`, of `rank` axes, and what they lie in; their last two axes change places where they are
/// `turned`.
fn operand(
    model: &TypedModel,
    outlet: OutletId,
    turned: bool,
    rank: usize,
) -> Option<(OutletId, View)> {
    let (from, mut view) = layout::before(model, outlet)?;
    shape(model, from)?;
    if view.shape.len() != rank {
        return None;
    }
    if turned {
        view = view.turned();
    }
    Some((from, view))
}
