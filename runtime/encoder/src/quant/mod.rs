//! QuantizeLinear and DequantizeLinear as operators of our own.
//!
//! The engine brings both, and they must not be used. Its simplifier walks from its own dequantize operator along
//! everything that keeps its axes, and on meeting its own quantize operator it replaces the walk by a table of 256
//! entries (tract-core 0.23.9, `ops/quant.rs`, `DequantizeLinearF32::declutter`). A Softmax keeps its axes, yet no table
//! can express it: the result is wrong, and nothing says so. The table is also built in the type of the output where the
//! input's is needed. Operators that the engine does not know take part in no such walk. Three more gains:
//!
//! - ONNX's arithmetic: `x / scale`, where the engine multiplies by a rounded reciprocal and, for large `x`, overflows.
//! - Scales per channel are one pass, where the engine makes seven.
//! - [`Dequantize`] cannot be evaluated outside a plan. So the engine keeps integer weights as they are, and the
//!   INT8 regions find them; [`fold`] turns what is left over into f32.
//!
//! Limits: u8 and i8, and i32 to dequantize; scales and zero points are constants; no blocks.

mod dequantize;
mod fold;
mod quantize;
mod scale;

use tract_onnx::model::{OnnxOpRegister, ParsingContext};
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_hir::internal::*;

pub(crate) use self::dequantize::Dequantize;
pub(crate) use self::fold::fold;
pub(crate) use self::quantize::Quantize;
pub(crate) use self::scale::Scale;
use crate::Fault;

type Built = TractResult<(Box<dyn InferenceOp>, Vec<String>)>;

/// Puts our operators in the place of the engine's.
pub(crate) fn register(operators: &mut OnnxOpRegister) {
    operators.insert(
        "QuantizeLinear",
        |_: &ParsingContext, node: &NodeProto| -> Built {
            let conversion = Conversion::parse(node)?;
            Ok((expand(QuantizeLinear(conversion)), vec![]))
        },
    );
    operators.insert(
        "DequantizeLinear",
        |_: &ParsingContext, node: &NodeProto| -> Built {
            let conversion = Conversion::parse(node)?;
            Ok((expand(DequantizeLinear(conversion)), vec![]))
        },
    );
}

/// What both ONNX operators say: inputs `x`, `scale` and an optional `zero_point`, and an axis.
#[derive(Clone, Copy, Debug)]
struct Conversion {
    axis: i64,
    has_zero_point: bool,
}

impl Conversion {
    fn parse(node: &NodeProto) -> TractResult<Conversion> {
        Ok(Conversion {
            axis: node.get_attr_opt("axis")?.unwrap_or(1),
            has_zero_point: node.input.get(2).is_some_and(|name| !name.is_empty()),
        })
    }

    /// Holds for both: the scale is f32, the shape stays.
    fn rules<'r, 'p: 'r>(
        self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 2 + usize::from(self.has_zero_point))?;
        check_output_arity(outputs, 1)?;
        solver.equals(&inputs[1].datum_type, f32::datum_type())?;
        solver.equals(&inputs[0].shape, &outputs[0].shape)
    }

    /// The scale and zero point of the node called `node`, from its constant inputs.
    fn scale(
        self,
        node: &str,
        model: &TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<(Scale, DatumType)> {
        let constant = |what, input: OutletId| -> TractResult<Arc<Tensor>> {
            let constant = model.outlet_fact(input)?.konst.clone();
            Ok(constant.ok_or_else(|| Fault::Quantization {
                node: node.to_owned(),
                what,
                expected: "a constant".to_owned(),
                got: "computed at run time".to_owned(),
            })?)
        };
        let x = model.outlet_fact(inputs[0])?;
        let scale = constant("the scale", inputs[1])?;
        let zero_point = match self.has_zero_point {
            true => Some(constant("the zero point", inputs[2])?),
            false => None,
        };
        let zero_point_type = zero_point
            .as_ref()
            .map_or(u8::datum_type(), |tensor| tensor.datum_type());
        let scale = Scale::new(node, &scale, zero_point.as_deref(), self.axis, &x.shape)?;
        Ok((scale, zero_point_type))
    }
}

#[derive(Clone, Debug)]
struct QuantizeLinear(Conversion);

impl Expansion for QuantizeLinear {
    fn name(&self) -> StaticName {
        "QuantizeLinear".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        self.0.rules(solver, inputs, outputs)?;
        match self.0.has_zero_point {
            true => solver.equals(&inputs[2].datum_type, &outputs[0].datum_type),
            false => solver.equals(&outputs[0].datum_type, u8::datum_type()),
        }
    }

    fn wire(
        &self,
        prefix: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let (scale, target) = self.0.scale(prefix, model, inputs)?;
        let quantize = Quantize::new(prefix, scale, target)?;
        model.wire_node(prefix, quantize, &inputs[..1])
    }
}

#[derive(Clone, Debug)]
struct DequantizeLinear(Conversion);

impl Expansion for DequantizeLinear {
    fn name(&self) -> StaticName {
        "DequantizeLinear".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        self.0.rules(solver, inputs, outputs)?;
        if self.0.has_zero_point {
            solver.equals(&inputs[0].datum_type, &inputs[2].datum_type)?;
        }
        solver.equals(&outputs[0].datum_type, f32::datum_type())
    }

    fn wire(
        &self,
        prefix: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let (scale, _) = self.0.scale(prefix, model, inputs)?;
        let source = model.outlet_fact(inputs[0])?.datum_type;
        let dequantize = Dequantize::new(prefix, scale, source)?;
        model.wire_node(prefix, dequantize, &inputs[..1])
    }

    /// Shape analysis would evaluate it otherwise, and integer weights would be gone before anybody saw them.
    fn runs_out_of_plan(&self) -> bool {
        false
    }
}
