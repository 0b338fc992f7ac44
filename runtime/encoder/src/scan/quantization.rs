//! Scales and zero points: positive, finite, of the right type and number.
//!
//! A NaN scale does not fail: it makes every answer wrong. So scales are held against their meaning before anything
//! runs. Those that are computed at run time are out of reach here; `quant` refuses them.

use std::collections::HashMap;

use super::graph::{Graph, Node};
use super::tensor::{Element, TensorInfo};
use crate::{Fault, qoperator};

/// The constants that a graph sees: its own and those of the graphs around it.
struct Constants<'s, 'a> {
    outer: Option<&'s Constants<'s, 'a>>,
    tensors: HashMap<&'a str, &'s TensorInfo<'a>>,
}

impl<'s, 'a> Constants<'s, 'a> {
    fn get(&self, name: &str) -> Option<&'s TensorInfo<'a>> {
        match self.tensors.get(name) {
            Some(tensor) => Some(tensor),
            None => self.outer.and_then(|outer| outer.get(name)),
        }
    }
}

/// Checks `graph` and every graph within it.
pub(super) fn check(graph: &Graph<'_>) -> Result<(), Fault> {
    check_within(graph, None)
}

fn check_within(graph: &Graph<'_>, outer: Option<&Constants<'_, '_>>) -> Result<(), Fault> {
    let mut tensors: HashMap<&str, &TensorInfo<'_>> = HashMap::new();
    tensors.extend(
        graph
            .initializers
            .iter()
            .map(|(name, tensor)| (*name, tensor)),
    );
    for node in graph.nodes.iter().filter(|node| node.op == "Constant") {
        if let (Some(tensor), Some(output)) = (&node.value, node.outputs.first()) {
            tensors.insert(output, tensor);
        }
    }
    let constants = Constants { outer, tensors };
    for node in &graph.nodes {
        check_node(node, &constants)?;
        for subgraph in &node.subgraphs {
            check_within(subgraph, Some(&constants))?;
        }
    }
    Ok(())
}

/// Where an operator takes what it quantizes, the scale and the zero point.
fn roles(node: &Node<'_>) -> Vec<(usize, usize, usize)> {
    if matches!(node.op, "QuantizeLinear" | "DequantizeLinear") {
        return vec![(0, 1, 2)];
    }
    let Some(form) = qoperator::form(node.domain, node.op) else {
        return Vec::new();
    };
    let values = form.values(node.inputs.len()).into_iter();
    let mut roles: Vec<_> = values.map(|at| (at, at + 1, at + 2)).collect();
    let output = form.output_scale;
    let is_real = form.may_be_real && node.inputs.get(output).is_none_or(|name| name.is_empty());
    if !is_real {
        roles.push((usize::MAX, output, output + 1));
    }
    roles
}

/// What an operator on integers needs beyond the scales, and what of it is not read.
fn check_form(node: &Node<'_>) -> Result<(), Fault> {
    let Some(form) = qoperator::form(node.domain, node.op) else {
        return Ok(());
    };
    let place = || format!("node {}", node.name());
    let is_there = |at: usize| node.inputs.get(at).is_some_and(|name| !name.is_empty());
    if !form.values(node.inputs.len()).into_iter().all(is_there) {
        return Err(Fault::Missing {
            place: place(),
            part: "an input",
        });
    }
    // It says which integers the output is made of.
    if is_there(form.output_scale) && !is_there(form.output_scale + 1) {
        return Err(Fault::Missing {
            place: place(),
            part: "the zero point of its output",
        });
    }
    if node.integer("channels_last").is_some_and(|last| last != 0) {
        return Err(Fault::Unsupported {
            place: place(),
            what: "an operator whose channels come last is".to_owned(),
            remedy: "export with channels first, without the optimizer's layout changes",
        });
    }
    Ok(())
}

fn check_node(node: &Node<'_>, constants: &Constants<'_, '_>) -> Result<(), Fault> {
    let roles = roles(node);
    check_form(node)?;
    if !roles.is_empty() && node.integer("block_size").is_some_and(|size| size != 0) {
        return Err(Fault::Unsupported {
            place: format!("node {}", node.name()),
            what: "quantization in blocks is".to_owned(),
            remedy: "quantize per tensor or per channel",
        });
    }
    for (value, scale, zero_point) in roles {
        let Some(&name) = node.inputs.get(scale).filter(|name| !name.is_empty()) else {
            return Err(Fault::Missing {
                place: format!("node {}", node.name()),
                part: "its scale",
            });
        };
        let constant = |at: usize| node.inputs.get(at).and_then(|name| constants.get(name));
        let Some(scale) = constant(scale) else {
            continue;
        };
        check_scale(node, name, scale)?;
        if let Some(zero_point) = constant(zero_point) {
            check_zero_point(node, scale, zero_point)?;
        }
        if let (Some(value), "DequantizeLinear") = (constant(value), node.op) {
            check_fit(node, value, scale, constant(zero_point))?;
        }
    }
    Ok(())
}

fn check_scale(node: &Node<'_>, name: &str, scale: &TensorInfo<'_>) -> Result<(), Fault> {
    let wrong = |expected: &str, got: String| quantization(node, "the scale", expected, got);
    if scale.element != Element::F32 {
        return Err(wrong("f32", scale.element.to_string()));
    }
    if scale.dims.len() > 1 || scale.count() == 0 {
        return Err(wrong(
            "one number, or one per channel",
            format!("of shape {:?}", scale.dims),
        ));
    }
    match scale
        .f32s()?
        .into_iter()
        .enumerate()
        .find(|(_, value)| !(value.is_finite() && *value > 0.0))
    {
        None => Ok(()),
        Some((index, got)) => Err(Fault::Scale {
            node: node.name().to_owned(),
            tensor: name.to_owned(),
            index,
            got,
        }),
    }
}

fn check_zero_point(
    node: &Node<'_>,
    scale: &TensorInfo<'_>,
    zero_point: &TensorInfo<'_>,
) -> Result<(), Fault> {
    let wrong = |what, expected: &str, got| Err(quantization(node, what, expected, got));
    match (zero_point.element, node.op) {
        (Element::U8 | Element::I8, _) => {}
        (Element::I32, "DequantizeLinear") => {
            if let Some(other) = zero_point.i64s()?.into_iter().find(|&value| value != 0) {
                return wrong("the zero point of i32 data", "0", other.to_string());
            }
        }
        (Element::I32, _) | (_, "QuantizeLinear") => {
            return wrong("the zero point", "u8 or i8", zero_point.element.to_string());
        }
        _ => {
            return wrong(
                "the zero point",
                "u8, i8 or i32",
                zero_point.element.to_string(),
            );
        }
    }
    if zero_point.count() != scale.count() {
        let expected = format!("one per scale, {}", scale.count());
        return wrong(
            "the number of zero points",
            &expected,
            zero_point.count().to_string(),
        );
    }
    Ok(())
}

/// Holds scale and zero point against constant data.
fn check_fit(
    node: &Node<'_>,
    value: &TensorInfo<'_>,
    scale: &TensorInfo<'_>,
    zero_point: Option<&TensorInfo<'_>>,
) -> Result<(), Fault> {
    if let Some(zero_point) = zero_point.filter(|zero_point| zero_point.element != value.element) {
        return Err(quantization(
            node,
            "the zero point",
            &format!("{}, as the data", value.element),
            zero_point.element.to_string(),
        ));
    }
    if scale.count() == 1 {
        return Ok(());
    }
    let axis = node.integer("axis").unwrap_or(1);
    let rank = value.dims.len();
    let along = if axis < 0 {
        axis.checked_add_unsigned(rank as u64)
    } else {
        Some(axis)
    };
    let channels = along
        .and_then(|axis| usize::try_from(axis).ok())
        .and_then(|axis| value.dims.get(axis));
    match channels {
        None => Err(quantization(
            node,
            "the quantization axis",
            &format!("one of {rank}"),
            axis.to_string(),
        )),
        Some(&channels) if channels != scale.count() => Err(quantization(
            node,
            "the number of scales",
            &format!("one per channel, {channels}"),
            scale.count().to_string(),
        )),
        Some(_) => Ok(()),
    }
}

fn quantization(node: &Node<'_>, what: &'static str, expected: &str, got: String) -> Fault {
    Fault::Quantization {
        node: node.name().to_owned(),
        what,
        expected: expected.to_owned(),
        got,
    }
}
