//! Pieces of transformers that run in f32, on kernels of ours.
//!
//! ```text
//! MatMul -> [Mul | Div] -> [Add] -> Softmax -> MatMul      attention: one operator, which reads its inputs as they lie
//! Softmax of the last axis                                 rows
//! LayerNormalization, or what older exporters write for it rows
//! Gelu, QuickGelu, SiLU, or what exporters write for them  elements
//! ```
//!
//! It runs after INT8 regions and products took what they use, and before the engine simplifies, which would take the patterns apart. What
//! is recognised is the engine's typed form, in which an operator of the file and its expansion look alike.
//!
//! Limits: f32; sizes that are known; what is not recognised stays in the engine's hands.

mod attend;
mod attention;
mod gelu;
mod gelu_form;
mod layer_norm;
mod layer_norm_form;
mod rows;
mod softmax;
mod values;

use std::sync::Arc;

use ocellus_kernels::{Gelu as Curve, Isa};
use ocellus_sys::Pool;
use tract_onnx::tract_hir::internal::*;

use self::attend::Attend;
use self::gelu::Gelu;
use self::layer_norm::LayerNorm;
use self::softmax::Softmax;

/// What a kernel may use.
#[derive(Clone, Debug)]
pub(super) struct Means {
    isa: Isa,
    pool: Arc<Pool>,
}

/// What stands in for some nodes of a graph.
struct Replacement {
    op: Box<dyn TypedOp>,
    inputs: TVec<OutletId>,
    /// Whose values the operator computes.
    output: OutletId,
}

/// Replaces every such piece of `model`, whose work `pool` shares.
pub(crate) fn replace(model: &mut TypedModel, isa: Isa, pool: &Arc<Pool>) -> TractResult<()> {
    let means = &Means {
        isa,
        pool: pool.clone(),
    };
    // Attention before the Softmax in it.
    each(model, |model, node| {
        layer_norm_form::find(model, node, means)
    })?;
    each(model, |model, node| gelu_form::find(model, node, means))?;
    each(model, |model, node| attention::find(model, node, means))?;
    each(model, |model, node| softmax::find(model, node, means))
}

/// Replaces what `find` finds at each node.
fn each(
    model: &mut TypedModel,
    find: impl Fn(&TypedModel, &TypedNode) -> Option<Replacement>,
) -> TractResult<()> {
    let mut changed = false;
    for id in model.eval_order()? {
        let Some(found) = find(model, model.node(id)) else {
            continue;
        };
        let mut patch = TypedModelPatch::default();
        let mut inputs: TVec<OutletId> = tvec![];
        for input in found.inputs {
            inputs.push(patch.tap_model(model, input)?);
        }
        let name = format!("{}{SUFFIX}", model.node(found.output.node).name);
        let name = model.unique_name(name).into_owned();
        let output = patch.wire_node(name, found.op, &inputs)?[0];
        patch.shunt_outside(model, found.output, output)?;
        patch.apply(model)?;
        changed = true;
    }
    if changed {
        model.compact()?;
    }
    Ok(())
}

/// What is appended to the name of a node that an operator of ours stands for.
pub(crate) const SUFFIX: &str = ".f32";

/// The kernel of `node`, if it is one of these, and its multiply-accumulates.
pub(crate) fn kernel(node: &TypedNode) -> Option<(&'static str, u64)> {
    if let Some(attend) = node.op_as::<Attend>() {
        return Some(attend.kernel());
    }
    let isa_of = |means: &Means| means.isa != Isa::Scalar;
    let name = |names: [&'static str; 2], means: &Means| (names[usize::from(isa_of(means))], 0);
    if let Some(softmax) = node.op_as::<Softmax>() {
        return Some(name(
            ["f32_softmax_scalar", "f32_softmax_16x_neon"],
            softmax.means(),
        ));
    }
    if let Some(norm) = node.op_as::<LayerNorm>() {
        return Some(name(
            ["f32_layer_norm_scalar", "f32_layer_norm_16x_neon"],
            norm.means(),
        ));
    }
    let gelu = node.op_as::<Gelu>()?;
    Some(name(["f32_gelu_scalar", "f32_gelu_16x_neon"], gelu.means()))
}

/// Two means are the same wherever they are in one model.
impl PartialEq for Means {
    fn eq(&self, other: &Means) -> bool {
        self.isa == other.isa
    }
}

fn sigmoid(alpha: f32) -> Curve {
    Curve::Sigmoid { alpha }
}
