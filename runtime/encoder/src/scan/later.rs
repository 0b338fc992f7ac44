//! Operators of sets that came after those that are read.
//!
//! The engine knows some of them by their names alone, whatever set a file says, and leaves out what it does not implement. So
//! they are refused by name.

use super::graph::Graph;
use crate::Fault;

/// Operators of ONNX's own domain, and the sets that they came with.
const LATER: [(&str, i64); 5] = [
    ("Attention", 23),
    ("RMSNormalization", 23),
    ("RotaryEmbedding", 23),
    ("Swish", 24),
    ("TensorScatter", 24),
];

/// Looks for one in `graph` and every graph within it; `most` is the last set that is read.
pub(super) fn check(graph: &Graph<'_>, most: i64) -> Result<(), Fault> {
    for node in &graph.nodes {
        let own = matches!(node.domain, "" | "ai.onnx");
        let later = LATER.iter().find(|(op, _)| own && *op == node.op);
        if let Some(&(op, since)) = later {
            return Err(Fault::LaterOperator {
                node: node.name().to_owned(),
                op: op.to_owned(),
                since,
                most,
            });
        }
        for subgraph in &node.subgraphs {
            check(subgraph, most)?;
        }
    }
    Ok(())
}
