//! A plan is the same whatever its encoder planned before: its results, its operations, its steps, its faults.

mod support;

use std::path::Path;

use ocellus_encoder::{CheckedModel, Dim, Encoder, Input, Limits, Plan};
use support::plans::{encoder, fault, fixed};
use support::quantized::*;
use support::*;

/// Plans each of `shapes` with one encoder, forth and back, and compares with an encoder for each.
fn check(what: &str, new: impl Fn() -> Encoder, outputs: &[&str], shapes: &[&[usize]]) {
    let input = new().model().inputs()[0].name.clone();
    let plan = |encoder: &Encoder, dims: &[usize]| -> Plan {
        let plan = encoder.plan(&input, &fixed(dims), outputs);
        plan.unwrap_or_else(|error| panic!("{what} of {dims:?}: {error}"))
    };
    let shared = new();
    let mut kept = Vec::new();
    for dims in shapes.iter().chain(shapes.iter().rev()) {
        let (fresh, later) = (plan(&new(), dims), plan(&shared, dims));
        let what = format!("{what} of {dims:?}");
        assert_eq!(fresh.operations(), later.operations(), "{what}");
        assert_eq!(fresh.steps(), later.steps(), "{what}");
        let x = reals(dims.iter().product(), 7);
        let run = |plan: &Plan| plan.run(Input::F32(&x)).expect("a result");
        assert_eq!(run(&fresh), run(&later), "{what}");
        kept.push(later);
    }
}

#[test]
fn the_default_bundle() {
    let path = Path::new("../../models/default/image.onnx");
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let new = || {
        let model = CheckedModel::scan("image.onnx", &bytes, &Limits::default()).expect("a file");
        Encoder::new(model, ocellus_sys::isa::detect()).expect("a graph")
    };
    let shapes: [&[usize]; 4] = [
        &[1, 3, 112, 112],
        &[1, 3, 160, 160],
        &[1, 3, 97, 131],
        &[1, 3, 224, 224],
    ];
    check("image", new, &["map", "features"], &shapes);
    let f32 = || new().without_regions();
    check("image in f32", f32, &["features"], &[shapes[0], shapes[2]]);
}

#[test]
fn quantized_networks_of_every_operator() {
    let conv = Conv {
        stride: 2,
        pads: [1, 1, 1, 1],
        clamps: vec![Clamp::Relu],
        ..Conv::new(6, 3)
    };
    let depthwise = Conv {
        groups: 6,
        pads: [1, 1, 1, 1],
        ..Conv::new(6, 3)
    };
    let net = Net::new(3)
        .conv("a", "x", &conv)
        .conv("b", "a", &depthwise)
        .add("c", "a", "b", &[])
        .max_pool("d", "c", &[])
        .real_conv("e", "d", 6, 4)
        .pool("p", "c", false)
        .flatten("f", "p")
        .output("c")
        .output("d")
        .output("f");
    let names: Vec<String> = net.outputs.iter().map(|(name, _)| name.clone()).collect();
    let outputs: Vec<&str> = names.iter().map(String::as_str).collect();
    let bytes = net.model();
    let shapes: [&[usize]; 4] = [&[1, 3, 8, 8], &[1, 3, 13, 9], &[2, 3, 7, 16], &[1, 3, 8, 8]];
    check("net", || encoder(&bytes), &outputs, &shapes);
    let f32 = || encoder(&bytes).without_regions();
    check("net in f32", f32, &outputs, &shapes);
}

/// `y` is `x` with its last two axes as one, by way of its sizes, and `z` its mean over them.
fn by_its_sizes() -> Graph {
    Graph::new()
        .input(value("x", F32, &[-1, 2, -1, -1]))
        .constant(i64s("first", &[], &[0]))
        .constant(i64s("axis", &[1], &[0]))
        .constant(i64s("rest", &[2], &[2, -1]))
        .node(node("Shape", &["x"], &["sizes"]))
        .node(node("Gather", &["sizes", "first"], &["n"]))
        .node(node("Unsqueeze", &["n", "axis"], &["n1"]))
        .node(node("Concat", &["n1", "rest"], &["to"]).message(5, int_attribute("axis", 0)))
        .node(node("Reshape", &["x", "to"], &["y"]))
        .node(node("GlobalAveragePool", &["x"], &["z"]))
        .output(value("y", F32, &[-1, 2, -1]))
        .output(value("z", F32, &[-1, 2, 1, 1]))
}

#[test]
fn sizes_that_are_computed_with() {
    let bytes = by_its_sizes().model();
    let shapes: [&[usize]; 3] = [&[1, 2, 3, 5], &[2, 2, 4, 4], &[3, 2, 1, 7]];
    check("sizes", || encoder(&bytes), &["y", "z"], &shapes);
}

#[test]
fn faults() {
    let sum = Graph::new()
        .input(value("x", F32, &[-1, -1, -1, -1]))
        .constant(f32s("w", &[1, 4, 1, 1], &[1.0, 2.0, 3.0, 4.0]))
        .constant(f32s("k", &[2, 4, 1, 1], &[0.5; 8]))
        .node(node("Add", &["x", "w"], &["s"]))
        .node(node("Conv", &["x", "k"], &["c"]))
        .output(value("s", F32, &[-1, -1, -1, -1]))
        .output(value("c", F32, &[-1, -1, -1, -1]));
    let bytes = sum.model();
    let shared = encoder(&bytes);
    let plan = |encoder: &Encoder, dims: &[Dim], output| encoder.plan("x", dims, &[output]);
    for output in ["s", "c"] {
        for bad in [[1, 3, 5, 5], [2, 5, 4, 4]] {
            plan(&shared, &fixed(&[1, 4, 6, 6]), output).expect("a plan");
            let expected = fault(plan(&encoder(&bytes), &fixed(&bad), output));
            for _ in 0..2 {
                assert_eq!(
                    fault(plan(&shared, &fixed(&bad), output)),
                    expected,
                    "{bad:?}"
                );
            }
            plan(&shared, &fixed(&[1, 4, 5, 7]), output).expect("a plan");
        }
    }
}
