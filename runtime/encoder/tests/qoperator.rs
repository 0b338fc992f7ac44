//! Networks in the QOperator form: they are those in the QDQ form, and onnxruntime's. See `tests/golden/qoperator.py`.

mod support;

use std::fs;
use std::path::Path;

use ocellus_encoder::{CheckedModel, Dim, Encoder, Fault, Input, Limits, Plan, Precision, Reason};
use ocellus_kernels::{Isa, Tier};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use support::*;

/// One network in both forms, what it is fed, and what onnxruntime made of it.
struct Case<'a> {
    name: &'a str,
    file: &'a SafeTensors<'a>,
}

impl<'a> Case<'a> {
    fn data(&self, part: &str) -> &'a [u8] {
        let name = format!("{}.{part}", self.name);
        let tensor = self.file.tensor(&name);
        tensor
            .unwrap_or_else(|error| panic!("{name}: {error}"))
            .data()
    }

    fn plan(&self, form: &str, isa: Isa) -> Plan {
        let model = CheckedModel::scan(self.name, self.data(form), &Limits::default());
        let encoder = Encoder::new(model.expect("a good file"), isa).expect("a graph");
        let shape = self.file.tensor(&format!("{}.x", self.name));
        let dims = shape.expect("an input").shape().to_vec();
        let dims: Vec<Dim> = dims.into_iter().map(Dim::Fixed).collect();
        let output = encoder.model().outputs()[0].name.clone();
        encoder.plan("x_in", &dims, &[&output]).expect("a plan")
    }

    fn run(&self, plan: &Plan) -> Vec<f32> {
        let x: Vec<f32> = self
            .data("x")
            .iter()
            .map(|&pixel| (f32::from(pixel) - 127.0) / 128.0)
            .collect();
        let result = plan.run(Input::F32(&x)).expect("a result");
        result.into_iter().next().expect("an output").data
    }

    /// onnxruntime's integers as reals.
    fn expected(&self) -> (Vec<f32>, f32) {
        let (meaning, _) = self.data("scale").as_chunks::<4>();
        let [scale, zero_point] = [0, 1].map(|at| f32::from_le_bytes(meaning[at]));
        let y = self.file.tensor(&format!("{}.y", self.name));
        let signed = y.expect("an output").dtype() == Dtype::I8;
        let real = |&byte: &u8| {
            let integer = if signed {
                f32::from(byte as i8)
            } else {
                f32::from(byte)
            };
            (integer - zero_point) * scale
        };
        (self.data("y").iter().map(real).collect(), scale)
    }
}

fn with_cases(check: impl Fn(&Case)) {
    let path = Path::new("../../tests/golden/qoperator.safetensors");
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let names = file.names();
    let names: Vec<&str> = names
        .iter()
        .filter_map(|name| name.strip_suffix(".model"))
        .collect();
    assert_eq!(names.len(), 10);
    for name in names {
        check(&Case { name, file: &file });
    }
}

#[test]
fn answers_are_those_of_the_qdq_form_and_onnxruntimes() {
    let detected = ocellus_sys::isa::detect();
    with_cases(|case| {
        let (expected, scale) = case.expected();
        for tier in Tier::ALL {
            let isa = detected.at_most(tier);
            let [integer, qdq] = ["model", "qdq"].map(|form| case.run(&case.plan(form, isa)));
            assert_eq!(integer, qdq, "{} {tier}", case.name);
            let steps = |(a, b): (&f32, &f32)| ((a - b) / scale).abs().round() as usize;
            let apart: Vec<usize> = integer.iter().zip(&expected).map(steps).collect();
            let unequal = apart.iter().filter(|&&steps| steps > 0).count();
            let most = apart.iter().max().copied().unwrap_or_default();
            // A chain passes on what its first operator rounded otherwise.
            let allowed = match case.name.starts_with("chain") {
                true => expected.len() / 50,
                false => expected.len() / 500,
            };
            assert!(
                most <= 1 && unequal <= allowed,
                "{} {tier}: {unequal} of {} differ, by up to {most}",
                case.name,
                expected.len()
            );
        }
    });
}

#[test]
fn both_forms_are_one_region_of_the_same_work() {
    with_cases(|case| {
        let [integer, qdq] = ["model", "qdq"].map(|form| case.plan(form, Isa::Scalar));
        let work = |plan: &Plan| -> Vec<&str> {
            let operations = plan.operations().iter();
            operations.map(|operation| operation.kernel).collect()
        };
        assert_eq!(work(&integer), work(&qdq), "{}", case.name);
        if case.name.starts_with("real_") {
            return;
        }
        for step in integer.steps() {
            assert_eq!(
                (step.precision, step.reason),
                (Precision::I8, None),
                "{}: {step:?}",
                case.name
            );
        }
        assert!(!work(&integer).contains(&"tract"), "{}", case.name);
    });
}

#[test]
fn what_has_no_kernel_says_so_by_its_own_name() {
    with_cases(|case| {
        let reason = match case.name {
            "real_zero_point" => Reason::WeightZeroPoint,
            name if name.starts_with("real_") => Reason::NoKernel,
            _ => return,
        };
        let plan = case.plan("model", Isa::Scalar);
        let step = plan.steps().iter().find(|step| step.node == "/y");
        let step = step.expect("the node of the file");
        assert_eq!(
            (step.precision, step.reason),
            (Precision::F32, Some(reason)),
            "{step:?}"
        );
    });
}

/// A graph whose one node of the QOperator form is fed `inputs`.
fn fault(op: &str, inputs: &[&str], attribute: Option<Message>) -> Fault {
    let mut quantized = node(op, inputs, &["y"]).text(7, "com.microsoft");
    if let Some(attribute) = attribute {
        quantized = quantized.message(5, attribute);
    }
    let graph = Graph::new()
        .input(value("x", F32, &[1, 4, 3, 3]))
        .constant(f32s("s", &[], &[0.1]))
        .constant(f32s("zero", &[], &[0.0]))
        .constant(u8s("z", &[], &[3]))
        .node(node("QuantizeLinear", &["x", "s", "z"], &["q"]))
        .node(quantized)
        .node(node("DequantizeLinear", &["y", "s", "z"], &["out"]))
        .output(value("out", F32, &[]));
    let scanned = CheckedModel::scan("test.onnx", &graph.model(), &Limits::default());
    scanned.expect_err("a bad file").fault().clone()
}

#[test]
fn what_is_not_read_is_refused_by_name() {
    let whole = ["q", "s", "z", "s", "z"];
    let last = int_attribute("channels_last", 1);
    let refused = fault("QLinearGlobalAveragePool", &whole, Some(last));
    assert!(matches!(refused, Fault::Unsupported { .. }), "{refused}");
    assert!(refused.to_string().contains("/y"), "{refused}");
    for inputs in [&whole[..4], &["q", "s", "z", "s", ""]] {
        let refused = fault("QLinearSigmoid", inputs, None);
        assert!(
            matches!(&refused, Fault::Missing { part, .. } if part.contains("zero point")),
            "{refused}"
        );
    }
    for inputs in [&whole[..3], &["q", "", "z", "s", "z"]] {
        let refused = fault("QLinearSigmoid", inputs, None);
        assert!(
            matches!(&refused, Fault::Missing { part, .. } if part.contains("scale")),
            "{refused}"
        );
    }
    let refused = fault("QLinearSigmoid", &["q", "zero", "z", "s", "z"], None);
    assert!(matches!(refused, Fault::Scale { .. }), "{refused}");
    let refused = fault("QLinearAdd", &["q", "s", "z", "", "s", "z", "s", "z"], None);
    assert!(matches!(refused, Fault::Missing { .. }), "{refused}");
}
