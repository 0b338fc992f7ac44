//! A program as an operator of the engine.
//!
//! Limits: its axes cannot be moved by the engine; it is opaque to every simplification.

use std::collections::HashMap;
use std::sync::Arc;

use tract_onnx::tract_hir::internal::*;

use super::group::Group;
use super::program::{Border, Computed, Fed, Kind, Program};
use crate::Observer;
use crate::observe::Unobserved;

/// Runs a [`Program`].
#[derive(Clone, Debug)]
pub(crate) struct Region {
    program: Arc<Program>,
}

impl Region {
    pub(crate) fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Runs the program, watched.
    pub(crate) fn run<O: Observer>(
        &self,
        inputs: &[TValue],
        observer: &mut O,
    ) -> TractResult<TVec<TValue>> {
        let borders = self.program.inputs();
        let fits = |(border, input): (&Border, &TValue)| {
            is_border(border, input.shape(), input.datum_type())
        };
        ensure!(
            inputs.len() == borders.len() && borders.iter().zip(inputs).all(fits),
            "a region is fed other shapes"
        );
        let mut fed: TVec<Fed<'_>> = tvec![];
        for (border, input) in borders.iter().zip(inputs) {
            let plain = input.try_as_plain_ram()?;
            fed.push(match border.kind {
                Kind::F32 => Fed::F32(plain.as_slice::<f32>()?),
                Kind::U8 => Fed::U8(plain.as_slice::<u8>()?),
                Kind::I8 => Fed::I8(plain.as_slice::<i8>()?),
            });
        }
        let mut outputs: TVec<Tensor> = tvec![];
        for border in self.program.outputs() {
            outputs.push(Tensor::zero_dt(datum_type(border.kind), &border.shape)?);
        }
        let mut views = outputs
            .iter_mut()
            .map(|output| output.try_as_plain_ram_mut())
            .collect::<TractResult<TVec<_>>>()?;
        let mut computed: TVec<Computed<'_>> = tvec![];
        for (border, view) in self.program.outputs().iter().zip(&mut views) {
            computed.push(match border.kind {
                Kind::F32 => Computed::F32(view.as_slice_mut::<f32>()?),
                Kind::U8 => Computed::U8(view.as_slice_mut::<u8>()?),
                Kind::I8 => Computed::I8(view.as_slice_mut::<i8>()?),
            });
        }
        self.program.run(&fed, &mut computed, observer);
        drop(computed);
        drop(views);
        Ok(outputs.into_iter().map(IntoTValue::into_tvalue).collect())
    }
}

impl PartialEq for Region {
    fn eq(&self, other: &Region) -> bool {
        Arc::ptr_eq(&self.program, &other.program)
    }
}

impl Eq for Region {}

/// Puts `program` in the place of `group` in `model`. The nodes that it replaces stay, unread. `replaced` says where
/// the values are now that regions wired before have taken over.
pub(super) fn wire(
    model: &mut TypedModel,
    group: &Group,
    program: Program,
    replaced: &mut HashMap<OutletId, OutletId>,
) -> TractResult<()> {
    let mut patch = TypedModelPatch::default();
    let mut inputs: TVec<OutletId> = tvec![];
    for source in &group.inputs {
        let outlet = replaced.get(&source.outlet).unwrap_or(&source.outlet);
        inputs.push(patch.tap_model(model, *outlet)?);
    }
    let first = group.names.first().map_or("", String::as_str);
    let name = model.unique_name(format!("{first}.int8")).into_owned();
    let region = Region {
        program: Arc::new(program),
    };
    let outputs = patch.wire_node(name, region, &inputs)?;
    // The patch adds one node.
    let added = model.nodes().len();
    for (exit, output) in group.outputs.iter().zip(outputs) {
        patch.shunt_outside(model, exit.outlet, output)?;
        replaced.insert(exit.outlet, OutletId::new(added, output.slot));
    }
    patch.apply(model)?;
    ensure!(
        model
            .nodes()
            .get(added)
            .is_some_and(|node| node.op_is::<Region>()),
        "a region was not added last"
    );
    Ok(())
}

fn datum_type(kind: Kind) -> DatumType {
    match kind {
        Kind::F32 => DatumType::F32,
        Kind::U8 => DatumType::U8,
        Kind::I8 => DatumType::I8,
    }
}

fn is_border(border: &Border, shape: &[usize], datum: DatumType) -> bool {
    border.shape == shape && datum_type(border.kind) == datum
}

impl Op for Region {
    fn name(&self) -> StaticName {
        "Int8Region".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Region {
    not_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        self.run(&inputs, &mut Unobserved)
    }
}

impl TypedOp for Region {
    fn output_facts(&self, _: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let fact = |border: &Border| datum_type(border.kind).fact(&border.shape[..]);
        Ok(self.program.outputs().iter().map(fact).collect())
    }

    as_op!();
}
