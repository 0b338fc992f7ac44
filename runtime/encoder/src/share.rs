//! Equal constants of several plans exist once.
//!
//! The engine packs weights anew for each plan, in panels that its kernel for that shape wants. Where two plans want the
//! same panels, the second copy is dropped in favour of the first: a pass looks at every constant right before the
//! engine builds packed weights into the operators that use them, the last moment when they can be exchanged.
//!
//! Limits: while a plan is made its own copies exist beside the shared ones. Plans whose shapes lead to different
//! kernels share nothing of the layers concerned.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tract_core::ops::konst::Const;
use tract_core::optim::{Optimizer, OptimizerSession, TypedPass};
use tract_onnx::tract_hir::internal::*;

/// The constants of all plans that are alive, by the name of the node that holds them: the engine derives that name
/// from the model, so equal ones bear the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared(Arc<Mutex<HashMap<String, Vec<Weak<Tensor>>>>>);

/// The packed constants of one plan. The engine's operators hold their memory, not the tensors around it; whoever keeps
/// this keeps them findable.
pub(crate) type Packed = Vec<Arc<Tensor>>;

impl Shared {
    /// The engine's lowering of a simplified graph, with constants taken from this store where it has them.
    pub(crate) fn lower(&self, model: &mut TypedModel) -> TractResult<Packed> {
        let packed = Arc::default();
        let pass = ShareConstants {
            shared: self.clone(),
            packed: Arc::clone(&packed),
        };
        let mut optimizer = Optimizer::codegen();
        let last = optimizer.passes.len().saturating_sub(1);
        optimizer.add_pass(last, Box::new(pass));
        model.optimize_with_session(&mut optimizer.session())?;
        Ok(std::mem::take(&mut lock(&packed)))
    }

    /// `tensor`, or the equal one that another plan holds.
    fn unique(&self, node: &str, tensor: &Arc<Tensor>) -> Arc<Tensor> {
        let mut known = lock(&self.0);
        let same_name = known.entry(node.to_owned()).or_default();
        same_name.retain(|weak| weak.strong_count() > 0);
        let mut alive = same_name.iter().filter_map(Weak::upgrade);
        if let Some(equal) = alive.find(|other| other == tensor) {
            return equal;
        }
        drop(alive);
        same_name.push(Arc::downgrade(tensor));
        Arc::clone(tensor)
    }
}

/// A panic under this lock cannot leave anything half done: it guards a list and a map of lists.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone, Debug)]
struct ShareConstants {
    shared: Shared,
    packed: Arc<Mutex<Packed>>,
}

impl TypedPass for ShareConstants {
    fn reset(&mut self) -> TractResult<()> {
        Ok(())
    }

    fn next(
        &mut self,
        _: &mut OptimizerSession,
        _: &TypedModel,
    ) -> TractResult<Option<TypedModelPatch>> {
        Ok(None)
    }

    fn run_direct(&mut self, model: &mut TypedModel) -> TractResult<bool> {
        for node in model.nodes_mut() {
            let Some(constant) = node.op_as::<Const>() else {
                continue;
            };
            let unique = self.shared.unique(&node.name, constant.val());
            let mut packed = lock(&self.packed);
            if unique.is_exotic() && !packed.iter().any(|other| Arc::ptr_eq(other, &unique)) {
                packed.push(Arc::clone(&unique));
            }
            let exotic_fact = node.outputs[0].fact.exotic_fact.clone();
            node.outputs[0].fact.konst = Some(Arc::clone(&unique));
            node.op = Box::new(Const::new_with_opt_exotic_fact(unique, exotic_fact)?);
        }
        // Nothing that another pass could see has changed.
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use tract_core::ops::einsum::EinSum;

    use super::*;

    /// A matrix product of `rows` rows with constant weights.
    fn product(rows: usize) -> TypedModel {
        let weights: Vec<f32> = (0..64 * 32).map(|at| at as f32).collect();
        let weights = Tensor::from_shape(&[64, 32], &weights).expect("64 x 32 elements");
        let mut model = TypedModel::default();
        let x = model
            .add_source("x", f32::fact([rows, 64]))
            .expect("a source");
        let w = model.add_const("w", weights).expect("a constant");
        let axes = "mk,kn->mn".parse().expect("axes");
        let product = EinSum::new(axes, DatumType::F32);
        let y = model.wire_node("y", product, &[x, w]).expect("a product");
        model.select_output_outlets(&y).expect("an output");
        model.into_decluttered().expect("simplified")
    }

    #[test]
    fn packed_weights_of_equal_plans_exist_once() {
        let shared = Shared::default();
        let lower = || shared.lower(&mut product(16)).expect("lowered");
        let (first, second) = (lower(), lower());
        assert!(!first.is_empty(), "nothing was packed");
        assert_eq!(first.len(), second.len());
        assert!(
            first
                .iter()
                .zip(&second)
                .all(|(one, other)| Arc::ptr_eq(one, other))
        );

        let alone = Shared::default().lower(&mut product(16)).expect("lowered");
        assert!(!Arc::ptr_eq(&alone[0], &first[0]));
        assert_eq!(alone[0], first[0]);
    }

    #[test]
    fn nothing_outlives_the_last_plan() {
        let shared = Shared::default();
        drop(shared.lower(&mut product(16)).expect("lowered"));
        let alive = lock(&shared.0)
            .values()
            .flatten()
            .filter(|weak| weak.strong_count() > 0)
            .count();
        assert_eq!(alive, 0);
    }
}
