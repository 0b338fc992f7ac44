//! `y = saturate(round_half_even(x / scale) + zero_point)`, from f32 to u8 or i8.

use ocellus_kernels::{Affine, Isa, Quantizer, quantize};
use tract_onnx::tract_hir::internal::*;

use super::Scale;
use crate::Fault;
use crate::elements::of_elements;
use crate::region::affine;

/// Turns reals into integers of type `target`, u8 or i8. NaN becomes the lowest integer, or the zero point by a vector
/// kernel, as at the entry of a region.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quantize {
    scale: Scale,
    target: DatumType,
    /// The type of the integers that are given: i8 where those of u8 are to be 128 less.
    given: DatumType,
    /// What its kernel may use in a plan.
    pub(crate) isa: Isa,
}

// The scales are finite.
impl Eq for Quantize {}

impl Quantize {
    /// For the node called `node`.
    pub(super) fn new(node: &str, scale: Scale, target: DatumType) -> TractResult<Quantize> {
        if ![DatumType::U8, DatumType::I8].contains(&target) {
            return Err(Fault::Quantization {
                node: node.to_owned(),
                what: "the zero point",
                expected: "u8 or i8".to_owned(),
                got: format!("{target:?}").to_lowercase(),
            }
            .into());
        }
        Ok(Quantize {
            scale,
            target,
            given: target,
            isa: Isa::Scalar,
        })
    }

    /// The same with integers that are signed whatever they were.
    pub(crate) fn signed(&self) -> Quantize {
        Quantize {
            given: i8::datum_type(),
            ..self.clone()
        }
    }

    pub(crate) fn scale(&self) -> &Scale {
        &self.scale
    }

    /// The integers nearest to `x`.
    pub(super) fn apply(&self, x: &Tensor) -> TractResult<Tensor> {
        match self.target {
            DatumType::U8 if self.given == DatumType::I8 => {
                self.apply_to::<i8>(x, (0, 255), |integer| (integer - 128) as i8)
            }
            DatumType::U8 => self.apply_to::<u8>(x, (0, 255), |integer| integer as u8),
            _ => self.apply_to::<i8>(x, (-128, 127), |integer| integer as i8),
        }
    }

    /// What its integers mean, where a kernel makes them.
    pub(super) fn by_kernel(&self) -> Option<Affine> {
        affine(&self.scale, self.target).filter(|_| self.isa != Isa::Scalar)
    }

    /// The same as [`apply`](Self::apply) by a kernel.
    fn run_kernel(&self, affine: Affine, x: &Tensor) -> TractResult<Tensor> {
        let plain = x.try_as_plain_ram()?;
        let reals = plain.as_slice::<f32>()?;
        let mut bytes = Tensor::zero::<i8>(x.shape())?;
        let mut signed = bytes.try_as_plain_ram_mut()?;
        let quantizer = Quantizer::of_one_run(affine);
        quantize(self.isa, quantizer, reals, signed.as_slice_mut::<i8>()?);
        if self.given == DatumType::I8 {
            return Ok(bytes);
        }
        let signed = bytes.try_as_plain_ram()?.as_slice::<i8>()?;
        let unsigned: Vec<u8> = signed.iter().map(|byte| *byte as u8 ^ 0x80).collect();
        Tensor::from_shape(x.shape(), &unsigned)
    }

    fn apply_to<T: Datum + Copy + tract_num_traits::Zero>(
        &self,
        x: &Tensor,
        (lowest, highest): (i32, i32),
        narrow: impl Fn(i32) -> T + Copy,
    ) -> TractResult<Tensor> {
        let mut y = Tensor::zero::<T>(x.shape())?;
        let from = x.try_as_plain_ram()?;
        let mut to = y.try_as_plain_ram_mut()?;
        let run = |(scale, zero_point): (f32, i32), from: &[f32], to: &mut [T]| {
            // The bounds are integers, so clamping before rounding changes nothing, and keeps every value within the
            // range where adding and taking away 1.5 * 2^23 rounds to an integer, half to even. That vectorises on
            // every target; `round_ties_even` is a call where the baseline has no such instruction.
            const ROUND: f32 = 12_582_912.0;
            let least = (lowest - zero_point) as f32;
            let most = (highest - zero_point) as f32;
            for (y, x) in to.iter_mut().zip(from) {
                let bounded = (x / scale).max(least).min(most);
                let rounded = (bounded + ROUND) - ROUND;
                *y = narrow(rounded as i32 + zero_point);
            }
        };
        self.scale.for_each(
            x.shape(),
            from.as_slice::<f32>()?,
            to.as_slice_mut::<T>()?,
            run,
        );
        Ok(y)
    }
}

impl Op for Quantize {
    fn name(&self) -> StaticName {
        "QuantizeLinear".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Quantize {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let x = args_1!(inputs);
        let integers = match self.by_kernel() {
            Some(affine) => self.run_kernel(affine, &x)?,
            None => self.apply(&x)?,
        };
        Ok(tvec![integers.into_tvalue()])
    }
}

impl TypedOp for Quantize {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec![self.given.fact(inputs[0].shape.clone())])
    }

    of_elements!(
        |self, change| self.scale.moved(change).map(|scale| Quantize {
            scale,
            ..self.clone()
        })
    );
    as_op!();
}

#[cfg(test)]
mod tests {
    use super::super::Dequantize;
    use super::*;

    fn scale(scale: f32, zero_point: Tensor) -> Scale {
        let shape = ShapeFact::from_dims([4.to_dim()]);
        Scale::new("test", &tensor0(scale), Some(&zero_point), 0, &shape).expect("a valid scale")
    }

    /// Every half step around the range of i8, against the formula in f64.
    #[test]
    fn rounds_half_to_even_and_saturates() {
        for zero_point in [-128i8, -1, 0, 5, 127] {
            let quantize =
                Quantize::new("test", scale(0.5, tensor0(zero_point)), DatumType::I8).expect("i8");
            let x: Vec<f32> = (-1200..1200)
                .map(|quarter| quarter as f32 * 0.125)
                .collect();
            let y = quantize.apply(&tensor1(&x)).expect("f32");
            for (x, y) in x.iter().zip(
                y.try_as_plain_ram()
                    .expect("plain")
                    .as_slice::<i8>()
                    .expect("i8"),
            ) {
                let exact = (f64::from(*x) / 0.5).round_ties_even() + f64::from(zero_point);
                assert_eq!(
                    f64::from(*y),
                    exact.clamp(-128.0, 127.0),
                    "{x} with zero point {zero_point}"
                );
            }
        }
    }

    #[test]
    fn extremes_saturate() {
        let quantize =
            Quantize::new("test", scale(1e-30, tensor0(7u8)), DatumType::U8).expect("u8");
        let x = [
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::MAX,
            f32::MIN,
            f32::NAN,
            0.0,
            -0.0,
        ];
        let y = quantize.apply(&tensor1(&x)).expect("f32");
        assert_eq!(y, tensor1(&[255u8, 0, 255, 0, 0, 7, 7]));
    }

    #[test]
    fn every_integer_survives_the_way_there_and_back() {
        let x: Vec<u8> = (0..=255).collect();
        for zero_point in [0u8, 1, 128, 255] {
            let scale = scale(0.0123, tensor0(zero_point));
            let dequantize = Dequantize::new("test", scale.clone(), DatumType::U8).expect("u8");
            let quantize = Quantize::new("test", scale, DatumType::U8).expect("u8");
            let real = dequantize.apply(&tensor1(&x)).expect("u8");
            assert_eq!(quantize.apply(&real).expect("f32"), tensor1(&x));
        }
    }

    #[test]
    fn each_channel_has_its_scale() {
        let shape = ShapeFact::from_dims([2.to_dim(), 3.to_dim(), 2.to_dim()]);
        let zero_points = tensor1(&[0i8, 10, -10]);
        let scale = Scale::new(
            "test",
            &tensor1(&[1f32, 2.0, 4.0]),
            Some(&zero_points),
            -2,
            &shape,
        )
        .expect("valid");
        let x = Tensor::from_shape(&[2, 3, 2], &[8f32; 12]).expect("12 elements");
        let quantize = Quantize::new("test", scale.clone(), DatumType::I8).expect("i8");
        let y = quantize.apply(&x).expect("f32");
        let row = [8i8, 8, 14, 14, -8, -8];
        assert_eq!(
            y,
            Tensor::from_shape(&[2, 3, 2], &[row, row].concat()).expect("12 elements")
        );
        let dequantize = Dequantize::new("test", scale, DatumType::I8).expect("i8");
        assert_eq!(dequantize.apply(&y).expect("i8"), x);
    }
}
