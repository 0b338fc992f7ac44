//! Reads a GraphProto: its nodes, constants, inputs and outputs, borrowed from the file.
//!
//! What the engine will ignore is skipped, what it would misread is refused. Fields that ONNX does not define are
//! skipped as well, so that a newer writer's extras do no harm.
//!
//! Limits: a graph's inputs and outputs are tensors; sequences, optionals, maps and sparse tensors are refused.

use std::collections::HashMap;

use super::tensor::{Element, TensorInfo};
use super::wire::{Reader, Span};
use super::{Dim, Port, Tally};
use crate::{Fault, Limit};

/// A graph as it stands in the file.
#[derive(Debug, Default)]
pub(super) struct Graph<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) initializers: HashMap<&'a str, TensorInfo<'a>>,
    pub(super) inputs: Vec<&'a str>,
    pub(super) outputs: Vec<&'a str>,
    /// What the inputs and outputs are, for the outermost graph: exporters leave the types of inner ones out.
    pub(super) input_ports: Vec<Port>,
    pub(super) output_ports: Vec<Port>,
}

/// A node as it stands in the file.
#[derive(Debug, Default)]
pub(super) struct Node<'a> {
    name: &'a str,
    pub(super) op: &'a str,
    pub(super) domain: &'a str,
    /// Tensor names; empty where an optional input is left out.
    pub(super) inputs: Vec<&'a str>,
    pub(super) outputs: Vec<&'a str>,
    /// Attributes that are integers or lists of them.
    pub(super) integers: Vec<(&'a str, Vec<i64>)>,
    /// The value of a Constant.
    pub(super) value: Option<TensorInfo<'a>>,
    pub(super) subgraphs: Vec<Graph<'a>>,
}

impl<'a> Node<'a> {
    /// The node's name, or its first output's where it has none: names of nodes are optional.
    pub(super) fn name(&self) -> &'a str {
        match self.name {
            "" => self.outputs.first().copied().unwrap_or(self.op),
            name => name,
        }
    }

    /// The integers of an attribute.
    pub(super) fn integers(&self, name: &str) -> Option<&[i64]> {
        let found = self.integers.iter().find(|(known, _)| *known == name);
        found.map(|(_, integers)| integers.as_slice())
    }

    /// The integer of an attribute.
    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        self.integers(name)?.first().copied()
    }
}

impl<'a> Graph<'a> {
    /// Reads the graph in `span`, `depth` graphs deep.
    pub(super) fn scan(
        span: Span<'a>,
        depth: usize,
        tally: &mut Tally,
    ) -> Result<Graph<'a>, Fault> {
        tally.check(depth, Limit::Depth, || "the model".to_owned())?;
        tally.part()?;
        let mut graph = Graph::default();
        let mut name = None;
        let mut reader = Reader::new(span, "GraphProto");
        while let Some(field) = reader.next()? {
            match field.number {
                1 => {
                    let node = Node::scan(field.span()?, depth, tally)?;
                    graph.nodes.push(node);
                }
                2 => field.once(&mut name, field.text()?)?,
                5 => {
                    let tensor = TensorInfo::scan(field.span()?, tally);
                    let tensor = tensor.map_err(|fault| graph.with_reader(fault))?;
                    let name = tensor.name;
                    if name.is_empty() {
                        return Err(Fault::Missing {
                            place: "an initializer".to_owned(),
                            part: "its name",
                        });
                    }
                    if graph.initializers.insert(name, tensor).is_some() {
                        return Err(Fault::Duplicate {
                            what: "tensor",
                            name: name.to_owned(),
                        });
                    }
                }
                10 => drop(field.text()?),
                11 | 12 => {
                    let (what, names, ports) = match field.number {
                        11 => ("input", &mut graph.inputs, &mut graph.input_ports),
                        _ => ("output", &mut graph.outputs, &mut graph.output_ports),
                    };
                    let (name, tensor_type) = value_info(field.span()?, tally)?;
                    if name.is_empty() {
                        return Err(Fault::Missing {
                            place: format!("an {what}"),
                            part: "its name",
                        });
                    }
                    names.push(name);
                    if depth == 1 {
                        ports.push(port(what, name, tensor_type)?);
                    }
                }
                // Dropped at import; here they only count.
                13 => drop(value_info(field.span()?, tally)?),
                14 => tally.parts(field.span()?.bytes.len() / 2 + 1)?,
                15 => {
                    return Err(Fault::Unsupported {
                        place: format!("graph {}", name.unwrap_or_default()),
                        what: "sparse tensors are".to_owned(),
                        remedy: "export the weights as dense tensors",
                    });
                }
                _ => {}
            }
        }
        Ok(graph)
    }

    /// The same fault of a tensor that is not supported, with the node that would read it. Writers put nodes first.
    fn with_reader(&self, mut fault: Fault) -> Fault {
        if let Fault::Unsupported { place, .. } = &mut fault
            && let Some(name) = place.strip_prefix("tensor ")
            && let Some(reader) = self.nodes.iter().find(|node| node.inputs.contains(&name))
        {
            *place = format!("{place} of node {}", reader.name());
        }
        fault
    }
}

impl<'a> Node<'a> {
    fn scan(span: Span<'a>, depth: usize, tally: &mut Tally) -> Result<Node<'a>, Fault> {
        tally.node()?;
        let mut node = Node::default();
        let (mut name, mut op, mut domain) = (None, None, None);
        let mut reader = Reader::new(span, "NodeProto");
        while let Some(field) = reader.next()? {
            match field.number {
                1 | 2 => {
                    tally.part()?;
                    let names = match field.number {
                        1 => &mut node.inputs,
                        _ => &mut node.outputs,
                    };
                    names.push(field.text()?);
                }
                3 => field.once(&mut name, field.text()?)?,
                4 => field.once(&mut op, field.text()?)?,
                5 => node.attribute(field.span()?, depth, tally)?,
                6 => drop(field.text()?),
                7 => field.once(&mut domain, field.text()?)?,
                _ => {}
            }
        }
        node.name = name.unwrap_or_default();
        node.domain = domain.unwrap_or_default();
        node.op = op
            .filter(|op| !op.is_empty())
            .ok_or_else(|| Fault::Missing {
                place: format!("node {}", node.name()),
                part: "its operator",
            })?;
        Ok(node)
    }

    fn attribute(&mut self, span: Span<'a>, depth: usize, tally: &mut Tally) -> Result<(), Fault> {
        tally.part()?;
        let (mut name, mut integers, mut value) = (None, Vec::new(), None);
        let (mut integer, mut float, mut kind, mut graph) = (None, None, None, None);
        let mut reader = Reader::new(span, "AttributeProto");
        while let Some(field) = reader.next()? {
            match field.number {
                1 => field.once(&mut name, field.text()?)?,
                2 => field.once(&mut float, field.each_f32(|_| ())?)?,
                3 => field.once(&mut integer, field.int64()?)?,
                4 => drop(field.span()?),
                5 => field.once(&mut value, TensorInfo::scan(field.span()?, tally)?)?,
                6 => field.once(&mut graph, Graph::scan(field.span()?, depth + 1, tally)?)?,
                7 => {
                    let mut count = 0;
                    field.each_f32(|_| count += 1)?;
                    tally.parts(count)?;
                }
                8 => field.each_varint(|value| {
                    integers.push(value);
                    tally.part()
                })?,
                9 => {
                    field.span()?;
                    tally.part()?;
                }
                10 => drop(TensorInfo::scan(field.span()?, tally)?),
                11 => self
                    .subgraphs
                    .push(Graph::scan(field.span()?, depth + 1, tally)?),
                13 | 21 => drop(field.text()?),
                15 => tally.parts(field.span()?.bytes.len() / 2 + 1)?,
                20 => field.once(&mut kind, field.int32()?)?,
                22 | 23 => {
                    return Err(Fault::Unsupported {
                        place: format!("attribute {}", name.unwrap_or_default()),
                        what: "sparse tensors are".to_owned(),
                        remedy: "export the weights as dense tensors",
                    });
                }
                _ => {}
            }
        }
        self.subgraphs.extend(graph);
        integers.extend(integer);
        let name = name.unwrap_or_default();
        if !integers.is_empty() {
            self.integers.push((name, integers));
        }
        if name == "value" {
            self.value = value;
        }
        Ok(())
    }
}

/// A graph's input or output, which must be a tensor.
fn port(what: &'static str, name: &str, tensor_type: Option<TensorType>) -> Result<Port, Fault> {
    let place = || format!("{what} {name}");
    let (data_type, dims) = tensor_type.ok_or_else(|| Fault::Missing {
        place: place(),
        part: "its tensor type",
    })?;
    let element = Element::from_onnx(data_type).ok_or_else(|| Fault::Unsupported {
        place: place(),
        what: format!("element type {data_type} of TensorProto is"),
        remedy: "export with f32 or i64 inputs and f32 outputs",
    })?;
    Ok(Port {
        name: name.to_owned(),
        element,
        dims,
    })
}

type TensorType = (i32, Option<Vec<Dim>>);

/// Name, and data type and dimensions where the value is a tensor.
fn value_info<'a>(
    span: Span<'a>,
    tally: &mut Tally,
) -> Result<(&'a str, Option<TensorType>), Fault> {
    tally.part()?;
    let (mut name, mut kind) = (None, None);
    let mut reader = Reader::new(span, "ValueInfoProto");
    while let Some(field) = reader.next()? {
        match field.number {
            1 => field.once(&mut name, field.text()?)?,
            2 => field.once(&mut kind, field.message("TypeProto")?)?,
            3 => drop(field.text()?),
            _ => {}
        }
    }
    let name = name.unwrap_or_default();
    let Some(mut reader) = kind else {
        return Ok((name, None));
    };
    let mut tensor = None;
    while let Some(field) = reader.next()? {
        if field.number == 1 {
            field.once(&mut tensor, field.message("TypeProto.Tensor")?)?;
        }
    }
    match tensor {
        Some(reader) => Ok((name, Some(tensor_type(name, reader, tally)?))),
        None => Ok((name, None)),
    }
}

fn tensor_type(name: &str, mut reader: Reader<'_>, tally: &mut Tally) -> Result<TensorType, Fault> {
    let (mut data_type, mut shape) = (None, None);
    while let Some(field) = reader.next()? {
        match field.number {
            1 => field.once(&mut data_type, field.int32()?)?,
            2 => field.once(&mut shape, field.message("TensorShapeProto")?)?,
            _ => {}
        }
    }
    let mut dims = None;
    if let Some(mut reader) = shape {
        let dims = dims.insert(Vec::new());
        while let Some(field) = reader.next()? {
            if field.number == 1 {
                tally.part()?;
                let dim = dimension(
                    name,
                    dims.len(),
                    field.message("TensorShapeProto.Dimension")?,
                )?;
                dims.push(dim);
                tally.check(dims.len(), Limit::Rank, || format!("tensor {name}"))?;
            }
        }
    }
    Ok((data_type.unwrap_or_default(), dims))
}

fn dimension(name: &str, axis: usize, mut reader: Reader<'_>) -> Result<Dim, Fault> {
    let mut dim = None;
    while let Some(field) = reader.next()? {
        match field.number {
            1 => {
                let got = field.int64()?;
                let size = usize::try_from(got).map_err(|_| Fault::NegativeDimension {
                    tensor: name.to_owned(),
                    axis,
                    got,
                })?;
                field.once(&mut dim, Dim::Fixed(size))?;
            }
            2 => {
                field.text()?;
                field.once(&mut dim, Dim::Any)?;
            }
            3 => drop(field.text()?),
            _ => {}
        }
    }
    Ok(dim.unwrap_or(Dim::Any))
}
