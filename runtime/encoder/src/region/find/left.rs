//! Why an operator that looks like a member is none.

use tract_core::ops::array::TypedConcat;
use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::cnn::{self, Conv};
use tract_core::ops::einsum::EinSum;
use tract_core::ops::element_wise::ElementWiseOp;
use tract_core::ops::math::{Add, Max, Min, Mul};
use tract_onnx::tract_hir::internal::*;

use super::Finder;
use crate::Reason;
use crate::quant::Quantize;
use crate::region::chain::read_once;
use crate::region::constant::constant;

impl Finder<'_> {
    /// Why the node `id` is no member, if it looks like one: there is a kernel for its kind, and all that it is fed are
    /// integers.
    pub(super) fn reason(&self, id: usize) -> Option<Reason> {
        let node = self.model.node(id);
        if !self.is_fed_integers(node) || is_of_activations(self.model, node) {
            return None;
        }
        Some(match node.outputs[0].fact.shape.as_concrete() {
            None => Reason::OpenShape,
            Some(shape) if !matches!(shape.len(), 2..=4) => Reason::Attribute,
            Some(_) if is_join(node) && is_quantized(self.model, id.into()) => Reason::Attribute,
            Some(_) => Reason::OutputNotQuantized,
        })
    }

    fn is_fed_integers(&self, node: &TypedNode) -> bool {
        let first = node.op_is::<Conv>()
            || node.op_is::<EinSum>()
            || node.op_is::<cnn::MaxPool>()
            || node.op_is::<ElementWiseOp>();
        let is_fed = |x: &OutletId| self.integers(*x).is_some();
        match first {
            true => node.inputs.first().is_some_and(is_fed),
            false => is_join(node) && node.inputs.iter().all(is_fed),
        }
    }
}

/// Whether `node` makes one value of several.
fn is_join(node: &TypedNode) -> bool {
    let binary = node.op_as::<TypedBinOp>();
    binary.is_some_and(|op| op.0.is::<Add>() || op.0.is::<Mul>()) || node.op_is::<TypedConcat>()
}

/// Whether the values at `outlet` are quantized, and seen by nobody before.
fn is_quantized(model: &TypedModel, mut outlet: OutletId) -> bool {
    while read_once(model, outlet) {
        let reader = model.node(model.outlet_successors(outlet)[0].node);
        let clamp = reader.op_as::<TypedBinOp>();
        if !clamp.is_some_and(|op| op.0.is::<Min>() || op.0.is::<Max>()) {
            return reader.op_is::<Quantize>();
        }
        outlet = reader.id.into();
    }
    false
}

/// Whether `node` multiplies activations with one another, for which regions have no kernel.
fn is_of_activations(model: &TypedModel, node: &TypedNode) -> bool {
    let others = node.inputs.get(1).map(|&other| constant(model, other));
    node.op_is::<EinSum>() && matches!(others, Some(None))
}
