//! DynamicQuantizeLinear: the range of a tensor is its scale, and its integers are unsigned.
//!
//! The engine's own operator compares and divides element by element; this one is made of kernels. Where products of ours are
//! all that reads its integers they are given as these want them, signed.

use std::fmt;

use ocellus_kernels::{Affine, Isa, Quantizer, f32_range, quantize};
use ocellus_sys::Pool;
use tract_onnx::model::ParsingContext;
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_hir::internal::*;

use crate::region::parts::by_rows;

/// Elements that a thread takes together.
const BLOCK: usize = 4096;

/// Gives bytes, their scale and their zero point.
#[derive(Clone)]
pub(crate) struct DynamicQuantize {
    pub(crate) isa: Isa,
    pub(crate) pool: Arc<Pool>,
    /// The type of the integers, u8 or i8; the latter are 128 less.
    pub(crate) target: DatumType,
}

impl DynamicQuantize {
    pub(super) fn parse(
        _: &ParsingContext,
        _: &NodeProto,
    ) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
        let quantize = DynamicQuantize {
            isa: Isa::Scalar,
            pool: Arc::default(),
            target: u8::datum_type(),
        };
        Ok((Box::new(quantize), vec![]))
    }
}

impl DynamicQuantize {
    fn affine(&self, reals: &[f32]) -> Affine {
        let mut ranges = vec![(0.0, 0.0); reals.len().div_ceil(BLOCK)];
        let count = ranges.len();
        if count > 0 {
            by_rows(&self.pool, count, 1, &mut ranges, &mut [], |part, to, _| {
                let blocks = reals.chunks(BLOCK).skip(part.start);
                for (to, block) in to.iter_mut().zip(blocks) {
                    *to = f32_range(self.isa, block);
                }
            });
        }
        let wider = |(least, greatest): (f32, f32), (low, high): (f32, f32)| {
            (least.min(low), greatest.max(high))
        };
        Affine::spanning(ranges.into_iter().fold((0.0, 0.0), wider))
    }

    fn quantize(&self, affine: Affine, reals: &[f32], to: &mut [i8]) {
        let quantizer = Quantizer::of_one_run(affine);
        let (whole, rest) = to.split_at_mut(to.len() / BLOCK * BLOCK);
        let (from, from_rest) = reals.split_at(whole.len());
        if !whole.is_empty() {
            let count = whole.len() / BLOCK;
            by_rows(&self.pool, count, 1, whole, &mut [], |part, to, _| {
                let from = &from[part.start * BLOCK..][..to.len()];
                quantize(self.isa, quantizer, from, to);
            });
        }
        quantize(self.isa, quantizer, from_rest, rest);
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
        let affine = self.affine(reals);
        let mut bytes = Tensor::zero::<i8>(x.shape())?;
        let mut signed = bytes.try_as_plain_ram_mut()?;
        self.quantize(affine, reals, signed.as_slice_mut::<i8>()?);
        if self.target == i8::datum_type() {
            return Ok(tvec![
                bytes.into_tvalue(),
                tensor0(affine.scale).into_tvalue(),
                tensor0(affine.zero_point).into_tvalue(),
            ]);
        }
        let signed = bytes.try_as_plain_ram()?.as_slice::<i8>()?;
        let unsigned: Vec<u8> = signed.iter().copied().map(unshifted).collect();
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
            self.target.fact(inputs[0].shape.clone()),
            f32::fact([0usize; 0]),
            self.target.fact([0usize; 0]),
        ])
    }

    as_op!();
}

impl PartialEq for DynamicQuantize {
    fn eq(&self, other: &DynamicQuantize) -> bool {
        (self.isa, self.target) == (other.isa, other.target)
    }
}

impl Eq for DynamicQuantize {}

impl fmt::Debug for DynamicQuantize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamicQuantize")
            .field("isa", &self.isa)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}
