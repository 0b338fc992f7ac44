//! `y = (x - zero_point) * scale`, from u8, i8 or i32 to f32.

use tract_onnx::tract_hir::internal::*;

use super::Scale;
use crate::Fault;
use crate::elements::of_elements;

/// Turns integers into reals. It marks where a real value is an integer in truth, so it must survive until the INT8
/// regions have been found: it refuses to be evaluated outside a plan.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dequantize {
    scale: Scale,
}

// The scales are finite.
impl Eq for Dequantize {}

impl Dequantize {
    /// For the node called `node`, whose data are of type `source`.
    pub(super) fn new(node: &str, scale: Scale, source: DatumType) -> TractResult<Dequantize> {
        let wrong = |what, expected: &str, got: String| {
            Err(Fault::Quantization {
                node: node.to_owned(),
                what,
                expected: expected.to_owned(),
                got,
            }
            .into())
        };
        if ![DatumType::U8, DatumType::I8, DatumType::I32].contains(&source) {
            return wrong(
                "the data",
                "u8, i8 or i32",
                format!("{source:?}").to_lowercase(),
            );
        }
        // With a zero point, a difference of two i32 might not fit.
        if source == DatumType::I32
            && let Some(other) = scale.zero_points().find(|&zero_point| zero_point != 0)
        {
            return wrong("the zero point of i32 data", "0", other.to_string());
        }
        Ok(Dequantize { scale })
    }

    pub(crate) fn scale(&self) -> &Scale {
        &self.scale
    }

    /// The reals that `x` stands for.
    pub(super) fn apply(&self, x: &Tensor) -> TractResult<Tensor> {
        match x.datum_type() {
            DatumType::U8 => self.apply_to::<u8>(x),
            DatumType::I8 => self.apply_to::<i8>(x),
            _ => self.apply_to::<i32>(x),
        }
    }

    fn apply_to<T: Datum + Copy + Into<i32>>(&self, x: &Tensor) -> TractResult<Tensor> {
        let mut y = Tensor::zero::<f32>(x.shape())?;
        let from = x.try_as_plain_ram()?;
        let mut to = y.try_as_plain_ram_mut()?;
        let run = |(scale, zero_point): (f32, i32), from: &[T], to: &mut [f32]| {
            for (y, x) in to.iter_mut().zip(from) {
                let x: i32 = (*x).into();
                *y = (x - zero_point) as f32 * scale;
            }
        };
        self.scale.for_each(
            x.shape(),
            from.as_slice::<T>()?,
            to.as_slice_mut::<f32>()?,
            run,
        );
        Ok(y)
    }
}

impl Op for Dequantize {
    fn name(&self) -> StaticName {
        "DequantizeLinear".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Dequantize {
    not_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let x = args_1!(inputs);
        Ok(tvec![self.apply(&x)?.into_tvalue()])
    }
}

impl TypedOp for Dequantize {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec![f32::fact(inputs[0].shape.clone())])
    }

    of_elements!(|self, change| self.scale.moved(change).map(|scale| Dequantize { scale }));
    as_op!();
}
