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
use tract_core::ops::cast::Cast;
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
            quantize.pool = pool.clone();
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
        sign(model)?;
        model.compact()?;
    }
    Ok(covered)
}

/// Lets every DynamicQuantizeLinear make signed integers whose integers nobody sees but products of ours.
fn sign(model: &mut TypedModel) -> TractResult<()> {
    for id in model.eval_order()? {
        if !model.node(id).op_is::<DynamicQuantize>() {
            continue;
        }
        let integers = [0, 2].map(|slot| OutletId::new(id, slot));
        if !integers.iter().all(|&outlet| is_multiplied(model, outlet)) {
            continue;
        }
        let node = model.node_mut(id);
        if let Some(quantize) = node.op_as_mut::<DynamicQuantize>() {
            quantize.target = i8::datum_type();
        }
        for outlet in integers {
            node.outputs[outlet.slot].fact.datum_type = i8::datum_type();
        }
    }
    Ok(())
}

/// Whether products of ours are all that reads the integers at `outlet`, as they are or made wider.
fn is_multiplied(model: &TypedModel, outlet: OutletId) -> bool {
    let reads = |reader: &InletId| {
        let node = model.node(reader.node);
        let widens = || {
            let cast = node.op_as::<Cast>();
            cast.is_some_and(|cast| cast.to == i32::datum_type())
                && is_multiplied(model, node.id.into())
        };
        node.op_is::<Scaled>() || outlet.slot == 2 && widens()
    };
    !model.outputs.contains(&outlet) && model.outlet_successors(outlet).iter().all(reads)
}
