//! Plans: what they compute, what they refuse.

mod open;
mod refused;
#[path = "../support/mod.rs"]
mod support;

use ocellus_encoder::{Encoder, Input, Plan};
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
    let bytes = include_bytes!("../data/u_softmax_q.onnx");
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
