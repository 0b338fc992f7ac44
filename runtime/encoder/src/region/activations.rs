//! Products of activations with one another, as those of an attention: bytes on both sides, reals of a grid out.
//!
//! `Dequantize, Dequantize -> MatMul -> Quantize -> Dequantize` becomes one operator that takes the bytes. Its sums are
//! `sum (a - za) * (b - zb)`; a zero point of the right side costs a sum of each row, which one column of ones makes. The
//! arithmetic is that of a region, `round_half_even(sum * ((sa * sb) / sy))` within the bounds of the integers, times `sy`.
//!
//! Matrices are read where they lie in what is quantized, and written where they go: axes that are moved in between are strides.
//!
//! Limits: the same batch on both sides; rows so short that sums are exact in f32; the right side is packed at each run, by
//! one thread.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use ocellus_kernels::{Affine, Grid, Isa, PackedRealGemm, f32_round_sums, qs8_turn};
use ocellus_sys::Pool;
use tract_core::ops::einsum::EinSum;
use tract_onnx::tract_hir::internal::*;

use super::chain::read_once;
use super::constant::shifted;
use super::find::affine;
use super::layer::is_transposed;
use super::parts::by_rows;
use crate::layout::{self, Matrices, View};
use crate::quant::{Dequantize, Quantize};

/// From so many elements a sum of products might not be exact in f32.
const LONGEST: usize = (1 << 24) / (255 * 255);

/// Replaces every such product of `model`, whose work `pool` shares, and gives the names in the file of the nodes that it
/// stands for.
pub(crate) fn replace(
    model: &mut TypedModel,
    isa: Isa,
    pool: &Arc<Pool>,
) -> TractResult<HashSet<String>> {
    let mut covered = HashSet::new();
    for id in model.eval_order()? {
        let Some(found) = find(model, id, isa, pool) else {
            continue;
        };
        let mut patch = TypedModelPatch::default();
        let mut inputs: TVec<OutletId> = tvec![];
        for (at, side) in found.inputs.into_iter().enumerate() {
            let name = model.unique_name(format!("{}.side{at}", model.node(id).name));
            inputs.push(side.wire(model, &mut patch, name.into_owned(), isa)?);
        }
        let name = model.unique_name(format!("{}.int8", model.node(id).name));
        let output = patch.wire_node(name.into_owned(), found.op, &inputs)?[0];
        for real in found.outputs {
            patch.shunt_outside(model, real, output)?;
        }
        patch.apply(model)?;
        covered.extend(found.names);
    }
    if !covered.is_empty() {
        model.compact()?;
    }
    Ok(covered)
}

struct Found {
    op: Paired,
    inputs: [Side; 2],
    outputs: Vec<OutletId>,
    names: Vec<String>,
}

/// One side of a product.
struct Side {
    /// Where its bytes are, or where they are once what is there is quantized.
    outlet: OutletId,
    quantize: Option<Quantize>,
    affine: Affine,
    view: View,
}

impl Side {
    /// The bytes behind the reals at `outlet`. Where a Quantize stands behind operators that move axes, it is taken before them.
    fn find(model: &TypedModel, outlet: OutletId) -> Option<Side> {
        let node = model.node(outlet.node);
        let scale = node.op_as::<Dequantize>()?.scale();
        let bytes = node.inputs[0];
        let fact = model.outlet_fact(bytes).ok()?;
        let affine = affine(scale, fact.datum_type).filter(|_| fact.konst.is_none())?;
        let quantize = model.node(bytes.node);
        if let Some(op) = quantize.op_as::<Quantize>() {
            let (outlet, view) = layout::before(model, quantize.inputs[0])?;
            let real = model.outlet_fact(outlet).ok()?.datum_type == f32::datum_type();
            return real.then(|| Side {
                outlet,
                quantize: Some(op.signed()),
                affine,
                view,
            });
        }
        let shape = fact.shape.as_concrete()?;
        Some(Side {
            outlet: bytes,
            quantize: None,
            affine,
            view: View::whole(shape),
        })
    }

    /// Wires what its bytes are read from.
    fn wire(
        self,
        model: &TypedModel,
        patch: &mut TypedModelPatch,
        name: String,
        isa: Isa,
    ) -> TractResult<OutletId> {
        let outlet = patch.tap_model(model, self.outlet)?;
        let Some(mut quantize) = self.quantize else {
            return Ok(outlet);
        };
        quantize.isa = isa;
        Ok(patch.wire_node(name, quantize, &[outlet])?[0])
    }
}

/// The product that the node `id` is, if both sides are bytes and what it computes is quantized.
fn find(model: &TypedModel, id: usize, isa: Isa, pool: &Arc<Pool>) -> Option<Found> {
    let node = model.node(id);
    let &[a, b] = &node.inputs[..] else {
        return None;
    };
    let einsum = node.op_as::<EinSum>()?;
    let (a, mut b) = (Side::find(model, a)?, Side::find(model, b)?);
    let rank = a.view.shape.len();
    if rank < 2 || b.view.shape.len() != rank {
        return None;
    }
    // The right side's rows are what the left side's are multiplied with.
    if is_transposed(einsum, rank)? {
        b.view = b.view.turned();
    }
    let [batch @ .., m, k] = &a.view.shape[..] else {
        return None;
    };
    let [b_batch @ .., n, b_k] = &b.view.shape[..] else {
        return None;
    };
    // The batch may not be widened.
    if batch != b_batch || k != b_k || *k > LONGEST {
        return None;
    }
    let sizes = [*m, *k, *n];
    let product = OutletId::new(id, 0);
    let quantize = model.node(model.outlet_successors(product).first()?.node);
    let scale = quantize.op_as::<Quantize>()?.scale();
    let target = quantize.outputs[0].fact.datum_type;
    let out = affine(scale, target)?;
    let readers = &quantize.outputs[0].successors;
    let same = |reader: &InletId| {
        let dequantize = model.node(reader.node).op_as::<Dequantize>();
        dequantize.is_some_and(|dequantize| dequantize.scale().pairs() == scale.pairs())
    };
    let multiplier = (a.affine.scale * b.affine.scale) / out.scale;
    let hidden = read_once(model, product) && !model.outputs.contains(&quantize.id.into());
    if !hidden || !readers.iter().all(same) || !multiplier.is_normal() {
        return None;
    }
    let zero_point = i32::from(out.zero_point);
    let dequantizes = readers
        .iter()
        .map(|reader| model.node(reader.node).name.clone());
    // Where one sees what is made, it is written where that one reads it.
    let shape = node.outputs[0].fact.shape.as_concrete()?;
    let (outputs, whole, view) = match readers[..] {
        [reader] => {
            let (outlet, view) = layout::behind(model, reader.node.into())?;
            let whole = model.outlet_fact(outlet).ok()?.shape.as_concrete()?;
            (vec![outlet], whole, view)
        }
        _ => {
            let outputs = readers.iter().map(|reader| reader.node.into()).collect();
            (outputs, shape, View::whole(shape))
        }
    };
    let out_matrices = Matrices::of(&view);
    let row = out_matrices.row.max(sizes[2]);
    let fits = |start: &usize| start % row + sizes[2] <= row;
    if !out_matrices.starts.iter().all(fits) {
        return None;
    }
    Some(Found {
        op: Paired {
            zero_points: [a.affine.zero_point, b.affine.zero_point],
            multiplier,
            grid: Grid {
                scale: out.scale,
                least: -128 - zero_point,
                most: 127 - zero_point,
            },
            sizes,
            sides: [Matrices::of(&a.view), Matrices::of(&b.view)],
            out: Matrices {
                row,
                ..out_matrices
            },
            shape: whole.into(),
            isa,
            pool: pool.clone(),
        },
        inputs: [a, b],
        outputs,
        names: [node.name.clone(), quantize.name.clone()]
            .into_iter()
            .chain(dequantizes)
            .collect(),
    })
}

/// Fed bytes in which the matrices `[m, k]` and `[n, k]` lie somehow; gives a tensor in which those `[m, n]` do.
#[derive(Clone)]
pub(crate) struct Paired {
    zero_points: [i8; 2],
    multiplier: f32,
    grid: Grid,
    /// `[m, k, n]`
    sizes: [usize; 3],
    sides: [Matrices; 2],
    out: Matrices,
    shape: TVec<usize>,
    isa: Isa,
    pool: Arc<Pool>,
}

impl Paired {
    /// The columns that are computed: one more, which is the sum of the row, and then as many as fill a panel.
    fn columns(&self) -> usize {
        (self.sizes[2] + 1).next_multiple_of(4)
    }

    /// The right side of the matrix `at`, packed, with a row of ones behind the others.
    fn pack(&self, at: usize, b: &[i8]) -> TractResult<PackedRealGemm> {
        let ([_, k, n], side) = (self.sizes, &self.sides[1]);
        let mut weights = vec![0; self.columns() * k];
        weights[n * k..][..k].fill(1);
        let rows = &mut weights[..n * k];
        let b = &b[side.starts[at]..];
        match (side.row, side.column) {
            (row, 1) => {
                for (row, to) in (0..n).map(|i| &b[i * row..]).zip(rows.chunks_exact_mut(k)) {
                    to.copy_from_slice(&row[..k]);
                }
            }
            (1, column) if column == n => qs8_turn(self.isa, &b[..n * k], [k, n], rows),
            (1, column) => {
                let lines = (0..k).map(|i| &b[i * column..][..n]);
                let lines: Vec<i8> = lines.flatten().copied().collect();
                qs8_turn(self.isa, &lines, [k, n], rows);
            }
            (row, column) => {
                for (at, to) in rows.iter_mut().enumerate() {
                    *to = b[at / k * row + at % k * column];
                }
            }
        }
        PackedRealGemm::new(self.isa, &weights, [self.columns(), k])
            .map_err(|error| format_err!("{error}"))
    }

    /// Writes the rows `part` of the output's, which are `to`.
    fn rows(&self, a: &[i8], packed: &[PackedRealGemm], part: Range<usize>, to: &mut [f32]) {
        let ([m, k, n], side) = (self.sizes, &self.sides[0]);
        let columns = self.columns();
        let mut sums = vec![0.0; part.len().min(m) * columns];
        for (at, gemm) in packed.iter().enumerate() {
            let start = self.out.starts[at];
            let (first, column) = (start / self.out.row, start % self.out.row);
            let rows = part.start.max(first)..part.end.min(first + m);
            if rows.is_empty() {
                continue;
            }
            let a = &a[side.starts[at] + (rows.start - first) * side.row..];
            let numbers = gemm.numbers(self.zero_points[0], |_| 1.0, |_| 0.0);
            let sums = &mut sums[..rows.len() * columns];
            if side.column == 1 && side.row >= k {
                gemm.run(&numbers, (a, side.row), rows.len(), (sums, columns));
            } else {
                let element = |i: usize| a[i / k * side.row + i % k * side.column];
                let lines: Vec<i8> = (0..rows.len() * k).map(element).collect();
                gemm.run(&numbers, (&lines, k), rows.len(), (sums, columns));
            }
            let to = to[(rows.start - part.start) * self.out.row..].chunks_mut(self.out.row);
            for (sums, to) in sums.chunks_exact(columns).zip(to) {
                let (sums, row) = sums.split_at(n);
                let offset = f32::from(self.zero_points[1]) * row[0];
                let to = &mut to[column..][..n];
                f32_round_sums(self.isa, self.grid, (offset, self.multiplier), sums, to);
            }
        }
    }

    /// Multiply-accumulates of a run.
    pub(crate) fn macs(&self) -> u64 {
        (self.sides[0].starts.len() * self.sizes.iter().product::<usize>()) as u64
    }

    /// The kernel's name, for reports.
    pub(crate) fn kernel(&self) -> &'static str {
        match self.isa {
            Isa::Scalar => "qs8_f32_gemm_scalar",
            #[cfg(target_arch = "aarch64")]
            Isa::Neon(_) => "qs8_f32_gemm_3x4_neon",
            #[cfg(target_arch = "aarch64")]
            Isa::DotProd(_) => "qs8_f32_gemm_6x16_dotprod",
        }
    }
}

/// The bytes of `x` as signed ones.
fn signed(x: &Tensor) -> TractResult<Cow<'_, [i8]>> {
    let plain = x.try_as_plain_ram()?;
    Ok(match x.datum_type() {
        DatumType::U8 => {
            let bytes = plain.as_slice::<u8>()?.iter();
            let signed: Vec<i8> = bytes.map(|&byte| shifted(byte)).collect();
            signed.into()
        }
        _ => plain.as_slice::<i8>()?.into(),
    })
}

impl EvalOp for Paired {
    not_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let (a, b) = args_2!(inputs);
        let (a, b) = (signed(&a)?, signed(&b)?);
        let mut y = Tensor::zero::<f32>(&self.shape)?;
        let mut plain = y.try_as_plain_ram_mut()?;
        let reals = plain.as_slice_mut::<f32>()?;
        if !reals.is_empty() {
            let packed = (0..self.sides[1].starts.len()).map(|at| self.pack(at, &b));
            let packed = packed.collect::<TractResult<Vec<_>>>()?;
            let rows = reals.len() / self.out.row;
            by_rows(&self.pool, rows, 1, reals, &mut [], |part, to, _| {
                self.rows(&a, &packed, part, to);
            });
        }
        Ok(tvec![y.into_tvalue()])
    }
}

impl Op for Paired {
    fn name(&self) -> StaticName {
        "MatMul".into()
    }

    op_as_typed_op!();
}

impl TypedOp for Paired {
    fn output_facts(&self, _: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec![f32::fact(&self.shape[..])])
    }

    as_op!();
}

impl PartialEq for Paired {
    fn eq(&self, other: &Paired) -> bool {
        (self.zero_points, self.multiplier, self.grid)
            == (other.zero_points, other.multiplier, other.grid)
            && (self.sizes, &self.sides) == (other.sizes, &other.sides)
            && (&self.out, &self.shape) == (&other.out, &other.shape)
    }
}

// Scales and multipliers are finite.
impl Eq for Paired {}

impl fmt::Debug for Paired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paired")
            .field("zero_points", &self.zero_points)
            .field("multiplier", &self.multiplier)
            .field("grid", &self.grid)
            .field("sizes", &self.sizes)
            .finish_non_exhaustive()
    }
}
