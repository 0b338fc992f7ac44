//! Cases that a Python program in `tests/golden` wrote down: graphs, what they are fed, and what onnxruntime or ONNX makes of it.

use std::fs;
use std::path::Path;

use ocellus_encoder::{CheckedModel, Dim, Encoder, EncoderError, Input, Limits, Plan};
use ocellus_kernels::Isa;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

/// The bytes of a file, by its path from the project's root.
pub fn bytes(path: &str) -> Vec<u8> {
    let path = Path::new("../..").join(path);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Tensors of one case, which are called after it and the part that they are.
pub struct Case<'a> {
    pub name: &'a str,
    file: &'a SafeTensors<'a>,
}

/// Calls `check` for each of the `count` cases of `tests/golden/NAME.safetensors`: those that have a model.
pub fn with_cases(name: &str, count: usize, check: impl Fn(&Case)) {
    let bytes = bytes(&format!("tests/golden/{name}.safetensors"));
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let names = file.names();
    let names: Vec<&str> = names
        .iter()
        .filter_map(|name| name.strip_suffix(".model"))
        .collect();
    assert_eq!(names.len(), count, "cases in {name}");
    for name in names {
        check(&Case { name, file: &file });
    }
}

impl<'a> Case<'a> {
    pub fn tensor(&self, part: &str) -> TensorView<'a> {
        let name = format!("{}.{part}", self.name);
        let tensor = self.file.tensor(&name);
        tensor.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn has(&self, part: &str) -> bool {
        self.file.tensor(&format!("{}.{part}", self.name)).is_ok()
    }

    /// The elements of a tensor of f32.
    pub fn reals(&self, part: &str) -> Vec<f32> {
        let (values, _) = self.tensor(part).data().as_chunks::<4>();
        let reals = values.iter().map(|&value| f32::from_le_bytes(value));
        reals.collect()
    }

    /// The sizes of a tensor, as a plan takes them.
    pub fn dims(&self, part: &str) -> Vec<Dim> {
        let shape = self.tensor(part).shape().to_vec();
        shape.into_iter().map(Dim::Fixed).collect()
    }

    /// The graph `form`, which is `model` as a rule.
    pub fn try_encoder(&self, form: &str, isa: Isa) -> Result<Encoder, EncoderError> {
        let model = CheckedModel::scan(self.name, self.tensor(form).data(), &Limits::default());
        Encoder::new(model?, isa)
    }

    pub fn encoder(&self, form: &str, isa: Isa) -> Encoder {
        let encoder = self.try_encoder(form, isa);
        encoder.unwrap_or_else(|error| panic!("{error}"))
    }
}

/// The one output of `plan`.
pub fn run(plan: &Plan, x: &[f32]) -> Vec<f32> {
    try_run(plan, x).expect("a result")
}

pub fn try_run(plan: &Plan, x: &[f32]) -> Result<Vec<f32>, EncoderError> {
    let result = plan.run(Input::F32(x))?;
    Ok(result.into_iter().next().expect("an output").data)
}

pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
        products.sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
