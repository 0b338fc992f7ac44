//! ONNX's own backend tests of the quantized operators, of LayerNormalization and of Softmax, run through the encoder: see
//! `tests/golden/onnxnodes.py`.

use std::fs;
use std::path::Path;

use ocellus_encoder::{CheckedModel, Dim, Encoder, Input, Limits, Tensor};
use safetensors::SafeTensors;

/// Runs a case; its outputs, and those that are expected.
fn run(file: &SafeTensors, case: &str) -> Result<(Vec<Tensor>, Vec<Tensor>), String> {
    let read = |part: &str| -> Option<Tensor> {
        let view = file.tensor(&format!("{case}.{part}")).ok()?;
        let (values, _) = view.data().as_chunks::<4>();
        Some(Tensor {
            shape: view.shape().to_vec(),
            data: values
                .iter()
                .map(|&value| f32::from_le_bytes(value))
                .collect(),
        })
    };
    let model = file.tensor(&format!("{case}.model")).expect("a model");
    let expected: Vec<Tensor> = (0..).map_while(|i| read(&format!("out{i}"))).collect();
    let names: Vec<String> = (0..expected.len()).map(|i| format!("out{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let input = read("in").expect("an input");
    let dims: Vec<Dim> = input.shape.iter().copied().map(Dim::Fixed).collect();
    let outputs = CheckedModel::scan(case, model.data(), &Limits::default())
        .and_then(|model| Encoder::new(model, ocellus_sys::isa::detect()))
        .and_then(|encoder| {
            encoder
                .plan("in", &dims, &names)?
                .run(Input::F32(&input.data))
        })
        .map_err(|error| error.to_string())?;
    Ok((outputs, expected))
}

#[test]
fn operators_are_onnxs() {
    let path = Path::new("../../tests/golden/onnxnodes.safetensors");
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let names = file.names();
    let cases: Vec<&str> = names
        .iter()
        .filter_map(|name| name.strip_suffix(".model"))
        .collect();
    assert_eq!(cases.len(), 41);
    for case in cases {
        let (outputs, expected) =
            run(&file, case).unwrap_or_else(|error| panic!("{case}: {error}"));
        let real = ["test_layer_normalization", "test_softmax"];
        if real.iter().any(|name| case.starts_with(name)) {
            assert_near(&outputs, &expected, case);
        } else {
            assert_eq!(outputs, expected, "{case}");
        }
    }
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
