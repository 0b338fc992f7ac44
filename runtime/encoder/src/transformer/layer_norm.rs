//! Layer normalization of the last axis, as an operator of the engine.

use std::fmt;

use ocellus_kernels::f32_layer_norm;
use tract_onnx::tract_hir::internal::*;

use super::{Means, rows};

/// Normalizes rows.
#[derive(Clone)]
pub(super) struct LayerNorm {
    pub(super) epsilon: f32,
    /// One for each element of a row.
    pub(super) scale: Arc<[f32]>,
    /// One for each element of a row.
    pub(super) bias: Arc<[f32]>,
    pub(super) means: Means,
}

impl LayerNorm {
    pub(super) fn means(&self) -> &Means {
        &self.means
    }
}

impl Op for LayerNorm {
    fn name(&self) -> StaticName {
        "LayerNormalization".into()
    }

    op_as_typed_op!();
}

impl EvalOp for LayerNorm {
    not_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let x = args_1!(inputs);
        let row = self.scale.len();
        ensure!(
            x.shape().last() == Some(&row),
            "a normalization of other rows"
        );
        let numbers = (&self.scale[..], &self.bias[..]);
        let y = rows::map(&self.means.pool, &x, row, |x, y| {
            f32_layer_norm(self.means.isa, numbers, self.epsilon, x, y);
        })?;
        Ok(tvec![y.into_tvalue()])
    }
}

impl TypedOp for LayerNorm {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec![f32::fact(inputs[0].shape.clone())])
    }

    as_op!();
}

impl PartialEq for LayerNorm {
    fn eq(&self, other: &LayerNorm) -> bool {
        let bits = |reals: &[f32]| reals.iter().map(|real| real.to_bits()).collect::<Vec<_>>();
        self.epsilon.to_bits() == other.epsilon.to_bits()
            && bits(&self.scale) == bits(&other.scale)
            && bits(&self.bias) == bits(&other.bias)
            && self.means == other.means
    }
}

impl Eq for LayerNorm {}

impl fmt::Debug for LayerNorm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayerNorm")
            .field("row", &self.scale.len())
            .field("epsilon", &self.epsilon)
            .finish_non_exhaustive()
    }
}
