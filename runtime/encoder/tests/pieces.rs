//! Pieces of transformers in f32, as exporters write them, against onnxruntime: see `tests/golden/pieces.py`.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ocellus_encoder::{CheckedModel, Dim, Encoder, Input, Limits, Plan};
use ocellus_kernels::{Isa, Tier};
use ocellus_sys::Pool;
use safetensors::SafeTensors;

/// One graph, its input, what onnxruntime made of it, and which kernels are to compute it.
struct Case<'a> {
    name: &'a str,
    model: &'a [u8],
    dims: Vec<Dim>,
    x: Vec<f32>,
    y: Vec<f32>,
    kernels: &'a [u8],
}

impl<'a> Case<'a> {
    fn read(file: &SafeTensors<'a>, name: &'a str) -> Case<'a> {
        let tensor = |part: &str| {
            let name = format!("{name}.{part}");
            file.tensor(&name)
                .unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        let reals = |part: &str| -> Vec<f32> {
            let (values, _) = tensor(part).data().as_chunks::<4>();
            values
                .iter()
                .map(|&value| f32::from_le_bytes(value))
                .collect()
        };
        let shape = tensor("x").shape().to_vec();
        Case {
            name,
            model: tensor("model").data(),
            dims: shape.into_iter().map(Dim::Fixed).collect(),
            x: reals("x"),
            y: reals("y"),
            kernels: tensor("kernels").data(),
        }
    }

    fn plan(&self, isa: Isa, pool: Pool) -> Plan {
        let model = CheckedModel::scan(self.name, self.model, &Limits::default());
        let encoder = Encoder::new(model.expect("a good file"), isa).expect("a graph");
        let encoder = encoder.with_pool(Arc::new(pool));
        encoder.plan("x", &self.dims, &["y"]).expect("a plan")
    }

    fn run(&self, isa: Isa, pool: Pool) -> Vec<f32> {
        let result = self.plan(isa, pool).run(Input::F32(&self.x));
        result.expect("a result").remove(0).data
    }
}

fn with_cases(check: impl Fn(&Case)) {
    let path = Path::new("../../tests/golden/pieces.safetensors");
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let names = file.names();
    let names: Vec<&str> = names
        .iter()
        .filter_map(|name| name.strip_suffix(".model"))
        .collect();
    assert_eq!(names.len(), 23);
    for name in names {
        check(&Case::read(&file, name));
    }
}

#[test]
fn answers_are_onnxruntimes_in_every_tier() {
    with_cases(|case| {
        for tier in Tier::ALL {
            let isa = ocellus_sys::isa::detect().at_most(tier);
            let y = case.run(isa, Pool::in_turn(1));
            assert_eq!(y.len(), case.y.len(), "{}", case.name);
            for (got, expected) in y.iter().zip(&case.y) {
                // The exponentials of a softmax are within 1e-5 of themselves.
                let bound = 4e-5 * (1.0 + expected.abs());
                let apart = (got - expected).abs();
                assert!(apart <= bound, "{} {tier}: {got}, {expected}", case.name);
            }
        }
    });
}

#[test]
fn kernels_of_ours_compute_what_is_recognised() {
    with_cases(|case| {
        let plan = case.plan(Isa::Scalar, Pool::in_turn(1));
        let count = |kernel: &str| {
            let of_it = |kernels: &&str| kernels.starts_with(kernel);
            let kernels = plan.operations().iter().map(|operation| operation.kernel);
            kernels.filter(|kernel| of_it(kernel)).count()
        };
        let counts = ["f32_attention", "f32_layer_norm", "f32_softmax", "f32_gelu"].map(count);
        let expected: Vec<usize> = case.kernels.iter().copied().map(usize::from).collect();
        assert_eq!(
            counts[..],
            expected,
            "{}: {:?}",
            case.name,
            plan.operations()
        );
    });
}

#[test]
fn threads_change_no_bit() {
    with_cases(|case| {
        let isa = ocellus_sys::isa::detect();
        let one = case.run(isa, Pool::in_turn(1));
        for threads in [2, 3, 4, 7] {
            let more = case.run(isa, Pool::in_turn(threads));
            let mut bits = one.iter().zip(&more);
            let same = bits.all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{} with {threads} threads", case.name);
        }
    });
}
