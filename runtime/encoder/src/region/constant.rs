//! Reads constants of a typed graph: what a value is made of, through the glue that the engine puts before it.
//!
//! Limits: the glue is conversions that change nothing, factors of 1, and axes of size one that come and go.

use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::cast::Cast;
use tract_core::ops::math::Mul;
use tract_onnx::tract_hir::internal::*;

use crate::quant::{Dequantize, Scale};

/// A constant as the model gives it.
pub(super) enum Constant<'m> {
    /// Reals.
    F32(Vec<f32>),
    /// Integers, and what they mean.
    Quantized(Arc<Tensor>, &'m Scale),
}

/// The constant at `outlet`, if it is one.
pub(super) fn constant(model: &TypedModel, mut outlet: OutletId) -> Option<Constant<'_>> {
    loop {
        let fact = model.outlet_fact(outlet).ok()?;
        if let Some(tensor) = &fact.konst {
            return Some(Constant::F32(reals(tensor)?));
        }
        let node = model.node(outlet.node);
        if let (Some(dequantize), &[input]) = (node.op_as::<Dequantize>(), &node.inputs[..]) {
            let integers = model.outlet_fact(input).ok()?.konst.clone()?;
            return Some(Constant::Quantized(integers, dequantize.scale()));
        }
        outlet = behind_glue(model, node)?;
    }
}

/// Where the values come from that `node` hands on as they are, if it does.
fn behind_glue(model: &TypedModel, node: &TypedNode) -> Option<OutletId> {
    match node.inputs[..] {
        [input] => {
            let same_type = node.op_as::<Cast>().is_some_and(|cast| {
                let fact = model.outlet_fact(input);
                cast.to == DatumType::F32 && fact.is_ok_and(|fact| fact.datum_type == cast.to)
            });
            let axis = matches!(node.op_as(), Some(AxisOp::Add(_) | AxisOp::Rm(_)));
            (same_type || axis).then_some(input)
        }
        // The factor of a Gemm's bias, of as many axes as that.
        [a, b] if node.op_as::<TypedBinOp>()?.0.is::<Mul>() => {
            let one = |outlet| uniform(model, outlet) == Some(1.0);
            [(a, b), (b, a)]
                .into_iter()
                .find(|&(factor, _)| one(factor))
                .map(|(_, other)| other)
        }
        _ => None,
    }
}

/// The one real number that every element at `outlet` is.
pub(super) fn uniform(model: &TypedModel, outlet: OutletId) -> Option<f32> {
    let tensor = model.outlet_fact(outlet).ok()?.konst.clone()?;
    let reals = reals(&tensor)?;
    let (first, others) = reals.split_first()?;
    others.iter().all(|other| other == first).then_some(*first)
}

fn reals(tensor: &Tensor) -> Option<Vec<f32>> {
    if tensor.datum_type() != DatumType::F32 {
        return None;
    }
    Some(
        tensor
            .try_as_plain_ram()
            .ok()?
            .as_slice::<f32>()
            .ok()?
            .to_vec(),
    )
}

/// Whether 0 stands for weights of 0 once they are signed.
pub(super) fn is_symmetric(tensor: &Tensor, mut zero_points: impl Iterator<Item = i32>) -> bool {
    match tensor.datum_type() {
        DatumType::I8 => zero_points.all(|zero_point| zero_point == 0),
        DatumType::U8 => zero_points.all(|zero_point| zero_point == 128),
        _ => false,
    }
}

/// The elements of symmetric 8-bit weights, as signed bytes.
pub(super) fn weights(tensor: &Tensor) -> Option<Vec<i8>> {
    let plain = tensor.try_as_plain_ram().ok()?;
    match tensor.datum_type() {
        DatumType::I8 => Some(plain.as_slice::<i8>().ok()?.to_vec()),
        DatumType::U8 => Some(
            plain
                .as_slice::<u8>()
                .ok()?
                .iter()
                .map(|&weight| shifted(weight))
                .collect(),
        ),
        _ => None,
    }
}

/// u8 to i8, less 128.
pub(super) fn shifted(byte: u8) -> i8 {
    (byte ^ 0x80) as i8
}

/// i8 to u8, plus 128.
pub(super) fn unshifted(byte: i8) -> u8 {
    byte as u8 ^ 0x80
}
