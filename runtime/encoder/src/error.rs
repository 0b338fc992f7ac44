//! What can be wrong with a model, a plan or an input, and what to do about it.
//!
//! One [`Fault`] per cause. Its message names the place, what was expected, what was found and the remedy;
//! [`EncoderError`] puts the model's name before it.

use std::fmt;

use thiserror::Error;

use crate::Limit;

/// A [`Fault`] of the model named `model`. Its text says both, so the fault is no source besides: a chain of causes would say
/// it twice.
#[derive(Debug, Error)]
#[error("{model}: {fault}")]
pub struct EncoderError {
    model: String,
    fault: Box<Fault>,
}

impl EncoderError {
    pub(crate) fn new(model: &str, fault: Fault) -> EncoderError {
        EncoderError {
            model: model.to_owned(),
            fault: Box::new(fault),
        }
    }

    /// The name that the model was scanned under.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// What is wrong.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }
}

/// What is wrong with a model, a plan or an input.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// A size exceeds one of the [`Limits`](crate::Limits).
    #[error("{place}: {got} {limit}, at most {most} allowed; {}", limit.remedy())]
    Limit {
        /// Where.
        place: String,
        /// Which limit.
        limit: Limit,
        /// Its value.
        most: u64,
        /// What the model asks for; `u64::MAX` where it does not fit.
        got: u64,
    },

    /// The file ends within a field.
    #[error(
        "{message} at byte {offset}: {needed} bytes expected, {left} left; the file is cut off: copy it again and compare \
         its hash"
    )]
    Truncated {
        /// The protobuf message that is incomplete.
        message: &'static str,
        /// Where in the file the field's content starts.
        offset: usize,
        /// How many bytes the field has.
        needed: u64,
        /// How many bytes there are.
        left: usize,
    },

    /// The bytes are not a protobuf encoding of this message.
    #[error(
        "{message} at byte {offset}: {why}; the file is damaged or not an ONNX model: copy it again and compare its hash"
    )]
    Encoding {
        /// The protobuf message that does not parse.
        message: &'static str,
        /// Where in the file.
        offset: usize,
        /// What is wrong with the encoding.
        why: &'static str,
    },

    /// A part that a model must have is missing.
    #[error(
        "{place}: {part} is missing; the file is cut off or not an ONNX model: export it again"
    )]
    Missing {
        /// Where.
        place: String,
        /// What is missing.
        part: &'static str,
    },

    /// The model uses a feature that this runtime does not have.
    #[error("{place}: {what} not supported; {remedy}")]
    Unsupported {
        /// Where.
        place: String,
        /// What, with its verb: `"sparse tensors are"`.
        what: String,
        /// What to do instead.
        remedy: &'static str,
    },

    /// The operator set is not one that the engine reads.
    #[error(
        "operator set {got} of the ONNX domain, expected {least} to {most}; export with `opset_version=17`"
    )]
    Opset {
        /// The version that the model names.
        got: i64,
        /// The lowest that is read.
        least: i64,
        /// The highest that is read.
        most: i64,
    },

    /// A node's operator came with an operator set that is not read.
    #[error(
        "node {node}: operator {op} came with operator set {since}, those up to {most} are read; export with \
         `opset_version=17`, in which exporters write it as simpler operators"
    )]
    LaterOperator {
        /// The node's name.
        node: String,
        /// The operator.
        op: String,
        /// The operator set that it came with.
        since: i64,
        /// The highest that is read.
        most: i64,
    },

    /// A node's operator is not known.
    #[error(
        "node {node}: operator {domain}{op} is not known; re-export with standard ONNX operators, without the exporter's \
         fusions"
    )]
    UnknownOperator {
        /// The node's name.
        node: String,
        /// The operator.
        op: String,
        /// Its domain with a dot, or nothing for ONNX's own.
        domain: String,
    },

    /// A dimension is negative.
    #[error(
        "tensor {tensor}: dimension {axis} is {got}, expected 0 or more; export the model again"
    )]
    NegativeDimension {
        /// The tensor's name.
        tensor: String,
        /// The axis, from 0.
        axis: usize,
        /// Its size.
        got: i64,
    },

    /// A tensor has more or less data than its shape needs.
    #[error(
        "tensor {tensor}: {got} {unit} of data, its shape needs {expected}; export the model again"
    )]
    DataLength {
        /// The tensor's name.
        tensor: String,
        /// `bytes` or `elements`.
        unit: &'static str,
        /// What the shape and the element type need.
        expected: u64,
        /// What is there.
        got: u64,
    },

    /// An element does not fit the tensor's element type.
    #[error(
        "tensor {tensor}: element {index} is {got}, which does not fit {element}; export the model again"
    )]
    DataRange {
        /// The tensor's name.
        tensor: String,
        /// The element's index in row-major order.
        index: usize,
        /// Its value.
        got: i64,
        /// The element type.
        element: String,
    },

    /// A name is read that nothing produces.
    #[error(
        "{reader} reads tensor {tensor}, which no node, input or initializer produces; export the model again"
    )]
    Dangling {
        /// Who reads it.
        reader: String,
        /// The tensor's name.
        tensor: String,
    },

    /// A name stands for two things.
    #[error("{what} {name} is defined twice; names must be unique: export the model again")]
    Duplicate {
        /// What: `tensor`, `input`, `output`.
        what: &'static str,
        /// The name.
        name: String,
    },

    /// A node depends on its own output.
    #[error(
        "node {node} depends on its own output; a graph must be free of cycles: export the model again"
    )]
    Cycle {
        /// A node in the cycle.
        node: String,
    },

    /// A node's attribute has a value that cannot be.
    #[error(
        "node {node}: attribute {attribute} is {got}, expected {expected}; export the model again"
    )]
    Attribute {
        /// The node's name.
        node: String,
        /// The attribute's name.
        attribute: String,
        /// What it may be.
        expected: String,
        /// What it is.
        got: String,
    },

    /// A quantization scale is not a positive finite number.
    #[error(
        "node {node}: scale {tensor}[{index}] is {got}, expected a positive finite f32; calibrate and quantize the model again"
    )]
    Scale {
        /// The node's name.
        node: String,
        /// The scale's tensor.
        tensor: String,
        /// The element, from 0.
        index: usize,
        /// Its value.
        got: f32,
    },

    /// Scale, zero point and what they quantize do not fit together.
    #[error("node {node}: {what} is {got}, expected {expected}; quantize the model again")]
    Quantization {
        /// The node's name.
        node: String,
        /// What does not fit.
        what: &'static str,
        /// What would fit.
        expected: String,
        /// What is there.
        got: String,
    },

    /// The model has no such input.
    #[error("no input is named {got}; the model's inputs are {known}")]
    UnknownInput {
        /// The name asked for.
        got: String,
        /// Those that exist.
        known: Names,
    },

    /// The model has no such output.
    #[error("no tensor is named {got}; the model's outputs are {known}")]
    UnknownOutput {
        /// The name asked for.
        got: String,
        /// The declared outputs.
        known: Names,
    },

    /// A plan without outputs would compute nothing.
    #[error("no output was asked for; the model's outputs are {known}")]
    NoOutput {
        /// The declared outputs.
        known: Names,
    },

    /// An output depends on an input that the plan does not feed.
    #[error(
        "the outputs asked for also need input {needed}, a plan has one input; ask for outputs that need {input} only"
    )]
    SecondInput {
        /// The input that the plan feeds.
        input: String,
        /// The other one.
        needed: String,
    },

    /// An input or output has an element type that callers cannot pass.
    #[error("{what} {name} is {got}, expected {expected}; export the model with that type")]
    ElementType {
        /// `input` or `output`.
        what: &'static str,
        /// Its name.
        name: String,
        /// The types that work.
        expected: &'static str,
        /// The model's type, or the type that was passed.
        got: String,
    },

    /// A shape does not fit what the model declares or the plan was made for.
    #[error(
        "input {input}: shape {got}, expected {expected}; make a plan for the shape that is fed"
    )]
    Shape {
        /// The input's name.
        input: String,
        /// What would fit.
        expected: String,
        /// What was given.
        got: String,
    },

    /// The data passed to a plan is too short or too long.
    #[error(
        "input {input}: {got} elements, expected {expected} for shape {shape}; pass the whole tensor, rows first"
    )]
    InputLength {
        /// The input's name.
        input: String,
        /// The plan's shape.
        shape: String,
        /// How many elements that is, or a multiple of which.
        expected: usize,
        /// How many were passed.
        got: usize,
    },

    /// The engine refuses the model.
    #[error("cannot {stage}: {why}; {}", stage.remedy())]
    Engine {
        /// What was tried.
        stage: Stage,
        /// The engine's own words, shortened.
        why: String,
    },

    /// The engine gave up in a way that it does not report as an error.
    #[error("cannot {stage}: the engine panicked ({why}); please report this model")]
    Panic {
        /// What was tried.
        stage: Stage,
        /// The panic's message, shortened.
        why: String,
    },
}

/// A stage of a model's life in the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Bytes to graph.
    Import,
    /// Graph to plan.
    Plan,
    /// Plan to result.
    Run,
}

impl Stage {
    fn remedy(self) -> &'static str {
        match self {
            Stage::Import => {
                "check the model with onnx.checker, or re-export it with simpler operators"
            }
            Stage::Plan => {
                "check the shape asked for, or re-export the model with simpler operators"
            }
            Stage::Run => "check the values that are fed: an index may be out of range",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Import => "import the graph",
            Stage::Plan => "make a plan",
            Stage::Run => "run the plan",
        })
    }
}

/// Names in a message: `a, b and c`, at most eight of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (at, name) in self.0.iter().take(SHOWN).enumerate() {
            let last = at + 1 == self.0.len();
            f.write_str(match at {
                0 => "",
                _ if last => " and ",
                _ => ", ",
            })?;
            f.write_str(name)?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
