//! Dynamically quantized operators against onnxruntime: see `tests/golden/dynamic.py`.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ocellus_encoder::{CheckedModel, Dim, Encoder, Input, Limits, Plan, Precision};
use ocellus_kernels::{Isa, Tier};
use ocellus_sys::Pool;
use safetensors::SafeTensors;

/// One graph, its input, and what onnxruntime made of it.
struct Case<'a> {
    name: &'a str,
    model: &'a [u8],
    dims: Vec<Dim>,
    x: Vec<f32>,
    y: Vec<f32>,
}

impl<'a> Case<'a> {
    fn read(file: &SafeTensors<'a>, name: &'a str) -> Case<'a> {
        let tensor = |part: &str| {
            let name = format!("{name}.{part}");
            file.tensor(&name)
                .unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        let reals = |part: &str| {
            let (values, _) = tensor(part).data().as_chunks::<4>();
            values
                .iter()
                .map(|&value| f32::from_le_bytes(value))
                .collect()
        };
        let dims = tensor("x").shape().to_vec().into_iter();
        Case {
            name,
            model: tensor("model").data(),
            dims: dims.map(Dim::Fixed).collect(),
            x: reals("x"),
            y: reals("y"),
        }
    }

    fn encoder(&self, isa: Isa) -> Encoder {
        let model = CheckedModel::scan(self.name, self.model, &Limits::default());
        Encoder::new(model.expect("a good file"), isa).expect("a graph")
    }

    fn plan(&self, encoder: &Encoder) -> Plan {
        encoder.plan("x", &self.dims, &["y"]).expect("a plan")
    }

    fn run(&self, encoder: &Encoder, x: &[f32]) -> Vec<f32> {
        let result = self.plan(encoder).run(Input::F32(x)).expect("a result");
        result.into_iter().next().expect("an output").data
    }
}

fn with_cases(check: impl Fn(&Case)) {
    let path = Path::new("../../tests/golden/dynamic.safetensors");
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let names = file.names();
    let names: Vec<&str> = names
        .iter()
        .filter_map(|name| name.strip_suffix(".model"))
        .collect();
    assert_eq!(names.len(), 8);
    for name in names {
        check(&Case::read(&file, name));
    }
}

fn bits(reals: &[f32]) -> Vec<u32> {
    reals.iter().map(|real| real.to_bits()).collect()
}

#[test]
fn answers_are_onnxruntimes_in_every_tier() {
    let detected = ocellus_sys::isa::detect();
    with_cases(|case| {
        let greatest = case.y.iter().fold(0.0f32, |most, y| most.max(y.abs()));
        let first = case.run(&case.encoder(Isa::Scalar), &case.x);
        for tier in Tier::ALL {
            let got = case.run(&case.encoder(detected.at_most(tier)), &case.x);
            // Sums are integers, and each scale is a product of two.
            assert_eq!(bits(&got), bits(&first), "{} {tier}", case.name);
            assert_eq!(got.len(), case.y.len(), "{}", case.name);
            for (at, (got, expected)) in got.iter().zip(&case.y).enumerate() {
                assert!(
                    (got - expected).abs() <= 1e-6 * greatest,
                    "{} {tier}: element {at} is {got}, expected {expected}",
                    case.name
                );
            }
        }
    });
}

#[test]
fn sums_are_integers_and_say_so() {
    with_cases(|case| {
        let plan = case.plan(&case.encoder(Isa::Scalar));
        let ours = plan
            .operations()
            .iter()
            .filter(|operation| operation.kernel == "qs8_f32_gemm_scalar")
            .count();
        let engines = case.name.starts_with("engine_");
        assert_eq!(ours, usize::from(!engines), "{}", case.name);
        let product = plan
            .steps()
            .iter()
            .find(|step| step.op.ends_with("Integer"));
        let product = product.expect("a product");
        assert_eq!((product.precision, product.reason), (Precision::I8, None));
        assert!(product.macs.is_some(), "{}", case.name);
    });
}

#[test]
fn threads_change_no_bit() {
    with_cases(|case| {
        let alone = case.run(&case.encoder(Isa::Scalar), &case.x);
        for threads in [2, 3] {
            let encoder = case.encoder(Isa::Scalar);
            let encoder = encoder.with_pool(Arc::new(Pool::in_turn(threads)));
            assert_eq!(
                bits(&case.run(&encoder, &case.x)),
                bits(&alone),
                "{}",
                case.name
            );
        }
    });
}

/// What is fed has no range, or one without end: nothing panics, and zeros leave the addend.
#[test]
fn inputs_without_a_range_are_survived() {
    with_cases(|case| {
        let encoder = case.encoder(ocellus_sys::isa::detect());
        let zeros = vec![0.0; case.x.len()];
        let at_zero = case.run(&encoder, &zeros);
        assert!(at_zero.iter().all(|real| real.is_finite()), "{}", case.name);
        if ["rows", "patches"].contains(&case.name) {
            assert!(at_zero.iter().all(|&real| real == 0.0), "{}", case.name);
        }
        for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = case.x.clone();
            x[0] = odd;
            assert_eq!(case.run(&encoder, &x).len(), case.y.len());
        }
    });
}
