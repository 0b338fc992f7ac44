//! INT8 regions against the same graphs in f32: each pattern alone, then joins of several values, then what must stay in f32.

mod joins;
mod left;
#[path = "../support/mod.rs"]
mod support;

use ocellus_encoder::{Dim, Input, Plan, Precision, Reason, Tensor};
use support::plans::encoder;
use support::quantized::*;
use support::*;

fn plans(net: &Net, dims: &[usize]) -> (Plan, Plan) {
    let bytes = net.clone().model();
    let dims: Vec<Dim> = dims.iter().copied().map(Dim::Fixed).collect();
    let outputs: Vec<&str> = net.outputs.iter().map(|(name, _)| name.as_str()).collect();
    let int8 = encoder(&bytes)
        .plan("x", &dims, &outputs)
        .expect("a plan with regions");
    let f32 = encoder(&bytes)
        .without_regions()
        .plan("x", &dims, &outputs)
        .expect("a plan without");
    (int8, f32)
}

fn precision(plan: &Plan, node: &str) -> (Precision, Option<Reason>) {
    let step = plan.steps().iter().find(|step| step.node == node);
    let step = step.unwrap_or_else(|| panic!("no step {node}"));
    (step.precision, step.reason)
}

/// At least 99.9 % of the elements are equal, and none is more than one step of the output's scale off.
fn assert_close(int8: &Tensor, f32: &Tensor, step: f32, what: &str) {
    assert_eq!(int8.shape, f32.shape, "{what}");
    let mut unequal = 0;
    for (at, (a, b)) in int8.data.iter().zip(&f32.data).enumerate() {
        let steps = (a - b).abs() / step;
        assert!(
            steps <= 1.001,
            "{what}: element {at} is {a} in INT8, {b} in f32, {steps} steps apart"
        );
        unequal += usize::from(steps > 0.001);
    }
    let allowed = f32.data.len() / 1000;
    assert!(
        unequal <= allowed,
        "{what}: {unequal} of {} elements differ",
        f32.data.len()
    );
    let spread = f32.data.iter().any(|value| *value != f32.data[0]);
    assert!(
        spread,
        "{what}: every element is the same, so nothing was tested"
    );
}

/// Runs `net` both ways on `dims`; every step must be in a region.
fn check(net: &Net, dims: &[usize], what: &str) {
    let (int8, f32) = plans(net, dims);
    for step in int8.steps() {
        assert_eq!(
            (step.precision, step.reason),
            (Precision::I8, None),
            "{what}: {step:?}"
        );
    }
    compare(net, (&int8, &f32), dims, what);
}

fn compare(net: &Net, (int8, f32): (&Plan, &Plan), dims: &[usize], what: &str) {
    assert!(
        f32.steps()
            .iter()
            .all(|step| step.precision == Precision::F32),
        "{what}"
    );
    let x = reals(dims.iter().product(), 1);
    let got = int8.run(Input::F32(&x)).expect("a result");
    let expected = f32.run(Input::F32(&x)).expect("a result");
    for ((name, step), (got, expected)) in net.outputs.iter().zip(got.iter().zip(&expected)) {
        assert_close(got, expected, *step, &format!("{what}: {name}"));
    }
    assert_eq!(
        int8.run(Input::F32(&x)).expect("a result"),
        got,
        "{what}: a second run differs"
    );
}

const SIZES: [[usize; 2]; 3] = [[16, 16], [113, 97], [5, 7]];

#[test]
fn convolutions_of_every_window() {
    for (kernel, stride, pads) in [
        (1, 1, [0; 4]),
        (1, 2, [0; 4]),
        (3, 1, [1; 4]),
        (3, 2, [0, 0, 1, 1]),
        (5, 2, [2, 1, 2, 2]),
        (3, 3, [0; 4]),
    ] {
        for depthwise in [false, true] {
            for size in SIZES {
                let mut conv = Conv::new(if depthwise { 6 } else { 5 }, kernel);
                conv.stride = stride;
                conv.pads = pads;
                conv.groups = if depthwise { 6 } else { 1 };
                let net = Net::new(6).conv("c", "x", &conv).output("c");
                check(
                    &net,
                    &[1, 6, size[0], size[1]],
                    &format!("{conv:?} on {size:?}"),
                );
            }
        }
    }
}

#[test]
fn signed_activations_and_zero_points() {
    for (signed, zero_point) in [
        (false, 0),
        (false, 255),
        (false, 7),
        (true, -128),
        (true, 0),
        (true, 127),
        (true, -5),
    ] {
        let mut net = Net::new(4);
        net.activations = Activations { signed, zero_point };
        let mut conv = Conv::new(7, 3);
        conv.pads = [1; 4];
        let net = net.conv("c", "x", &conv).output("c");
        check(
            &net,
            &[1, 4, 15, 13],
            &format!("signed {signed}, zero point {zero_point}"),
        );
    }
}

#[test]
fn weights_and_biases_of_every_kind() {
    for weights in [Weights::PerChannel, Weights::PerTensor, Weights::Unsigned] {
        for bias in [Bias::Absent, Bias::Int32, Bias::F32] {
            for (filters, groups) in [(8, 1), (1, 1), (4, 4)] {
                let mut conv = Conv::new(filters, 3);
                (conv.weights, conv.bias, conv.groups) = (weights, bias, groups);
                let net = Net::new(4).conv("c", "x", &conv).output("c");
                check(
                    &net,
                    &[1, 4, 40, 30],
                    &format!("{weights:?} {bias:?} {filters} {groups}"),
                );
            }
        }
    }
}

#[test]
fn clamps_become_bounds() {
    for clamp in [
        Clamp::Relu,
        Clamp::Clip(Some(0.0), Some(6.0)),
        Clamp::Clip(None, Some(0.5)),
        Clamp::Clip(Some(-0.3), None),
    ] {
        let mut conv = Conv::new(8, 1);
        conv.clamps = vec![clamp, Clamp::Clip(Some(-1.0), Some(4.0))];
        let net = Net::new(4).conv("c", "x", &conv).output("c");
        check(&net, &[1, 4, 40, 30], &format!("{clamp:?}"));
    }
}

#[test]
fn batches() {
    let mut conv = Conv::new(8, 3);
    conv.stride = 2;
    let mut depthwise = Conv::new(8, 3);
    (depthwise.groups, depthwise.pads) = (8, [1; 4]);
    for batch in [1, 4] {
        let net = Net::new(3)
            .conv("a", "x", &conv)
            .conv("b", "a", &depthwise)
            .conv("c", "b", &Conv::new(5, 1));
        check(
            &net.output("c"),
            &[batch, 3, 33, 21],
            &format!("batch {batch}"),
        );
        let net = Net::new(3)
            .conv("a", "x", &conv)
            .pool("p", "a", true)
            .output("p");
        check(&net, &[batch, 3, 33, 21], &format!("pooled batch {batch}"));
    }
}

#[test]
fn pools_to_reals_and_to_bytes() {
    for quantized in [false, true] {
        let net = Net::new(6)
            .conv("a", "x", &Conv::new(9, 1))
            .pool("p", "a", quantized);
        let (int8, f32) = plans(&net.clone().output("p"), &[2, 6, 12, 10]);
        let x = reals(2 * 6 * 120, 1);
        let got = &int8.run(Input::F32(&x)).expect("a result")[0];
        let expected = &f32.run(Input::F32(&x)).expect("a result")[0];
        // The average of bytes that may be a step off.
        let step = if quantized {
            OUT_SCALE
        } else {
            OUT_SCALE * 0.01
        };
        assert_close(got, expected, step, "pool");
        assert!(
            int8.steps()
                .iter()
                .all(|step| step.precision == Precision::I8)
        );
    }
}

#[test]
fn a_map_and_its_pooled_features_leave_one_region() {
    let net = Net::new(6)
        .conv("a", "x", &Conv::new(9, 1))
        .pool("p", "a", false)
        .flatten("f", "p");
    let (int8, f32) = plans(&net.output("a").output("f"), &[1, 6, 12, 10]);
    let x = reals(6 * 120, 1);
    let (got, expected) = (
        int8.run(Input::F32(&x)).expect("a result"),
        f32.run(Input::F32(&x)).expect("a result"),
    );
    assert_eq!(got[1].shape, [1, 9]);
    assert_close(&got[0], &expected[0], OUT_SCALE, "map");
    for (got, expected) in got[1].data.iter().zip(&expected[1].data) {
        assert!(
            (got - expected).abs() <= OUT_SCALE * 0.01,
            "{got} {expected}"
        );
    }
    assert!(
        int8.steps()
            .iter()
            .all(|step| step.precision == Precision::I8),
        "{:?}",
        int8.steps()
    );
}

#[test]
fn max_pools_of_one_scale() {
    for size in SIZES {
        for clamps in [
            vec![],
            vec![Clamp::Relu],
            vec![Clamp::Clip(None, Some(1.0))],
        ] {
            let net = Net::new(5)
                .conv("a", "x", &Conv::new(18, 1))
                .max_pool("m", "a", &clamps)
                .output("m");
            check(
                &net,
                &[2, 5, size[0], size[1]],
                &format!("{clamps:?} on {size:?}"),
            );
        }
    }
    // What is fed counts in other steps than what is computed.
    let net = Net::new(5).max_pool("m", "x", &[]).output("m");
    let (int8, f32) = plans(&net, &[1, 5, 9, 9]);
    assert_eq!(
        precision(&int8, "/m_sum"),
        (Precision::F32, Some(Reason::OutputScale))
    );
    compare(&net, (&int8, &f32), &[1, 5, 9, 9], "other scales");
}

#[test]
fn functions_of_one_element_are_tables() {
    for op in ["Sigmoid", "Tanh", "HardSwish", "Relu"] {
        let net = Net::new(4)
            .conv("a", "x", &Conv::new(6, 3))
            .unary("f", op, "a")
            .conv("b", "f", &Conv::new(4, 1))
            .output("f")
            .output("b");
        check(&net, &[1, 4, 11, 14], op);
    }
    // A softmax looks at its neighbours.
    let net = Net::new(4).unary("f", "Softmax", "x").output("f");
    let (int8, _) = plans(&net, &[1, 4, 5, 5]);
    assert_eq!(precision(&int8, "/f_sum").0, Precision::F32);
}

#[test]
fn threads_share_a_plan() {
    let net = Net::new(4)
        .conv("a", "x", &Conv::new(16, 3))
        .conv("b", "a", &Conv::new(5, 1))
        .output("b");
    let (int8, _) = plans(&net, &[1, 4, 40, 40]);
    let x = reals(4 * 1600, 1);
    let first = int8.run(Input::F32(&x)).expect("a result");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                (0..8).for_each(|_| assert_eq!(int8.run(Input::F32(&x)).expect("a result"), first))
            });
        }
    });
}
