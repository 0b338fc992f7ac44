//! Keeps the engine's failures in bounds: its errors and panics become [`Fault`]s, its appetite for memory a check.
//!
//! The scan settles what a file may claim. What it cannot see is what a graph computes: a constant of eight bytes may
//! be the shape of a terabyte. An allocation of that size fails or, worse, succeeds and has the process killed. The
//! engine evaluates constants while it infers shapes, so [`Bounded`] stands between the two and holds each shape
//! against the limit first.
//!
//! Limits: the operators inside a Scan or If node are not wrapped; the plan's own check covers them once it is made.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tract_onnx::tract_hir::internal::*;

use crate::error::Stage;
use crate::{Fault, Limit, Limits, convolution};

/// Runs `work` in the engine. An error that carries a [`Fault`] is that fault.
pub(crate) fn engine<T>(stage: Stage, work: impl FnOnce() -> TractResult<T>) -> Result<T, Fault> {
    // What a panic may have left half done is dropped with the closure.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(error
            .downcast()
            .unwrap_or_else(|error: TractError| Fault::Engine {
                stage,
                why: shorten(&format!("{error:#}")),
            })),
        Err(panic) => {
            let why = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
                (Some(why), _) => why,
                (None, Some(why)) => why.as_str(),
                (None, None) => "no message",
            };
            Err(Fault::Panic {
                stage,
                why: shorten(why),
            })
        }
    }
}

/// The engine prints whole nodes and tensors into its messages.
fn shorten(why: &str) -> String {
    const KEPT: usize = 400;
    let mut line: String = why.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(KEPT) {
        line.truncate(end);
        line.push_str(" ...");
    }
    line
}

/// Holds a tensor of `bytes` bytes against the limit for activations.
pub(crate) fn check_bytes(name: &str, bytes: i64, limits: &Limits) -> Result<(), Fault> {
    // Sizes are computed in 64 bits without overflow checks; one that wrapped is negative, or caught as a panic.
    let got = u64::try_from(bytes).unwrap_or(u64::MAX);
    let most = limits.activation_bytes as u64;
    if got <= most {
        return Ok(());
    }
    Err(Fault::Limit {
        place: format!("node {name}"),
        limit: Limit::Activation,
        most,
        got,
    })
}

/// Wraps every operator of `model` in a [`Bounded`].
pub(crate) fn bound(model: &mut InferenceModel, limits: &Limits) {
    for node in model.nodes_mut() {
        let op = std::mem::replace(&mut node.op, Box::new(tract_core::ops::dummy::Dummy::new()));
        node.op = match op.is_source_or_constant() {
            true => op,
            false => Box::new(Bounded {
                op,
                node: node.name.clone(),
                limits: *limits,
            }),
        };
    }
}

trait IsSourceOrConstant {
    fn is_source_or_constant(&self) -> bool;
}

impl IsSourceOrConstant for Box<dyn InferenceOp> {
    fn is_source_or_constant(&self) -> bool {
        let op = InferenceOp::as_op(&**self);
        op.is::<tract_onnx::tract_hir::ops::source::Source>()
            || op.is::<tract_core::ops::konst::Const>()
    }
}

/// An operator that is only evaluated or wired once the sizes of its outputs are known to be within the limits. To the
/// engine it looks like the operator that it wraps.
#[derive(Clone, Debug)]
struct Bounded {
    op: Box<dyn InferenceOp>,
    node: String,
    limits: Limits,
}

impl Bounded {
    fn check<'f>(&self, outputs: impl IntoIterator<Item = &'f InferenceFact>) -> TractResult<()> {
        for fact in outputs {
            let Some(shape) = fact.shape.concretize() else {
                continue;
            };
            let element = fact
                .datum_type
                .concretize()
                .map_or(1, |datum_type| datum_type.size_of());
            let mut bytes = element as i64;
            for dim in shape.iter().filter_map(|dim| dim.to_i64().ok()) {
                bytes = bytes
                    .checked_mul(dim)
                    .filter(|bytes| *bytes >= 0)
                    .unwrap_or(i64::MAX);
            }
            check_bytes(&self.node, bytes, &self.limits)?;
        }
        Ok(())
    }
}

impl Bounded {
    /// The engine infers a Range's length from 32 bits of its limits, and evaluates it with 64.
    fn check_range(&self, inputs: &[Arc<Tensor>]) -> TractResult<()> {
        let ("Range", [start, end, step]) = (&*self.op.name(), inputs) else {
            return Ok(());
        };
        let number = |tensor: &Tensor| tensor.cast_to_scalar::<f64>();
        let length = (number(end)? - number(start)?) / number(step)?;
        // Saturates, and makes nothing of NaN.
        let bytes = (length * start.datum_type().size_of() as f64) as i64;
        Ok(check_bytes(&self.node, bytes.max(0), &self.limits)?)
    }
}

impl PartialEq for Bounded {
    fn eq(&self, _: &Bounded) -> bool {
        false
    }
}

impl Eq for Bounded {}

impl Op for Bounded {
    fn name(&self) -> StaticName {
        self.op.name()
    }

    fn info(&self) -> TractResult<Vec<String>> {
        self.op.info()
    }

    not_a_typed_op!();
}

impl EvalOp for Bounded {
    fn eval(&self, context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        self.op.eval(context, inputs)
    }

    fn eval_out_of_plan(&self, inputs: TVec<TValue>) -> TractResult<Option<TVec<TValue>>> {
        self.op.eval_out_of_plan(inputs)
    }

    fn state(&self, context: &EvalContext) -> TractResult<Option<Box<dyn OpState>>> {
        self.op.state(context)
    }
}

impl InferenceOp for Bounded {
    fn infer(
        &mut self,
        inputs: TVec<&InferenceFact>,
        outputs: TVec<&InferenceFact>,
        observed: TVec<&InferenceFact>,
    ) -> TractResult<(
        TVec<InferenceFact>,
        TVec<InferenceFact>,
        TVec<InferenceFact>,
    )> {
        let inferred = self.infer_facts(inputs.clone(), outputs.clone(), observed.clone())?;
        self.check(&inferred.1)?;
        // The wrapped operator evaluates itself where every input is a constant, and only there.
        let constants: Option<TVec<Arc<Tensor>>> = inferred
            .0
            .iter()
            .map(|fact| fact.value.concretize())
            .collect();
        let Some(constants) = constants else {
            return Ok(inferred);
        };
        self.check_range(&constants)?;
        self.op.infer(inputs, outputs, observed)
    }

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
        // Most of an encoder's analysis is its convolutions.
        if let (Some(made), [output]) = (convolution::made(&*self.op, &inputs), &outputs[..])
            && let Ok(made) = output.unify(&made)
        {
            let cloned = |facts: TVec<&InferenceFact>| facts.into_iter().cloned().collect();
            return Ok((cloned(inputs), tvec![made], cloned(observed)));
        }
        self.op.infer_facts(inputs, outputs, observed)
    }

    fn observe_outlets(
        &self,
        model: &InferenceModel,
        node: &InferenceNode,
    ) -> TractResult<Vec<OutletId>> {
        self.op.observe_outlets(model, node)
    }

    fn incorporate(
        &self,
        model: &InferenceModel,
        node: &InferenceNode,
    ) -> TractResult<Option<InferenceModelPatch>> {
        self.op.incorporate(model, node)
    }

    fn nboutputs(&self) -> TractResult<usize> {
        self.op.nboutputs()
    }

    fn as_op(&self) -> &dyn Op {
        self.op.as_op()
    }

    fn as_op_mut(&mut self) -> &mut dyn Op {
        self.op.as_op_mut()
    }

    fn to_typed(
        &self,
        source: &InferenceModel,
        node: &InferenceNode,
        target: &mut TypedModel,
        mapping: &HashMap<OutletId, OutletId>,
    ) -> TractResult<TVec<OutletId>> {
        self.check(node.outputs.iter().map(|output| &output.fact))?;
        self.op.to_typed(source, node, target, mapping)
    }
}
