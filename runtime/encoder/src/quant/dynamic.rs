//! DynamicQuantizeLinear: the range of a tensor is its scale, and its integers are unsigned.
//!
//! The engine's own operator compares and divides element by element; this one is made of kernels.

use ocellus_kernels::{Affine, Isa, Quantizer, f32_range, quantize};
use tract_onnx::model::ParsingContext;
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_hir::internal::*;

/// Gives bytes, their scale and their zero point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DynamicQuantize {
    pub(crate) isa: Isa,
}

impl DynamicQuantize {
    pub(super) fn parse(
        _: &ParsingContext,
        _: &NodeProto,
    ) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
        let quantize = DynamicQuantize { isa: Isa::Scalar };
        Ok((Box::new(quantize), vec![]))
    }
}

impl Op for DynamicQuantize {
    fn name(&self) -> StaticName {
        "DynamicQuantizeLinear".into()
    }

    op_as_typed_op!();
}

impl EvalOp for DynamicQuantize {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let x = args_1!(inputs);
        let plain = x.try_as_plain_ram()?;
        let reals = plain.as_slice::<f32>()?;
        let affine = Affine::spanning(f32_range(self.isa, reals));
        let mut signed = vec![0; reals.len()];
        quantize(self.isa, Quantizer::of_one_run(affine), reals, &mut signed);
        let unsigned: Vec<u8> = signed.into_iter().map(unshifted).collect();
        Ok(tvec![
            Tensor::from_shape(x.shape(), &unsigned)?.into_tvalue(),
            tensor0(affine.scale).into_tvalue(),
            tensor0(unshifted(affine.zero_point)).into_tvalue(),
        ])
    }
}

fn unshifted(byte: i8) -> u8 {
    byte as u8 ^ 0x80
}

impl InferenceOp for DynamicQuantize {
    /// The shape stays; scale and zero point are one number each.
    fn infer_facts(
        &mut self,
        inputs: TVec<&InferenceFact>,
        outputs: TVec<&InferenceFact>,
        observed: TVec<&InferenceFact>,
    ) -> TractResult<(
        TVec<InferenceFact>,
        TVec<InferenceFact>,
        TVec<InferenceFact>,
    )> {
        ensure!(inputs.len() == 1, "expected 1 input, got {}", inputs.len());
        ensure!(
            outputs.len() == 3,
            "expected 3 outputs, got {}",
            outputs.len()
        );
        let mut x = inputs[0].clone();
        let [mut y, scale, zero_point] = [0, 1, 2].map(|at| outputs[at].clone());
        x.shape.unify_with_mut(&mut y.shape)?;
        x.datum_type.unify_with(&f32::datum_type().into())?;
        y.datum_type.unify_with(&u8::datum_type().into())?;
        let scale = scale.unify(&InferenceFact::dt_shape(f32::datum_type(), [0usize; 0]))?;
        let zero_point =
            zero_point.unify(&InferenceFact::dt_shape(u8::datum_type(), [0usize; 0]))?;
        let observed = observed.into_iter().cloned().collect();
        Ok((tvec![x], tvec![y, scale, zero_point], observed))
    }

    fn nboutputs(&self) -> TractResult<usize> {
        Ok(3)
    }

    fn to_typed(
        &self,
        _: &InferenceModel,
        node: &InferenceNode,
        target: &mut TypedModel,
        mapping: &HashMap<OutletId, OutletId>,
    ) -> TractResult<TVec<OutletId>> {
        let inputs: TVec<OutletId> = node.inputs.iter().map(|input| mapping[input]).collect();
        target.wire_node(&node.name, self.clone(), &inputs)
    }

    as_op!();
}

impl TypedOp for DynamicQuantize {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec![
            u8::fact(inputs[0].shape.clone()),
            f32::fact([0usize; 0]),
            u8::fact([0usize; 0]),
        ])
    }

    as_op!();
}
