//! Layers of a graph, read and packed.

use std::sync::Arc;

use ocellus_kernels::{Affine, Isa, PackError, Window, qs8_turn, weight_sums};
use tract_core::ops::cnn::{Conv, KernelFormat, PoolSpec};
use tract_onnx::tract_hir::internal::*;
use tract_onnx::tract_hir::tract_core::ops::nn::DataFormat;

use super::channel::{Channel, channel, counts};
use super::constant::{self, Constant};
use super::find::Nchw;
use super::store::{Key, Packed, Shape, Store};
use crate::Reason;

/// What the integers before and after a convolution mean, and its clamps.
#[derive(Clone, Copy)]
pub(super) struct Requantization {
    pub(super) from: Affine,
    pub(super) out: Affine,
    pub(super) bounds: (i8, i8),
}

/// A matrix product or a convolution in a graph.
pub(super) struct Layer {
    shape: Shape,
    window: Window,
    weights: OutletId,
    /// Whether the weights are `[in, out]`.
    transposed: bool,
    bias: Option<OutletId>,
}

impl Layer {
    /// `conv`, whose second and third inputs are `[weights, bias]`, for an input and an output of shapes
    /// `[source, target]`; nothing where no kernel is for such a one.
    pub(super) fn conv(
        conv: &Conv,
        [weights, bias]: [OutletId; 2],
        [source, target]: [Nchw; 2],
    ) -> Option<Layer> {
        if conv.q_params.is_some() || conv.kernel_fmt != KernelFormat::OIHW {
            return None;
        }
        let shape = match (source[1], target[1], conv.group) {
            (channels, filters, 1) => Shape::Dense { filters, channels },
            (channels, filters, groups) if channels == groups && filters == groups => {
                Shape::Depthwise { channels }
            }
            _ => return None,
        };
        Some(Layer {
            shape,
            window: window(&conv.pool_spec, [source, target])?,
            weights,
            transposed: false,
            bias: Some(bias),
        })
    }

    /// The product of rows of `k` elements with weights of `[n, k]`, or `[k, n]` where they are `transposed`.
    pub(super) fn product(
        [n, k]: [usize; 2],
        weights: OutletId,
        transposed: bool,
        bias: Option<OutletId>,
    ) -> Layer {
        Layer {
            shape: Shape::Dense {
                filters: n,
                channels: k,
            },
            window: Window {
                kernel: [1, 1],
                strides: [1, 1],
                pads: [0; 4],
            },
            weights,
            transposed,
            bias,
        }
    }

    fn filters(&self) -> usize {
        match self.shape {
            Shape::Dense { filters, .. } => filters,
            Shape::Depthwise { channels } => channels,
        }
    }

    /// Whether weights of `shape` are this layer's.
    fn takes(&self, shape: &[usize]) -> bool {
        let [kh, kw] = self.window.kernel;
        match self.shape {
            Shape::Dense { filters, channels } if self.transposed => shape == [channels, filters],
            Shape::Dense { filters, channels } => {
                shape == [filters, channels, kh, kw] || shape == [filters, channels]
            }
            Shape::Depthwise { channels } => shape == [channels, 1, kh, kw],
        }
    }
}

/// Packs the weights of `layer`.
pub(super) fn pack(
    model: &TypedModel,
    layer: &Layer,
    values: Requantization,
    isa: Isa,
    store: &Store,
) -> Result<Arc<Packed>, Reason> {
    let Some(Constant::Quantized(tensor, scale)) = constant::constant(model, layer.weights) else {
        return Err(Reason::WeightsNotQuantized);
    };
    let filters = layer.filters();
    if !layer.takes(tensor.shape()) {
        return Err(Reason::Attribute);
    }
    let scales = match scale.pairs() {
        [(scale, _)] => vec![*scale; filters],
        pairs if scale.axis() == usize::from(layer.transposed) && pairs.len() == filters => {
            pairs.iter().map(|pair| pair.0).collect()
        }
        _ => return Err(Reason::WeightScale),
    };
    if !constant::is_symmetric(&tensor, scale.zero_points()) {
        return Err(Reason::WeightZeroPoint);
    }
    let read = || {
        let integers = constant::weights(&tensor).ok_or(Reason::WeightsNotQuantized)?;
        Ok(match layer.transposed {
            true => transpose(&integers, filters),
            false => integers,
        })
    };
    let (mut integers, sums) = match store.sums(&tensor, layer.transposed) {
        Some(sums) => (None, sums),
        None => {
            let integers: Vec<i8> = read()?;
            let each = integers.len() / filters;
            let sums = integers.chunks_exact(each).map(weight_sums).collect();
            (Some(integers), sums)
        }
    };
    let units: Vec<f32> = scales
        .iter()
        .map(|scale| values.from.scale * scale)
        .collect();
    let counts = match layer.bias {
        Some(bias) => counts(model, bias, &units)?,
        None => vec![0; filters],
    };
    let channels: Vec<Channel> = counts
        .iter()
        .zip(&units)
        .zip(sums.iter())
        .map(|((&count, &unit), &sums)| {
            channel(count, unit / values.out.scale, sums, values.from.zero_point)
        })
        .collect::<Result<_, _>>()?;
    let key = Key {
        weights: tensor.clone(),
        transposed: layer.transposed,
        shape: layer.shape,
        window: layer.window,
        input_zero_point: values.from.zero_point,
        bias: channels.iter().map(|channel| channel.bias).collect(),
        multiplier: channels.iter().map(|channel| channel.multiplier).collect(),
        zero_point: values.out.zero_point,
        bounds: values.bounds,
    };
    if let Some(packed) = store.get(&key) {
        return Ok(packed);
    }
    let mut integers = match integers.take() {
        Some(integers) => integers,
        None => read()?,
    };
    let each = integers.len() / filters;
    for (channel, weights) in channels.iter().zip(integers.chunks_exact_mut(each)) {
        if channel.is_its_bias {
            weights.fill(0);
        }
    }
    store
        .pack(key, sums, &integers, isa)
        .map_err(|error| match error {
            PackError::SumOverflow { .. } => Reason::SumOverflow,
            PackError::Multiplier { .. } => Reason::Multiplier,
        })
}

/// Where the window of a convolution or a pool stands; nothing where no kernel has such a one.
pub(super) fn window(spec: &PoolSpec, [source, target]: [Nchw; 2]) -> Option<Window> {
    let kernel: [usize; 2] = spec.kernel_shape[..].try_into().ok()?;
    let strides: [usize; 2] = spec.strides()[..].try_into().ok()?;
    let plain = spec.data_format == DataFormat::NCHW
        && spec.dilations().iter().all(|&dilation| dilation == 1)
        && kernel.iter().chain(&strides).all(|&size| size > 0);
    if !plain || source[0] != target[0] {
        return None;
    }
    let pads = spec.computed_padding(&source[2..]);
    let window = Window {
        kernel,
        strides,
        pads: [
            pads[0].pad_before,
            pads[1].pad_before,
            pads[0].pad_after,
            pads[1].pad_after,
        ],
    };
    (window.output([source[2], source[3]])? == target[2..]).then_some(window)
}

/// `[rows, columns]` to `[columns, rows]`.
pub(super) fn transpose(weights: &[i8], columns: usize) -> Vec<i8> {
    let rows = weights.len().checked_div(columns).unwrap_or(0);
    let mut turned = vec![0; rows * columns];
    qs8_turn(Isa::promised(), weights, [rows, columns], &mut turned);
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_turn_around() {
        assert_eq!(transpose(&[1, 2, 3, 4, 5, 6], 3), [1, 4, 2, 5, 3, 6]);
    }
}
