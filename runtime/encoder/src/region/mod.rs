//! INT8 regions: connected quantized operators as one operator that computes in integers.
//!
//! ```text
//! typed graph -- find -- operators between Quantize and Dequantize, each with its kernel packed, or the reason why not
//!             -- group -- those that are connected and may become one node
//!             -- compile -- a program: steps on bytes, every buffer's place in one arena
//!             -- Region -- the program as an operator of the engine; or, where it is all there is, run without it
//! ```
//!
//! Recognised, with u8 or s8 activations of one scale per tensor and shapes that are known, NCHW or rows:
//!
//! - `Dequantize -> Conv -> [Clip | Relu]* -> Quantize`: dense and depthwise, weights of 8 bits with zero point 0, one
//!   scale or one per output channel, bias absent, in f32, or of 32 bits with the scale of the sums;
//! - `Dequantize, Dequantize -> Add -> [Clip | Relu]* -> Quantize`, shapes equal;
//! - the same with Mul, shapes equal, or one side a number for each channel of the other's maps;
//! - `Dequantize.. -> Concat -> [Clip | Relu]* -> Quantize` along the channels;
//! - `Dequantize -> Gemm | MatMul -> [Clip | Relu]* -> Quantize`, weights and bias as above, of rows of two or three axes;
//! - `Dequantize -> MaxPool -> [Clip | Relu]* -> Quantize` of one scale and zero point;
//! - `Dequantize -> f -> Quantize` for functions `f` of one element, however many operators they are, and for a change of scale
//!   or of axes: a table;
//! - `Dequantize -> GlobalAveragePool`, to integers where a Quantize follows, else to f32;
//! - `MaxPool` of integers, and axes of integers that come and go where a map is one pixel;
//! - Quantize at the entry, Dequantize and what only reshapes it at the exit.
//!
//! The QOperator form is read as this one (`qoperator`). Beside regions there are products of [`activations`] with one
//! another and, with scales that are known only when they run, [`dynamic`] ones.
//!
//! Inside, images are `[h, w, c]` and bytes signed: u8 is shifted by 128 at the door, data and zero points alike.
//! Everything else stays in f32, in the engine's hands, and says why: see [`Reason`](crate::Reason).
//!
//! Limits: no grouped convolution but depthwise of multiplier 1, no dilation, no broadcast but that of channels. At the entry NaN becomes the
//! real 0, where the f32 path makes the lowest integer of it.

pub(crate) mod activations;
mod arena;
mod bands;
mod chain;
mod channel;
mod compile;
mod constant;
mod convolve;
pub(crate) mod dynamic;
mod find;
mod function;
mod group;
mod joins;
mod layer;
mod op;
mod pack;
pub(crate) mod parts;
mod planes;
mod program;
mod store;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ocellus_kernels::Isa;
use ocellus_sys::Pool;
use tract_onnx::tract_hir::internal::*;

pub(crate) use self::find::affine;
pub(crate) use self::layer::is_transposed;
pub(crate) use self::op::Region;
pub(crate) use self::program::{Computed, Fed, Label, Program};
pub(crate) use self::store::Store;
use crate::{Limits, Reason};

/// What became of a graph's nodes, by the names that they have in the file: those of their first outputs.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Nodes that regions compute.
    pub(crate) covered: HashSet<String>,
    /// Why a node that looks like one for a region is in none.
    pub(crate) left: HashMap<String, Reason>,
}

/// Replaces every region of `model` by one operator, whose work `pool` shares.
pub(crate) fn replace(
    model: &mut TypedModel,
    isa: Isa,
    pool: &Arc<Pool>,
    store: &Store,
    limits: &Limits,
) -> TractResult<Outcome> {
    let found = find::find(model, isa, store)?;
    let regions = group::group(model, &found)?;
    let mut outcome = Outcome {
        left: found.left,
        ..Outcome::default()
    };
    // All of them first: a region that is wired changes what the next one reads.
    let compiled = regions
        .iter()
        .map(|region| compile::compile(model, (isa, pool), &found.members, region, limits));
    let programs = compiled.collect::<TractResult<Vec<_>>>()?;
    let mut replaced = HashMap::new();
    for (region, program) in regions.iter().zip(programs) {
        outcome.covered.extend(region.names.iter().cloned());
        op::wire(model, region, program, &mut replaced)?;
    }
    if !regions.is_empty() {
        model.compact()?;
    }
    Ok(outcome)
}

/// The program that computes the whole of `model`, and for each output of the model which of the program's it is.
/// Nothing where the engine has a part in it.
pub(crate) fn whole(model: &TypedModel) -> Option<(Arc<Program>, Vec<usize>)> {
    let first = model.outputs.first()?.node;
    let node = model.node(first);
    let region = node.op_as::<op::Region>()?;
    let fed = node.inputs[..] == model.inputs[..] && model.inputs.len() == 1;
    let direct = fed
        && model.outputs.iter().all(|output| output.node == first)
        && region.program().takes_and_gives_reals();
    direct.then(|| {
        (
            region.program().clone(),
            model.outputs.iter().map(|output| output.slot).collect(),
        )
    })
}
