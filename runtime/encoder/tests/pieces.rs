//! Pieces of transformers in f32, as exporters write them, against onnxruntime: see `tests/golden/pieces.py`.

mod support;

use std::sync::Arc;

use ocellus_encoder::Plan;
use ocellus_kernels::{Isa, Tier};
use ocellus_sys::Pool;
use support::golden::{self, Case};

fn plan(case: &Case, isa: Isa, pool: Pool) -> Plan {
    let encoder = case.encoder("model", isa).with_pool(Arc::new(pool));
    encoder.plan("x", &case.dims("x"), &["y"]).expect("a plan")
}

fn run(case: &Case, isa: Isa, pool: Pool) -> Vec<f32> {
    golden::run(&plan(case, isa, pool), &case.reals("x"))
}

fn with_cases(check: impl Fn(&Case)) {
    golden::with_cases("pieces", 23, check);
}

#[test]
fn answers_are_onnxruntimes_in_every_tier() {
    with_cases(|case| {
        for tier in Tier::ALL {
            let isa = ocellus_sys::isa::detect().at_most(tier);
            let y = run(case, isa, Pool::in_turn(1));
            let expected = case.reals("y");
            assert_eq!(y.len(), expected.len(), "{}", case.name);
            for (got, expected) in y.iter().zip(&expected) {
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
        let plan = plan(case, Isa::Scalar, Pool::in_turn(1));
        let count = |kernel: &str| {
            let of_it = |kernels: &&str| kernels.starts_with(kernel);
            let kernels = plan.operations().iter().map(|operation| operation.kernel);
            kernels.filter(|kernel| of_it(kernel)).count()
        };
        let counts = ["f32_attention", "f32_layer_norm", "f32_softmax", "f32_gelu"].map(count);
        let expected: Vec<usize> = case
            .tensor("kernels")
            .data()
            .iter()
            .copied()
            .map(usize::from)
            .collect();
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
        let one = run(case, isa, Pool::in_turn(1));
        for threads in [2, 3, 4, 7] {
            let more = run(case, isa, Pool::in_turn(threads));
            let mut bits = one.iter().zip(&more);
            let same = bits.all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{} with {threads} threads", case.name);
        }
    });
}
