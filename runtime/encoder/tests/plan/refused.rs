//! What no plan is made for, and what a plan does not run.

use ocellus_encoder::{CheckedModel, Dim, Encoder, Fault, Input, Limit, Limits};
use ocellus_kernels::Isa;

use crate::support::plans::*;
use crate::support::*;

#[test]
fn names_that_do_not_exist() {
    let encoder = encoder(&quantized_convolution([1.0; 3]).model());
    let dims = fixed(&[1, 2, 4, 4]);
    let unknown = fault(encoder.plan("image", &dims, &["y"]));
    assert!(matches!(unknown, Fault::UnknownInput { .. }), "{unknown:?}");
    assert!(unknown.to_string().contains("inputs are x"), "{unknown}");
    let unknown = fault(encoder.plan("x", &dims, &["y", "embedding"]));
    assert!(
        matches!(unknown, Fault::UnknownOutput { .. }),
        "{unknown:?}"
    );
    assert!(unknown.to_string().contains("outputs are y"), "{unknown}");
    assert!(matches!(
        fault(encoder.plan("x", &dims, &[])),
        Fault::NoOutput { .. }
    ));
}

#[test]
fn shapes_that_do_not_fit() {
    let encoder = encoder(&quantized_convolution([1.0; 3]).model());
    for dims in [
        &[1, 3, 4, 4][..],
        &[2, 4, 4],
        &[1, 2, 4, 4, 1],
        &[],
        &[1, 2, 0, 4],
    ] {
        let misfit = fault(encoder.plan("x", &fixed(dims), &["y"]));
        assert!(matches!(misfit, Fault::Shape { .. }), "{misfit:?}");
        assert!(
            misfit.to_string().contains("[any, 2, any, any]"),
            "{misfit}"
        );
    }
    let mut dims = fixed(&[1, 2, 4, 4]);
    dims[1] = Dim::Any;
    assert!(matches!(
        fault(encoder.plan("x", &dims, &["y"])),
        Fault::Shape { .. }
    ));
    let large = fault(encoder.plan("x", &fixed(&[1, 2, 1 << 20, 1 << 20]), &["y"]));
    assert!(
        matches!(
            large,
            Fault::Limit {
                limit: Limit::Activation,
                ..
            }
        ),
        "{large:?}"
    );
    for dims in [
        &[1, 2, usize::MAX, usize::MAX][..],
        &[1, 2, 1 << 31, 1 << 31],
        &[1, 2, 1 << 62, 1],
    ] {
        let absurd = fault(encoder.plan("x", &fixed(dims), &["y"]));
        assert!(
            matches!(
                absurd,
                Fault::Limit {
                    limit: Limit::Activation,
                    ..
                }
            ),
            "{absurd:?}"
        );
    }
}

#[test]
fn data_that_does_not_fit() {
    let plan = plan(quantized_convolution([1.0; 3]), &[1, 2, 2, 2], &["y"]).expect("a plan");
    for length in [0, 7, 9, 16] {
        let misfit = fault(plan.run(Input::F32(&vec![0.0; length])));
        assert!(
            matches!(misfit, Fault::InputLength { expected: 8, .. }),
            "{misfit:?}"
        );
    }
    let integers = fault(plan.run(Input::I64(&[0; 8], &[1, 2, 2, 2])));
    assert!(
        matches!(integers, Fault::ElementType { .. }),
        "{integers:?}"
    );
    // Not what anybody wants, and no reason to fail.
    assert!(plan.run(Input::F32(&[f32::NAN; 8])).is_ok());
    assert!(plan.run(Input::F32(&[f32::INFINITY; 8])).is_ok());
}

#[test]
fn a_plan_has_one_input() {
    let graph = relu()
        .input(value("other", F32, &[1, 4]))
        .node(node("Add", &["y", "other"], &["z"]))
        .output(value("z", F32, &[1, 4]));
    let encoder = encoder(&graph.model());
    let needed = fault(encoder.plan("x", &fixed(&[1, 4]), &["z"]));
    assert!(
        matches!(&needed, Fault::SecondInput { needed, .. } if needed == "other"),
        "{needed:?}"
    );
    let plan = encoder
        .plan("x", &fixed(&[1, 4]), &["y"])
        .expect("a plan that leaves the other alone");
    assert_eq!(
        plan.run(Input::F32(&[-1.0, 2.0, -3.0, 4.0]))
            .expect("a result")[0]
            .data,
        [0.0, 2.0, 0.0, 4.0]
    );
}

#[test]
fn element_types_that_callers_cannot_pass() {
    let cast = Message::new().text(1, "to").int(3, I64).int(20, 2);
    let graph = relu()
        .node(node("Cast", &["y"], &["z"]).message(5, cast))
        .output(value("z", I64, &[1, 4]));
    let integers = fault(plan(graph, &[1, 4], &["z"]));
    assert!(
        matches!(&integers, Fault::ElementType { what: "output", got, .. } if got == "i64"),
        "{integers:?}"
    );
    let mut graph = relu();
    graph.inputs = vec![value("x", U8, &[1, 4])];
    assert!(matches!(
        fault(plan(graph, &[1, 4], &["y"])),
        Fault::ElementType { what: "input", .. }
    ));
}

#[test]
fn operators_that_are_not_known() {
    let foreign = |op: &str, domain: &str| {
        let graph = relu()
            .node(node(op, &["x"], &["z"]).text(7, domain))
            .output(value("z", F32, &[1, 4]));
        let model = CheckedModel::scan("test.onnx", &graph.model(), &Limits::default())
            .expect("a good file");
        fault(Encoder::new(model, Isa::Scalar))
    };
    for (op, domain) in [
        ("Teleport", ""),
        ("Relu", "com.example"),
        ("Relu", "com.microsoft"),
        ("QLinearSoftmax", "com.microsoft"),
    ] {
        let unknown = foreign(op, domain);
        assert!(
            matches!(unknown, Fault::UnknownOperator { .. }),
            "{unknown:?}"
        );
        assert!(
            unknown.to_string().contains(op) && unknown.to_string().contains("/z"),
            "{unknown}"
        );
    }
}

#[test]
fn what_the_engine_refuses_is_a_fault() {
    let graph = relu()
        .constant(f32s("w", &[3], &[0.0; 3]))
        .node(node("Add", &["x", "w"], &["z"]))
        .output(value("z", F32, &[1, 4]));
    let refused = fault(plan(graph, &[1, 4], &["z"]));
    assert!(matches!(refused, Fault::Engine { .. }), "{refused:?}");
    assert!(refused.to_string().len() < 700, "{refused}");
    let graph = relu()
        .node(node("Add", &["x"], &["z"]))
        .output(value("z", F32, &[1, 4]));
    let refused = fault(plan(graph, &[1, 4], &["z"]));
    assert!(
        matches!(refused, Fault::Engine { .. } | Fault::Panic { .. }),
        "{refused:?}"
    );
}

/// Eight bytes in the file that stand for terabytes in memory. Each would end the process.
#[test]
fn shapes_that_a_graph_computes_are_bounded() {
    let huge = i64s("huge", &[2], &[1 << 20, 1 << 20]);
    let one = f32s("one", &[1], &[1.0]);
    let scalars = [("zero", 0), ("end", 1 << 40), ("step", 1)];
    let with = |op: &str, inputs: &[&str]| {
        let graph = relu().constant(huge.clone()).constant(one.clone());
        let graph = scalars.iter().fold(graph, |graph, (name, value)| {
            graph.constant(i64s(name, &[], &[*value]))
        });
        let graph = graph.node(node(op, inputs, &["z"]));
        let graph = match op {
            "Range" => graph.node(
                node("Cast", &["z"], &["zf"])
                    .message(5, Message::new().text(1, "to").int(3, F32).int(20, 2)),
            ),
            _ => graph.node(node("Identity", &["z"], &["zf"])),
        };
        plan(
            graph
                .node(node("ReduceMax", &["zf"], &["m"]))
                .output(value("m", F32, &[1, 1])),
            &[1, 4],
            &["m"],
        )
    };
    for (op, inputs) in [
        ("ConstantOfShape", &["huge"][..]),
        ("Expand", &["one", "huge"]),
        ("Expand", &["x", "huge"]),
        ("Tile", &["x", "huge"]),
        ("Range", &["zero", "end", "step"]),
    ] {
        let large = fault(with(op, inputs));
        assert!(
            matches!(
                large,
                Fault::Limit {
                    limit: Limit::Activation,
                    ..
                } | Fault::Engine { .. }
            ),
            "{op}: {large:?}"
        );
    }
}

#[test]
fn a_convolution_that_unfolds_into_too_much_is_refused() {
    // 512 MiB of unfolded input from 4 MiB of weights and 1 MiB of image.
    let side = 512;
    let graph = Graph::new()
        .input(value("x", F32, &[1, 1, side, side]))
        .constant(f32s("w", &[2, 1, 257, 257], &vec![0.0; 2 * 257 * 257]))
        .node(node("Conv", &["x", "w"], &["y"]))
        .output(value("y", F32, &[1, 2, 256, 256]));
    let large = plan(graph, &[1, 1, side as usize, side as usize], &["y"]);
    if let Err(error) = large {
        assert!(
            matches!(
                error.fault(),
                Fault::Limit {
                    limit: Limit::Activation,
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn scales_that_are_computed_at_run_time_are_refused() {
    let graph = relu()
        .node(node("ReduceMax", &["x"], &["s"]).message(5, int_attribute("keepdims", 0)))
        .node(node("QuantizeLinear", &["x", "s"], &["q"]))
        .node(node("DequantizeLinear", &["q", "s"], &["z"]))
        .output(value("z", F32, &[1, 4]));
    let refused = fault(plan(graph, &[1, 4], &["z"]));
    assert!(
        matches!(
            &refused,
            Fault::Quantization {
                what: "the scale",
                ..
            }
        ),
        "{refused:?}"
    );
}
