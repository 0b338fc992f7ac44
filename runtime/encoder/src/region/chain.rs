//! What stands between an operator's sum and its Quantize: clamps that become bounds of the quantized byte.
//!
//! Quantization is monotone, so `quantize(clip(x, low, high))` is `clamp(quantize(x), quantize(low), quantize(high))`.
//!
//! Limits: bounds are one number for the whole tensor. A value that something else reads as well, or that the plan
//! gives out, ends the chain: it must exist in f32.

use ocellus_kernels::Affine;
use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::math::{Max, Min};
use tract_onnx::tract_hir::internal::*;

use super::constant::uniform;
use super::find::onnx_name;

/// The nodes that end in a Quantize, from the back.
pub(super) struct Chain {
    /// Where the values come from that are clamped and quantized.
    pub(super) head: OutletId,
    /// The least and the greatest byte.
    pub(super) bounds: (i8, i8),
    /// The clamps.
    pub(super) nodes: Vec<usize>,
    /// Their names in the file.
    pub(super) names: Vec<String>,
}

/// Walks back from the node `quantize`, which quantizes by `affine`. Nothing where its input is read elsewhere too.
pub(super) fn chain(model: &TypedModel, quantize: usize, affine: Affine) -> Option<Chain> {
    let mut chain = Chain {
        head: model.node(quantize).inputs[0],
        bounds: (i8::MIN, i8::MAX),
        nodes: Vec::new(),
        names: Vec::new(),
    };
    let mut clamps = Vec::new();
    while read_once(model, chain.head) {
        let Some((clamp, from)) = clamp(model, chain.head.node) else {
            // The outermost clamp was met first and acts last.
            for clamp in clamps.iter().rev() {
                let (low, high) = chain.bounds;
                chain.bounds = match clamp {
                    Clamp::Least(bound) => {
                        let bound = affine.quantize(*bound);
                        (low.max(bound), high.max(bound))
                    }
                    Clamp::Most(bound) => {
                        let bound = affine.quantize(*bound);
                        (low.min(bound), high.min(bound))
                    }
                };
            }
            return Some(chain);
        };
        clamps.push(clamp);
        chain.nodes.push(chain.head.node);
        chain.names.push(onnx_name(
            &model.node(chain.head.node).name,
            &[".low", ".high", ".min", ".max", ".sat-one", ".sat-zero"],
        ));
        chain.head = from;
    }
    None
}

/// Whether one node reads `outlet` and nobody else sees it.
pub(super) fn read_once(model: &TypedModel, outlet: OutletId) -> bool {
    model.outlet_successors(outlet).len() == 1 && !model.outputs.contains(&outlet)
}

enum Clamp {
    Least(f32),
    Most(f32),
}

fn clamp(model: &TypedModel, node: usize) -> Option<(Clamp, OutletId)> {
    let node = model.node(node);
    let op = node.op_as::<TypedBinOp>()?;
    let &[a, b] = &node.inputs[..] else {
        return None;
    };
    let (bound, from) = match (uniform(model, b), uniform(model, a)) {
        (Some(bound), _) => (bound, a),
        (None, Some(bound)) => (bound, b),
        (None, None) => return None,
    };
    // A bound of more axes than the value would widen it.
    let same_shape = model.outlet_fact(from).ok()?.shape == node.outputs[0].fact.shape;
    if bound.is_nan() || !same_shape {
        return None;
    }
    if op.0.is::<Max>() {
        Some((Clamp::Least(bound), from))
    } else if op.0.is::<Min>() {
        Some((Clamp::Most(bound), from))
    } else {
        None
    }
}
