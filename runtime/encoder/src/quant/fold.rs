//! Computes in advance what is quantized or dequantized from constants: weights, as a rule.
//!
//! It runs after the INT8 regions took the integer weights that they use, so what it meets will be used as f32. The
//! engine cannot do it: [`Dequantize`] refuses, and the engine stops at four times the size of a large weight matrix,
//! which would then be converted and repacked at every run.
//!
//! Limits: an integer table that is dequantized as a whole and then indexed becomes f32 as a whole.

use tract_core::ops::konst::Const;
use tract_onnx::tract_hir::internal::*;

use super::{Dequantize, Quantize};

/// Replaces each [`Quantize`] and [`Dequantize`] of a constant by its result.
pub(crate) fn fold(model: &mut TypedModel) -> TractResult<()> {
    for id in model.eval_order()? {
        let node = model.node(id);
        let (quantize, dequantize) = (node.op_as::<Quantize>(), node.op_as::<Dequantize>());
        if quantize.is_none() && dequantize.is_none() {
            continue;
        }
        let input = node.inputs[0];
        let Some(constant) = model.outlet_fact(input)?.konst.clone() else {
            continue;
        };
        let result = match (quantize, dequantize) {
            (Some(quantize), _) => quantize.apply(&constant)?,
            (None, Some(dequantize)) => dequantize.apply(&constant)?,
            (None, None) => continue,
        };
        let result = result.into_arc_tensor();
        let successors = &mut model.nodes[input.node].outputs[input.slot].successors;
        successors.retain(|successor| successor.node != id);
        let node = model.node_mut(id);
        node.inputs.clear();
        node.outputs[0].fact = TypedFact::try_from(result.clone())?;
        node.op = Box::new(Const::new(result)?);
    }
    model.compact()
}
