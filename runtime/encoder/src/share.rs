//! Equal constants of several plans exist once.
//!
//! The engine packs weights anew for each plan, in panels that its kernel for that shape wants. Where two plans want the
//! same panels, the second copy is dropped in favour of the first: a pass looks at every constant right before the
//! engine builds packed weights into the operators that use them, the last moment when they can be exchanged.
//!
//! Limits: while a plan is made its own copies exist beside the shared ones. Plans whose shapes lead to different
//! kernels share nothing of the layers concerned.

use std::collections::hash_map::{DefaultHasher, HashMap};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tract_core::ops::konst::Const;
use tract_core::optim::{Optimizer, OptimizerSession, TypedPass};
use tract_onnx::tract_hir::internal::*;

/// The constants of all plans that are alive. Clones are the same store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared(Arc<Mutex<HashMap<u64, Vec<Weak<Tensor>>>>>);

impl Shared {
    /// `tensor`, or the equal one that another plan holds.
    fn unique(&self, tensor: Arc<Tensor>) -> Arc<Tensor> {
        let mut hasher = DefaultHasher::new();
        tensor.hash(&mut hasher);
        // A panic elsewhere cannot leave the map inconsistent: it holds nothing but weak references.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same_hash = known.entry(hasher.finish()).or_default();
        same_hash.retain(|weak| weak.strong_count() > 0);
        if let Some(equal) = same_hash.iter().filter_map(Weak::upgrade).find(|other| *other == tensor) {
            return equal;
        }
        same_hash.push(Arc::downgrade(&tensor));
        tensor
    }

    /// The engine's lowering of a simplified graph, with this store in it.
    pub(crate) fn lower(&self, model: &mut TypedModel) -> TractResult<()> {
        let mut optimizer = Optimizer::codegen();
        let last = optimizer.passes.len().saturating_sub(1);
        optimizer.add_pass(last, Box::new(ShareConstants(self.clone())));
        model.optimize_with_session(&mut optimizer.session())
    }
}

#[derive(Clone, Debug)]
struct ShareConstants(Shared);

impl TypedPass for ShareConstants {
    fn reset(&mut self) -> TractResult<()> {
        Ok(())
    }

    fn next(&mut self, _: &mut OptimizerSession, _: &TypedModel) -> TractResult<Option<TypedModelPatch>> {
        Ok(None)
    }

    fn run_direct(&mut self, model: &mut TypedModel) -> TractResult<bool> {
        // Smaller ones are not worth a look-up.
        const LEAST_BYTES: usize = 1024;
        for node in model.nodes_mut() {
            let Some(constant) = node.op_as::<Const>() else {
                continue;
            };
            let tensor = constant.val();
            if tensor.is_plain() && tensor.len() * tensor.datum_type().size_of() < LEAST_BYTES {
                continue;
            }
            let exotic_fact = node.outputs[0].fact.exotic_fact.clone();
            let unique = self.0.unique(tensor.clone());
            node.outputs[0].fact.konst = Some(unique.clone());
            node.op = Box::new(Const::new_with_opt_exotic_fact(unique, exotic_fact)?);
        }
        // Nothing that another pass could see has changed.
        Ok(false)
    }
}
