//! Products of activations with one another, as those of an attention: bytes on both sides, reals of a grid out.
//!
//! `Dequantize, Dequantize -> MatMul -> Quantize -> Dequantize` becomes one operator that takes the bytes. Its sums are
//! `sum (a - za) * (b - zb)`; a zero point of the right side costs a sum of each row, which one column of ones makes. The
//! arithmetic is that of a region, `round_half_even(sum * ((sa * sb) / sy))` within the bounds of the integers, times `sy`.
//!
//! Limits: the same batch on both sides; rows so short that sums are exact in f32; who computes packs the right side at
//! each run.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use ocellus_kernels::{Affine, Grid, Isa, PackedRealGemm, f32_round_sums};
use ocellus_sys::Pool;
use tract_core::ops::einsum::EinSum;
use tract_onnx::tract_hir::internal::*;

use super::chain::read_once;
use super::constant::shifted;
use super::find::affine;
use super::layer::is_transposed;
use super::pack::transpose;
use super::parts::by_rows;
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
        let inputs = [
            patch.tap_model(model, found.inputs[0])?,
            patch.tap_model(model, found.inputs[1])?,
        ];
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
    inputs: [OutletId; 2],
    outputs: Vec<OutletId>,
    names: Vec<String>,
}

/// The product that the node `id` is, if both sides are bytes and what it computes is quantized.
fn find(model: &TypedModel, id: usize, isa: Isa, pool: &Arc<Pool>) -> Option<Found> {
    let node = model.node(id);
    let &[a, b] = &node.inputs[..] else {
        return None;
    };
    let (a_bytes, a_affine) = bytes(model, a)?;
    let (b_bytes, b_affine) = bytes(model, b)?;
    let [a_shape, b_shape] =
        [a, b].map(|outlet| model.outlet_fact(outlet).ok()?.shape.as_concrete());
    let (a_shape, b_shape) = (a_shape?, b_shape?);
    let rank = a_shape.len();
    let transposed = is_transposed(node.op_as::<EinSum>()?, rank)?;
    let k = a_shape[rank - 1];
    // The batch may not be widened.
    if b_shape.len() != rank || a_shape[..rank - 2] != b_shape[..rank - 2] || k > LONGEST {
        return None;
    }
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
    let multiplier = (a_affine.scale * b_affine.scale) / out.scale;
    let hidden = read_once(model, product) && !model.outputs.contains(&quantize.id.into());
    if !hidden || !readers.iter().all(same) || !multiplier.is_normal() {
        return None;
    }
    let zero_point = i32::from(out.zero_point);
    let dequantizes = readers
        .iter()
        .map(|reader| model.node(reader.node).name.clone());
    Some(Found {
        op: Paired {
            zero_points: [a_affine.zero_point, b_affine.zero_point],
            multiplier,
            grid: Grid {
                scale: out.scale,
                least: -128 - zero_point,
                most: 127 - zero_point,
            },
            transposed,
            shape: node.outputs[0].fact.shape.as_concrete()?.into(),
            isa,
            pool: pool.clone(),
        },
        inputs: [a_bytes, b_bytes],
        outputs: readers.iter().map(|reader| reader.node.into()).collect(),
        names: [node.name.clone(), quantize.name.clone()]
            .into_iter()
            .chain(dequantizes)
            .collect(),
    })
}

/// The bytes behind the reals at `outlet`, and what they mean.
fn bytes(model: &TypedModel, outlet: OutletId) -> Option<(OutletId, Affine)> {
    let node = model.node(outlet.node);
    let scale = node.op_as::<Dequantize>()?.scale();
    let input = node.inputs[0];
    let fact = model.outlet_fact(input).ok()?;
    if fact.konst.is_some() {
        return None;
    }
    Some((input, affine(scale, fact.datum_type)?))
}

/// Fed bytes `[.., m, k]` and `[.., k, n]`, or `[.., n, k]` where they are not `transposed`; gives `[.., m, n]`.
#[derive(Clone)]
pub(crate) struct Paired {
    zero_points: [i8; 2],
    multiplier: f32,
    grid: Grid,
    transposed: bool,
    shape: TVec<usize>,
    isa: Isa,
    pool: Arc<Pool>,
}

impl Paired {
    /// One image's or head's `m` rows.
    fn multiply(
        &self,
        a: &[i8],
        b: &[i8],
        [m, k, n]: [usize; 3],
        to: &mut [f32],
    ) -> TractResult<()> {
        let mut weights = match self.transposed {
            true => transpose(b, n),
            false => b.to_vec(),
        };
        // Whose sum is that of the row.
        weights.resize((n + 1) * k, 1);
        let gemm = PackedRealGemm::new(self.isa, &weights, [n + 1, k])
            .map_err(|error| format_err!("{error}"))?;
        let numbers = gemm.numbers(self.zero_points[0], |_| 1.0, |_| 0.0);
        let mut sums = vec![0.0; m * (n + 1)];
        gemm.run(&numbers, (a, k), m, (&mut sums, n + 1));
        for (sums, to) in sums.chunks_exact(n + 1).zip(to.chunks_exact_mut(n)) {
            let (sums, row) = sums.split_at(n);
            let offset = f32::from(self.zero_points[1]) * row[0];
            f32_round_sums(self.isa, self.grid, (offset, self.multiplier), sums, to);
        }
        Ok(())
    }

    /// Multiply-accumulates of a run.
    pub(crate) fn macs(&self, k: usize) -> u64 {
        (self.shape.iter().product::<usize>() * k) as u64
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
fn signed(x: &Tensor) -> TractResult<Vec<i8>> {
    let plain = x.try_as_plain_ram()?;
    Ok(match x.datum_type() {
        DatumType::U8 => plain
            .as_slice::<u8>()?
            .iter()
            .map(|&byte| shifted(byte))
            .collect(),
        _ => plain.as_slice::<i8>()?.to_vec(),
    })
}

impl EvalOp for Paired {
    not_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let (a, b) = args_2!(inputs);
        let [.., k] = *a.shape() else {
            bail!("a product of no axes");
        };
        let [batch @ .., m, n] = &self.shape[..] else {
            bail!("a product of too few axes");
        };
        let (m, n, count) = (*m, *n, batch.iter().product::<usize>());
        ensure!(
            a.len() == count * m * k && b.len() == count * k * n,
            "a product is fed other shapes"
        );
        let (a, b) = (signed(&a)?, signed(&b)?);
        let mut reals = vec![0.0; count * m * n];
        if !reals.is_empty() {
            by_rows(&self.pool, count, 1, &mut reals, &mut [], |part, to, _| {
                for (at, to) in part.zip(to.chunks_exact_mut(m * n)) {
                    let (a, b) = (&a[at * m * k..][..m * k], &b[at * k * n..][..k * n]);
                    // Sums that are exact in f32 fit 32 bits.
                    self.multiply(a, b, [m, k, n], to).expect("sums that fit");
                }
            });
        }
        Ok(tvec![
            Tensor::from_shape(&self.shape, &reals)?.into_tvalue()
        ])
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
            && (self.transposed, &self.shape) == (other.transposed, &other.shape)
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
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}
