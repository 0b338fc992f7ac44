//! A model made ready for one shape: fed, run, read.
//!
//! A plan is immutable; threads may run it at the same time. What the engine runs allocates what it needs and frees it
//! again at each run; INT8 regions keep their working memory.
//!
//! Limits: one input, outputs in f32; the engine's own operators run in one thread. Sizes that a plan leaves open are checked at each run.

use std::fmt;
use std::sync::Arc;

use tract_onnx::tract_hir::internal::{
    DatumType, IntoTValue, Symbol, SymbolValues, TDim, TValue, TVec, TractResult, TypedFact,
    TypedModel, TypedSimplePlan, bail, ensure, tvec,
};
use tract_onnx::tract_hir::internal::{Tensor as EngineTensor, ToDim};

use crate::error::Stage;
use crate::guard;
use crate::observe::{self, Unobserved};
use crate::region::{Computed, Fed, Program};
use crate::share::Packed;
use crate::tensor::{Input, Tensor};
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

    /// The same into `outputs`, which become as many as the plan has and keep their memory: what is run again and again
    /// allocates nothing where one INT8 region computes everything.
    ///
    /// # Errors
    ///
    /// As [`Plan::run`]; what `outputs` hold then says nothing.
    pub fn run_into(
        &self,
        input: Input<'_>,
        outputs: &mut Vec<Tensor>,
    ) -> Result<(), EncoderError> {
        self.try_run(input, outputs, &mut Unobserved)
            .map_err(|fault| EncoderError::new(&self.model, fault))
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
        let mut outputs = Vec::new();
        self.try_run(input, &mut outputs, observer)
            .map_err(|fault| EncoderError::new(&self.model, fault))?;
        Ok(outputs)
    }

    fn try_run<O: Observer>(
        &self,
        input: Input<'_>,
        outputs: &mut Vec<Tensor>,
        observer: &mut O,
    ) -> Result<(), Fault> {
        let shape = self.feed.shape(input)?;
        self.check_open_sizes(&shape)?;
        guard::engine(Stage::Run, || match (&self.compiled.run, input) {
            (Run::Region(program, indices), Input::F32(reals)) => {
                run_region(program, indices, Fed::F32(reals), outputs, observer)
            }
            (Run::Region(program, indices), Input::Pixels(pixels)) => {
                run_region(program, indices, Fed::Pixels(pixels), outputs, observer)
            }
            (Run::Region(..), Input::I64(..)) => bail!("a region is fed integers"),
            (Run::Engine(runnable), _) => {
                let fed = self.feed.tensor(input, &shape)?;
                let computed = observe::run_engine(runnable, fed.into_tvalue(), observer)?;
                outputs.clear();
                for value in &computed {
                    outputs.push(read(value)?);
                }
                Ok(())
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

/// Runs `program`; the plan's outputs are the program's of the indices `indices`.
fn run_region<O: Observer>(
    program: &Program,
    indices: &[usize],
    fed: Fed<'_>,
    outputs: &mut Vec<Tensor>,
    observer: &mut O,
) -> TractResult<()> {
    outputs.resize_with(indices.len(), Tensor::default);
    // In the program's order; what is asked for twice is computed once and copied.
    let mut places: TVec<(usize, &mut Tensor)> =
        indices.iter().copied().zip(&mut *outputs).collect();
    places.sort_by_key(|place| place.0);
    places.dedup_by_key(|place| place.0);
    ensure!(
        places.len() == program.outputs().len(),
        "an output that nobody asked for"
    );
    let mut computed: TVec<Computed<'_>> = tvec![];
    for ((_, tensor), border) in places.into_iter().zip(program.outputs()) {
        tensor.shape_as(&border.shape);
        computed.push(Computed::F32(&mut tensor.data));
    }
    program.run(&[fed], &mut computed, observer);
    drop(computed);
    for at in 1..indices.len() {
        if let Some(first) = indices[..at].iter().position(|index| *index == indices[at]) {
            let (done, twice) = outputs.split_at_mut(at);
            twice[0].clone_from(&done[first]);
        }
    }
    Ok(())
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
    fn shape(&self, input: Input<'_>) -> Result<TVec<usize>, Fault> {
        let passed = match input {
            Input::F32(_) | Input::Pixels(_) => "f32",
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
            Input::Pixels(pixels) => {
                let shape = self.settle(pixels.rgb.len())?;
                match shape[..] {
                    [1, 3, _, _] => Ok(shape),
                    _ => Err(self.misfit("pixels, which are [1, 3, h, w]".to_owned())),
                }
            }
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
                    Some(expected) if expected == data.len() => Ok(shape.into()),
                    _ => Err(self.wrong_length(expected.unwrap_or(usize::MAX), data.len())),
                }
            }
        }
    }

    /// The shape of `length` elements: at most one size may be open.
    fn settle(&self, length: usize) -> Result<TVec<usize>, Fault> {
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
            (Input::Pixels(pixels), _) => EngineTensor::from_shape(shape, &pixels.planes()),
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
