//! Looks for products of integers that are scaled to reals.

use std::sync::Arc;

use ocellus_kernels::Isa;
use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::cast::Cast;
use tract_core::ops::cnn::{Conv, KernelFormat};
use tract_core::ops::einsum::EinSum;
use tract_core::ops::math::{Add, Mul};
use tract_onnx::tract_hir::internal::*;

use super::packs::{Key, Pack, Packs};
use crate::region::chain::read_once;
use crate::region::constant::{Constant, constant, is_symmetric};
use crate::region::find::nchw;
use crate::region::pack;
use crate::region::store::Shape;

/// A product of integers and what makes reals of it.
pub(super) struct Product {
    pub(super) pack: Arc<Pack>,
    /// What is fed, its zero point, and the scale of the sums.
    pub(super) inputs: [OutletId; 3],
    /// One number for each channel, or one for all, or none.
    pub(super) addend: Vec<f32>,
    pub(super) output: OutletId,
    pub(super) shape: ShapeFact,
    pub(super) names: Vec<String>,
}

/// Every product of `model`.
pub(super) fn find(model: &TypedModel, isa: Isa, packs: &Packs) -> TractResult<Vec<Product>> {
    let mut found = Vec::new();
    for id in model.eval_order()? {
        let node = model.node(id);
        if let Some(sums) = matrix(model, node).or_else(|| convolution(model, node))
            && let Some(product) = scaled(model, node, sums, isa, packs)
        {
            found.push(product);
        }
    }
    Ok(found)
}

/// A product before it is scaled.
struct Sums {
    key: Key,
    x: OutletId,
    zero_point: OutletId,
    /// The axis of the output's channels.
    axis: usize,
}

/// The matrix product with constant weights that `node` is.
fn matrix(model: &TypedModel, node: &TypedNode) -> Option<Sums> {
    let op = node.op_as::<EinSum>()?;
    let &[x, w, bias, x0, xs, w0, ws, y0, ys] = &node.inputs[..] else {
        return None;
    };
    let plain = op.q_params == Some(DatumType::I32)
        && [(bias, 0.0), (xs, 1.0), (ws, 1.0), (y0, 0.0), (ys, 1.0)]
            .into_iter()
            .all(|(outlet, value)| is_all(model, outlet, value));
    let rank = model.outlet_fact(x).ok()?.rank();
    if !plain || rank < 2 || !multiplies_last_axis(op, rank) {
        return None;
    }
    let weights = integers(model, w)?;
    let &[k, n] = weights.shape() else {
        return None;
    };
    let shape = Shape::Dense {
        filters: n,
        channels: k,
    };
    Some(Sums {
        key: key(model, weights, w0, shape, None)?,
        x,
        zero_point: x0,
        axis: rank - 1,
    })
}

/// Whether `op` multiplies the last axis of its first input with the last but one of its second, and leaves the others
/// where they are.
fn multiplies_last_axis(op: &EinSum, rank: usize) -> bool {
    let is = |axis: &Axis, wanted: [&[usize]; 3]| {
        let positions = [&axis.inputs[0], &axis.inputs[1], &axis.outputs[0]];
        positions
            .iter()
            .zip(wanted)
            .all(|(got, wanted)| got[..] == *wanted)
    };
    let has = |wanted: [&[usize]; 3]| op.axes.iter_all_axes().any(|axis| is(axis, wanted));
    let (last, before) = (rank - 1, rank - 2);
    op.axes.rank(InOut::In(1)) == rank
        && op.axes.rank(InOut::Out(0)) == rank
        && has([&[last], &[before], &[]])
        && has([&[], &[last], &[last]])
        && has([&[before], &[], &[before]])
        && (0..before).all(|axis| has([&[axis], &[axis], &[axis]]))
}

/// The convolution with constant weights that `node` is.
fn convolution(model: &TypedModel, node: &TypedNode) -> Option<Sums> {
    let conv = node.op_as::<Conv>()?;
    let &[x, w, bias, x0, xs, w0, ws, y0, ys] = &node.inputs[..] else {
        return None;
    };
    let plain = conv.q_params == Some(DatumType::I32)
        && [(bias, 0.0), (xs, 1.0), (ws, 1.0), (y0, 0.0), (ys, 1.0)]
            .into_iter()
            .all(|(outlet, value)| is_all(model, outlet, value));
    let fact = model.outlet_fact(x).ok()?;
    if !plain || fact.rank() != 4 || conv.group != 1 || conv.kernel_fmt != KernelFormat::OIHW {
        return None;
    }
    let (source, target) = (nchw(model, x)?, nchw(model, node.id.into())?);
    let window = pack::window(&conv.pool_spec, [source, target])?;
    let weights = integers(model, w)?;
    if weights.shape() != [target[1], source[1], window.kernel[0], window.kernel[1]] {
        return None;
    }
    let shape = Shape::Dense {
        filters: target[1],
        channels: source[1],
    };
    Some(Sums {
        key: key(model, weights, w0, shape, Some(window))?,
        x,
        zero_point: x0,
        axis: 1,
    })
}

/// `weights`, where `zero_point` is that of symmetric ones.
fn key(
    model: &TypedModel,
    weights: Arc<Tensor>,
    zero_point: OutletId,
    shape: Shape,
    window: Option<ocellus_kernels::Window>,
) -> Option<Key> {
    let zero_points = integers(model, zero_point)?
        .cast_to::<i32>()
        .ok()?
        .into_owned();
    let zero_points = zero_points
        .try_as_plain_ram()
        .ok()?
        .as_slice::<i32>()
        .ok()?
        .to_vec();
    is_symmetric(&weights, zero_points.into_iter()).then_some(Key {
        weights,
        shape,
        window,
    })
}

/// `sums`, which `node` computes, with what scales them to reals.
fn scaled(
    model: &TypedModel,
    node: &TypedNode,
    sums: Sums,
    isa: Isa,
    packs: &Packs,
) -> Option<Product> {
    let channels = match sums.key.shape {
        Shape::Dense { filters, .. } => filters,
        Shape::Depthwise { channels } => channels,
    };
    let is_channel = |outlet: OutletId| {
        let fact = model.outlet_fact(outlet).ok();
        let shape = fact.and_then(|fact| Some(fact.shape.as_concrete()?.to_vec()));
        shape.is_some_and(|shape| {
            let mut sizes = shape.iter().enumerate();
            sizes.all(|(axis, &size)| size == 1 || (axis, size) == (sums.axis, channels))
        })
    };
    let sum = OutletId::new(node.id, 0);
    let cast = only_reader(model, sum)?;
    if cast.op_as::<Cast>()?.to != DatumType::F32 {
        return None;
    }
    let product = only_reader(model, cast.id.into())?;
    let scale = other_input::<Mul>(product, cast.id)?;
    let real = model.outlet_fact(scale).ok()?.datum_type == DatumType::F32;
    if !real || !is_channel(scale) || product.outputs[0].fact.rank() != node.outputs[0].fact.rank()
    {
        return None;
    }
    let mut last = product;
    let mut names = vec![node.name.clone(), cast.name.clone(), product.name.clone()];
    let mut addend = Vec::new();
    if let Some(sum) = only_reader(model, product.id.into())
        && let Some(bias) = other_input::<Add>(sum, product.id).filter(|&bias| is_channel(bias))
        && let Some(Constant::F32(reals)) = constant(model, bias)
    {
        names.push(sum.name.clone());
        (last, addend) = (sum, reals);
    }
    Some(Product {
        pack: packs.pack(sums.key, isa)?,
        inputs: [sums.x, sums.zero_point, scale],
        addend,
        output: last.id.into(),
        shape: last.outputs[0].fact.shape.clone(),
        names,
    })
}

/// The node that reads `outlet`, if nobody else does.
fn only_reader(model: &TypedModel, outlet: OutletId) -> Option<&TypedNode> {
    read_once(model, outlet).then(|| model.node(model.outlet_successors(outlet)[0].node))
}

/// What `node` multiplies or adds to what the node `input` makes.
fn other_input<Op: tract_core::ops::binary::BinMiniOp>(
    node: &TypedNode,
    input: usize,
) -> Option<OutletId> {
    let &[a, b] = &node.inputs[..] else {
        return None;
    };
    let fits = node.op_as::<TypedBinOp>()?.0.is::<Op>() && (a.node == input) != (b.node == input);
    fits.then_some(if a.node == input { b } else { a })
}

/// The constant integers at `outlet`, behind casts and axes of size one that come and go.
fn integers(model: &TypedModel, mut outlet: OutletId) -> Option<Arc<Tensor>> {
    loop {
        if let Some(tensor) = &model.outlet_fact(outlet).ok()?.konst {
            return Some(tensor.clone());
        }
        let node = model.node(outlet.node);
        let glue = matches!(node.op_as(), Some(AxisOp::Add(_) | AxisOp::Rm(_)));
        let &[input] = &node.inputs[..] else {
            return None;
        };
        if !glue && !node.op_is::<Cast>() {
            return None;
        }
        outlet = input;
    }
}

/// Whether every element of the constant at `outlet` is `value`.
fn is_all(model: &TypedModel, outlet: OutletId, value: f32) -> bool {
    let reals =
        integers(model, outlet).and_then(|tensor| Some(tensor.cast_to::<f32>().ok()?.into_owned()));
    reals.is_some_and(|reals| {
        let plain = reals.try_as_plain_ram();
        let slice = plain
            .as_ref()
            .ok()
            .and_then(|plain| plain.as_slice::<f32>().ok());
        slice.is_some_and(|reals| reals.iter().all(|&real| real == value))
    })
}
