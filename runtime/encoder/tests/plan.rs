//! Plans: what they compute, what they refuse.

mod support;

use ocellus_encoder::{CheckedModel, Dim, Encoder, Fault, Input, Limit, Limits, Plan, Tensor};
use ocellus_kernels::Isa;
use support::plans::*;
use support::*;

#[test]
fn plans_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Plan>();
    shared::<Encoder>();
}

/// Every scale is a power of two, so f32 is exact and the result must be equal.
#[test]
fn a_quantized_convolution_is_exact() {
    let scale = [0.5f32, 0.25, 0.125];
    let encoder = encoder(&quantized_convolution(scale).model());
    for (height, width) in [(1, 1), (2, 3), (16, 16), (5, 1)] {
        let area = height * width;
        let plan = encoder
            .plan("x", &fixed(&[1, 2, height, width]), &["y", "c"])
            .expect("a plan");
        let x: Vec<f32> = (0..2 * area).map(|at| at as f32 * 1.75 - 40.0).collect();
        let result = plan.run(Input::F32(&x)).expect("a result");

        let quantized = |x: f32, scale: f32, zero: f32| {
            ((x / scale).round_ties_even() + zero).clamp(0.0, 255.0) - zero
        };
        let weights = [[1.0, 2.0], [-3.0, 4.0], [127.0, -128.0]];
        let bias = [1.0, -2.0, 3.0];
        for channel in 0..3 {
            for at in 0..area {
                let sum: f32 = (0..2)
                    .map(|from| quantized(x[from * area + at], 0.5, 128.0) * weights[channel][from])
                    .sum();
                let c = (sum + bias[channel]) * 0.5 * scale[channel];
                assert_eq!(result[1].data[channel * area + at], c);
                assert_eq!(
                    result[0].data[channel * area + at],
                    quantized(c, 0.25, 100.0) * 0.25
                );
            }
        }
        assert_eq!(result[0].shape, [1, 3, height, width]);
    }
}

/// The engine's own simplifier makes a table of this Softmax. The truth is the graph as it stands, not simplified, with
/// the engine's own operators. The two sum the MatMul's 32 products in different orders, and a sum within rounding of a
/// tie then falls on the other side: one step of the MatMul's scale .146, hence at most a factor exp(.146) in one
/// exponential, and a step of the result's scale 1/255 for the rounding of that. So: |y - truth| <= .16 y + 1/255.
#[test]
fn a_softmax_between_conversions_is_not_a_table() {
    use tract_onnx::prelude::*;
    let bytes = include_bytes!("data/u_softmax_q.onnx");
    let x: Vec<f32> = (0u32..16 * 32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 16) as f32 / 8192.0 - 4.0)
        .collect();

    let fed = tract_core::prelude::Tensor::from_shape(&[1, 16, 32], &x).expect("512 elements");
    let model = tract_onnx::onnx()
        .model_for_read(&mut &bytes[..])
        .expect("a model");
    let typed = model.into_typed().expect("concrete shapes");
    let run = |model: TypedModel| {
        let result = model
            .into_runnable()
            .and_then(|plan| plan.run(tvec![fed.clone().into()]));
        let result = result.expect("a result");
        result[0]
            .try_as_plain_ram()
            .expect("plain")
            .as_slice::<f32>()
            .expect("f32")
            .to_vec()
    };
    let truth = run(typed.clone());
    let table = run(typed.into_decluttered().expect("simplified"));

    let plan = encoder(bytes)
        .plan("x", &fixed(&[1, 16, 32]), &["y"])
        .expect("a plan");
    let y = &plan.run(Input::F32(&x)).expect("a result")[0].data;
    let worst = |y: &[f32]| {
        let excess = y
            .iter()
            .zip(&truth)
            .map(|(y, truth)| (y - truth).abs() - 0.16 * truth);
        excess.fold(f32::MIN, f32::max)
    };
    assert!(worst(y) <= 1.001 / 255.0, "{}", worst(y));
    assert!(
        worst(&table) > 0.1,
        "the engine's simplifier is right now: quant's reason is gone"
    );
}

#[test]
fn runs_are_deterministic() {
    let bytes = quantized_convolution([0.013, 0.21, 0.37]).model();
    let x: Vec<f32> = (0..2 * 49).map(|at| (at as f32).sin() * 30.0).collect();
    let run = || {
        let plan = encoder(&bytes)
            .plan("x", &fixed(&[1, 2, 7, 7]), &["y"])
            .expect("a plan");
        plan.run(Input::F32(&x)).expect("a result")
    };
    let first = run();
    assert_eq!(run(), first);
    let plan = encoder(&bytes)
        .plan("x", &fixed(&[1, 2, 7, 7]), &["y"])
        .expect("a plan");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(plan.run(Input::F32(&x)).expect("a result"), first));
        }
    });
}

#[test]
fn outputs_come_in_the_order_asked_for() {
    let plan = plan(
        quantized_convolution([1.0; 3]),
        &[1, 2, 1, 1],
        &["y", "xd", "c", "xd"],
    )
    .expect("a plan");
    assert_eq!(
        (plan.input(), plan.dims()),
        ("x", &fixed(&[1, 2, 1, 1])[..])
    );
    assert_eq!(plan.outputs(), ["y", "xd", "c", "xd"]);
    let result = plan.run(Input::F32(&[1.0, 2.0])).expect("a result");
    let channels: Vec<usize> = result.iter().map(|tensor| tensor.shape[1]).collect();
    assert_eq!(channels, [3, 2, 3, 2]);
    assert_eq!(result[1].data, [1.0, 2.0]);
    assert_eq!(result[3], result[1]);
}

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

/// `y` = rows of a table, `z` their sum: a text encoder in small.
fn table() -> Graph {
    Graph::new()
        .input(value("x", I64, &[1, -1]))
        .constant(f32s(
            "table",
            &[3, 2],
            &[1.0, 2.0, 10.0, 20.0, 100.0, 200.0],
        ))
        .constant(i64s("axes", &[1], &[1]))
        .node(node("Gather", &["table", "x"], &["y"]))
        .node(node("ReduceSum", &["y", "axes"], &["z"]).message(5, int_attribute("keepdims", 0)))
        .output(value("y", F32, &[1, -1, 2]))
        .output(value("z", F32, &[1, 2]))
}

#[test]
fn an_open_size_is_settled_at_each_run() {
    let encoder = encoder(&table().model());
    let plan = encoder
        .plan("x", &[Dim::Fixed(1), Dim::Any], &["y", "z"])
        .expect("a plan");
    for ids in [&[0i64][..], &[2, 1], &[1, 1, 0, 2, 2]] {
        let result = plan
            .run(Input::I64(ids, &[1, ids.len()]))
            .expect("a result");
        assert_eq!(result[0].shape, [1, ids.len(), 2]);
        let sum: f32 = ids.iter().map(|id| [1.0, 10.0, 100.0][*id as usize]).sum();
        assert_eq!(
            result[1],
            Tensor {
                shape: vec![1, 2],
                data: vec![sum, 2.0 * sum]
            }
        );
    }
    assert!(matches!(
        fault(plan.run(Input::I64(&[0, 1], &[1, 3]))),
        Fault::InputLength {
            expected: 3,
            got: 2,
            ..
        }
    ));
    for shape in [&[2, 1][..], &[2], &[1, 0], &[1, usize::MAX, 2]] {
        let misfit = fault(plan.run(Input::I64(&[0, 1], shape)));
        assert!(matches!(misfit, Fault::Shape { .. }), "{misfit:?}");
    }
    assert!(matches!(
        fault(plan.run(Input::F32(&[0.0]))),
        Fault::ElementType { .. }
    ));
    // An index that the table does not have.
    for id in [3, -4, i64::MAX, i64::MIN] {
        let outside = fault(plan.run(Input::I64(&[id], &[1, 1])));
        assert!(
            matches!(outside, Fault::Engine { .. } | Fault::Panic { .. }),
            "{outside:?}"
        );
    }
}

#[test]
fn an_open_size_is_held_against_the_limit_at_each_run() {
    let limits = Limits {
        activation_bytes: 100,
        ..Limits::default()
    };
    let model = CheckedModel::scan("test.onnx", &table().model(), &limits).expect("a good file");
    let encoder = Encoder::new(model, Isa::Scalar).expect("a graph");
    let plan = encoder
        .plan("x", &[Dim::Fixed(1), Dim::Any], &["y"])
        .expect("a plan");
    assert!(plan.run(Input::I64(&[0; 12], &[1, 12])).is_ok());
    let large = fault(plan.run(Input::I64(&[0; 13], &[1, 13])));
    assert!(
        matches!(
            large,
            Fault::Limit {
                limit: Limit::Activation,
                most: 100,
                got: 104,
                ..
            }
        ),
        "{large:?}"
    );
}

#[test]
fn narrow_ids_are_taken() {
    let mut graph = table();
    graph.inputs = vec![value("x", I32, &[1, -1])];
    let encoder = encoder(&graph.model());
    let plan = encoder
        .plan("x", &[Dim::Fixed(1), Dim::Any], &["z"])
        .expect("a plan");
    assert_eq!(
        plan.run(Input::I64(&[1], &[1, 1])).expect("a result")[0].data,
        [10.0, 20.0]
    );
    assert!(matches!(
        fault(plan.run(Input::I64(&[1 << 40], &[1, 1]))),
        Fault::ElementType { .. }
    ));
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
fn node_names_may_repeat_and_nodes_may_stand_in_any_order() {
    let named = |op: &str, from: &str, to: &str| {
        Message::new()
            .text(1, from)
            .text(2, to)
            .text(3, "same")
            .text(4, op)
    };
    let graph = Graph::new()
        .input(value("x", F32, &[1, 2]))
        .node(named("Neg", "b", "y"))
        .node(named("Relu", "x", "a"))
        .node(named("Exp", "a", "b"))
        .output(value("y", F32, &[1, 2]));
    let plan = plan(graph, &[1, 2], &["y"]).expect("a plan");
    assert_eq!(
        plan.run(Input::F32(&[-1.0, 0.0])).expect("a result")[0].data,
        [-1.0, -1.0]
    );
    let steps: Vec<_> = plan
        .steps()
        .iter()
        .map(|step| (step.node.as_str(), step.op.as_str()))
        .collect();
    assert_eq!(steps, [("same", "Relu"), ("same", "Exp"), ("same", "Neg")]);
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
