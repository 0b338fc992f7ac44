//! Quantized operators and short chains of them against onnxruntime's ARM build: see `tests/golden/onnxruntime.py`.

mod support;

use ocellus_encoder::{CheckedModel, Dim, Encoder, Input, Limits, Pixels, Plan, Precision};
use ocellus_kernels::{Isa, Tier};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use support::golden::{self, cosine};

/// One graph, its input, and what onnxruntime made of it.
struct Case<'a> {
    name: &'a str,
    golden: &'a golden::Case<'a>,
    input: Vec<f32>,
    /// The quantized output.
    expected: Vec<i32>,
    scale: f32,
    zero_point: i32,
}

impl<'a> Case<'a> {
    fn read(golden: &'a golden::Case<'a>) -> Case<'a> {
        let (x, y) = (golden.tensor("x"), golden.tensor("y"));
        let integer = |&byte: &u8| match y.dtype() {
            Dtype::I8 => i32::from(byte as i8),
            _ => i32::from(byte),
        };
        let scale = golden.reals("scale");
        let pixels = x.data().iter();
        Case {
            name: golden.name,
            golden,
            input: pixels
                .map(|&pixel| (f32::from(pixel) - 127.0) / 128.0)
                .collect(),
            expected: y.data().iter().map(integer).collect(),
            scale: scale[0],
            zero_point: scale[1] as i32,
        }
    }

    fn plan(&self, isa: Isa) -> Plan {
        let encoder = self.golden.encoder("model", isa);
        let plan = encoder.plan("x_in", &self.golden.dims("x"), &["y"]);
        plan.expect("a plan")
    }

    /// How many integers of the output differ from onnxruntime's, and by how much at the most.
    fn differences(&self, plan: &Plan) -> (usize, i32) {
        let result = plan.run(Input::F32(&self.input)).expect("a result");
        assert_eq!(result[0].data.len(), self.expected.len(), "{}", self.name);
        let integers = result[0].data.iter().map(|&real| {
            let steps = real / self.scale;
            assert!(
                (steps - steps.round()).abs() < 1e-3,
                "{}: {real}",
                self.name
            );
            steps.round() as i32 + self.zero_point
        });
        let differences: Vec<i32> = integers
            .zip(&self.expected)
            .map(|(got, expected)| (got - expected).abs())
            .filter(|&difference| difference > 0)
            .collect();
        (
            differences.len(),
            differences.into_iter().max().unwrap_or(0),
        )
    }
}

fn with_cases(check: impl Fn(&Case)) {
    golden::with_cases("onnxruntime", 24, |golden| check(&Case::read(golden)));
}

#[test]
fn operators_are_onnxruntimes_within_a_step_in_one_of_a_thousand() {
    let detected = ocellus_sys::isa::detect();
    with_cases(|case| {
        for tier in Tier::ALL {
            let (count, most) = case.differences(&case.plan(detected.at_most(tier)));
            // A chain passes on what its first operator rounded otherwise.
            let allowed = match case.name.starts_with("chain") {
                true => case.expected.len() / 100,
                false => case.expected.len() / 1000,
            };
            let name = case.name;
            assert!(
                most <= 1 && count <= allowed,
                "{name} {}: {count} of {} differ, by up to {most}",
                tier.name(),
                case.expected.len()
            );
        }
    });
}

#[test]
fn every_step_runs_in_int8() {
    with_cases(|case| {
        for step in case.plan(Isa::Scalar).steps() {
            assert_eq!(
                (step.precision, step.reason),
                (Precision::I8, None),
                "{}: {step:?}",
                case.name
            );
        }
    });
}

#[test]
fn the_default_encoder_is_onnxruntimes() {
    let bytes = golden::bytes("tests/golden/onnxruntime.safetensors");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let model = golden::bytes("models/default/image.onnx");
    let model = CheckedModel::scan("image.onnx", &model, &Limits::default()).expect("a good file");
    let encoder = Encoder::new(model, ocellus_sys::isa::detect()).expect("a graph");
    for side in [112, 160, 224] {
        let tensor = |part: &str| {
            file.tensor(&format!("whole_{side}.{part}"))
                .expect("a golden")
        };
        let (expected, _) = tensor("features").data().as_chunks::<4>();
        let expected: Vec<f32> = expected
            .iter()
            .map(|&four| f32::from_le_bytes(four))
            .collect();
        let dims = [1, 3, side, side].map(Dim::Fixed);
        let plan = encoder.plan("image", &dims, &["features"]).expect("a plan");
        let pixels = Pixels {
            rgb: tensor("x").data(),
            mean: [127.0; 3],
            std: [128.0; 3],
        };
        let result = plan.run(Input::Pixels(pixels)).expect("a result");
        let cosine = cosine(&result[0].data, &expected);
        assert!(cosine >= 0.999, "{side}: {cosine}");
    }
}
