//! Looks for layer normalizations: what the engine makes of a LayerNormalization, and what exporters write for one.
//!
//! ```text
//! d = x - mean(x)      v = mean(d * d)      y = d / sqrt(v + epsilon) [* scale] [+ bias]
//! ```
//!
//! The square is a square, a product with itself or a power; the division one by a root, or a product with its inverse.
//!
//! Limits: the last axis alone; scale and bias are constants, or stay outside.

use tract_core::ops::math::{Add, Div, Mul, Pow, Recip, Rsqrt, Sqrt, Square, Sub};
use tract_core::ops::nn::{Reduce, Reducer};
use tract_onnx::tract_hir::internal::*;

use super::layer_norm::LayerNorm;
use super::values::{binary, number, of_row, only_user, other, plus, scaled, shape, source, unary};
use super::{Means, Replacement};

/// The normalization whose distances from the mean `node` computes.
pub(super) fn find(model: &TypedModel, node: &TypedNode, means: &Means) -> Option<Replacement> {
    let [x, mean] = binary::<Sub>(model, node)?;
    let row = *shape(model, x)?.last()?;
    if mean_of(model, mean)? != x {
        return None;
    }
    let distance = OutletId::new(node.id, 0);
    let (normal, epsilon) = normal(model, distance)?;
    let (mut output, mut scale, mut bias) = (normal, vec![1.0; row], vec![0.0; row]);
    if let Some((user, of)) = only_user(model, output)
        && let Some(factor) = other::<Mul>(model, user, of)
        && let Some(factors) = of_row(model, factor, row)
        && super::values::keeps_shape(model, x, user)
    {
        (output, scale) = (user.id.into(), factors);
    }
    if let Some((user, of)) = only_user(model, output)
        && let Some(addend) = other::<Add>(model, user, of)
        && let Some(addends) = of_row(model, addend, row)
        && super::values::keeps_shape(model, x, user)
    {
        (output, bias) = (user.id.into(), addends);
    }
    Some(Replacement {
        op: Box::new(LayerNorm {
            epsilon,
            scale: scale.into(),
            bias: bias.into(),
            means: means.clone(),
        }),
        inputs: tvec![x],
        output,
    })
}

/// What the mean of the last axis at `outlet` is one of.
fn mean_of(model: &TypedModel, outlet: OutletId) -> Option<OutletId> {
    let (sum, factor) = scaled(model, model.node(outlet.node))?;
    let reduce = model.node(sum.node);
    let op = reduce.op_as::<Reduce>()?;
    let of = source(model, reduce.inputs[0]);
    let shape = shape(model, of)?;
    let count = *shape.last()? as f32;
    let is_mean = op.reducer == Reducer::Sum
        && op.axes[..] == [shape.len() - 1]
        && (factor * count - 1.0).abs() < 1e-6;
    is_mean.then_some(of)
}

/// The square of which `outlet` is one.
fn square_of(model: &TypedModel, outlet: OutletId) -> Option<OutletId> {
    let node = model.node(outlet.node);
    if let Some(of) = unary::<Square>(model, node) {
        return Some(of);
    }
    if let Some([a, b]) = binary::<Mul>(model, node) {
        return (a == b).then_some(a);
    }
    let [of, power] = binary::<Pow>(model, node)?;
    (number(model, power) == Some(2.0)).then_some(of)
}

/// `distance`, divided by the root of its mean square and epsilon, and epsilon.
fn normal(model: &TypedModel, distance: OutletId) -> Option<(OutletId, f32)> {
    // Whoever uses the distance and is no square of it.
    let mut open = vec![distance];
    while let Some(outlet) = open.pop() {
        for reader in model.outlet_successors(outlet) {
            let user = model.node(reader.node);
            let output = OutletId::new(user.id, 0);
            if source(model, output) == distance {
                open.push(output);
                continue;
            }
            let by_root = binary::<Div>(model, user)
                .filter(|[of, _]| *of == distance)
                .and_then(|[_, root]| unary::<Sqrt>(model, model.node(root.node)));
            let by_inverse = other::<Mul>(model, user, distance)
                .and_then(|inverse| inverse_root(model, inverse));
            if let Some(epsilon) = by_root
                .or(by_inverse)
                .and_then(|sum| epsilon(model, sum, distance))
            {
                return Some((output, epsilon));
            }
        }
    }
    None
}

/// What `outlet` is the inverse root of.
fn inverse_root(model: &TypedModel, outlet: OutletId) -> Option<OutletId> {
    let node = model.node(outlet.node);
    if let Some(of) = unary::<Rsqrt>(model, node) {
        return Some(of);
    }
    let root = match unary::<Recip>(model, node) {
        Some(root) => root,
        None => {
            let [one, root] = binary::<Div>(model, node)?;
            (number(model, one)? == 1.0).then_some(root)?
        }
    };
    unary::<Sqrt>(model, model.node(root.node))
}

/// What is added to the mean square of `distance` to make `outlet`.
fn epsilon(model: &TypedModel, outlet: OutletId, distance: OutletId) -> Option<f32> {
    let node = model.node(outlet.node);
    let [a, b] = binary::<Add>(model, node)?;
    let is_variance = |outlet| {
        let square = mean_of(model, outlet)?;
        square_of(model, square).filter(|&of| of == distance)
    };
    let variance = [a, b]
        .into_iter()
        .find(|&outlet| is_variance(outlet).is_some())?;
    plus(model, node, variance).filter(|&epsilon| epsilon >= 0.0)
}
