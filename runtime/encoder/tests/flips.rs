//! Damaged files: whatever bytes a small model is changed into, the answer is a result or a fault.

mod support;

use ocellus_encoder::{CheckedModel, Dim, Encoder, EncoderError, Input, Limits};
use ocellus_kernels::Isa;
use proptest::collection::vec;
use proptest::prelude::*;
use support::*;

/// Small enough that a damaged size cannot make a test slow, large enough for the models below.
const LIMITS: Limits = Limits {
    file_bytes: 1 << 20,
    nodes: 100,
    rank: 8,
    tensor_bytes: 1 << 20,
    activation_bytes: 1 << 20,
    parts: 10_000,
    depth: 4,
};

fn run(bytes: &[u8], dims: &[Dim], output: &str) -> Result<(), EncoderError> {
    let model = CheckedModel::scan("damaged.onnx", bytes, &LIMITS)?;
    let plan = Encoder::new(model, Isa::Scalar)?.plan("x", dims, &[output])?;
    plan.run(Input::F32(&[0.5; 32]))?;
    Ok(())
}

/// Convolution, pool, shape arithmetic, matrix product, softmax: what an encoder is made of.
fn encoder() -> Vec<u8> {
    let kernel = ints_attribute("kernel_shape", &[2, 2]);
    let strides = ints_attribute("strides", &[2, 2]);
    quantized_convolution([0.5, 0.25, 0.125])
        .constant(i64s("shape", &[2], &[1, -1]))
        .constant(f32s("w4", &[12, 5], &[0.25; 60]))
        .constant(i64s("ends", &[1], &[4]))
        .constant(i64s("starts", &[1], &[0]))
        .constant(i64s("axes", &[1], &[1]))
        .node(
            node("MaxPool", &["y"], &["pooled"])
                .message(5, kernel)
                .message(5, strides),
        )
        .node(node("Reshape", &["pooled", "shape"], &["flat"]))
        .node(node("Gemm", &["flat", "w4"], &["logits"]))
        .node(node(
            "Slice",
            &["logits", "starts", "ends", "axes"],
            &["first"],
        ))
        .node(node("Softmax", &["first"], &["z"]))
        .output(value("z", F32, &[1, 4]))
        .model()
}

#[test]
fn the_model_is_sound_before_it_is_damaged() {
    run(&encoder(), &[1, 2, 4, 4].map(Dim::Fixed), "z").expect("a result");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_bytes(changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = encoder();
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        // The border of the engine catches its panics, so none can come out; an abort would end this program.
        let _ = run(&bytes, &[1, 2, 4, 4].map(Dim::Fixed), "z");
    }

    #[test]
    fn flipped_bits(flips in vec((any::<prop::sample::Index>(), 0u8..8), 1..4)) {
        let mut bytes = encoder();
        for (index, bit) in flips {
            let at = index.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        let _ = run(&bytes, &[1, 2, 4, 4].map(Dim::Fixed), "z");
    }

    #[test]
    fn bytes_cut_out(from in any::<prop::sample::Index>(), length in 1usize..40) {
        let mut bytes = encoder();
        let from = from.index(bytes.len());
        let to = (from + length).min(bytes.len());
        bytes.drain(from..to);
        let _ = run(&bytes, &[1, 2, 4, 4].map(Dim::Fixed), "z");
    }

    #[test]
    fn no_model_at_all(bytes in vec(any::<u8>(), 0..300)) {
        prop_assert!(run(&bytes, &[], "z").is_err());
    }
}
