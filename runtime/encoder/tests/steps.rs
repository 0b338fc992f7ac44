//! Plans: what they say about themselves, step by step.

mod support;

use ocellus_encoder::{CheckedModel, Encoder, Fault, Input, Limits, Observer, Precision, Reason};
use ocellus_kernels::Isa;
use support::plans::*;
use support::*;

/// What an observer was told, in order.
#[derive(Default)]
struct Log(Vec<(bool, usize)>);

impl Observer for Log {
    fn begin(&mut self, operation: usize) {
        self.0.push((true, operation));
    }

    fn end(&mut self, operation: usize) {
        self.0.push((false, operation));
    }
}

#[test]
fn a_region_among_the_engines_operators_is_watched_too() {
    let graph = quantized_convolution([1.0; 3])
        .constant(f32s("w4", &[3, 5], &[0.5; 15]))
        .node(node("GlobalAveragePool", &["y"], &["pooled"]))
        .node(node("Flatten", &["pooled"], &["flat"]))
        .node(node("Gemm", &["flat", "w4"], &["logits"]))
        .output(value("logits", F32, &[-1, 5]));
    let plan = plan(graph, &[2, 2, 4, 6], &["logits"]).expect("a plan");
    let operations = plan.operations();
    let at = |name: &str| {
        operations
            .iter()
            .position(|operation| operation.name == name)
    };
    let (convolution, pool) = (at("/c").expect("the convolution"), at("/pooled"));
    assert_eq!(operations[convolution].macs, 2 * 3 * 4 * 6 * 2);
    assert!(operations[convolution].kernel.starts_with("qs8_"));
    assert!(pool > Some(convolution), "{operations:?}");
    assert!(
        operations
            .iter()
            .any(|o| o.kernel == "tract" && o.macs == 2 * 3 * 5)
    );

    let input = [0.5; 96];
    let mut log = Log::default();
    let watched = plan.run_observed(Input::F32(&input), &mut log);
    assert_eq!(
        watched.expect("a run"),
        plan.run(Input::F32(&input)).expect("a run")
    );
    let each = (0..operations.len()).flat_map(|at| [(true, at), (false, at)]);
    assert_eq!(log.0, each.collect::<Vec<_>>());
}

#[test]
fn steps_tell_shape_precision_reason_and_cost() {
    let graph = quantized_convolution([1.0; 3])
        .constant(f32s("w4", &[3, 5], &[0.0; 15]))
        .node(node("GlobalAveragePool", &["y"], &["pooled"]))
        .node(node("Flatten", &["pooled"], &["flat"]))
        .node(node("Gemm", &["flat", "w4"], &["logits"]))
        .output(value("logits", F32, &[-1, 5]));
    let plan = plan(graph, &[2, 2, 4, 6], &["logits"]).expect("a plan");
    let steps: Vec<_> = plan
        .steps()
        .iter()
        .map(|step| {
            (
                step.node.as_str(),
                step.op.as_str(),
                step.shape.clone(),
                step.reason,
                step.macs,
            )
        })
        .collect();
    let expected = [
        ("/xq", "QuantizeLinear", fixed(&[2, 2, 4, 6]), None, None),
        ("/xd", "DequantizeLinear", fixed(&[2, 2, 4, 6]), None, None),
        (
            "/c",
            "Conv",
            fixed(&[2, 3, 4, 6]),
            None,
            Some(2 * 3 * 4 * 6 * 2),
        ),
        ("/cq", "QuantizeLinear", fixed(&[2, 3, 4, 6]), None, None),
        ("/y", "DequantizeLinear", fixed(&[2, 3, 4, 6]), None, None),
        (
            "/pooled",
            "GlobalAveragePool",
            fixed(&[2, 3, 1, 1]),
            None,
            None,
        ),
        ("/flat", "Flatten", fixed(&[2, 3]), None, None),
        (
            "/logits",
            "Gemm",
            fixed(&[2, 5]),
            Some(Reason::NotQuantized),
            Some(2 * 3 * 5),
        ),
    ];
    assert_eq!(steps, expected);
    let precisions = plan.steps().iter().map(|step| step.precision);
    assert!(precisions.eq([[Precision::I8; 7].as_slice(), &[Precision::F32]].concat()));
    assert_eq!(
        Reason::RegionsOff.to_string(),
        "runs in f32: INT8 regions are switched off"
    );
}

/// Weights kept in f32, with the conversion to integers and back in the graph, and no zero points.
#[test]
fn conversions_of_constants_are_folded() {
    let graph = relu()
        .constant(f32s(
            "w",
            &[4, 2],
            &[0.1, 0.9, 1.1, 1.9, 2.1, 300.0, -1.0, 0.0],
        ))
        .constant(f32s("s", &[], &[1.0]))
        .node(node("QuantizeLinear", &["w", "s"], &["wq"]))
        .node(node("DequantizeLinear", &["wq", "s"], &["wd"]))
        .node(node("MatMul", &["x", "wd"], &["z"]))
        .output(value("z", F32, &[1, 2]));
    let plan = plan(graph, &[1, 4], &["z"]).expect("a plan");
    let steps: Vec<_> = plan
        .steps()
        .iter()
        .map(|step| (step.op.as_str(), step.reason))
        .collect();
    assert_eq!(steps, [("MatMul", Some(Reason::WeightsOnly))]);
    assert_eq!(
        plan.run(Input::F32(&[1.0, 10.0, 100.0, 1000.0]))
            .expect("a result")[0]
            .data,
        [210.0, 25_521.0]
    );
}

/// From operator set 21 on the integers may be named by an attribute.
#[test]
fn integers_are_those_of_the_output_type() {
    let graph = |output_dtype: i64| {
        let quantize = node("QuantizeLinear", &["x", "s"], &["q"]);
        let graph = Graph::new()
            .input(value("x", F32, &[4]))
            .constant(f32s("s", &[], &[0.5]))
            .node(quantize.message(5, int_attribute("output_dtype", output_dtype)))
            .node(node("DequantizeLinear", &["q", "s"], &["y"]))
            .output(value("y", F32, &[4]));
        model(graph.message(), 21)
    };
    let x = [-1.2, 0.3, 70.0, 200.0];
    let run = |output_dtype| {
        let plan = encoder(&graph(output_dtype)).plan("x", &fixed(&[4]), &["y"]);
        let result = plan.expect("a plan").run(Input::F32(&x));
        result.expect("a result")[0].data.clone()
    };
    assert_eq!(run(0), [0.0, 0.5, 70.0, 127.5]);
    assert_eq!(run(2), run(0));
    assert_eq!(run(3), [-1.0, 0.5, 63.5, 63.5]);
    let scanned = CheckedModel::scan("test.onnx", &graph(4), &Limits::default());
    let refused = fault(Encoder::new(scanned.expect("a good file"), Isa::Scalar));
    assert!(matches!(refused, Fault::Unsupported { .. }), "{refused}");
}
