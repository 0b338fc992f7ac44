//! Softmax of the last axis, as an operator of the engine.

use ocellus_kernels::f32_softmax;
use tract_core::ops::nn::{Softmax as EngineSoftmax, SoftmaxKind};
use tract_onnx::tract_hir::internal::*;

use super::{Means, Replacement, rows, values};

/// The Softmax that `node` is, if it is one of rows, with the number that they are multiplied by.
pub(super) fn find(model: &TypedModel, node: &TypedNode, means: &Means) -> Option<Replacement> {
    let mut x = values::source(model, *node.inputs.first()?);
    let rank = values::shape(model, x)?.len();
    if !is_of_rows(node, rank) {
        return None;
    }
    let mut scale = 1.0;
    if let Some((of, factor)) = values::scaled(model, model.node(x.node))
        && factor > 0.0
        && factor.is_finite()
        && values::is_used_once(model, x)
    {
        (x, scale) = (of, factor);
    }
    Some(Replacement {
        op: Box::new(Softmax {
            scale,
            means: means.clone(),
        }),
        inputs: tvec![x],
        output: node.id.into(),
    })
}

/// Whether `node` is a Softmax of the last of `rank` axes.
pub(super) fn is_of_rows(node: &TypedNode, rank: usize) -> bool {
    let of_rows = |softmax: &EngineSoftmax| {
        softmax.kind == SoftmaxKind::Softmax
            && softmax.quant_output_dt.is_none()
            && softmax.axes[..] == [rank - 1]
    };
    node.op_as::<EngineSoftmax>().is_some_and(of_rows)
}

/// Softmax of the last axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Softmax {
    scale: f32,
    means: Means,
}

// A scale is finite.
impl Eq for Softmax {}

impl Softmax {
    pub(super) fn means(&self) -> &Means {
        &self.means
    }
}

impl Op for Softmax {
    fn name(&self) -> StaticName {
        "Softmax".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Softmax {
    not_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let x = args_1!(inputs);
        let row = *x.shape().last().context("a softmax of no axes")?;
        let y = rows::map(&self.means.pool, &x, row, |x, y| {
            f32_softmax(self.means.isa, self.scale, x, row, y);
        })?;
        Ok(tvec![y.into_tvalue()])
    }
}

impl TypedOp for Softmax {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec![f32::fact(inputs[0].shape.clone())])
    }

    as_op!();
}
