//! What a plan runs, node by node: its shape, its precision, its cost, and why it is not INT8.
//!
//! The list speaks of the nodes that stand in the file, because those are the ones that an exporter can change.
//! Conversions of constants and whatever else follows from constants alone are not steps: they are done once, at load.
//!
//! Limits: nodes inside a Scan or If are counted as that one node.

use std::collections::{HashMap, HashSet};
use std::fmt;

use tract_onnx::tract_hir::infer::Factoid;
use tract_onnx::tract_hir::internal::{InferenceModel, OutletId};

use crate::region::Outcome;
use crate::scan::CheckedNode;
use crate::{CheckedModel, Dim, qoperator};

/// One node of the graph as a plan runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The node's name, or its first output's where it has none.
    pub node: String,
    /// Its ONNX operator.
    pub op: String,
    /// The shape of its first output; empty for a scalar, and where the engine leaves it open.
    pub shape: Vec<Dim>,
    /// The arithmetic that it runs in.
    pub precision: Precision,
    /// Why it does not run in INT8, where it does not.
    pub reason: Option<Reason>,
    /// Multiply-accumulates, for convolutions and matrix products of known shape.
    pub macs: Option<u64>,
}

/// The arithmetic of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 32-bit floating point.
    F32,
    /// 8-bit integers, summed in 32 bits.
    I8,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Precision::F32 => "f32",
            Precision::I8 => "i8",
        })
    }
}

/// Why a step runs in f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The model quantizes it, and the encoder was made without INT8 regions.
    RegionsOff,
    /// The model quantizes it, and there is no INT8 kernel for its operator.
    NoKernel,
    /// Its groups, dilations, shapes or number of axes are of a kind that has no INT8 kernel.
    Attribute,
    /// The plan leaves its sizes open.
    OpenShape,
    /// What it computes is not quantized again, or is read in f32 as well.
    OutputNotQuantized,
    /// What it computes has another scale or zero point than what it is fed.
    OutputScale,
    /// What it is fed has a scale for each channel.
    ActivationScale,
    /// The model quantizes what it is fed and not its weights.
    WeightsNotQuantized,
    /// Its weights have scales along another axis than that of the output channels.
    WeightScale,
    /// The integer that stands for a weight of 0 is not 0.
    WeightZeroPoint,
    /// Its bias is not constant, or has not the scale of input times weights.
    BiasScale,
    /// Its sums might not fit 32 bits.
    SumOverflow,
    /// Its scales do not give a finite multiplier.
    Multiplier,
    /// The model quantizes its weights and not what it is fed.
    WeightsOnly,
    /// The model does not quantize it.
    NotQuantized,
    /// It converts between integers and reals.
    Conversion,
    /// It moves or reinterprets data and computes nothing.
    DataMovement,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Reason::RegionsOff => "runs in f32: INT8 regions are switched off",
            Reason::NoKernel => "runs in f32: its operator has no INT8 kernel",
            Reason::Attribute => "runs in f32: no INT8 kernel for its groups, dilations or shape",
            Reason::OpenShape => "runs in f32: its sizes are open; make a plan for fixed sizes",
            Reason::OutputNotQuantized => "runs in f32: its output is not quantized, or is read in f32 too",
            Reason::OutputScale => "runs in f32: its output has not the scale of its input; quantize both alike",
            Reason::ActivationScale => "runs in f32: its input has a scale per channel; quantize it per tensor",
            Reason::WeightsNotQuantized => "runs in f32: its weights are not quantized; quantize them too",
            Reason::WeightScale => "runs in f32: scales of its weights lie along another axis; quantize per output channel",
            Reason::WeightZeroPoint => "runs in f32: its weights have a zero point; quantize them symmetrically",
            Reason::BiasScale => "runs in f32: its bias has not the scale of input times weights; quantize it again",
            Reason::SumOverflow => "runs in f32: its sums might not fit 32 bits",
            Reason::Multiplier => "runs in f32: its scales give no finite multiplier; calibrate again",
            Reason::WeightsOnly => {
                "runs in f32: only its weights are quantized; calibrate its input too"
            }
            Reason::NotQuantized => "runs in f32: the model does not quantize it",
            Reason::Conversion => "converts between integers and f32",
            Reason::DataMovement => "moves data, computes nothing",
        })
    }
}

/// The steps of `graph`, the analysed part of `model` that a plan needs, each after the name of its first output.
pub(crate) fn steps(model: &CheckedModel, graph: &InferenceModel) -> Vec<(String, Step)> {
    let view = View::new(model, graph);
    let order = graph.eval_order().unwrap_or_default();
    order
        .into_iter()
        .filter_map(|id| view.nodes.get(graph.node(id).name.as_str()))
        .filter(|node| !view.is_constant(node))
        .filter_map(|node| Some((node.outputs.first()?.clone(), view.step(node))))
        .collect()
}

/// The steps once it is known which of them INT8 regions compute; without an outcome there are no regions.
pub(crate) fn settle(steps: &[(String, Step)], outcome: Option<&Outcome>) -> Vec<Step> {
    let settled = |(output, step): &(String, Step)| {
        let mut step = step.clone();
        match outcome {
            Some(outcome) if outcome.covered.contains(output) => {
                (step.precision, step.reason) = (Precision::I8, None)
            }
            Some(outcome) => {
                if let Some(reason) = outcome
                    .left
                    .get(output)
                    .filter(|_| step.reason == Some(Reason::NoKernel))
                {
                    step.reason = Some(*reason);
                }
            }
            None if step.reason == Some(Reason::NoKernel) => step.reason = Some(Reason::RegionsOff),
            None => {}
        }
        step
    };
    steps.iter().map(settled).collect()
}

/// A model's nodes by the tensors that they make, and what analysis found out about those.
struct View<'m> {
    model: &'m CheckedModel,
    graph: &'m InferenceModel,
    outlets: HashMap<&'m str, OutletId>,
    /// By first output, which is also the name of the engine's node.
    nodes: HashMap<&'m str, &'m CheckedNode>,
    producers: HashMap<&'m str, &'m CheckedNode>,
    constants: HashSet<&'m str>,
}

impl<'m> View<'m> {
    fn new(model: &'m CheckedModel, graph: &'m InferenceModel) -> View<'m> {
        let mut view = View {
            model,
            graph,
            outlets: HashMap::new(),
            nodes: HashMap::new(),
            producers: HashMap::new(),
            constants: model.constants().keys().map(String::as_str).collect(),
        };
        view.outlets.extend(
            graph
                .outlet_labels
                .iter()
                .map(|(outlet, name)| (name.as_str(), *outlet)),
        );
        view.outlets.extend(
            graph
                .inputs
                .iter()
                .map(|outlet| (graph.node(outlet.node).name.as_str(), *outlet)),
        );
        for node in model.nodes() {
            view.nodes
                .extend(node.outputs.first().map(|name| (name.as_str(), node)));
            view.producers
                .extend(node.outputs.iter().map(|name| (name.as_str(), node)));
        }
        // Files may name nodes in any order; the engine's order is one in which inputs come first.
        for id in graph.eval_order().unwrap_or_default() {
            if let Some(node) = view.nodes.get(graph.node(id).name.as_str())
                && view.follows_from_constants(node)
            {
                view.constants
                    .extend(node.outputs.iter().map(String::as_str));
            }
        }
        view
    }

    fn follows_from_constants(&self, node: &CheckedNode) -> bool {
        node.inputs
            .iter()
            .all(|input| input.is_empty() || self.constants.contains(input.as_str()))
    }

    fn is_constant(&self, node: &CheckedNode) -> bool {
        node.outputs
            .first()
            .is_some_and(|output| self.constants.contains(output.as_str()))
    }

    fn step(&self, node: &CheckedNode) -> Step {
        let (precision, reason) = self.precision(node);
        let shape = node.outputs.first().and_then(|output| self.shape(output));
        Step {
            node: node.name.clone(),
            op: node.op.clone(),
            macs: self.macs(node),
            shape: shape.unwrap_or_default(),
            precision,
            reason,
        }
    }

    fn precision(&self, node: &CheckedNode) -> (Precision, Option<Reason>) {
        let reason = match node.op.as_str() {
            "ConvInteger" | "MatMulInteger" => return (Precision::I8, None),
            op if qoperator::form(&node.domain, op).is_some() => Reason::NoKernel,
            "QuantizeLinear" | "DequantizeLinear" | "DynamicQuantizeLinear" => Reason::Conversion,
            "Reshape" | "Flatten" | "Transpose" | "Squeeze" | "Unsqueeze" | "Concat" | "Split"
            | "Slice" | "Gather" | "GatherElements" | "GatherND" | "Shape" | "Size"
            | "Identity" | "Cast" | "Expand" | "Tile" | "Pad" | "Dropout" | "DepthToSpace"
            | "SpaceToDepth" => Reason::DataMovement,
            _ => self.quantization(node),
        };
        (Precision::F32, Some(reason))
    }

    /// How far the model quantizes a node that computes.
    fn quantization(&self, node: &CheckedNode) -> Reason {
        let dequantized = |input: &str| {
            let producer = self.producers.get(input);
            producer.is_some_and(|producer| producer.op == "DequantizeLinear")
        };
        let inputs = node
            .inputs
            .iter()
            .map(String::as_str)
            .filter(|input| !input.is_empty());
        let (weights, fed): (Vec<&str>, Vec<&str>) =
            inputs.partition(|input| self.constants.contains(input));
        if !fed.is_empty() && fed.iter().all(|input| dequantized(input)) {
            Reason::NoKernel
        } else if weights.iter().any(|input| dequantized(input)) {
            Reason::WeightsOnly
        } else {
            Reason::NotQuantized
        }
    }

    fn macs(&self, node: &CheckedNode) -> Option<u64> {
        let shape = |at: usize| self.sizes(node.inputs.get(at)?);
        let out = || volume(&self.sizes(node.outputs.first()?)?);
        match node.op.as_str() {
            "Conv" | "ConvInteger" => out()?.checked_mul(volume(shape(1)?.get(1..)?)?),
            "QLinearConv" => out()?.checked_mul(volume(shape(3)?.get(1..)?)?),
            "ConvTranspose" => volume(&shape(0)?)?.checked_mul(volume(shape(1)?.get(1..)?)?),
            "MatMul" | "MatMulInteger" | "QLinearMatMul" => {
                out()?.checked_mul(*shape(0)?.last()? as u64)
            }
            // M K, K N and M N, whichever of A and B is transposed.
            "Gemm" | "QGemm" => {
                let right = if node.op == "Gemm" { 1 } else { 3 };
                let sizes = [volume(&shape(0)?)?, volume(&shape(right)?)?, out()?];
                let square = sizes.iter().try_fold(1u128, |product, size| {
                    product.checked_mul(u128::from(*size))
                })?;
                u64::try_from(square.isqrt()).ok()
            }
            _ => None,
        }
    }

    fn sizes(&self, tensor: &str) -> Option<Vec<usize>> {
        if let Some(sizes) = self.model.constants().get(tensor) {
            return Some(sizes.clone());
        }
        let fixed = |dim: Dim| match dim {
            Dim::Fixed(size) => Some(size),
            Dim::Any => None,
        };
        self.shape(tensor)?.into_iter().map(fixed).collect()
    }

    fn shape(&self, tensor: &str) -> Option<Vec<Dim>> {
        let fact = self.graph.outlet_fact(*self.outlets.get(tensor)?).ok()?;
        let dims = fact.shape.concretize()?;
        let size = |dim: Option<i64>| dim.and_then(|size| usize::try_from(size).ok());
        Some(
            dims.iter()
                .map(|dim| size(dim.to_i64().ok()).map_or(Dim::Any, Dim::Fixed))
                .collect(),
        )
    }
}

fn volume(sizes: &[usize]) -> Option<u64> {
    sizes
        .iter()
        .try_fold(1u64, |product, size| product.checked_mul(*size as u64))
}
