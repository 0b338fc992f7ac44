//! QuantizeLinear and DequantizeLinear as they stand in a file: what is known of their tensors, and what they become.
//!
//! A quantized model has a few of them for every operator that computes, so their facts are inferred directly: the
//! engine's solver of rules takes a hundred times as long for the same four equations.

use tract_onnx::model::{OnnxOpRegister, ParsingContext};
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_hir::internal::*;

use super::{Dequantize, DynamicQuantize, Quantize, Scale};
use crate::Fault;

/// Puts our operators in the place of the engine's.
pub(crate) fn register(operators: &mut OnnxOpRegister) {
    operators.insert("QuantizeLinear", |_: &ParsingContext, node: &NodeProto| {
        Conversion::parse(node, Direction::Quantize)
    });
    operators.insert(
        "DequantizeLinear",
        |_: &ParsingContext, node: &NodeProto| Conversion::parse(node, Direction::Dequantize),
    );
    operators.insert("DynamicQuantizeLinear", DynamicQuantize::parse);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Quantize,
    Dequantize,
}

/// What both ONNX operators say: inputs `x`, `scale` and an optional `zero_point`, and an axis.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Conversion {
    direction: Direction,
    /// What the file calls the node.
    node: String,
    axis: i64,
    has_zero_point: bool,
    /// The integers that are made where no zero point says it.
    target: DatumType,
}

impl Conversion {
    fn parse(
        node: &NodeProto,
        direction: Direction,
    ) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
        let target = match node.get_attr_opt::<i64>("output_dtype")?.unwrap_or(0) {
            // Those are u8 and i8 of TensorProto, and what is not said.
            0 | 2 => u8::datum_type(),
            3 => i8::datum_type(),
            other => {
                let fault = Fault::Unsupported {
                    place: format!("node {}", node.doc_string),
                    what: format!("quantization to element type {other} of TensorProto is"),
                    remedy: "quantize to u8 or i8",
                };
                return Err(fault.into());
            }
        };
        let conversion = Conversion {
            direction,
            target,
            node: node.doc_string.clone(),
            axis: node.get_attr_opt("axis")?.unwrap_or(1),
            has_zero_point: node.input.get(2).is_some_and(|name| !name.is_empty()),
        };
        Ok((Box::new(conversion), vec![]))
    }

    fn quantize(
        &self,
        x: &ShapeFact,
        scale: &Tensor,
        zero_point: Option<&Tensor>,
    ) -> TractResult<Quantize> {
        let target = zero_point.map_or(self.target, Tensor::datum_type);
        let scale = Scale::new(&self.node, scale, zero_point, self.axis, x)?;
        Quantize::new(&self.node, scale, target)
    }

    fn dequantize(
        &self,
        x: &TypedFact,
        scale: &Tensor,
        zero_point: Option<&Tensor>,
    ) -> TractResult<Dequantize> {
        let scale = Scale::new(&self.node, scale, zero_point, self.axis, &x.shape)?;
        Dequantize::new(&self.node, scale, x.datum_type)
    }

    /// The constant behind `outlet`.
    fn constant<'m>(
        &self,
        what: &'static str,
        model: &'m TypedModel,
        outlet: OutletId,
    ) -> TractResult<&'m Tensor> {
        let constant = model.outlet_fact(outlet)?.konst.as_deref();
        Ok(constant.ok_or_else(|| Fault::Quantization {
            node: self.node.clone(),
            what,
            expected: "a constant".to_owned(),
            got: "computed at run time".to_owned(),
        })?)
    }
}

impl Op for Conversion {
    fn name(&self) -> StaticName {
        match self.direction {
            Direction::Quantize => "QuantizeLinear".into(),
            Direction::Dequantize => "DequantizeLinear".into(),
        }
    }

    not_a_typed_op!();
}

impl EvalOp for Conversion {
    /// A constant that is dequantized stays integer: shape analysis would evaluate it otherwise, and integer weights
    /// would be gone before anybody saw them.
    fn eval_out_of_plan(&self, inputs: TVec<TValue>) -> TractResult<Option<TVec<TValue>>> {
        if self.direction == Direction::Dequantize {
            return Ok(None);
        }
        let x = &inputs[0];
        let shape = ShapeFact::from_dims(x.shape().iter().map(|size| size.to_dim()));
        let quantize = self.quantize(&shape, &inputs[1], inputs.get(2).map(|tensor| &**tensor))?;
        Ok(Some(tvec![quantize.apply(x)?.into_tvalue()]))
    }
}

impl InferenceOp for Conversion {
    /// The scale is f32, the shape stays; the integers have the type of the zero point.
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
        let arity = 2 + usize::from(self.has_zero_point);
        ensure!(
            inputs.len() == arity,
            "expected {arity} inputs, got {}",
            inputs.len()
        );
        let mut inputs: TVec<InferenceFact> = inputs.into_iter().cloned().collect();
        let mut y = outputs[0].clone();
        inputs[0].shape.unify_with_mut(&mut y.shape)?;
        let real = TypeFactoid::from(f32::datum_type());
        inputs[1].datum_type.unify_with(&real)?;
        match (self.direction, &mut inputs[..]) {
            (Direction::Quantize, [_, _, zero_point]) => {
                zero_point.datum_type.unify_with_mut(&mut y.datum_type)?;
            }
            (Direction::Quantize, _) => {
                y.datum_type.unify_with(&self.target.into())?;
            }
            (Direction::Dequantize, [x, _, zero_points @ ..]) => {
                for zero_point in zero_points {
                    x.datum_type.unify_with_mut(&mut zero_point.datum_type)?;
                }
                y.datum_type.unify_with(&real)?;
            }
            (Direction::Dequantize, _) => {}
        }
        Ok((inputs, tvec![y], observed.into_iter().cloned().collect()))
    }

    fn to_typed(
        &self,
        _: &InferenceModel,
        node: &InferenceNode,
        target: &mut TypedModel,
        mapping: &HashMap<OutletId, OutletId>,
    ) -> TractResult<TVec<OutletId>> {
        let inputs: TVec<OutletId> = node.inputs.iter().map(|input| mapping[input]).collect();
        let x = target.outlet_fact(inputs[0])?;
        let scale = self.constant("the scale", target, inputs[1])?;
        let zero_point = match self.has_zero_point {
            true => Some(self.constant("the zero point", target, inputs[2])?),
            false => None,
        };
        if self.direction == Direction::Quantize && x.datum_type != f32::datum_type() {
            return Err(Fault::Quantization {
                node: self.node.clone(),
                what: "the data",
                expected: "f32".to_owned(),
                got: format!("{:?}", x.datum_type).to_lowercase(),
            }
            .into());
        }
        let op: Box<dyn TypedOp> = match self.direction {
            Direction::Quantize => Box::new(self.quantize(&x.shape, scale, zero_point)?),
            Direction::Dequantize => Box::new(self.dequantize(x, scale, zero_point)?),
        };
        target.wire_node(&node.name, op, &inputs[..1])
    }

    as_op!();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversion(direction: Direction) -> Conversion {
        Conversion {
            direction,
            node: "test".to_owned(),
            axis: 1,
            has_zero_point: true,
            target: DatumType::U8,
        }
    }

    /// The facts of the inputs and of the output, from an input of known shape and a zero point of known type.
    fn inferred(
        direction: Direction,
        zero_point: DatumType,
    ) -> (TVec<InferenceFact>, InferenceFact) {
        let (x, any) = (InferenceFact::shape([2usize, 3]), InferenceFact::default());
        let zero_point = InferenceFact::dt(zero_point);
        let inputs = tvec![&x, &any, &zero_point];
        let (inputs, outputs, _) = conversion(direction)
            .infer_facts(inputs, tvec![&any], tvec![])
            .expect("no contradiction");
        (inputs, outputs[0].clone())
    }

    #[test]
    fn the_shape_stays_and_the_zero_point_names_the_integers() {
        let of = |datum_type| InferenceFact::dt_shape(datum_type, [2usize, 3]);
        let (inputs, y) = inferred(Direction::Quantize, DatumType::I8);
        assert_eq!(y, of(DatumType::I8));
        assert_eq!(inputs[1], InferenceFact::dt(DatumType::F32));
        let (inputs, y) = inferred(Direction::Dequantize, DatumType::U8);
        assert_eq!((&inputs[0], y), (&of(DatumType::U8), of(DatumType::F32)));
    }

    #[test]
    fn the_shape_is_learned_backwards() {
        let (any, y) = (InferenceFact::default(), InferenceFact::shape([2usize, 3]));
        let (inputs, _, _) = conversion(Direction::Quantize)
            .infer_facts(tvec![&any, &any, &any], tvec![&y], tvec![])
            .expect("no contradiction");
        assert_eq!(inputs[0].shape, y.shape);
    }

    #[test]
    fn contradictions_are_errors() {
        let (any, signed) = (InferenceFact::default(), InferenceFact::dt(DatumType::I8));
        let unsigned = InferenceFact::dt(DatumType::U8);
        let mut dequantize = conversion(Direction::Dequantize);
        let mut infer = |inputs| dequantize.infer_facts(inputs, tvec![&any], tvec![]);
        assert!(infer(tvec![&signed, &any, &signed]).is_ok());
        assert!(infer(tvec![&signed, &any, &unsigned]).is_err());
        assert!(infer(tvec![&signed, &signed, &signed]).is_err());
        assert!(infer(tvec![&signed, &any]).is_err());
    }

    #[test]
    fn constants_are_quantized_early_and_dequantized_late() {
        let values = || {
            tvec![
                tensor1(&[-1f32, 0.5, 300.0]).into_tvalue(),
                tensor0(2f32).into_tvalue(),
                tensor0(3u8).into_tvalue(),
            ]
        };
        let quantized = conversion(Direction::Quantize).eval_out_of_plan(values());
        let quantized = quantized.expect("no fault").expect("a value");
        assert_eq!(*quantized[0], tensor1(&[3u8, 3, 153]));
        let dequantized = conversion(Direction::Dequantize).eval_out_of_plan(values());
        assert!(dequantized.expect("no fault").is_none());
    }
}
