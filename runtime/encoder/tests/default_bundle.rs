//! The bundle that ships: its encoders load, give the shapes that its manifest promises, and fail well when cut.

use std::path::Path;

use ocellus_encoder::{CheckedModel, Dim, Encoder, Fault, Input, Limits};

fn read(name: &str) -> Vec<u8> {
    let path = Path::new("../../models/default").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn encoder(name: &str) -> Encoder {
    let model = CheckedModel::scan(name, &read(name), &Limits::default()).expect("a good file");
    Encoder::new(model, ocellus_sys::isa::detect()).expect("a graph that the engine takes")
}

fn picture(side: usize) -> Vec<f32> {
    let wave = |at: usize| ((at % side) as f32 * 0.05).sin() * ((at / side) as f32 * 0.03).cos();
    (0..3 * side * side).map(wave).collect()
}

#[test]
fn the_image_encoder_serves_every_resolution() {
    let encoder = encoder("image.onnx");
    for side in [112, 160, 224] {
        let dims = [1, 3, side, side].map(Dim::Fixed);
        let plan = encoder
            .plan("image", &dims, &["map", "features"])
            .expect("a plan");
        let picture = picture(side);
        let result = plan.run(Input::F32(&picture)).expect("a result");
        assert_eq!(
            result[0].shape,
            [1, 1280, side.div_ceil(32), side.div_ceil(32)]
        );
        assert_eq!(result[1].shape, [1, 1280]);
        assert!(
            result
                .iter()
                .all(|tensor| tensor.data.iter().all(|value| value.is_finite()))
        );
        assert!(result[1].data.iter().any(|value| *value != 0.0));
        assert_eq!(
            plan.run(Input::F32(&picture)).expect("a result"),
            result,
            "a second run differs"
        );

        let again = encoder.plan("image", &dims, &["features"]).expect("a plan");
        let features = again.run(Input::F32(&picture)).expect("a result");
        assert_eq!(features[0].data, result[1].data, "a second plan differs");
    }
}

#[test]
fn the_text_encoder_takes_texts_of_any_length() {
    let encoder = encoder("text.onnx");
    let plan = encoder
        .plan(
            "input_ids",
            &[Dim::Fixed(1), Dim::Any],
            &["tokens", "embedding"],
        )
        .expect("a plan");
    for ids in [&[5i64][..], &[7, 300, 12], &[1; 128]] {
        let result = plan
            .run(Input::I64(ids, &[1, ids.len()]))
            .expect("a result");
        assert_eq!(result[0].shape, [1, ids.len(), 128]);
        assert_eq!(result[1].shape, [1, 128]);
        let length: f32 = result[1].data.iter().map(|value| value * value).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }
    let outside = plan
        .run(Input::I64(&[i64::MAX], &[1, 1]))
        .expect_err("no such row");
    assert!(
        matches!(outside.fault(), Fault::Engine { .. } | Fault::Panic { .. }),
        "{outside}"
    );
}

#[test]
fn a_model_cut_at_each_sixteenth_is_a_fault() {
    for name in ["image.onnx", "text.onnx"] {
        let bytes = read(name);
        for sixteenths in 0..16 {
            let cut = &bytes[..bytes.len() * sixteenths / 16];
            let error = CheckedModel::scan(name, cut, &Limits::default()).expect_err("a cut file");
            assert!(
                matches!(
                    error.fault(),
                    Fault::Truncated { .. } | Fault::Missing { .. }
                ),
                "{sixteenths}/16: {error}"
            );
            assert!(error.to_string().contains("cut off"), "{error}");
        }
    }
}
