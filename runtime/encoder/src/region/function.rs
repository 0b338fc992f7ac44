//! Functions of one element between Dequantize and Quantize: 256 inputs, so 256 outputs, computed once.
//!
//! The engine's own operators compute the entries, so a table is what the graph says. Axes that come and go, and
//! reshapes of maps of one pixel, move no byte and are part of it.
//!
//! Limits: operators of one input; clamps are bounds, see [`chain`](super::chain).

use ocellus_kernels::Affine;
use tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_hir::internal::*;

use super::chain::read_once;
use super::find::{Nchw, StandsFor, nchw, without_number};
use crate::quant::Dequantize;

/// A chain of operators on single elements.
pub(super) struct Function<'m> {
    /// What it is a function of.
    pub(super) of: OutletId,
    /// From the last to the first.
    operators: Vec<&'m ElementWiseOp>,
    pub(super) stands_for: StandsFor,
}

/// The function of dequantized integers whose values, of shape `shape`, are at `head`.
pub(super) fn function(model: &TypedModel, head: OutletId, shape: Nchw) -> Option<Function<'_>> {
    let mut function = Function {
        of: head,
        operators: Vec::new(),
        stands_for: (Vec::new(), Vec::new()),
    };
    let mut moved = false;
    loop {
        let node = model.node(function.of.node);
        if node.op_is::<Dequantize>() {
            break;
        }
        let &[input] = &node.inputs[..] else {
            return None;
        };
        if !read_once(model, function.of) {
            return None;
        }
        if let Some(operator) = node.op_as::<ElementWiseOp>() {
            function.operators.push(operator);
        } else if let Some(op) = node.op_as::<AxisOp>() {
            moved = true;
            if !keeps_order(op, model.outlet_fact(input).ok()?.shape.as_concrete()?) {
                return None;
            }
        } else {
            return None;
        }
        function.stands_for.0.push(node.id);
        function.stands_for.1.push(without_number(&node.name));
        function.of = input;
    }
    let source = nchw(model, function.of)?;
    let same = source == shape && (!moved || is_one_pixel(shape));
    same.then_some(function)
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

impl Function<'_> {
    /// What it makes of each byte, the least first; nothing where the engine cannot say.
    pub(super) fn table(
        &self,
        from: Affine,
        out: Affine,
        bounds: (i8, i8),
    ) -> Option<Box<[i8; 256]>> {
        let bytes = i8::MIN..=i8::MAX;
        let reals: Vec<f32> = bytes
            .map(|byte| (f32::from(byte) - f32::from(from.zero_point)) * from.scale)
            .collect();
        let mut values = tensor1(&reals);
        for operator in self.operators.iter().rev() {
            let made = operator
                .eval_out_of_plan(tvec![values.into_tvalue()])
                .ok()??;
            values = made.into_iter().next()?.into_tensor();
        }
        let plain = values.try_as_plain_ram().ok()?;
        let entries = plain.as_slice::<f32>().ok()?.iter();
        let entries: Vec<i8> = entries
            .map(|&real| out.quantize(real).clamp(bounds.0, bounds.1))
            .collect();
        Box::<[i8; 256]>::try_from(entries.into_boxed_slice()).ok()
    }
}
