//! Small graphs as plans, and the faults of those that cannot be.

use super::Graph;
use ocellus_encoder::{CheckedModel, Dim, Encoder, EncoderError, Fault, Limits, Plan};
use ocellus_kernels::Isa;

pub fn encoder(bytes: &[u8]) -> Encoder {
    let model = CheckedModel::scan("test.onnx", bytes, &Limits::default()).expect("a good file");
    Encoder::new(model, Isa::Scalar).expect("a graph that the engine takes")
}

pub fn fixed(sizes: &[usize]) -> Vec<Dim> {
    sizes.iter().copied().map(Dim::Fixed).collect()
}

pub fn plan(graph: Graph, dims: &[usize], outputs: &[&str]) -> Result<Plan, EncoderError> {
    encoder(&graph.model()).plan("x", &fixed(dims), outputs)
}

pub fn fault<T: std::fmt::Debug>(result: Result<T, EncoderError>) -> Fault {
    let error = result.expect_err("a fault");
    assert!(error.to_string().starts_with("test.onnx: "), "{error}");
    error.fault().clone()
}
