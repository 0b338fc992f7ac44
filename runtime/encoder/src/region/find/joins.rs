//! Operators that make one value of several: sums, products of elements, concatenations.

use ocellus_kernels::{AddScales, Affine, Divisor, MulScales};
use tract_core::ops::array::TypedConcat;
use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::math::{Add, Mul};
use tract_onnx::tract_hir::internal::*;

use super::{Chain, Computed, Finder, Nchw, Work, nchw};
use crate::region::function::change_of_scale;

impl Finder<'_> {
    /// What `node`, at the head of `chain`, makes of several values.
    pub(super) fn join(
        &self,
        node: &TypedNode,
        chain: &Chain,
        out: Affine,
        shape: Nchw,
    ) -> Option<Computed> {
        if let Some(concat) = node.op_as::<TypedConcat>() {
            return self.concat(node, concat, chain, out);
        }
        let op = node.op_as::<TypedBinOp>()?;
        let &[a, b] = &node.inputs[..] else {
            return None;
        };
        if op.0.is::<Add>() {
            self.add(node, [a, b], chain, out, shape)
        } else if op.0.is::<Mul>() {
            self.mul(node, [a, b], chain, out, shape)
        } else {
            None
        }
    }

    fn add(
        &self,
        node: &TypedNode,
        [a, b]: [OutletId; 2],
        chain: &Chain,
        out: Affine,
        shape: Nchw,
    ) -> Option<Computed> {
        if nchw(self.model, a)? != shape || nchw(self.model, b)? != shape {
            return None;
        }
        let ((a, from_a), (b, from_b)) = (self.integers(a)?, self.integers(b)?);
        let scales = AddScales {
            a_zero_point: from_a.zero_point,
            a_scale: from_a.scale,
            b_zero_point: from_b.zero_point,
            b_scale: from_b.scale,
            out_zero_point: out.zero_point,
            out_scale: Divisor::new(out.scale),
            min: chain.bounds.0,
            max: chain.bounds.1,
        };
        Some((Work::Add(scales), tvec![a, b], alone(node)))
    }

    /// A product of two of one shape, or of a map with a number for each of its channels, whichever comes first.
    fn mul(
        &self,
        node: &TypedNode,
        [a, b]: [OutletId; 2],
        chain: &Chain,
        out: Affine,
        shape: Nchw,
    ) -> Option<Computed> {
        let gate = [shape[0], shape[1], 1, 1];
        let (a, b) = match (nchw(self.model, a)?, nchw(self.model, b)?) {
            (of_a, of_b) if of_a == shape && (of_b == shape || of_b == gate) => (a, b),
            (of_a, of_b) if of_a == gate && of_b == shape => (b, a),
            _ => return None,
        };
        let ((a, from_a), (b, from_b)) = (self.integers(a)?, self.integers(b)?);
        let multiplier = (from_a.scale * from_b.scale) / out.scale;
        let scales = MulScales {
            a_zero_point: from_a.zero_point,
            b_zero_point: from_b.zero_point,
            multiplier,
            out_zero_point: out.zero_point,
            min: chain.bounds.0,
            max: chain.bounds.1,
        };
        multiplier
            .is_normal()
            .then(|| (Work::Mul(scales), tvec![a, b], alone(node)))
    }

    /// Maps behind one another along their channels: each comes to the scale of all.
    fn concat(
        &self,
        node: &TypedNode,
        concat: &TypedConcat,
        chain: &Chain,
        out: Affine,
    ) -> Option<Computed> {
        let rank = node.outputs[0].fact.rank();
        // The last of rows, the second of maps.
        let channels = if rank == 3 { 2 } else { 1 };
        if concat.axis != channels {
            return None;
        }
        let (mut inputs, mut tables) = (tvec![], Vec::new());
        for &outlet in &node.inputs {
            nchw(self.model, outlet)?;
            let (input, from) = self.integers(outlet)?;
            inputs.push(input);
            tables.push(change_of_scale(from, out, chain.bounds));
        }
        Some((Work::Concat(tables), inputs, alone(node)))
    }
}

/// What work stands for that is one node.
fn alone(node: &TypedNode) -> super::StandsFor {
    (vec![node.id], vec![node.name.clone()])
}
