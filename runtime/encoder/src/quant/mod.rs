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

mod conversion;
mod dequantize;
mod dynamic;
mod fold;
mod quantize;
mod rounded;
mod scale;

use tract_onnx::tract_hir::internal::TypedNode;

pub(crate) use self::conversion::register;
pub(crate) use self::dequantize::Dequantize;
pub(crate) use self::dynamic::DynamicQuantize;
pub(crate) use self::fold::fold;
pub(crate) use self::quantize::Quantize;
pub(crate) use self::rounded::round;
pub(crate) use self::scale::Scale;

/// The kernel of `node`, if it is one of these and runs on one.
pub(crate) fn kernel(node: &TypedNode) -> Option<&'static str> {
    if node.op_is::<DynamicQuantize>() {
        return Some("qs8_cast");
    }
    if let Some(quantize) = node.op_as::<Quantize>() {
        return quantize.by_kernel().is_some().then_some("qs8_cast");
    }
    node.op_is::<rounded::Rounded>().then_some("f32_round")
}
