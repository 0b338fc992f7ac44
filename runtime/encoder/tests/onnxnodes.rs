//! ONNX's own backend tests of the quantized operators, of LayerNormalization, Softmax and Gelu, run through the encoder: see
//! `tests/golden/onnxnodes.py`.

mod support;

use ocellus_encoder::{Input, Tensor};
use support::golden::{Case, with_cases};

/// Runs a case; its outputs, and those that are expected.
fn run(case: &Case) -> (Vec<Tensor>, Vec<Tensor>) {
    let parts: Vec<String> = (0..)
        .map(|i| format!("out{i}"))
        .take_while(|part| case.has(part))
        .collect();
    let names: Vec<&str> = parts.iter().map(String::as_str).collect();
    let expected = names.iter().map(|part| Tensor {
        shape: case.tensor(part).shape().to_vec(),
        data: case.reals(part),
    });
    let plan =
        case.encoder("model", ocellus_sys::isa::detect())
            .plan("in", &case.dims("in"), &names);
    let plan = plan.unwrap_or_else(|error| panic!("{error}"));
    let outputs = plan.run(Input::F32(&case.reals("in")));
    let outputs = outputs.unwrap_or_else(|error| panic!("{error}"));
    (outputs, expected.collect())
}

#[test]
fn operators_are_onnxs() {
    with_cases("onnxnodes", 45, |case| {
        let (outputs, expected) = run(case);
        let real = ["test_layer_normalization", "test_softmax", "test_gelu"];
        if real.iter().any(|name| case.name.starts_with(name)) {
            assert_near(&outputs, &expected, case.name);
        } else {
            assert_eq!(outputs, expected, "{}", case.name);
        }
    });
}

/// Within rounding of f32.
fn assert_near(outputs: &[Tensor], expected: &[Tensor], case: &str) {
    assert_eq!(outputs.len(), expected.len(), "{case}");
    for (output, expected) in outputs.iter().zip(expected) {
        assert_eq!(output.shape, expected.shape, "{case}");
        for (got, expected) in output.data.iter().zip(&expected.data) {
            let apart = (got - expected).abs();
            assert!(
                apart <= 1e-5 * (1.0 + expected.abs()),
                "{case}: {got}, expected {expected}"
            );
        }
    }
}
