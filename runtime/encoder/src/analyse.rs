//! Shape analysis: what is known of every tensor, from the shape of the input.
//!
//! The engine's analysis visits nodes again and again, because what an operator does with its input may say what the
//! input is. Models rarely need that: in an order in which inputs come first, one visit each settles everything. So
//! that is tried first. Where a node says something new about what it is fed, or leaves open what it makes, or fails, the
//! engine's own analysis has the last word.

use tract_core::ops::dummy::Dummy;
use tract_core::ops::konst::Const;
use tract_onnx::tract_hir::internal::*;

/// Infers the facts of all tensors of `graph`.
pub(crate) fn analyse(graph: &mut InferenceModel) -> TractResult<()> {
    if !matches!(forward(graph), Ok(true)) {
        graph.analyse(false)?;
    }
    Ok(())
}

/// Visits every node once; whether that settled everything.
fn forward(graph: &mut InferenceModel) -> TractResult<bool> {
    for id in graph.eval_order()? {
        let node = graph.node(id);
        let known = InferenceModel::is_source(&node.op) || node.op_is::<Const>();
        if !(known || visit(graph, id)?) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn visit(graph: &mut InferenceModel, id: usize) -> TractResult<bool> {
    let node = graph.node(id);
    if !node.op.observe_outlets(graph, node)?.is_empty()
        || node.op.nboutputs()? != node.outputs.len()
    {
        return Ok(false);
    }
    // An operator may change as it infers, while the facts stand in the graph.
    let mut op = std::mem::replace(&mut graph.node_mut(id).op, Box::new(Dummy::new()));
    let inferred = infer(graph, id, &mut op);
    graph.node_mut(id).op = op;
    let Some(facts) = inferred? else {
        return Ok(false);
    };
    for (slot, fact) in facts.into_iter().enumerate() {
        graph.set_outlet_fact(OutletId::new(id, slot), fact)?;
    }
    Ok(true)
}

/// The facts of the outputs of the node `id`, if they are complete and those of its inputs stay what they are.
fn infer(
    graph: &InferenceModel,
    id: usize,
    op: &mut Box<dyn InferenceOp>,
) -> TractResult<Option<TVec<InferenceFact>>> {
    let (inputs, outputs) = graph.node_facts(id)?;
    let (fed, made, _) = op.infer(inputs.clone(), outputs.clone(), tvec![])?;
    if fed.iter().ne(inputs) {
        return Ok(None);
    }
    let facts: TVec<InferenceFact> = outputs
        .iter()
        .zip(&made)
        .map(|(known, made)| known.unify(made))
        .collect::<TractResult<_>>()?;
    let complete = |fact: &InferenceFact| fact.datum_type.is_concrete() && fact.shape.is_concrete();
    Ok(facts.iter().all(complete).then_some(facts))
}

#[cfg(test)]
mod tests {
    use tract_onnx::tract_hir::ops::identity::Identity;

    use super::*;
    use crate::{CheckedModel, Limits, import};

    /// The part of an encoder's graph that makes `output`, fed `fact`.
    fn graph(bytes: &[u8], input: &str, fact: InferenceFact, output: &str) -> InferenceModel {
        let model = CheckedModel::scan("test.onnx", bytes, &Limits::default()).expect("a file");
        let mut graph = import::import(&model).expect("a graph");
        let named = |name: &str| graph.node_by_name(name).expect("a node").id.into();
        let (source, output) = (named(input), graph.find_outlet_label(output));
        graph.set_outlet_fact(source, fact).expect("a source");
        graph.set_input_outlets(&[source]).expect("an input");
        graph
            .select_output_outlets(&[output.expect("an output")])
            .expect("an output");
        graph.compact().expect("a part of the graph");
        graph
    }

    #[test]
    fn one_visit_each_finds_what_the_engine_finds() {
        let image = include_bytes!("../../../models/default/image.onnx");
        let text = include_bytes!("../../../models/default/text.onnx");
        let softmax = include_bytes!("../tests/data/u_softmax_q.onnx");
        let tokens = InferenceFact::dt_shape(i64::datum_type(), [2usize, 7]);
        let mut graphs = vec![
            ("text", graph(text, "input_ids", tokens, "embedding")),
            (
                "softmax",
                graph(softmax, "x", f32::fact([1, 16, 32]).into(), "y"),
            ),
        ];
        for [h, w] in [[224, 224], [112, 160], [97, 131]] {
            let pixels = f32::fact([1, 3, h, w]).into();
            graphs.push(("image", graph(image, "image", pixels, "features")));
        }
        for (what, mut graph) in graphs {
            let mut engines = graph.clone();
            assert!(forward(&mut graph).expect(what), "{what} is not settled");
            engines.analyse(false).expect(what);
            for (ours, engines) in graph.nodes().iter().zip(engines.nodes()) {
                for (ours, engines) in ours.outputs.iter().zip(&engines.outputs) {
                    assert_eq!(ours.fact, engines.fact, "{what}: {engines:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_learned_backwards_is_left_to_the_engine() {
        let mut graph = InferenceModel::default();
        let x = graph
            .add_source("x", InferenceFact::dt(f32::datum_type()))
            .expect("a source");
        let y = graph.wire_node("y", Identity, &[x]).expect("a node");
        let known: InferenceFact = f32::fact([2, 3]).into();
        graph.set_outlet_fact(y[0], known.clone()).expect("a fact");
        graph.select_output_outlets(&y).expect("an output");
        assert!(!forward(&mut graph).expect("no error"));
        analyse(&mut graph).expect("no contradiction");
        assert_eq!(graph.outlet_fact(x).expect("a fact"), &known);
    }
}
