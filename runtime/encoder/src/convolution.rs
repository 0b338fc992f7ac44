//! The facts of a convolution whose inputs are known: what the engine's rules say of it, without the solver of rules,
//! which takes longer for one convolution than for all that surrounds it.
//!
//! Limits: only what fits. A convolution that breaks a rule, and one that is quantized itself, is the solver's.

use tract_core::downcast_rs::Downcast;
use tract_core::ops::cnn::KernelFormat;
use tract_onnx::tract_hir::internal::*;
use tract_onnx::tract_hir::ops::cnn::Conv;
use tract_onnx::tract_hir::tract_core::ops::nn::DataFormat;

/// What `op` makes of `inputs`, if it is a convolution that follows all rules.
pub(crate) fn made(op: &dyn InferenceOp, inputs: &[&InferenceFact]) -> Option<InferenceFact> {
    let expansion = op.as_op().downcast_ref::<Box<dyn Expansion>>()?;
    let conv = Downcast::as_any(&**expansion).downcast_ref::<Conv>()?;
    let quantized = [
        conv.x_scale_input,
        conv.x_zero_point_input,
        conv.k_scale_input,
        conv.k_zero_point_input,
        conv.y_scale_input,
        conv.y_zero_point_input,
    ];
    if quantized.iter().any(Option::is_some)
        || conv.k_input.is_some()
        || conv.override_output_datum_type.is_some()
        || conv.data_format != DataFormat::NCHW
        || conv.kernel_fmt != KernelFormat::OIHW
    {
        return None;
    }
    let (x, kernel) = (inputs.first()?, inputs.get(1)?);
    let element = x.datum_type.concretize()?;
    let (shape, kernel_shape) = (x.shape.concretize()?, sizes(kernel)?);
    let (&[filters, channels], window) = kernel_shape.split_first_chunk::<2>()?;
    let fits = kernel.datum_type.concretize()? == element
        && shape.len() == kernel_shape.len()
        && shape[1].to_usize().ok()? == channels.checked_mul(conv.group.unwrap_or(1))?
        && conv
            .kernel_shape
            .as_ref()
            .is_none_or(|declared| declared[..] == *window);
    let bias_fits = match conv.bias_input {
        Some(slot) => sizes(inputs.get(slot)?)?[..] == [filters],
        None => true,
    };
    if !(fits && bias_fits) {
        return None;
    }
    let made = conv.output_shape(&shape, &kernel_shape).ok()?;
    Some(InferenceFact::dt_shape(element, made))
}

fn sizes(fact: &InferenceFact) -> Option<TVec<usize>> {
    let dims = fact.shape.concretize()?;
    dims.iter().map(|dim| dim.to_usize().ok()).collect()
}

#[cfg(test)]
mod tests {
    use tract_core::ops::cnn::PaddingSpec;

    use super::*;

    fn fact(shape: &[usize]) -> InferenceFact {
        f32::fact(shape).into()
    }

    /// What the solver makes of it, or its refusal, beside ours.
    fn both(
        conv: &Conv,
        inputs: &[InferenceFact],
    ) -> (Option<InferenceFact>, Option<InferenceFact>) {
        let mut op = expand(conv.clone());
        let inputs: TVec<&InferenceFact> = inputs.iter().collect();
        let ours = made(&*op, &inputs);
        let any = InferenceFact::default();
        let solved = op.infer_facts(inputs, tvec![&any], tvec![]);
        (ours, solved.ok().map(|(_, mut made, _)| made.remove(0)))
    }

    #[test]
    fn is_what_the_solver_finds() {
        let paddings = [
            PaddingSpec::Valid,
            PaddingSpec::SameUpper,
            PaddingSpec::SameLower,
            PaddingSpec::Explicit(tvec![1, 0], tvec![0, 2]),
        ];
        for padding in paddings {
            for (groups, stride, dilation) in [(1, 1, 1), (1, 2, 1), (2, 1, 2), (4, 3, 1)] {
                for [h, w] in [[5, 5], [6, 9], [13, 7]] {
                    let conv = Conv::default()
                        .padding(padding.clone())
                        .group(groups)
                        .strides(tvec![stride, stride])
                        .dilations(tvec![dilation, dilation])
                        .kernel_shape(tvec![3, 2])
                        .bias_input(2);
                    let inputs = [
                        fact(&[2, 4, h, w]),
                        fact(&[8, 4 / groups, 3, 2]),
                        fact(&[8]),
                    ];
                    let (ours, solved) = both(&conv, &inputs);
                    assert!(ours.is_some(), "{conv:?} of {inputs:?}");
                    assert_eq!(ours, solved, "{conv:?} of {inputs:?}");
                }
            }
        }
    }

    #[test]
    fn what_breaks_a_rule_is_the_solvers() {
        let conv = || Conv::default().kernel_shape(tvec![3, 3]).bias_input(2);
        let fits = [fact(&[1, 4, 9, 9]), fact(&[8, 4, 3, 3]), fact(&[8])];
        let (ours, solved) = both(&conv(), &fits);
        assert!(ours.is_some() && ours == solved);

        let with = |at: usize, other: InferenceFact| {
            let mut inputs = fits.clone();
            inputs[at] = other;
            inputs
        };
        let broken = [
            ("channels", with(0, fact(&[1, 3, 9, 9]))),
            ("rank", with(0, fact(&[1, 4, 9]))),
            ("element", with(0, f64::fact([1, 4, 9, 9]).into())),
            ("kernel", with(1, fact(&[8, 4, 3, 2]))),
            ("bias", with(2, fact(&[7]))),
            ("bias of two axes", with(2, fact(&[1, 8]))),
            ("one bias for all", with(2, fact(&[1]))),
        ];
        for (what, inputs) in broken {
            assert_eq!(both(&conv(), &inputs), (None, None), "{what}");
        }
        // No rule is broken, but not everything is known.
        let open = with(0, InferenceFact::dt(f32::datum_type()));
        assert_eq!(both(&conv(), &open).0, None);
        let integers = conv().x_zero_point_input(2);
        assert_eq!(both(&integers, &fits).0, None);
    }
}
