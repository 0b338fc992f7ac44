//! A run watched operation by operation, for whoever measures.
//!
//! The observer is a type parameter: where nobody watches, [`Unobserved`]'s empty calls vanish when the run is compiled.
//!
//! Limits: what the engine does around a region, such as making its outputs, belongs to no operation.

use std::sync::Arc;

use tract_core::ops::Cost;
use tract_core::plan::eval;
use tract_onnx::tract_hir::internal::*;

use crate::region::activations::Paired;
use crate::region::dynamic::Scaled;
use crate::region::{Label, Region};
use crate::{Step, quant, transformer};

/// Is told when the operations of a plan begin and end. `operation` is an index of [`Plan::operations`](crate::Plan::operations).
pub trait Observer {
    /// Whether operations are to be told apart: they then run one after another, where they else may run together.
    const WATCHES: bool = true;
    /// The operation begins.
    fn begin(&mut self, operation: usize);
    /// The operation has ended.
    fn end(&mut self, operation: usize);
}

/// Nobody watches.
pub(crate) struct Unobserved;

impl Observer for Unobserved {
    const WATCHES: bool = false;

    fn begin(&mut self, _: usize) {}
    fn end(&mut self, _: usize) {}
}

/// One operation of a plan, as it runs: it may stand for several nodes of the file, as a convolution does with its clamp
/// and its conversions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The name of the node in the file that gives it its purpose; where the engine runs it, the engine's name.
    pub name: String,
    /// The ONNX operator of that node; where the engine runs it, the engine's operator.
    pub op: String,
    /// What computes it: a kernel's name, or `tract`.
    pub kernel: &'static str,
    /// Multiply-accumulates of convolutions and matrix products; 0 for everything else.
    pub macs: u64,
}

/// The operations of a program, `steps` being the file's nodes, each after the name of its first output.
pub(crate) fn of_program(labels: &[Label], steps: &[(String, Step)]) -> Vec<Operation> {
    let operation = |label: &Label| {
        let step = steps.iter().find(|(output, _)| *output == label.name);
        Operation {
            name: step.map_or_else(|| label.name.clone(), |(_, step)| step.node.clone()),
            op: step.map_or_else(|| label.op.to_owned(), |(_, step)| step.op.clone()),
            kernel: label.kernel,
            macs: step.and_then(|(_, step)| step.macs).unwrap_or(0),
        }
    };
    labels.iter().map(operation).collect()
}

/// The operations of an engine's plan: those of a region in its place.
pub(crate) fn of_engine(plan: &TypedSimplePlan, steps: &[(String, Step)]) -> Vec<Operation> {
    let graph = plan.model();
    let mut operations = Vec::new();
    for &id in plan.order_without_consts() {
        let node = graph.node(id);
        if let Some(region) = node.op_as::<Region>() {
            operations.extend(of_program(region.program().labels(), steps));
            continue;
        }
        let op = node.op().name().into_owned();
        if let Some((kernel, macs)) = ours(node) {
            let name = file_name(&node.name);
            let step = steps.iter().find(|(output, _)| *output == name);
            operations.push(Operation {
                name: step.map_or(name, |(_, step)| step.node.clone()),
                macs,
                kernel,
                op,
            });
            continue;
        }
        operations.push(Operation {
            name: node.name.clone(),
            macs: if multiplies(&op) { macs(graph, id) } else { 0 },
            kernel: "tract",
            op,
        });
    }
    operations
}

/// The name in the file of what an operator of ours stands for.
fn file_name(name: &str) -> String {
    name.trim_end_matches(".int8")
        .trim_end_matches(transformer::SUFFIX)
        .to_owned()
}

/// The kernel of an operator of ours outside of regions, and its multiply-accumulates.
fn ours(node: &TypedNode) -> Option<(&'static str, u64)> {
    if let Some(scaled) = node.op_as::<Scaled>() {
        return Some((scaled.kernel(), scaled.macs()));
    }
    if let Some(kernel) = transformer::kernel(node) {
        return Some(kernel);
    }
    if let Some(kernel) = quant::kernel(node) {
        return Some((kernel, 0));
    }
    let paired = node.op_as::<Paired>()?;
    Some((paired.kernel(), paired.macs()))
}

/// Whether an operator of the engine is a convolution or a matrix product. Others have costs in the engine's eyes too,
/// of which a MAC is not one.
fn multiplies(op: &str) -> bool {
    ["Conv", "EinSum", "MatMul"]
        .iter()
        .any(|word| op.contains(word))
}

fn macs(graph: &TypedModel, id: usize) -> u64 {
    let node = graph.node(id);
    let facts = graph.node_input_facts(id);
    let Some(costs) = facts
        .ok()
        .zip(node.op().as_typed())
        .and_then(|(facts, op)| op.cost(&facts).ok())
    else {
        return 0;
    };
    let products = costs
        .iter()
        .filter(|(cost, _)| matches!(cost, Cost::FMA(_)));
    products
        .filter_map(|(_, count)| u64::try_from(count.to_i64().ok()?).ok())
        .sum()
}

/// Runs the engine's plan.
pub(crate) fn run_engine<O: Observer>(
    plan: &Arc<TypedSimplePlan>,
    fed: TValue,
    observer: &mut O,
) -> TractResult<TVec<TValue>> {
    let mut next = 0;
    plan.spawn()?
        .run_plan_with_eval(tvec![fed], |context, state, node, inputs| {
            let first = next;
            if let Some(region) = node.op_as::<Region>() {
                next += region.program().labels().len();
                return region.run(&inputs, &mut Inside { observer, first });
            }
            next += 1;
            observer.begin(first);
            let computed = eval(context, state, node, inputs);
            observer.end(first);
            computed
        })
}

/// Hears of a region's operations, of which the plan's `first` is the first.
struct Inside<'a, O> {
    observer: &'a mut O,
    first: usize,
}

impl<O: Observer> Observer for Inside<'_, O> {
    const WATCHES: bool = O::WATCHES;

    fn begin(&mut self, operation: usize) {
        self.observer.begin(self.first + operation);
    }

    fn end(&mut self, operation: usize) {
        self.observer.end(self.first + operation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CheckedModel, Dim, Encoder, Input, Limits, Plan};
    use ocellus_kernels::Isa;

    /// What an observer was told, in order.
    #[derive(Default)]
    struct Log(Vec<(&'static str, usize)>);

    impl Observer for Log {
        fn begin(&mut self, operation: usize) {
            self.0.push(("begin", operation));
        }

        fn end(&mut self, operation: usize) {
            self.0.push(("end", operation));
        }
    }

    fn plan(regions: bool) -> Plan {
        let bytes = include_bytes!("../../../models/default/image.onnx");
        let model =
            CheckedModel::scan("image.onnx", bytes, &Limits::default()).expect("a good file");
        let mut encoder = Encoder::new(model, Isa::Scalar).expect("a graph");
        if !regions {
            encoder = encoder.without_regions();
        }
        let dims = [1, 3, 64, 64].map(Dim::Fixed);
        encoder.plan("image", &dims, &["features"]).expect("a plan")
    }

    #[test]
    fn an_observer_sees_every_operation_and_changes_nothing() {
        let image = vec![0.25; 3 * 64 * 64];
        for regions in [true, false] {
            let plan = plan(regions);
            let mut log = Log::default();
            let watched = plan.run_observed(Input::F32(&image), &mut log);
            assert_eq!(
                watched.expect("a run"),
                plan.run(Input::F32(&image)).expect("a run")
            );
            let operations = 0..plan.operations().len();
            let expected: Vec<_> = operations
                .flat_map(|at| [("begin", at), ("end", at)])
                .collect();
            assert_eq!(log.0, expected);
        }
    }

    #[test]
    fn operations_cost_what_the_files_nodes_cost() {
        for (regions, kernel) in [(true, "qs8_conv_scalar"), (false, "tract")] {
            let plan = plan(regions);
            let macs: u64 = plan
                .operations()
                .iter()
                .map(|operation| operation.macs)
                .sum();
            let stated: u64 = plan.steps().iter().filter_map(|step| step.macs).sum();
            assert_eq!(macs, stated);
            assert!(
                plan.operations()
                    .iter()
                    .any(|operation| operation.kernel == kernel)
            );
        }
    }

    #[test]
    fn a_program_names_the_nodes_of_the_file() {
        let plan = plan(true);
        for operation in plan.operations() {
            let step = plan.steps().iter().find(|step| step.node == operation.name);
            assert_eq!(
                step.map(|step| &step.op),
                Some(&operation.op),
                "{operation:?}"
            );
        }
    }
}
