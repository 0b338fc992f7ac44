//! An analysed graph becomes typed: every tensor of known type and shape.
//!
//! The engine does this too, but first analyses the graph twice more, for operators that rewrite their surroundings once
//! shapes are known; it has none that came from ONNX. Where one analysis has settled every type and shape, another finds
//! nothing, and here is none.
//!
//! Limits: equal constants stay apart. Those of a file became one when it was parsed.

use tract_core::model::translator::Translate;
use tract_core::ops::konst::Const;
use tract_onnx::tract_hir::internal::*;

/// `graph` with the engine's typed operators.
pub(crate) fn typed(graph: InferenceModel) -> TractResult<TypedModel> {
    match graph.missing_type_shape()?.is_empty() {
        true => ToTyped.translate_model(&graph),
        false => graph.into_typed(),
    }
}

#[derive(Debug)]
struct ToTyped;

impl Translate<InferenceFact, Box<dyn InferenceOp>, TypedFact, Box<dyn TypedOp>> for ToTyped {
    fn translate_node(
        &self,
        source: &InferenceModel,
        node: &InferenceNode,
        target: &mut TypedModel,
        mapping: &HashMap<OutletId, OutletId>,
    ) -> TractResult<TVec<OutletId>> {
        let values: Option<TVec<Arc<Tensor>>> = node
            .outputs
            .iter()
            .map(|output| output.fact.value.concretize())
            .collect();
        // An input stays one whatever is known of it, and state must not be lost.
        if let Some(values) = values
            && !InferenceModel::is_source(&node.op)
            && node.op.state(&EvalContext::out_of_plan())?.is_none()
        {
            let constants = values.into_iter().enumerate();
            return constants
                .map(|(slot, value)| constant(target, format!("{}.{slot}", node.name), value))
                .collect();
        }
        let outlets = node.op.to_typed(source, node, target, mapping)?;
        for outlet in &outlets {
            target.outlet_fact(*outlet)?.consistent()?;
        }
        Ok(outlets)
    }
}

/// The engine's `add_const` compares `value` with every constant that is there.
fn constant(target: &mut TypedModel, name: String, value: Arc<Tensor>) -> TractResult<OutletId> {
    let fact = TypedFact::try_from(value.clone())?;
    let name = target.unique_name(name).into_owned();
    let op = Const::new_with_opt_exotic_fact(value, fact.exotic_fact.clone())?;
    Ok(target.add_node(name, op, tvec![fact])?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CheckedModel, Limits, import};

    /// What every node that computes is, by its name.
    fn nodes(model: &TypedModel) -> Vec<(String, String)> {
        let computes = model.nodes().iter().filter(|node| !node.op_is::<Const>());
        let mut nodes: Vec<_> = computes
            .map(|node| {
                let inputs: Vec<_> = node
                    .inputs
                    .iter()
                    .map(|input| model.outlet_fact(*input).expect("a fact"))
                    .collect();
                let said = format!("{:?} {inputs:?} {:?}", node.op, node.outputs[0].fact);
                (node.name.clone(), said)
            })
            .collect();
        nodes.sort();
        nodes
    }

    #[test]
    fn is_what_the_engine_makes() {
        let bytes = include_bytes!("../../../models/default/image.onnx");
        let model = CheckedModel::scan("test.onnx", bytes, &Limits::default()).expect("a file");
        for [h, w] in [[224, 224], [97, 131]] {
            let mut graph = import::import(&model).expect("a graph");
            let source = graph.inputs[0];
            let fact: InferenceFact = f32::fact([1, 3, h, w]).into();
            graph.set_outlet_fact(source, fact).expect("a source");
            graph.analyse(false).expect("an analysis");
            let engines = graph.clone().into_typed().expect("a typed graph");
            let ours = typed(graph).expect("a typed graph");
            assert!(ours.nodes().len() > 400);
            assert_eq!(nodes(&ours), nodes(&engines));
        }
    }
}
