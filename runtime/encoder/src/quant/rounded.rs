//! A Quantize and the Dequantizes of the same scale behind it, as one operator on reals.
//!
//! It runs after the INT8 regions took what they use, so what it meets stays in f32: integers would be made and unmade. The
//! reals are the same.
//!
//! Limits: one scale per tensor.

use ocellus_kernels::{Grid, Isa, f32_round};
use tract_onnx::tract_hir::internal::*;

use super::{Dequantize, Quantize};
use crate::elements::of_elements;

/// Reals to the nearest of a grid.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rounded {
    grid: Grid,
    isa: Isa,
}

// The scale is finite.
impl Eq for Rounded {}

/// Puts a [`Rounded`] in the place of each such group of `model`, and lets every other Quantize use kernels of `isa`.
pub(crate) fn round(model: &mut TypedModel, isa: Isa) -> TractResult<()> {
    for node in model.nodes_mut() {
        if let Some(quantize) = node.op_as_mut::<Quantize>() {
            quantize.isa = isa;
        }
    }
    let mut changed = false;
    for id in model.eval_order()? {
        let Some((grid, reals)) = group(model, id) else {
            continue;
        };
        let mut patch = TypedModelPatch::default();
        let x = patch.tap_model(model, model.node(id).inputs[0])?;
        let name = model.unique_name(format!("{}.rounded", model.node(id).name));
        let rounded = patch.wire_node(name.into_owned(), Rounded { grid, isa }, &[x])?[0];
        for real in reals {
            patch.shunt_outside(model, real, rounded)?;
        }
        patch.apply(model)?;
        changed = true;
    }
    if changed {
        model.compact()?;
    }
    Ok(())
}

/// The grid of the Quantize that the node `id` is, and where its reals are, if nobody sees its integers.
fn group(model: &TypedModel, id: usize) -> Option<(Grid, Vec<OutletId>)> {
    let node = model.node(id);
    let scale = node.op_as::<Quantize>()?.scale();
    let &[(step, zero_point)] = scale.pairs() else {
        return None;
    };
    let constant = model.outlet_fact(node.inputs[0]).ok()?.konst.is_some();
    let readers = &node.outputs[0].successors;
    let same = |reader: &InletId| {
        let dequantize = model.node(reader.node).op_as::<Dequantize>();
        dequantize.is_some_and(|dequantize| dequantize.scale().pairs() == scale.pairs())
    };
    if constant
        || model.outputs.contains(&id.into())
        || readers.is_empty()
        || !readers.iter().all(same)
    {
        return None;
    }
    let (lowest, highest) = match node.outputs[0].fact.datum_type {
        DatumType::U8 => (0, 255),
        _ => (-128, 127),
    };
    let grid = Grid {
        scale: step,
        least: lowest - zero_point,
        most: highest - zero_point,
    };
    Some((
        grid,
        readers.iter().map(|reader| reader.node.into()).collect(),
    ))
}

impl Op for Rounded {
    fn name(&self) -> StaticName {
        "Rounded".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Rounded {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let x = args_1!(inputs);
        let plain = x.try_as_plain_ram()?;
        let reals = plain.as_slice::<f32>()?;
        let mut rounded = vec![0.0; reals.len()];
        f32_round(self.isa, self.grid, reals, &mut rounded);
        Ok(tvec![
            Tensor::from_shape(x.shape(), &rounded)?.into_tvalue()
        ])
    }
}

impl TypedOp for Rounded {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec![f32::fact(inputs[0].shape.clone())])
    }

    of_elements!(|self, change| Some(self.clone()));
    as_op!();
}
