//! GELU and its relatives, as an operator of the engine.

use ocellus_kernels::{Gelu as Curve, f32_gelu};
use tract_onnx::tract_hir::internal::*;

use super::{Means, rows};
use crate::elements::of_elements;

/// Elements that are cut for a thread together, at least.
const BLOCK: usize = 256;

/// A function of each element.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Gelu {
    pub(super) curve: Curve,
    pub(super) means: Means,
}

// A slope is finite.
impl Eq for Gelu {}

impl Gelu {
    pub(super) fn means(&self) -> &Means {
        &self.means
    }
}

impl Op for Gelu {
    fn name(&self) -> StaticName {
        match self.curve {
            Curve::Normal | Curve::Tanh => "Gelu".into(),
            Curve::Sigmoid { .. } => "QuickGelu".into(),
        }
    }

    op_as_typed_op!();
}

impl EvalOp for Gelu {
    not_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let x = args_1!(inputs);
        let row = if x.len().is_multiple_of(BLOCK) {
            BLOCK
        } else {
            1
        };
        let y = rows::map(&self.means.pool, &x, row, |x, y| {
            f32_gelu(self.means.isa, self.curve, x, y);
        })?;
        Ok(tvec![y.into_tvalue()])
    }
}

impl TypedOp for Gelu {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec![f32::fact(inputs[0].shape.clone())])
    }

    of_elements!(|self, change| Some(self.clone()));
    as_op!();
}
