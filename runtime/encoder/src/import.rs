//! A checked model becomes the engine's graph.
//!
//! Left out on the way: declared shapes of anything but constants, because a symbolic batch in them makes shape analysis
//! fail, and because an expression of symbols is a small program that a file should not run; and names of nodes, which
//! ONNX lets repeat and the engine does not. A node is called after its first output, which the scan found unique; what the file
//! calls it stands in its text for people, for faults to name it by.
//!
//! Limits: the engine looks operators up by name alone, so a node of another domain is taken only where the engine
//! means that domain's operator.

use tract_onnx::Onnx;
use tract_onnx::pb::{GraphProto, ModelProto, tensor_shape_proto, type_proto};
use tract_onnx::prelude::Framework;
use tract_onnx::tract_hir::internal::*;

use crate::error::Stage;
use crate::guard;
use crate::{CheckedModel, Fault, qoperator, quant};

/// Operators of the domain `com.microsoft` that the engine knows.
const CONTRIBUTED: [&str; 8] = [
    "BiasGelu",
    "FastGelu",
    "Gelu",
    "QuickGelu",
    "RotaryEmbedding",
    "SimplifiedLayerNormalization",
    "SkipLayerNormalization",
    "SkipSimplifiedLayerNormalization",
];

/// The graph of `model`, with every operator within bounds and shapes still open.
pub(crate) fn import(model: &CheckedModel) -> Result<InferenceModel, Fault> {
    let mut onnx = tract_onnx::onnx().with_ignore_value_info(true);
    quant::register(&mut onnx.op_register);
    check_operators(model, &onnx)?;
    guard::engine(Stage::Import, || {
        let mut proto = onnx.proto_model_for_read(&mut model.bytes())?;
        strip(&mut proto);
        if let Some(graph) = &mut proto.graph {
            qoperator::rewrite(graph);
        }
        let parsed = onnx.parse(&proto, None)?;
        let mut graph = parsed.model;
        guard::bound(&mut graph, model.limits());
        Ok(graph)
    })
}

fn check_operators(model: &CheckedModel, onnx: &Onnx) -> Result<(), Fault> {
    for node in model.nodes() {
        if qoperator::form(&node.domain, &node.op).is_some() {
            continue;
        }
        let domain_known = match node.domain.as_str() {
            "" | "ai.onnx" => true,
            "com.microsoft" => CONTRIBUTED.contains(&node.op.as_str()),
            _ => false,
        };
        if !domain_known || !onnx.op_register.0.contains_key(&node.op) {
            let domain = match node.domain.as_str() {
                "" => String::new(),
                domain => format!("{domain}."),
            };
            return Err(Fault::UnknownOperator {
                node: node.name.clone(),
                op: node.op.clone(),
                domain,
            });
        }
    }
    Ok(())
}

fn strip(proto: &mut ModelProto) {
    proto.doc_string.clear();
    proto.metadata_props.clear();
    if let Some(graph) = &mut proto.graph {
        strip_graph(graph);
    }
}

fn strip_graph(graph: &mut GraphProto) {
    graph.value_info.clear();
    for input in &mut graph.input {
        let Some(type_proto::Value::TensorType(tensor)) =
            input.r#type.as_mut().and_then(|of| of.value.as_mut())
        else {
            continue;
        };
        for dim in tensor.shape.iter_mut().flat_map(|shape| &mut shape.dim) {
            if let Some(tensor_shape_proto::dimension::Value::DimParam(_)) = dim.value {
                dim.value = None;
            }
        }
    }
    for node in &mut graph.node {
        if let Some(output) = node.output.first() {
            let name = std::mem::replace(&mut node.name, output.clone());
            node.doc_string = if name.is_empty() {
                output.clone()
            } else {
                name
            };
        }
        for attribute in &mut node.attribute {
            attribute
                .g
                .iter_mut()
                .chain(&mut attribute.graphs)
                .for_each(strip_graph);
        }
    }
}
