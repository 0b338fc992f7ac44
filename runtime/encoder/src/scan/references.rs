//! Names: each stands for one tensor, each that is read is produced, and no node waits for itself.
//!
//! The engine turns a name that nothing produces into a new input, keeps the last of two tensors of one name, and
//! recurses on what it takes for a graph without cycles; so all three are settled here.
//!
//! ONNX wants nodes in an order in which they can run. Files that break that rule and are otherwise sound are common
//! and harmless, so any order without a cycle is taken.

use std::collections::{HashMap, HashSet};

use super::graph::{Graph, Node};
use crate::Fault;

/// The tensor names that an inner graph sees: its own and those of the graphs around it.
pub(super) struct Scope<'s, 'a> {
    outer: Option<&'s Scope<'s, 'a>>,
    names: HashSet<&'a str>,
}

impl Scope<'_, '_> {
    fn sees(&self, name: &str) -> bool {
        self.names.contains(name) || self.outer.is_some_and(|outer| outer.sees(name))
    }
}

/// Checks `graph` and every graph within it.
pub(super) fn check<'a>(graph: &Graph<'a>, outer: Option<&Scope<'_, 'a>>) -> Result<(), Fault> {
    let scope = Scope {
        outer,
        names: definitions(graph)?,
    };
    for node in &graph.nodes {
        for &input in node.inputs.iter().filter(|input| !input.is_empty()) {
            if !scope.sees(input) {
                return Err(Fault::Dangling {
                    reader: format!("node {}", node.name()),
                    tensor: input.to_owned(),
                });
            }
        }
        for subgraph in &node.subgraphs {
            check(subgraph, Some(&scope))?;
        }
    }
    let mut seen = HashSet::new();
    for &output in &graph.outputs {
        if !scope.sees(output) {
            return Err(Fault::Dangling {
                reader: "the graph's output list".to_owned(),
                tensor: output.to_owned(),
            });
        }
        if !seen.insert(output) {
            return Err(duplicate("output", output));
        }
    }
    acyclic(graph)
}

/// Every name that the graph gives to a tensor. An initializer may also stand among the inputs: its default value.
fn definitions<'a>(graph: &Graph<'a>) -> Result<HashSet<&'a str>, Fault> {
    let mut names = HashSet::new();
    for &input in &graph.inputs {
        if !names.insert(input) {
            return Err(duplicate("input", input));
        }
    }
    names.extend(graph.initializers.keys());
    for node in &graph.nodes {
        if node.outputs.first().is_none_or(|output| output.is_empty()) {
            return Err(Fault::Missing {
                place: format!("node {}", node.name()),
                part: "its first output",
            });
        }
        for &output in node.outputs.iter().filter(|output| !output.is_empty()) {
            if !names.insert(output) {
                return Err(duplicate("tensor", output));
            }
        }
    }
    Ok(names)
}

/// Takes away nodes whose inputs are all there, as long as there are any (Kahn, 1962). What remains is a cycle.
fn acyclic(graph: &Graph<'_>) -> Result<(), Fault> {
    let mut producer = HashMap::new();
    for (at, node) in graph.nodes.iter().enumerate() {
        producer.extend(node.outputs.iter().map(|&output| (output, at)));
    }
    let mut readers = vec![Vec::new(); graph.nodes.len()];
    let mut waits_for = vec![0usize; graph.nodes.len()];
    for (at, node) in graph.nodes.iter().enumerate() {
        let mut read = HashSet::new();
        reads(node, &mut read);
        for &from in read.iter().filter_map(|name| producer.get(name)) {
            readers[from].push(at);
            waits_for[at] += 1;
        }
    }
    let mut ready: Vec<usize> = (0..graph.nodes.len())
        .filter(|&at| waits_for[at] == 0)
        .collect();
    while let Some(done) = ready.pop() {
        for &reader in &readers[done] {
            waits_for[reader] -= 1;
            if waits_for[reader] == 0 {
                ready.push(reader);
            }
        }
    }
    match waits_for.iter().position(|&waits| waits > 0) {
        None => Ok(()),
        Some(at) => Err(Fault::Cycle {
            node: graph.nodes[at].name().to_owned(),
        }),
    }
}

/// Every name that a node reads, the graphs within it included. A name that those define themselves does no harm: it
/// names no node of the outer graph, or hides one, which ONNX forbids.
fn reads<'a>(node: &Node<'a>, names: &mut HashSet<&'a str>) {
    names.extend(node.inputs.iter().filter(|input| !input.is_empty()));
    for subgraph in &node.subgraphs {
        names.extend(&subgraph.outputs);
        for node in &subgraph.nodes {
            reads(node, names);
        }
    }
}

fn duplicate(what: &'static str, name: &str) -> Fault {
    Fault::Duplicate {
        what,
        name: name.to_owned(),
    }
}
