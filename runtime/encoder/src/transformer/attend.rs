//! Attention of all heads, as an operator of the engine.
//!
//! Keys and values are packed at each run; then threads share rows of what is made, and compute all heads of theirs.

use std::fmt;
use std::ops::Range;

use ocellus_kernels::{AttentionHead, Strided};
use tract_onnx::tract_hir::internal::*;

use super::Means;
use crate::layout::Matrices;
use crate::region::parts::by_rows;

/// The matrix of a head in the tensor of `elements`.
fn matrix<'a>(heads: &Matrices, head: usize, elements: &'a [f32]) -> Strided<'a> {
    Strided {
        elements: &elements[heads.starts[head]..],
        row: heads.row,
        column: heads.column,
    }
}

/// How a mask lies: one for all heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mask {
    /// The distance of rows; 0 where one is for all.
    row: usize,
}

impl Mask {
    /// A mask of `shape` for scores of `[rows, keys]`, if it is the same for all heads.
    pub(super) fn of(shape: &[usize], [rows, keys]: [usize; 2]) -> Option<Mask> {
        let (&columns, before) = shape.split_last()?;
        let (&lines, batch) = before.split_last().unwrap_or((&1, &[]));
        let fits = columns == keys && batch.iter().all(|&size| size == 1);
        match lines {
            _ if !fits => None,
            1 => Some(Mask { row: 0 }),
            lines => (lines == rows).then_some(Mask { row: keys }),
        }
    }
}

/// Fed queries, keys, values and perhaps a mask.
#[derive(Clone, PartialEq)]
pub(super) struct Attend {
    head: AttentionHead,
    rows: usize,
    queries: Matrices,
    keys: Matrices,
    values: Matrices,
    out: Matrices,
    scale: f32,
    mask: Option<Mask>,
    shape: TVec<usize>,
    means: Means,
}

// A scale is finite.
impl Eq for Attend {}

impl Attend {
    /// Matrices of `rows` rows, their output in a tensor of `shape`. Nothing where rows of that tensor are not whole.
    pub(super) fn new(
        head: AttentionHead,
        rows: usize,
        [queries, keys, values, out]: [Matrices; 4],
        (scale, mask): (f32, Option<Mask>),
        shape: &[usize],
        means: &Means,
    ) -> Option<Attend> {
        let row = out.row.max(head.d_value);
        let fits = |start: &usize| start % row + head.d_value <= row;
        let whole = out.column == 1
            && shape.iter().product::<usize>().is_multiple_of(row)
            && out.starts.iter().all(fits);
        whole.then(|| Attend {
            head,
            rows,
            queries,
            keys,
            values,
            out: Matrices { row, ..out },
            scale,
            mask,
            shape: shape.into(),
            means: means.clone(),
        })
    }

    /// Its name, and its multiply-accumulates.
    pub(super) fn kernel(&self) -> (&'static str, u64) {
        let rows = self.out.starts.len() * self.rows;
        (
            AttentionHead::name(self.means.isa),
            (rows * self.head.macs()) as u64,
        )
    }

    /// The keys and values of all heads, one after the other.
    fn packed(&self, keys: &[f32], values: &[f32]) -> Vec<f32> {
        let (heads, len) = (self.out.starts.len(), self.head.packed_len());
        let mut packed = vec![0.0; heads * len];
        by_rows(
            &self.means.pool,
            heads,
            1,
            &mut packed,
            &mut [],
            |heads, to, _| {
                for (head, to) in heads.zip(to.chunks_exact_mut(len)) {
                    let (keys, values) = (
                        matrix(&self.keys, head, keys),
                        matrix(&self.values, head, values),
                    );
                    self.head.pack(keys, values, to);
                }
            },
        );
        packed
    }

    /// Writes the rows `part` of the output's, which are `to`.
    fn rows(
        &self,
        (packed, queries, mask): (&[f32], &[f32], Option<Strided<'_>>),
        part: Range<usize>,
        to: &mut [f32],
    ) {
        let mut scratch = vec![0.0; self.head.scratch_len()];
        let packed = packed.chunks_exact(self.head.packed_len());
        for (head, (start, packed)) in self.out.starts.iter().zip(packed).enumerate() {
            let (first, column) = (start / self.out.row, start % self.out.row);
            let rows = part.start.max(first)..part.end.min(first + self.rows);
            if rows.is_empty() {
                continue;
            }
            let to = &mut to[(rows.start - part.start) * self.out.row + column..];
            let queries = matrix(&self.queries, head, queries);
            let rows = rows.start - first..rows.end - first;
            self.head.attend(
                self.means.isa,
                packed,
                (queries, rows),
                (self.scale, mask),
                &mut scratch,
                (to, self.out.row),
            );
        }
    }
}

impl EvalOp for Attend {
    not_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let mut reals: TVec<&[f32]> = tvec![];
        for input in &inputs {
            reals.push(input.try_as_plain_ram()?.as_slice::<f32>()?);
        }
        let &[queries, keys, values, ref mask @ ..] = &reals[..] else {
            bail!("attention is fed {} tensors", reals.len());
        };
        let mask = self.mask.zip(mask.first()).map(|(mask, elements)| Strided {
            elements,
            row: mask.row,
            column: 1,
        });
        let packed = self.packed(keys, values);
        let mut y = Tensor::zero::<f32>(&self.shape)?;
        let mut plain = y.try_as_plain_ram_mut()?;
        let to = plain.as_slice_mut::<f32>()?;
        by_rows(
            &self.means.pool,
            to.len() / self.out.row,
            1,
            to,
            &mut [],
            |part, to, _| {
                self.rows((&packed, queries, mask), part, to);
            },
        );
        Ok(tvec![y.into_tvalue()])
    }
}

impl Op for Attend {
    fn name(&self) -> StaticName {
        "Attention".into()
    }

    op_as_typed_op!();
}

impl TypedOp for Attend {
    fn output_facts(&self, _: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec![f32::fact(&self.shape[..])])
    }

    as_op!();
}

impl fmt::Debug for Attend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attend")
            .field("head", &self.head)
            .field("rows", &self.rows)
            .field("heads", &self.out.starts.len())
            .field("scale", &self.scale)
            .field("mask", &self.mask)
            .finish_non_exhaustive()
    }
}
