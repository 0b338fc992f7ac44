//! Pools: the mean over each channel's map, and the greatest under a window.

use ocellus_kernels::{Affine, MAX_POOL_PIXELS, MaxPool};
use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::cnn;
use tract_core::ops::math::Div;
use tract_core::ops::nn::{Reduce, Reducer};
use tract_onnx::tract_hir::internal::*;

use super::{Chain, Computed, Finder, Member, Nchw, Work, nchw, onnx_name};
use crate::Reason;
use crate::region::chain::read_once;
use crate::region::constant::uniform;
use crate::region::pack;

/// The mean of each channel.
pub(super) struct Pool {
    pub(super) input: InletId,
    pub(super) from: Affine,
    pub(super) pixels: usize,
    pub(super) nodes: Vec<usize>,
    pub(super) name: String,
}

impl Finder<'_> {
    pub(super) fn max_pool(
        &self,
        node: &TypedNode,
        pool: &cnn::MaxPool,
        chain: &Chain,
        out: Affine,
        shape: Nchw,
    ) -> Result<Option<Computed>, Reason> {
        let x = node.inputs[0];
        if !self.is_dequantize(x) {
            return Ok(None);
        }
        let (input, from) = self.integers(x).ok_or(Reason::ActivationScale)?;
        let source = nchw(self.model, x).ok_or(Reason::OpenShape)?;
        let pool = max_pool(pool, [source, shape]).ok_or(Reason::Attribute)?;
        if from != out {
            return Err(Reason::OutputScale);
        }
        let work = Work::MaxPool(MaxPool {
            min: chain.bounds.0,
            max: chain.bounds.1,
            ..pool
        });
        let stands_for = (vec![node.id], vec![node.name.clone()]);
        Ok(Some((work, tvec![input], stands_for)))
    }

    pub(super) fn pool_to_real(&self, id: usize) -> Option<Member> {
        let output = OutletId::new(id, 0);
        let pool = self.pool(id)?;
        let multiplier = pool.from.scale / pool.pixels as f32;
        if !multiplier.is_normal() {
            return None;
        }
        Some(Member {
            work: Work::PoolToReal {
                zero_point: pool.from.zero_point,
                multiplier,
            },
            inputs: tvec![pool.input],
            output,
            shape: nchw(self.model, output)?,
            covered: pool.nodes,
            names: vec![pool.name],
        })
    }

    /// The pool whose division the node `id` is: a sum over the map, divided by the number of its pixels.
    pub(super) fn pool(&self, id: usize) -> Option<Pool> {
        let division = self.model.node(id);
        let &[sums, divisor] = &division.inputs[..] else {
            return None;
        };
        let sum = self.model.node(sums.node);
        let reduce = sum.op_as::<Reduce>()?;
        let x = *sum.inputs.first()?;
        let [_, _, h, w] = nchw(self.model, x)?;
        let pixels = h
            .checked_mul(w)
            .filter(|&pixels| pixels <= MAX_POOL_PIXELS)?;
        let is_pool = division.op_as::<TypedBinOp>()?.0.is::<Div>()
            && reduce.reducer == Reducer::Sum
            && reduce.axes[..] == [2, 3]
            && read_once(self.model, sums)
            && uniform(self.model, divisor)? == pixels as f32;
        let (input, from) = self.integers(x)?;
        is_pool.then(|| Pool {
            input,
            from,
            pixels,
            nodes: vec![sum.id, id],
            name: onnx_name(&sum.name, &[".sum"]),
        })
    }
}

/// `pool` without clamps, from maps of shape `source` to those of `target`.
pub(super) fn max_pool(pool: &cnn::MaxPool, [source, target]: [Nchw; 2]) -> Option<MaxPool> {
    let plain = pool.with_index_outputs.is_none() && source[1] == target[1];
    Some(MaxPool {
        window: pack::window(&pool.pool_spec, [source, target]).filter(|_| plain)?,
        channels: target[1],
        min: i8::MIN,
        max: i8::MAX,
    })
}
