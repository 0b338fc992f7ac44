//! Products of integers whose scale is known only when they run: dynamic quantization.
//!
//! ```text
//! DynamicQuantizeLinear -- bytes, zero point --> MatMulInteger | ConvInteger -> Cast -> Mul -> [Add]
//!                       -- scale --> Mul with the scales of the weights -----------------^
//! ```
//!
//! What stands in the second row and right of the arrow is one operator: sums in integers, and reals out of it. The
//! arithmetic is that of the graph, operation by operation. What is not of this form stays in the engine's hands, which
//! multiplies integers too.
//!
//! Limits: weights of two axes, or of a convolution of one group without dilation, constant and with zero point 0.

mod find;
mod op;
mod packs;

use std::collections::HashSet;
use std::sync::Arc;

use ocellus_kernels::Isa;
use ocellus_sys::Pool;
use tract_onnx::tract_hir::internal::*;

pub(crate) use self::op::Scaled;
pub(crate) use self::packs::Packs;
use crate::quant::DynamicQuantize;

/// Replaces every such product of `model` by one operator, whose work `pool` shares, and gives the names in the file of the
/// nodes that are gone.
pub(crate) fn replace(
    model: &mut TypedModel,
    isa: Isa,
    pool: &Arc<Pool>,
    packs: &Packs,
) -> TractResult<HashSet<String>> {
    for node in model.nodes_mut() {
        if let Some(quantize) = node.op_as_mut::<DynamicQuantize>() {
            quantize.isa = isa;
        }
    }
    let mut covered = HashSet::new();
    let found = find::find(model, isa, packs)?;
    for product in &found {
        let mut patch = TypedModelPatch::default();
        let mut inputs: TVec<OutletId> = tvec![];
        for input in product.inputs {
            inputs.push(patch.tap_model(model, input)?);
        }
        let first = product.names.first().map_or("", String::as_str);
        let name = model.unique_name(format!("{first}.int8")).into_owned();
        let op = Scaled::new(product, isa, pool.clone());
        let output = patch.wire_node(name, op, &inputs)?[0];
        patch.shunt_outside(model, product.output, output)?;
        patch.apply(model)?;
        covered.extend(product.names.iter().cloned());
    }
    if !found.is_empty() {
        model.compact()?;
    }
    Ok(covered)
}
