//! Dynamically quantized operators against onnxruntime: see `tests/golden/dynamic.py`.

mod support;

use std::sync::Arc;

use ocellus_encoder::{Encoder, Plan, Precision};
use ocellus_kernels::{Isa, Tier};
use ocellus_sys::Pool;
use support::golden::{self, Case};

fn plan(case: &Case, encoder: &Encoder) -> Plan {
    encoder.plan("x", &case.dims("x"), &["y"]).expect("a plan")
}

fn run(case: &Case, encoder: &Encoder, x: &[f32]) -> Vec<f32> {
    golden::run(&plan(case, encoder), x)
}

fn with_cases(check: impl Fn(&Case)) {
    golden::with_cases("dynamic", 8, check);
}

fn bits(reals: &[f32]) -> Vec<u32> {
    reals.iter().map(|real| real.to_bits()).collect()
}

#[test]
fn answers_are_onnxruntimes_in_every_tier() {
    let detected = ocellus_sys::isa::detect();
    with_cases(|case| {
        let y = case.reals("y");
        let greatest = y.iter().fold(0.0f32, |most, y| most.max(y.abs()));
        let first = run(case, &case.encoder("model", Isa::Scalar), &case.reals("x"));
        for tier in Tier::ALL {
            let got = run(
                case,
                &case.encoder("model", detected.at_most(tier)),
                &case.reals("x"),
            );
            // Sums are integers, and each scale is a product of two.
            assert_eq!(bits(&got), bits(&first), "{} {tier}", case.name);
            assert_eq!(got.len(), case.reals("y").len(), "{}", case.name);
            for (at, (got, expected)) in got.iter().zip(&y).enumerate() {
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
        let plan = plan(case, &case.encoder("model", Isa::Scalar));
        let ours = plan
            .operations()
            .iter()
            .filter(|operation| operation.kernel == "qs8_f32_gemm_scalar")
            .count();
        let engines = case.name.starts_with("engine_");
        assert_eq!(ours, usize::from(!engines), "{}", case.name);
        let quantizes = plan
            .operations()
            .iter()
            .find(|operation| operation.op == "DynamicQuantizeLinear");
        let quantizes = quantizes.map(|operation| operation.kernel);
        assert_eq!(quantizes, Some("qs8_cast"), "{}", case.name);
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
        let alone = run(case, &case.encoder("model", Isa::Scalar), &case.reals("x"));
        for threads in [2, 3] {
            let encoder = case.encoder("model", Isa::Scalar);
            let encoder = encoder.with_pool(Arc::new(Pool::in_turn(threads)));
            assert_eq!(
                bits(&run(case, &encoder, &case.reals("x"))),
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
        let encoder = case.encoder("model", ocellus_sys::isa::detect());
        let zeros = vec![0.0; case.reals("x").len()];
        let at_zero = run(case, &encoder, &zeros);
        assert!(at_zero.iter().all(|real| real.is_finite()), "{}", case.name);
        if ["rows", "patches"].contains(&case.name) {
            assert!(at_zero.iter().all(|&real| real == 0.0), "{}", case.name);
        }
        for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = case.reals("x");
            x[0] = odd;
            assert_eq!(run(case, &encoder, &x).len(), case.reals("y").len());
        }
    });
}
