//! Attributes: axes that exist, permutations that permute, windows of a size that makes sense.
//!
//! The engine computes with these numbers before it looks at them: a permutation that names an axis twice keeps it busy
//! until the memory is gone, and a pad of 2^60 wraps around.
//!
//! Limits: what ONNX passes as a tensor instead of an attribute is held against the limits when a plan is made.

use std::ops::RangeInclusive;

use super::Tally;
use super::graph::{Graph, Node};
use crate::Fault;

/// Beyond every real window, and small enough that products of two stay far from overflow.
const LARGEST: i64 = 1 << 20;

/// Checks `graph` and every graph within it.
pub(super) fn check(graph: &Graph<'_>, tally: &Tally<'_>) -> Result<(), Fault> {
    for node in &graph.nodes {
        for (name, integers) in &node.integers {
            if let Some(range) = range(node.op, name, tally.limits.rank as i64) {
                check_range(node, name, integers, range)?;
            }
            if *name == "perm" {
                check_permutation(node, integers)?;
            }
        }
        for subgraph in &node.subgraphs {
            check(subgraph, tally)?;
        }
    }
    Ok(())
}

/// What the integers of an attribute may be, where it is known.
fn range(op: &str, attribute: &str, rank: i64) -> Option<RangeInclusive<i64>> {
    let axis = -rank..=rank;
    Some(match (op, attribute) {
        (_, "axis" | "axes" | "batch_axis" | "time_axis") => axis,
        ("Pad", _) => -LARGEST..=LARGEST,
        (
            _,
            "kernel_shape" | "strides" | "dilations" | "group" | "num_groups" | "blocksize"
            | "num_heads",
        ) => 1..=LARGEST,
        (_, "pads" | "output_padding" | "output_shape" | "split" | "size" | "hidden_size") => {
            0..=LARGEST
        }
        _ => return None,
    })
}

fn check_range(
    node: &Node<'_>,
    name: &str,
    integers: &[i64],
    range: RangeInclusive<i64>,
) -> Result<(), Fault> {
    match integers.iter().find(|integer| !range.contains(integer)) {
        None => Ok(()),
        Some(got) => Err(Fault::Attribute {
            node: node.name().to_owned(),
            attribute: name.to_owned(),
            expected: format!("{} to {}", range.start(), range.end()),
            got: got.to_string(),
        }),
    }
}

fn check_permutation(node: &Node<'_>, axes: &[i64]) -> Result<(), Fault> {
    let mut sorted = axes.to_vec();
    sorted.sort_unstable();
    if sorted.iter().copied().eq(0..axes.len() as i64) {
        return Ok(());
    }
    // A list may be as long as the file allows.
    let shown = &axes[..axes.len().min(16)];
    Err(Fault::Attribute {
        node: node.name().to_owned(),
        attribute: "perm".to_owned(),
        expected: "each axis once".to_owned(),
        got: format!("{shown:?}"),
    })
}
