//! A layer's weights, packed for the kernel that suits its shape, once for all plans.
//!
//! In real numbers the sum of a channel is `sx * sw[c] * acc`, where `acc` counts `(x - zx) * w + bias` in integers. The
//! part `-zx * sum(w)` is the same for every pixel, so it goes into the bias; the rest is one multiplier per channel,
//! `(sx * sw[c]) / sy` in f32 and in that order, as the formulas beside the kernels want it.
//!
//! A channel's sums may overflow where its bias is large: see [`channel`].
//!
//! Limits: a bias in f32 is rounded to a whole count, half to even; one of 32 bits must count in `sx * sw[c]`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ocellus_kernels::{
    Affine, Epilogue, Isa, PackError, PackedConv, PackedDepthwise, PackedGemm, Window, weight_sums,
};
use tract_core::ops::cnn::{Conv, KernelFormat, PoolSpec};
use tract_onnx::tract_hir::internal::*;
use tract_onnx::tract_hir::tract_core::ops::nn::DataFormat;

use super::constant::{self, Constant};
use super::find::Nchw;
use crate::Reason;

/// What the integers before and after a convolution mean, and its clamps.
#[derive(Clone, Copy)]
pub(super) struct Requantization {
    pub(super) from: Affine,
    pub(super) out: Affine,
    pub(super) bounds: (i8, i8),
}

/// A convolution ready to run.
#[derive(Debug)]
pub(super) struct Packed {
    key: Key,
    pub(super) kernel: Kernel,
}

/// The kernel that suits a convolution's shape.
#[derive(Debug)]
pub(super) enum Kernel {
    /// 1 x 1 without stride or pads: a matrix product over all pixels of the batch.
    Pointwise(PackedGemm),
    /// Dense.
    Dense(PackedConv),
    /// One filter for each channel.
    Depthwise(PackedDepthwise),
}

impl Kernel {
    /// Its name, for reports.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Kernel::Pointwise(gemm) => gemm.name(),
            Kernel::Dense(conv) => conv.name(),
            Kernel::Depthwise(conv) => conv.name(),
        }
    }
}

/// All that a packed convolution depends on but the instruction set.
#[derive(Debug)]
struct Key {
    /// Compared by identity: plans of one model have their constants in common.
    weights: Arc<Tensor>,
    transposed: bool,
    shape: Shape,
    window: Window,
    input_zero_point: i8,
    bias: Vec<i32>,
    multiplier: Vec<f32>,
    zero_point: i8,
    bounds: (i8, i8),
}

impl Key {
    fn is(&self, other: &Key) -> bool {
        Arc::ptr_eq(&self.weights, &other.weights)
            && (self.transposed, self.shape) == (other.transposed, other.shape)
            && (self.window, self.bounds) == (other.window, other.bounds)
            && (self.input_zero_point, self.zero_point)
                == (other.input_zero_point, other.zero_point)
            && (&self.bias, &self.multiplier) == (&other.bias, &other.multiplier)
    }

    fn epilogue(&self) -> Epilogue<'_> {
        Epilogue {
            bias: &self.bias,
            multiplier: &self.multiplier,
            zero_point: self.zero_point,
            min: self.bounds.0,
            max: self.bounds.1,
        }
    }

    /// Packs `weights`, `[out, in / group, h, w]`.
    fn pack(&self, weights: &[i8], isa: Isa) -> Result<Kernel, PackError> {
        let [kh, kw] = self.window.kernel;
        Ok(match self.shape {
            Shape::Dense { filters, channels } if self.is_pointwise() => Kernel::Pointwise(
                PackedGemm::new(isa, weights, [filters, channels], self.epilogue())?,
            ),
            Shape::Dense { filters, channels } => {
                let weights = channels_last(weights, channels, kh * kw);
                let (window, zero_point) = (self.window, self.input_zero_point);
                let shape = [filters, channels];
                Kernel::Dense(PackedConv::new(
                    isa,
                    &weights,
                    shape,
                    window,
                    zero_point,
                    self.epilogue(),
                )?)
            }
            Shape::Depthwise { channels } => {
                let weights = channels_last(weights, channels, kh * kw);
                let (window, zero_point) = (self.window, self.input_zero_point);
                Kernel::Depthwise(PackedDepthwise::new(
                    isa,
                    &weights,
                    channels,
                    window,
                    zero_point,
                    self.epilogue(),
                )?)
            }
        })
    }

    fn is_pointwise(&self) -> bool {
        (self.window.kernel, self.window.strides, self.window.pads) == ([1, 1], [1, 1], [0; 4])
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Dense { filters: usize, channels: usize },
    Depthwise { channels: usize },
}

/// The packed convolutions of all plans that are alive. Clones are the same store, for one instruction set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store(Arc<Mutex<HashMap<usize, Vec<Weak<Packed>>>>>);

impl Store {
    fn get_or_pack(&self, key: Key, weights: &[i8], isa: Isa) -> Result<Arc<Packed>, PackError> {
        // A panic while packing leaves the map as it was.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same_weights = known.entry(Arc::as_ptr(&key.weights).addr()).or_default();
        same_weights.retain(|weak| weak.strong_count() > 0);
        if let Some(packed) = same_weights
            .iter()
            .filter_map(Weak::upgrade)
            .find(|packed| packed.key.is(&key))
        {
            return Ok(packed);
        }
        let kernel = key.pack(weights, isa)?;
        let packed = Arc::new(Packed { key, kernel });
        same_weights.push(Arc::downgrade(&packed));
        Ok(packed)
    }

    /// The packed convolutions that are alive.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .values()
            .flatten()
            .filter(|weak| weak.strong_count() > 0)
            .count()
    }
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
    let mut integers =
        constant::weights(&tensor, scale.zero_points()).ok_or(Reason::WeightZeroPoint)?;
    if layer.transposed {
        integers = transpose(&integers, filters);
    }
    let units: Vec<f32> = scales
        .iter()
        .map(|scale| values.from.scale * scale)
        .collect();
    let counts = match layer.bias {
        Some(bias) => counts(model, bias, &units)?,
        None => vec![0; filters],
    };
    let mut channels = Vec::with_capacity(filters);
    let each = integers.len() / filters;
    for ((&count, &unit), weights) in counts
        .iter()
        .zip(&units)
        .zip(integers.chunks_exact_mut(each))
    {
        channels.push(channel(
            count,
            unit / values.out.scale,
            weights,
            values.from.zero_point,
        )?);
    }
    let key = Key {
        weights: tensor,
        transposed: layer.transposed,
        shape: layer.shape,
        window: layer.window,
        input_zero_point: values.from.zero_point,
        bias: channels.iter().map(|channel| channel.0).collect(),
        multiplier: channels.iter().map(|channel| channel.1).collect(),
        zero_point: values.out.zero_point,
        bounds: values.bounds,
    };
    store
        .get_or_pack(key, &integers, isa)
        .map_err(|error| match error {
            PackError::SumOverflow { .. } => Reason::SumOverflow,
            PackError::Multiplier { .. } => Reason::Multiplier,
        })
}

/// The bias and the multiplier of one channel, whose bias counts `count` and whose multiplier is `multiplier`.
///
/// Exporters give a channel whose weights are all about zero a scale so small that its bias hardly fits 32 bits, and the
/// sum with it may not. Where all products together are less than 1/32 of a step of the output, the channel is its
/// bias: its weights become 0, and the bias counts in steps of 2^-16.
fn channel(
    count: i64,
    multiplier: f32,
    weights: &mut [i8],
    zero_point: i8,
) -> Result<(i32, f32), Reason> {
    const FRACTION: f64 = 65_536.0;
    let (sum, magnitude) = weight_sums(weights);
    let bias = count - i64::from(zero_point) * sum;
    if bias.abs() + 128 * magnitude <= i64::from(i32::MAX) {
        return i32::try_from(bias)
            .map(|bias| (bias, multiplier))
            .map_err(|_| Reason::SumOverflow);
    }
    if (255 * magnitude) as f64 * f64::from(multiplier) > 1.0 / 32.0 {
        return Err(Reason::SumOverflow);
    }
    weights.fill(0);
    let steps = count as f64 * f64::from(multiplier) * FRACTION;
    // What is beyond saturates either way.
    Ok((
        steps.round_ties_even().clamp(-2e9, 2e9) as i32,
        (1.0 / FRACTION) as f32,
    ))
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

/// The bias at `outlet`, counted in `units`, one for each channel.
fn counts(model: &TypedModel, outlet: OutletId, units: &[f32]) -> Result<Vec<i64>, Reason> {
    let one_each = |len: usize| len == 1 || len == units.len();
    match constant::constant(model, outlet) {
        Some(Constant::F32(reals)) if one_each(reals.len()) => {
            let count = |(&unit, &real): (&f32, &f32)| {
                let count = (real / unit).round_ties_even();
                // Beyond this the count is not exact; NaN is not below it.
                (count.abs() < 9e15)
                    .then_some(count as i64)
                    .ok_or(Reason::SumOverflow)
            };
            units.iter().zip(reals.iter().cycle()).map(count).collect()
        }
        Some(Constant::Quantized(integers, scale))
            if one_each(integers.len()) && one_each(scale.pairs().len()) =>
        {
            let integers = integers
                .try_as_plain_ram()
                .and_then(|plain| Ok(plain.as_slice::<i32>()?.to_vec()));
            let integers = integers.map_err(|_| Reason::BiasScale)?;
            let scales = scale.pairs().iter().map(|pair| pair.0).cycle();
            if !units
                .iter()
                .zip(scales)
                .all(|(&unit, scale)| same(unit, scale))
            {
                return Err(Reason::BiasScale);
            }
            Ok(integers
                .iter()
                .cycle()
                .take(units.len())
                .map(|&count| i64::from(count))
                .collect())
        }
        _ => Err(Reason::BiasScale),
    }
}

/// Whether two products of scales are one product, rounded at different places.
fn same(unit: f32, scale: f32) -> bool {
    const ROUNDINGS: f32 = 4.0;
    (unit - scale).abs() <= ROUNDINGS * f32::EPSILON * scale
}

/// `[rows, columns]` to `[columns, rows]`.
fn transpose(weights: &[i8], columns: usize) -> Vec<i8> {
    let column = |at: usize| weights[at..].iter().step_by(columns).copied();
    (0..columns).flat_map(column).collect()
}

/// `[filters, channels, taps]` to `[filters, taps, channels]`; a depthwise `[channels, taps]` to `[taps, channels]`.
fn channels_last(weights: &[i8], channels: usize, taps: usize) -> Vec<i8> {
    let mut moved = Vec::with_capacity(weights.len());
    for filter in weights.chunks_exact(channels * taps) {
        for tap in 0..taps {
            moved.extend(filter[tap..].iter().step_by(taps));
        }
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_counts_its_zero_point_into_its_bias() {
        let mut weights = [1, -2, 127];
        assert_eq!(
            channel(10, 0.5, &mut weights, -128),
            Ok((10 + 128 * 126, 0.5))
        );
        assert_eq!(weights, [1, -2, 127]);
    }

    #[test]
    fn a_channel_without_effect_becomes_its_bias() {
        let mut weights = [127; 100];
        let count = -i64::from(i32::MAX);
        let (bias, multiplier) = channel(count, 2e-9, &mut weights, 3).expect("a channel");
        assert_eq!(weights, [0; 100]);
        let steps = f64::from(bias) * f64::from(multiplier);
        assert!(
            (steps - count as f64 * f64::from(2e-9f32)).abs() < 1e-4,
            "{steps}"
        );
    }

    #[test]
    fn a_channel_with_effect_that_may_overflow_is_refused() {
        let overflow = channel(i64::from(i32::MAX), 1e-4, &mut [127; 100], 0);
        assert_eq!(overflow, Err(Reason::SumOverflow));
        let just_fits = i64::from(i32::MAX) - 128;
        assert_eq!(
            channel(just_fits, 1e-4, &mut [1], 0),
            Ok((just_fits as i32, 1e-4))
        );
    }
}
