//! A model made ready for one shape: fed, run, read.
//!
//! A plan is immutable; threads may run it at the same time. What the engine runs allocates what it needs and frees it
//! again at each run; INT8 regions keep their working memory.
//!
//! Limits: one input, outputs in f32, one thread. Sizes that a plan leaves open are checked at each run.

use std::fmt;
use std::sync::Arc;

use tract_onnx::tract_hir::internal::{
    DatumType, IntoTValue, Symbol, SymbolValues, TDim, TValue, TractResult, TypedFact, TypedModel,
    TypedSimplePlan, bail,
};
use tract_onnx::tract_hir::internal::{Tensor as EngineTensor, ToDim};

use crate::error::Stage;
use crate::guard;
use crate::observe::{self, Unobserved};
use crate::region::Program;
use crate::share::Packed;
use crate::{
    CheckedModel, Dim, Element, EncoderError, Fault, Limits, Observer, Operation, Port, Step,
};

/// A model made ready for one shape of one input.
pub struct Plan {
    model: String,
    limits: Limits,
    feed: Feed,
    outputs: Vec<String>,
    compiled: Compiled,
    /// Nodes whose sizes depend on what is fed, with their sizes in bytes.
    open_sizes: Vec<(String, TDim)>,
}

/// What was made of a graph.
pub(crate) struct Compiled {
    pub(crate) run: Run,
    pub(crate) packed: Packed,
    pub(crate) steps: Vec<Step>,
    pub(crate) operations: Vec<Operation>,
}

/// What computes the outputs.
pub(crate) enum Run {
    /// The engine, with INT8 regions among its operators.
    Engine(Arc<TypedSimplePlan>),
    /// One INT8 region; each output of the plan is the program's of that index.
    Region(Arc<Program>, Vec<usize>),
}

/// What a plan is fed.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Elements in row-major order. Where the plan leaves one size open, the number of elements settles it.
    F32(&'a [f32]),
    /// Elements in row-major order, and their shape.
    I64(&'a [i64], &'a [usize]),
}

/// What a plan computes.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The size of each axis.
    pub shape: Vec<usize>,
    /// The elements in row-major order.
    pub data: Vec<f32>,
}

impl Plan {
    pub(crate) fn new(
        model: &CheckedModel,
        feed: Feed,
        outputs: &[&str],
        compiled: Compiled,
    ) -> Result<Plan, Fault> {
        let mut open_sizes = Vec::new();
        if let Run::Engine(runnable) = &compiled.run {
            check_outputs(runnable.model(), outputs)?;
            open_sizes = sizes_left_open(runnable.model());
        }
        Ok(Plan {
            model: model.name().to_owned(),
            limits: *model.limits(),
            feed,
            outputs: outputs.iter().map(|&output| output.to_owned()).collect(),
            compiled,
            open_sizes,
        })
    }

    /// The name of the tensor that is fed.
    pub fn input(&self) -> &str {
        &self.feed.name
    }

    /// The shape of the tensor that is fed.
    pub fn dims(&self) -> &[Dim] {
        &self.feed.dims
    }

    /// The names of the tensors that are computed, in the order of [`Plan::run`]'s result.
    pub fn outputs(&self) -> &[String] {
        &self.outputs
    }

    /// The graph's nodes that this plan runs, in an order in which they can run.
    pub fn steps(&self) -> &[Step] {
        &self.compiled.steps
    }

    /// What this plan does at each run, in order.
    pub fn operations(&self) -> &[Operation] {
        &self.compiled.operations
    }

    /// Computes the outputs, in the order in which they were asked for.
    ///
    /// # Errors
    ///
    /// [`Fault::ElementType`], [`Fault::Shape`] or [`Fault::InputLength`] where `input` is not what the plan was made
    /// for, [`Fault::Limit`] where an open size makes a tensor too large, [`Fault::Engine`].
    pub fn run(&self, input: Input<'_>) -> Result<Vec<Tensor>, EncoderError> {
        self.run_observed(input, &mut Unobserved)
    }

    /// The same, watched: `observer` is told when each of [`operations`](Plan::operations) begins and ends.
    ///
    /// # Errors
    ///
    /// As [`Plan::run`].
    pub fn run_observed<O: Observer>(
        &self,
        input: Input<'_>,
        observer: &mut O,
    ) -> Result<Vec<Tensor>, EncoderError> {
        self.try_run(input, observer)
            .map_err(|fault| EncoderError::new(&self.model, fault))
    }

    fn try_run<O: Observer>(
        &self,
        input: Input<'_>,
        observer: &mut O,
    ) -> Result<Vec<Tensor>, Fault> {
        let shape = self.feed.shape(input)?;
        self.check_open_sizes(&shape)?;
        guard::engine(Stage::Run, || match (&self.compiled.run, input) {
            (Run::Region(program, outputs), Input::F32(reals)) => {
                Ok(run_region(program, outputs, reals, observer))
            }
            (Run::Region(..), Input::I64(..)) => bail!("a region is fed integers"),
            (Run::Engine(runnable), _) => {
                let fed = self.feed.tensor(input, &shape)?;
                let computed = observe::run_engine(runnable, fed.into_tvalue(), observer)?;
                computed.iter().map(read).collect()
            }
        })
    }

    fn check_open_sizes(&self, shape: &[usize]) -> Result<(), Fault> {
        if self.open_sizes.is_empty() {
            return Ok(());
        }
        let mut values = SymbolValues::default();
        for (symbol, &size) in self.feed.symbols.iter().zip(shape) {
            if let Some(symbol) = symbol {
                values.set(symbol, size as i64);
            }
        }
        for (node, bytes) in &self.open_sizes {
            // A size that depends on values, not on the input's shape, has a symbol of its own and stays unknown.
            if let Ok(bytes) = bytes.eval(&values).to_i64() {
                guard::check_bytes(node, bytes, &self.limits)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("model", &self.model)
            .field("input", &self.feed.name)
            .field("dims", &self.feed.dims)
            .field("outputs", &self.outputs)
            .field("steps", &self.compiled.steps.len())
            .field("packed", &self.compiled.packed.len())
            .finish_non_exhaustive()
    }
}

/// Runs `program`; the plan's outputs are the program's of the indices `outputs`.
fn run_region<O: Observer>(
    program: &Program,
    outputs: &[usize],
    input: &[f32],
    observer: &mut O,
) -> Vec<Tensor> {
    let mut reals = program.run_on_reals(input, observer);
    let mut tensors: Vec<Tensor> = Vec::with_capacity(outputs.len());
    for (at, &output) in outputs.iter().enumerate() {
        // The last one that asks for it takes it.
        let data = match outputs[at + 1..].contains(&output) {
            true => reals[output].clone(),
            false => std::mem::take(&mut reals[output]),
        };
        tensors.push(Tensor {
            shape: program.outputs()[output].shape.clone(),
            data,
        });
    }
    tensors
}

fn check_outputs(graph: &TypedModel, outputs: &[&str]) -> Result<(), Fault> {
    for (name, outlet) in outputs.iter().zip(&graph.outputs) {
        let element = graph.node(outlet.node).outputs[outlet.slot].fact.datum_type;
        if element != DatumType::F32 {
            return Err(Fault::ElementType {
                what: "output",
                name: (*name).to_owned(),
                expected: "f32",
                // The engine keeps sizes in a type of its own, which ONNX calls i64.
                got: match element {
                    DatumType::TDim => "i64".to_owned(),
                    element => format!("{element:?}").to_lowercase(),
                },
            });
        }
    }
    Ok(())
}

/// The nodes whose sizes are not known, one for each size in bytes.
fn sizes_left_open(graph: &TypedModel) -> Vec<(String, TDim)> {
    let mut open_sizes: Vec<(String, TDim)> = Vec::new();
    for node in graph.nodes() {
        for output in &node.outputs {
            let bytes = output.fact.mem_size();
            if bytes.to_i64().is_err() && open_sizes.iter().all(|(_, known)| *known != bytes) {
                open_sizes.push((node.name.clone(), bytes));
            }
        }
    }
    open_sizes
}

fn read(value: &TValue) -> TractResult<Tensor> {
    Ok(Tensor {
        shape: value.shape().to_vec(),
        data: value.try_as_plain_ram()?.as_slice::<f32>()?.to_vec(),
    })
}

/// How the input of a plan looks.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    name: String,
    element: Element,
    dims: Vec<Dim>,
    /// The engine's symbol for each open size.
    symbols: Vec<Option<Symbol>>,
}

impl Feed {
    /// For `port` with shape `dims`, which fits it, if it is within `limits`.
    pub(crate) fn new(
        port: &Port,
        dims: &[Dim],
        symbols: Vec<Option<Symbol>>,
        limits: &Limits,
    ) -> Result<Feed, Fault> {
        let sizes = dims.iter().map(|dim| match dim {
            Dim::Fixed(size) => i64::try_from(*size).ok(),
            Dim::Any => Some(1),
        });
        let element = port.element.bytes() as i64;
        let bytes = sizes
            .into_iter()
            .try_fold(element, |product, size| product.checked_mul(size?));
        guard::check_bytes(&port.name, bytes.unwrap_or(i64::MAX), limits)?;
        Ok(Feed {
            name: port.name.clone(),
            element: port.element,
            dims: dims.to_vec(),
            symbols,
        })
    }

    /// The same for the engine.
    pub(crate) fn fact(&self) -> TypedFact {
        let element = match self.element {
            Element::I64 => DatumType::I64,
            Element::I32 => DatumType::I32,
            _ => DatumType::F32,
        };
        let dims = self
            .dims
            .iter()
            .zip(&self.symbols)
            .map(|(dim, symbol)| match (dim, symbol) {
                (_, Some(symbol)) => symbol.to_dim(),
                (Dim::Fixed(size), None) => size.to_dim(),
                (Dim::Any, None) => 1.to_dim(),
            });
        TypedFact::dt_shape(element, dims.collect::<Vec<TDim>>())
    }

    /// The concrete shape of `input`, if it fits.
    fn shape(&self, input: Input<'_>) -> Result<Vec<usize>, Fault> {
        let passed = match input {
            Input::F32(_) => "f32",
            Input::I64(..) => "i64",
        };
        if (passed == "f32") != (self.element == Element::F32) {
            return Err(Fault::ElementType {
                what: "input",
                name: self.name.clone(),
                expected: if passed == "f32" { "i64" } else { "f32" },
                got: passed.to_owned(),
            });
        }
        match input {
            Input::F32(data) => self.settle(data.len()),
            Input::I64(data, shape) => {
                let fit = |(dim, size): (&Dim, &usize)| {
                    *size > 0 && (*dim == Dim::Any || *dim == Dim::Fixed(*size))
                };
                if shape.len() != self.dims.len() || !self.dims.iter().zip(shape).all(fit) {
                    let got: Vec<Dim> = shape.iter().copied().map(Dim::Fixed).collect();
                    return Err(self.misfit(shape_text(&got)));
                }
                let expected = shape
                    .iter()
                    .try_fold(1usize, |product, size| product.checked_mul(*size));
                match expected {
                    Some(expected) if expected == data.len() => Ok(shape.to_vec()),
                    _ => Err(self.wrong_length(expected.unwrap_or(usize::MAX), data.len())),
                }
            }
        }
    }

    /// The shape of `length` elements: at most one size may be open.
    fn settle(&self, length: usize) -> Result<Vec<usize>, Fault> {
        let fixed = |dim: &Dim| match dim {
            Dim::Fixed(size) => *size,
            Dim::Any => 1,
        };
        let known = self
            .dims
            .iter()
            .map(fixed)
            .fold(1usize, usize::saturating_mul);
        let open = self.dims.iter().filter(|dim| **dim == Dim::Any).count();
        let free = match open {
            0 if length == known => 1,
            1 if length > 0 && length.is_multiple_of(known) => length / known,
            0 | 1 => return Err(self.wrong_length(known, length)),
            _ => return Err(self.misfit(format!("{length} elements, which settle one open size"))),
        };
        let settled = |dim: &Dim| match dim {
            Dim::Fixed(size) => *size,
            Dim::Any => free,
        };
        Ok(self.dims.iter().map(settled).collect())
    }

    fn tensor(&self, input: Input<'_>, shape: &[usize]) -> TractResult<EngineTensor> {
        match (input, self.element) {
            (Input::F32(data), _) => EngineTensor::from_shape(shape, data),
            (Input::I64(data, _), Element::I32) => {
                let narrow: Vec<i32> = data
                    .iter()
                    .map(|&value| self.narrow(value))
                    .collect::<Result<_, _>>()?;
                EngineTensor::from_shape(shape, &narrow)
            }
            (Input::I64(data, _), _) => EngineTensor::from_shape(shape, data),
        }
    }

    fn narrow(&self, value: i64) -> Result<i32, Fault> {
        i32::try_from(value).map_err(|_| Fault::ElementType {
            what: "input",
            name: self.name.clone(),
            expected: "i32",
            got: format!("{value}, which does not fit"),
        })
    }

    fn misfit(&self, got: String) -> Fault {
        Fault::Shape {
            input: self.name.clone(),
            expected: shape_text(&self.dims),
            got,
        }
    }

    fn wrong_length(&self, expected: usize, got: usize) -> Fault {
        Fault::InputLength {
            input: self.name.clone(),
            shape: shape_text(&self.dims),
            expected,
            got,
        }
    }
}

/// `[1, 3, any, any]`
pub(crate) fn shape_text(dims: &[Dim]) -> String {
    let dims: Vec<String> = dims.iter().map(Dim::to_string).collect();
    format!("[{}]", dims.join(", "))
}
