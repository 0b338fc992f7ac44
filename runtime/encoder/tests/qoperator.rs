//! Networks in the QOperator form: they are those in the QDQ form, and onnxruntime's. See `tests/golden/qoperator.py`.

mod support;

use ocellus_encoder::{CheckedModel, Fault, Limits, Plan, Precision, Reason};
use ocellus_kernels::{Isa, Tier};
use safetensors::tensor::Dtype;
use support::golden::{self, Case};
use support::*;

fn plan(case: &Case, form: &str, isa: Isa) -> Plan {
    let encoder = case.encoder(form, isa);
    let output = encoder.model().outputs()[0].name.clone();
    encoder
        .plan("x_in", &case.dims("x"), &[&output])
        .expect("a plan")
}

fn run(case: &Case, plan: &Plan) -> Vec<f32> {
    let pixels = case.tensor("x").data().iter();
    let x: Vec<f32> = pixels
        .map(|&pixel| (f32::from(pixel) - 127.0) / 128.0)
        .collect();
    golden::run(plan, &x)
}

/// onnxruntime's integers as reals, and their step.
fn expected(case: &Case) -> (Vec<f32>, f32) {
    let meaning = case.reals("scale");
    let (scale, zero_point) = (meaning[0], meaning[1]);
    let y = case.tensor("y");
    let real = |&byte: &u8| {
        let integer = match y.dtype() {
            Dtype::I8 => f32::from(byte as i8),
            _ => f32::from(byte),
        };
        (integer - zero_point) * scale
    };
    (y.data().iter().map(real).collect(), scale)
}

fn with_cases(check: impl Fn(&Case)) {
    golden::with_cases("qoperator", 17, check);
}

#[test]
fn answers_are_those_of_the_qdq_form_and_onnxruntimes() {
    let detected = ocellus_sys::isa::detect();
    with_cases(|case| {
        let (expected, scale) = expected(case);
        for tier in Tier::ALL {
            let isa = detected.at_most(tier);
            let [integer, qdq] = ["model", "qdq"].map(|form| run(case, &plan(case, form, isa)));
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
        let [integer, qdq] = ["model", "qdq"].map(|form| plan(case, form, Isa::Scalar));
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
            // A number for each pixel, and rows behind one another.
            "real_mul" | "real_concat" => Reason::Attribute,
            name if name.starts_with("real_") => Reason::NoKernel,
            _ => return,
        };
        let plan = plan(case, "model", Isa::Scalar);
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
