//! Bytes in, a checked model out: everything that can be known about a file before the engine sees it.
//!
//! The engine trusts its input: it casts dimensions unchecked, allocates what a shape claims, opens files that a tensor
//! names, and panics on what it has not implemented. So a file is first read by a small reader of our own, which
//! allocates next to nothing and holds each claim against [`Limits`]: [`wire`] reads fields, [`tensor`] and [`graph`]
//! read messages, [`references`] checks names, [`attributes`] axes and windows, [`quantization`] scales, [`later`] the age of operators. What passes has a type of its own,
//! [`CheckedModel`], and nobody checks again.
//!
//! Limits: ONNX only, operator sets 9 to 21: what changed in them is an element type, or the engine tells it apart. Local functions and training
//! graphs are refused.

mod attributes;
mod graph;
mod later;
mod quantization;
mod references;
mod tensor;
mod wire;

use std::collections::HashMap;
use std::fmt;

use self::graph::{Graph, Node};
pub use self::tensor::Element;
use self::wire::{Reader, Span};
use crate::{EncoderError, Fault, Limit, Limits};

/// The operator sets of ONNX's own domain that the engine reads.
const OPSETS: std::ops::RangeInclusive<i64> = 9..=21;

/// A model whose bytes passed the scan.
#[derive(Clone)]
pub struct CheckedModel {
    name: String,
    bytes: Box<[u8]>,
    limits: Limits,
    opset: i64,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    node_count: usize,
    nodes: Vec<CheckedNode>,
    constants: HashMap<String, Vec<usize>>,
    /// What indexes the rows of a constant, and how many rows that has.
    tables: Vec<(String, usize)>,
}

/// A model's input or output as it is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The tensor's name.
    pub name: String,
    /// The type of its elements.
    pub element: Element,
    /// Its shape, where one is declared.
    pub dims: Option<Vec<Dim>>,
}

/// The size of one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dim {
    /// This size.
    Fixed(usize),
    /// Whatever is fed: a symbol in the model, such as the length of a text.
    Any,
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dim::Fixed(size) => write!(f, "{size}"),
            Dim::Any => f.write_str("any"),
        }
    }
}

/// A node of the outermost graph, by name.
#[derive(Clone, Debug)]
pub(crate) struct CheckedNode {
    pub(crate) name: String,
    pub(crate) op: String,
    pub(crate) domain: String,
    pub(crate) inputs: Vec<String>,
    pub(crate) outputs: Vec<String>,
}

impl CheckedModel {
    /// Checks the ONNX model in `bytes` against `limits`. `name` is what errors call it: its file name, as a rule.
    ///
    /// # Errors
    ///
    /// The first [`Fault`] that the file has.
    pub fn scan(name: &str, bytes: &[u8], limits: &Limits) -> Result<CheckedModel, EncoderError> {
        let mut tally = Tally {
            limits,
            nodes: 0,
            parts: 0,
        };
        let scanned = model(bytes, &mut tally).map_err(|fault| EncoderError::new(name, fault))?;
        let nodes = scanned.graph.nodes.iter().map(|node| CheckedNode {
            name: node.name().to_owned(),
            op: node.op.to_owned(),
            domain: node.domain.to_owned(),
            inputs: node.inputs.iter().map(|&input| input.to_owned()).collect(),
            outputs: node
                .outputs
                .iter()
                .map(|&output| output.to_owned())
                .collect(),
        });
        let tables = tables(&scanned.graph);
        let constants = scanned.graph.initializers.values();
        Ok(CheckedModel {
            name: name.to_owned(),
            bytes: bytes.into(),
            limits: *limits,
            opset: scanned.opset,
            node_count: tally.nodes,
            nodes: nodes.collect(),
            tables,
            constants: constants
                .map(|tensor| (tensor.name.to_owned(), tensor.dims.clone()))
                .collect(),
            inputs: scanned
                .graph
                .input_ports
                .into_iter()
                .filter(|port| !scanned.graph.initializers.contains_key(port.name.as_str()))
                .collect(),
            outputs: scanned.graph.output_ports,
        })
    }

    /// The name it was scanned under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version of ONNX's own operator set.
    pub fn opset(&self) -> i64 {
        self.opset
    }

    /// The rows of the smallest constant table whose rows are looked up by `input` itself; `None` where there is none. An
    /// id must be below it.
    pub fn rows_looked_up_by(&self, input: &str) -> Option<usize> {
        let tables = self.tables.iter().filter(|(index, _)| index == input);
        tables.map(|(_, rows)| *rows).min()
    }

    /// The inputs that must be fed, in file order.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// The declared outputs, in file order.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// The number of nodes, those of nested graphs included.
    pub fn node_count(&self) -> usize {
        self.node_count
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Frees the file's bytes, once they have been parsed.
    pub(crate) fn drop_bytes(&mut self) {
        self.bytes = Box::default();
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The nodes of the outermost graph, in file order.
    pub(crate) fn nodes(&self) -> &[CheckedNode] {
        &self.nodes
    }

    /// The shapes of the outermost graph's initializers.
    pub(crate) fn constants(&self) -> &HashMap<String, Vec<usize>> {
        &self.constants
    }
}

/// The constants whose rows a Gather looks up: what it looks them up by, and their number.
fn tables(graph: &Graph<'_>) -> Vec<(String, usize)> {
    let gathers = graph.nodes.iter().filter(|node| node.op == "Gather");
    let table = |node: &Node<'_>| {
        let (&data, &index) = (node.inputs.first()?, node.inputs.get(1)?);
        let rows = graph.initializers.get(data)?.dims.first()?;
        let by_rows = node.integer("axis").is_none_or(|axis| axis == 0);
        by_rows.then(|| (index.to_owned(), *rows))
    };
    gathers.filter_map(table).collect()
}

impl fmt::Debug for CheckedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckedModel")
            .field("name", &self.name)
            .field("bytes", &self.bytes.len())
            .field("opset", &self.opset)
            .field("inputs", &self.inputs)
            .field("outputs", &self.outputs)
            .field("node_count", &self.node_count)
            .finish_non_exhaustive()
    }
}

struct Scanned<'a> {
    opset: i64,
    graph: Graph<'a>,
}

fn model<'a>(bytes: &'a [u8], tally: &mut Tally<'_>) -> Result<Scanned<'a>, Fault> {
    tally.check(bytes.len(), Limit::File, || "the file".to_owned())?;
    let mut graph = None;
    let mut opset = None;
    let mut reader = Reader::new(Span { bytes, offset: 0 }, "ModelProto");
    while let Some(field) = reader.next()? {
        match field.number {
            2..=4 | 6 => drop(field.text()?),
            7 => field.once(&mut graph, field.span()?)?,
            8 => {
                if let Some(version) = operator_set(field.message("OperatorSetIdProto")?, tally)? {
                    field.once(&mut opset, version)?;
                }
            }
            14 => {
                field.span()?;
                tally.part()?;
            }
            20 => {
                return Err(refused(
                    "training graphs are",
                    "export the model for inference",
                ));
            }
            25 => {
                return Err(refused(
                    "local functions are",
                    "inline them, with `onnx.inliner`",
                ));
            }
            _ => {}
        }
    }
    let missing = |part| Fault::Missing {
        place: "the model".to_owned(),
        part,
    };
    let graph = graph.ok_or_else(|| missing("its graph"))?;
    let got = opset.ok_or_else(|| missing("the version of its operator set"))?;
    if !OPSETS.contains(&got) {
        // The node that needs a later set tells more than the set.
        if let Ok(graph) = Graph::scan(graph, 1, tally) {
            later::check(&graph, *OPSETS.end())?;
        }
        return Err(Fault::Opset {
            got,
            least: *OPSETS.start(),
            most: *OPSETS.end(),
        });
    }
    let graph = Graph::scan(graph, 1, tally)?;
    if graph.outputs.is_empty() {
        return Err(missing("every output"));
    }
    later::check(&graph, *OPSETS.end())?;
    references::check(&graph, None)?;
    attributes::check(&graph, tally)?;
    quantization::check(&graph)?;
    Ok(Scanned { opset: got, graph })
}

/// The version, where the operator set is ONNX's own.
fn operator_set(mut reader: Reader<'_>, tally: &mut Tally<'_>) -> Result<Option<i64>, Fault> {
    tally.part()?;
    let (mut domain, mut version) = (None, None);
    while let Some(field) = reader.next()? {
        match field.number {
            1 => field.once(&mut domain, field.text()?)?,
            2 => field.once(&mut version, field.int64()?)?,
            _ => {}
        }
    }
    let own = matches!(domain.unwrap_or_default(), "" | "ai.onnx");
    Ok(own.then_some(version.unwrap_or_default()))
}

fn refused(what: &str, remedy: &'static str) -> Fault {
    Fault::Unsupported {
        place: "the model".to_owned(),
        what: what.to_owned(),
        remedy,
    }
}

/// Counts what the file holds, and stops at the limits.
struct Tally<'l> {
    limits: &'l Limits,
    nodes: usize,
    parts: usize,
}

impl Tally<'_> {
    fn node(&mut self) -> Result<(), Fault> {
        self.nodes += 1;
        self.check(self.nodes, Limit::Nodes, || "the model".to_owned())?;
        self.part()
    }

    fn part(&mut self) -> Result<(), Fault> {
        self.parts(1)
    }

    fn parts(&mut self, count: usize) -> Result<(), Fault> {
        self.parts = self.parts.saturating_add(count);
        self.check(self.parts, Limit::Parts, || "the model".to_owned())
    }

    fn check(&self, got: usize, limit: Limit, place: impl FnOnce() -> String) -> Result<(), Fault> {
        let most = match limit {
            Limit::File => self.limits.file_bytes,
            Limit::Nodes => self.limits.nodes,
            Limit::Rank => self.limits.rank,
            Limit::Tensor => self.limits.tensor_bytes,
            Limit::Activation => self.limits.activation_bytes,
            Limit::Parts => self.limits.parts,
            Limit::Depth => self.limits.depth,
        };
        if got <= most {
            return Ok(());
        }
        Err(Fault::Limit {
            place: place(),
            limit,
            most: most as u64,
            got: got as u64,
        })
    }
}
