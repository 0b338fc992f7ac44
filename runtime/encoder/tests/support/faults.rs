//! The faults of bad files.

use super::{Graph, Message, relu};
use ocellus_encoder::{CheckedModel, Fault, Limits};

pub fn fault(bytes: &[u8]) -> Fault {
    fault_within(bytes, &Limits::default())
}

pub fn fault_within(bytes: &[u8], limits: &Limits) -> Fault {
    let error = CheckedModel::scan("bad.onnx", bytes, limits).expect_err("a bad file");
    assert!(error.to_string().starts_with("bad.onnx: "), "{error}");
    error.fault().clone()
}

/// The fault of a graph, with the words that its message must contain.
pub fn check(graph: Graph, expected: fn(&Fault) -> bool, words: &[&str]) {
    let fault = fault(&graph.model());
    assert!(expected(&fault), "{fault:?}");
    let message = fault.to_string();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
}

pub fn with_constant(tensor: Message) -> Graph {
    relu().constant(tensor)
}
