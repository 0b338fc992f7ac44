//! The bundle that ships, in INT8: one region at every resolution, close to f32, the same on every instruction set.

use std::path::Path;

use ocellus_encoder::{CheckedModel, Dim, Encoder, Input, Limits, Plan, Precision};
use ocellus_kernels::Tier;

fn model() -> CheckedModel {
    let path = Path::new("../../models/default/image.onnx");
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    CheckedModel::scan("image.onnx", &bytes, &Limits::default()).expect("a good file")
}

fn plan(encoder: &Encoder, side: usize) -> Plan {
    encoder
        .plan(
            "image",
            &[1, 3, side, side].map(Dim::Fixed),
            &["map", "features"],
        )
        .expect("a plan")
}

/// A smooth picture with an edge and some grain, normalized as the manifest says: about [-2, 2.6].
fn picture(side: usize) -> Vec<f32> {
    let pixel = |at: usize| {
        let (channel, y, x) = (at / (side * side), at / side % side, at % side);
        let (u, v) = (x as f32 / side as f32, y as f32 / side as f32);
        let wave = (u * 19.0 + channel as f32).sin() * (v * 13.0).cos();
        let edge = if (u - 0.5).hypot(v - 0.4) < 0.25 {
            1.1
        } else {
            -0.4
        };
        let grain = (at.wrapping_mul(2_654_435_761) >> 7) % 256;
        0.8 * wave + edge + grain as f32 / 640.0 - 0.2
    };
    (0..3 * side * side).map(pixel).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn one_region_close_to_f32_at_every_resolution() {
    let encoder = Encoder::new(model(), ocellus_sys::isa::detect()).expect("a graph");
    let real = Encoder::new(model(), ocellus_sys::isa::detect())
        .expect("a graph")
        .without_regions();
    for side in [112, 160, 224] {
        let (plan, reals) = (plan(&encoder, side), plan(&real, side));
        let convolutions = plan.steps().iter().filter(|step| step.op == "Conv").count();
        assert_eq!(convolutions, 49);
        for step in plan.steps() {
            assert_eq!(
                (step.precision, step.reason),
                (Precision::I8, None),
                "{step:?}"
            );
        }
        let picture = picture(side);
        let result = plan.run(Input::F32(&picture)).expect("a result");
        let expected = reals.run(Input::F32(&picture)).expect("a result");
        // A sum within rounding of a tie may fall on the other side in f32. Each such byte spreads from layer to
        // layer, and some of it averages out in the features.
        for (name, at, least) in [("map", 0, 0.995), ("features", 1, 0.998)] {
            assert_eq!(result[at].shape, expected[at].shape);
            let cosine = cosine(&result[at].data, &expected[at].data);
            assert!(cosine >= least, "{name} at {side}: {cosine}");
        }
        assert_eq!(
            plan.run(Input::F32(&picture)).expect("a result"),
            result,
            "a second run differs"
        );
    }
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    let detected = ocellus_sys::isa::detect();
    let mut expected = None;
    for tier in Tier::ALL {
        let encoder = Encoder::new(model(), detected.at_most(tier)).expect("a graph");
        let result = plan(&encoder, 112)
            .run(Input::F32(&picture(112)))
            .expect("a result");
        let first = expected.get_or_insert_with(|| result.clone());
        assert_eq!(*first, result, "{}", encoder.isa().name());
    }
}
