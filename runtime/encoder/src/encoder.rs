//! A model in memory, from which plans are made.
//!
//! The file is parsed once. A plan is made for one concrete shape, because the engine runs that much faster than an open
//! one; its steps are, in this order:
//!
//! 1. the part of the graph that the outputs need, its input's shape set, becomes typed: every shape is inferred;
//! 2. its INT8 regions become one operator each, for the instruction set that the encoder was made with. Weights are
//!    still integers here, each conversion is one of [`quant`]'s two operators, and no simplification has taken apart
//!    the pattern of a convolution between them;
//!    Attention and other pieces of transformers that stay in f32 become operators with kernels of ours;
//! 3. conversions of constants that are left are folded into f32;
//! 4. the engine simplifies and lowers what is left, and equal constants of different plans become one.
//!
//! A region that is all there is runs without the engine.
//!
//! Limits: a plan has one input.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use ocellus_kernels::Isa;
use ocellus_sys::Pool;
use tract_onnx::prelude::multithread::Executor;
use tract_onnx::prelude::{RunOptions, SymbolScope};
use tract_onnx::tract_hir::internal::*;

use crate::error::{Names, Stage};
use crate::plan::{Compiled, Feed, Run, shape_text};
use crate::share::Shared;
use crate::{
    CheckedModel, Dim, Element, EncoderError, Fault, Plan, Port, analyse, guard, import, inspect,
    observe, quant, region, transformer, typed,
};

/// A parsed model. Plans made from it share its constants, and outlive it.
pub struct Encoder {
    model: CheckedModel,
    isa: Isa,
    pool: Arc<Pool>,
    /// Nothing where quantized operators are to run in f32.
    regions: Option<region::Store>,
    /// The weights of products that run in integers outside of regions.
    packs: region::dynamic::Packs,
    graph: InferenceModel,
    shared: Shared,
}

impl Encoder {
    /// Parses `model`. `isa` is what the kernels of its INT8 regions may use.
    ///
    /// # Errors
    ///
    /// [`Fault::UnknownOperator`], or [`Fault::Engine`] where the engine does not take the graph.
    pub fn new(mut model: CheckedModel, isa: Isa) -> Result<Encoder, EncoderError> {
        let graph =
            import::import(&model).map_err(|fault| EncoderError::new(model.name(), fault))?;
        model.drop_bytes();
        Ok(Encoder {
            model,
            isa,
            pool: Arc::default(),
            regions: Some(region::Store::default()),
            packs: region::dynamic::Packs::default(),
            graph,
            shared: Shared::default(),
        })
    }

    /// The same with threads: INT8 regions of plans made from now on share their work among those of `pool`, and compute
    /// the same bytes. Runs at the same time do not share it: one has the pool, the others their own thread.
    #[must_use]
    pub fn with_pool(self, pool: Arc<Pool>) -> Encoder {
        Encoder { pool, ..self }
    }

    /// The same without INT8 regions: plans made from now on run in f32. It is the baseline that regions are measured
    /// and tested against.
    #[must_use]
    pub fn without_regions(self) -> Encoder {
        Encoder {
            regions: None,
            ..self
        }
    }

    /// The model's facts.
    pub fn model(&self) -> &CheckedModel {
        &self.model
    }

    /// The instruction set that the encoder was made with.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Makes a plan that feeds `input`, of shape `dims`, and computes `outputs`: declared outputs, or any tensor of the
    /// graph by its name. [`Dim::Any`] is allowed where the model declares no size.
    ///
    /// # Errors
    ///
    /// [`Fault::UnknownInput`], [`Fault::UnknownOutput`], [`Fault::NoOutput`], [`Fault::SecondInput`],
    /// [`Fault::ElementType`], [`Fault::Shape`], [`Fault::Limit`], faults of quantization that depend on shapes,
    /// [`Fault::Engine`].
    pub fn plan(&self, input: &str, dims: &[Dim], outputs: &[&str]) -> Result<Plan, EncoderError> {
        self.try_plan(input, dims, outputs)
            .map_err(|fault| EncoderError::new(self.model.name(), fault))
    }

    fn try_plan(&self, input: &str, dims: &[Dim], outputs: &[&str]) -> Result<Plan, Fault> {
        let port = self.port(input)?;
        check_dims(port, dims)?;
        let outlets = self.outlets(outputs)?;
        let source = self.source(port, &outlets)?;
        let symbols = dims
            .iter()
            .map(|dim| symbol(&self.graph.symbols, *dim))
            .collect();
        let feed = Feed::new(port, dims, symbols, self.model.limits())?;

        let compiled = guard::engine(Stage::Plan, || {
            let mut graph = self.graph.clone();
            graph.set_outlet_fact(source, InferenceFact::from(feed.fact()))?;
            graph.set_input_outlets(&[source])?;
            graph.select_output_outlets(&outlets)?;
            graph.compact()?;
            analyse::analyse(&mut graph)?;
            let steps = inspect::steps(&self.model, &graph);
            let mut typed = typed::typed(graph)?;
            self.check_sizes(&typed)?;
            let outcome = match &self.regions {
                Some(store) => {
                    let (isa, pool, limits) = (self.isa, &self.pool, self.model.limits());
                    let mut outcome = region::replace(&mut typed, isa, pool, store, limits)?;
                    let products = region::dynamic::replace(&mut typed, isa, pool, &self.packs)?;
                    let pairs = region::activations::replace(&mut typed, isa, pool)?;
                    outcome.covered.extend(products.into_iter().chain(pairs));
                    transformer::replace(&mut typed, isa, pool)?;
                    quant::round(&mut typed, isa)?;
                    Some(outcome)
                }
                None => None,
            };
            let settled = inspect::settle(&steps, outcome.as_ref());
            if let Some((program, outputs)) = region::whole(&typed) {
                return Ok(Compiled {
                    operations: observe::of_program(program.labels(), &steps),
                    run: Run::Region(program, outputs),
                    packed: Vec::new(),
                    steps: settled,
                });
            }
            quant::fold(&mut typed)?;
            self.check_sizes(&typed)?;
            typed.declutter()?;
            let packed = self.shared.lower(&mut typed)?;
            self.check_sizes(&typed)?;
            let options = RunOptions {
                executor: Some(Executor::SingleThread),
                ..RunOptions::default()
            };
            let runnable = SimplePlan::new_with_options(typed, &options)?;
            Ok(Compiled {
                operations: observe::of_engine(&runnable, &steps),
                run: Run::Engine(runnable),
                packed,
                steps: settled,
            })
        })?;
        Plan::new(&self.model, feed, outputs, compiled)
    }

    fn port(&self, input: &str) -> Result<&Port, Fault> {
        let ports = self.model.inputs();
        ports
            .iter()
            .find(|port| port.name == input)
            .ok_or_else(|| Fault::UnknownInput {
                got: input.to_owned(),
                known: names(ports),
            })
    }

    fn outlets(&self, outputs: &[&str]) -> Result<Vec<OutletId>, Fault> {
        let known = || names(self.model.outputs());
        if outputs.is_empty() {
            return Err(Fault::NoOutput { known: known() });
        }
        let find = |output: &&str| {
            let labelled = self.graph.find_outlet_label(output);
            labelled.ok_or_else(|| Fault::UnknownOutput {
                got: (*output).to_owned(),
                known: known(),
            })
        };
        outputs.iter().map(find).collect()
    }

    /// The graph's source for `port`, once it is clear that `outlets` depend on no other.
    fn source(&self, port: &Port, outlets: &[OutletId]) -> Result<OutletId, Fault> {
        let name = |outlet: &OutletId| self.graph.node(outlet.node).name.as_str();
        let mut needed: HashSet<usize> = HashSet::new();
        let mut open: Vec<usize> = outlets.iter().map(|outlet| outlet.node).collect();
        while let Some(node) = open.pop() {
            if needed.insert(node) {
                open.extend(
                    self.graph
                        .node(node)
                        .inputs
                        .iter()
                        .map(|outlet| outlet.node),
                );
            }
        }
        let others = self
            .graph
            .inputs
            .iter()
            .filter(|source| name(source) != port.name);
        if let Some(other) = others
            .into_iter()
            .find(|source| needed.contains(&source.node))
        {
            return Err(Fault::SecondInput {
                input: port.name.clone(),
                needed: name(other).to_owned(),
            });
        }
        let source = self
            .graph
            .inputs
            .iter()
            .find(|source| name(source) == port.name);
        source.copied().ok_or_else(|| Fault::UnknownInput {
            got: port.name.clone(),
            known: names(self.model.inputs()),
        })
    }

    /// Holds every tensor of known size against the limit. A size that is unknown without a symbol in it is a
    /// contradiction, which the engine would report when it runs.
    fn check_sizes(&self, typed: &TypedModel) -> TractResult<()> {
        for node in typed.nodes() {
            for output in &node.outputs {
                let fact = &output.fact;
                if let Some(bytes) = bytes(fact) {
                    guard::check_bytes(&node.name, bytes, self.model.limits())?;
                }
                let mut dims = fact.shape.iter();
                if let Some(dim) =
                    dims.find(|dim| dim.to_i64().is_err() && dim.symbols().is_empty())
                {
                    bail!(
                        "the inputs of node {} do not fit together: one of its sizes is {dim}",
                        node.name
                    );
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("model", &self.model)
            .field("isa", &self.isa)
            .finish_non_exhaustive()
    }
}

/// The size of a tensor where it is known. To the engine sizes are expressions, which are slow to multiply.
fn bytes(fact: &TypedFact) -> Option<i64> {
    let (Some(shape), None) = (fact.shape.as_concrete(), &fact.exotic_fact) else {
        return fact.mem_size().to_i64().ok();
    };
    let bytes = shape
        .iter()
        .try_fold(fact.datum_type.size_of(), |bytes, &size| {
            bytes.checked_mul(size)
        });
    let bytes = bytes.and_then(|bytes| i64::try_from(bytes).ok());
    Some(bytes.unwrap_or(i64::MAX))
}

fn names(ports: &[Port]) -> Names {
    Names(ports.iter().map(|port| port.name.clone()).collect())
}

fn symbol(scope: &SymbolScope, dim: Dim) -> Option<Symbol> {
    match dim {
        Dim::Fixed(_) => None,
        Dim::Any => Some(scope.new_with_prefix("any")),
    }
}

fn check_dims(port: &Port, dims: &[Dim]) -> Result<(), Fault> {
    if !matches!(port.element, Element::F32 | Element::I64 | Element::I32) {
        return Err(Fault::ElementType {
            what: "input",
            name: port.name.clone(),
            expected: "f32, i64 or i32",
            got: port.element.to_string(),
        });
    }
    let fits = |declared: &Vec<Dim>| {
        let fit = |(declared, dim): (&Dim, &Dim)| *declared == Dim::Any || declared == dim;
        declared.len() == dims.len() && declared.iter().zip(dims).all(fit)
    };
    let empty = dims.contains(&Dim::Fixed(0));
    if empty || !port.dims.as_ref().is_none_or(fits) {
        return Err(Fault::Shape {
            input: port.name.clone(),
            expected: match &port.dims {
                Some(dims) => shape_text(dims),
                None => "sizes of 1 and more".to_owned(),
            },
            got: shape_text(dims),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    #[test]
    fn plans_share_packed_weights_and_let_go_of_them() {
        let bytes = include_bytes!("../../../models/default/image.onnx");
        let model =
            CheckedModel::scan("image.onnx", bytes, &Limits::default()).expect("a good file");
        let encoder = Encoder::new(model, Isa::Scalar).expect("a graph");
        let packed = || encoder.regions.as_ref().map(region::Store::len);
        let plan =
            |side: usize| encoder.plan("image", &[1, 3, side, side].map(Dim::Fixed), &["features"]);
        let plans = [224, 160, 112, 224].map(|side| plan(side).expect("a plan"));
        // One convolution of stride 2 meets an odd size at 112 only, and stands elsewhere on its input.
        assert_eq!(packed(), Some(49 + 1));
        drop(plans);
        assert_eq!(packed(), Some(0));
    }
}
