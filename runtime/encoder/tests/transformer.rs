//! A transformer that is quantized throughout, Softmax, LayerNormalization and GELU included, against onnxruntime: see
//! `tests/golden/transformer.py`.

mod support;

use ocellus_encoder::{CheckedModel, Dim, Encoder, Input, Limits, Plan, Precision};
use ocellus_kernels::{Isa, Tier};
use safetensors::SafeTensors;
use support::golden::{self, cosine};

struct Golden {
    model: Vec<u8>,
    shape: Vec<usize>,
    x: Vec<f32>,
    y: Vec<f32>,
    real: Vec<f32>,
    scale: f32,
}

impl Golden {
    fn read() -> Golden {
        let bytes = golden::bytes("tests/golden/transformer.safetensors");
        let file = SafeTensors::deserialize(&bytes).expect("safetensors");
        let reals = |part: &str| -> Vec<f32> {
            let (values, _) = file.tensor(part).expect(part).data().as_chunks::<4>();
            let reals = values.iter().map(|&value| f32::from_le_bytes(value));
            reals.collect()
        };
        Golden {
            model: file.tensor("model").expect("a model").data().to_vec(),
            shape: file.tensor("x").expect("an input").shape().to_vec(),
            x: reals("x"),
            y: reals("y"),
            real: reals("real"),
            scale: reals("scale")[0],
        }
    }

    fn plan(&self, isa: Isa) -> Plan {
        let model = CheckedModel::scan("transformer.onnx", &self.model, &Limits::default());
        let encoder = Encoder::new(model.expect("a good file"), isa).expect("a graph");
        let dims: Vec<Dim> = self.shape.iter().copied().map(Dim::Fixed).collect();
        encoder.plan("x", &dims, &["y"]).expect("a plan")
    }

    fn run(&self, isa: Isa) -> Vec<f32> {
        let result = self.plan(isa).run(Input::F32(&self.x)).expect("a result");
        result.into_iter().next().expect("an output").data
    }
}

#[test]
fn answers_are_onnxruntimes_and_those_of_every_tier() {
    let golden = Golden::read();
    let detected = ocellus_sys::isa::detect();
    let first = golden.run(Isa::Scalar);
    let apart = first.iter().zip(&golden.y).map(|(a, b)| (a - b).abs());
    let most = apart.fold(0.0f32, f32::max) / golden.scale;
    // Some sixty operators pass on what one of them rounded otherwise.
    assert!(most <= 3.01, "{most} steps");
    let same = cosine(&first, &golden.y);
    assert!(same >= 0.9999, "{same}");
    // No farther from the model in f32 than onnxruntime is, but for what rounding leaves to chance.
    let [ours, theirs] = [&first, &golden.y].map(|y| 1.0 - cosine(y, &golden.real));
    assert!(ours <= 1.1 * theirs, "{ours} {theirs}");
    for tier in Tier::ALL {
        assert!(golden.run(detected.at_most(tier)) == first, "{tier}");
    }
}

#[test]
fn products_run_in_int8_and_what_does_not_says_why() {
    let plan = Golden::read().plan(Isa::Scalar);
    let products: Vec<_> = plan
        .steps()
        .iter()
        .filter(|step| step.op == "MatMul")
        .collect();
    let in_int8 = products
        .iter()
        .filter(|step| step.precision == Precision::I8);
    assert_eq!((products.len(), in_int8.count()), (10, 10));
    for step in plan.steps() {
        assert!(
            step.precision == Precision::I8 || step.reason.is_some(),
            "{step:?}"
        );
    }
}
