//! The numbers of a quantization: one scale and zero point for a tensor, or one pair for each channel.

use tract_onnx::tract_hir::internal::*;

use crate::Fault;

/// `real = (integer - zero_point) * scale`, with one pair or with one for each index of `axis`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scale {
    pairs: Vec<(f32, i32)>,
    axis: usize,
}

impl Scale {
    /// Takes the constants of the node called `node`, for data of shape `x`. `axis` counts from the end where it is
    /// negative, and means nothing for a single pair.
    pub(super) fn new(
        node: &str,
        scale: &Tensor,
        zero_point: Option<&Tensor>,
        axis: i64,
        x: &ShapeFact,
    ) -> TractResult<Scale> {
        let wrong = |what, expected: String, got: String| Fault::Quantization {
            node: node.to_owned(),
            what,
            expected,
            got,
        };
        let scales = scale.try_as_plain_ram()?.as_slice::<f32>()?;
        if scales.is_empty() || scale.rank() > 1 {
            let expected = "one number, or one per channel".to_owned();
            return Err(wrong(
                "the scale",
                expected,
                format!("of shape {:?}", scale.shape()),
            )
            .into());
        }
        if let Some(index) = scales
            .iter()
            .position(|scale| !(scale.is_finite() && *scale > 0.0))
        {
            return Err(Fault::Scale {
                node: node.to_owned(),
                tensor: "scale".to_owned(),
                index,
                got: scales[index],
            }
            .into());
        }
        let zero_points = match zero_point {
            Some(tensor) => tensor
                .cast_to::<i32>()?
                .try_as_plain_ram()?
                .as_slice::<i32>()?
                .to_vec(),
            None => vec![0; scales.len()],
        };
        if zero_points.len() != scales.len() {
            let expected = format!("one per scale, {}", scales.len());
            return Err(wrong(
                "the number of zero points",
                expected,
                zero_points.len().to_string(),
            )
            .into());
        }
        let pairs: Vec<_> = scales.iter().copied().zip(zero_points).collect();
        if pairs.len() == 1 {
            return Ok(Scale { pairs, axis: 0 });
        }
        let along = if axis < 0 {
            axis + x.rank() as i64
        } else {
            axis
        };
        let Some(axis) = usize::try_from(along).ok().filter(|axis| *axis < x.rank()) else {
            let expected = format!("one of {}", x.rank());
            return Err(wrong("the quantization axis", expected, axis.to_string()).into());
        };
        if x[axis] != pairs.len().to_dim() {
            let expected = format!("one per channel, {}", x[axis]);
            return Err(wrong("the number of scales", expected, pairs.len().to_string()).into());
        }
        Ok(Scale { pairs, axis })
    }

    /// One scale and zero point, or one for each index of [`axis`](Self::axis).
    pub(crate) fn pairs(&self) -> &[(f32, i32)] {
        &self.pairs
    }

    /// The axis of the channels; means nothing for a single pair.
    pub(crate) fn axis(&self) -> usize {
        self.axis
    }

    pub(crate) fn zero_points(&self) -> impl Iterator<Item = i32> + '_ {
        self.pairs.iter().map(|pair| pair.1)
    }

    /// The same after `change` moved the axes; nothing where the channels are gone.
    pub(super) fn moved(&self, change: &AxisOp) -> Option<Scale> {
        if self.pairs.len() == 1 {
            return Some(self.clone());
        }
        Some(Scale {
            pairs: self.pairs.clone(),
            axis: change.transform_axis(self.axis)?,
        })
    }

    /// Calls `run` on each stretch of `from` and `to`, tensors of shape `shape`, that one pair holds for.
    pub(super) fn for_each<A, B>(
        &self,
        shape: &[usize],
        from: &[A],
        to: &mut [B],
        mut run: impl FnMut((f32, i32), &[A], &mut [B]),
    ) {
        if let [pair] = self.pairs[..] {
            return run(pair, from, to);
        }
        let inner: usize = shape[self.axis + 1..].iter().product();
        if inner == 0 {
            return;
        }
        let pairs = self.pairs.iter().cycle();
        for ((from, to), pair) in from
            .chunks_exact(inner)
            .zip(to.chunks_exact_mut(inner))
            .zip(pairs)
        {
            run(*pair, from, to);
        }
    }
}
