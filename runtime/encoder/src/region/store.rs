//! Packed layers, once for all plans: weights in the order of the kernel that suits a shape.
//!
//! Plans of one model have their constants in common, so a layer is known by the identity of its weights and by what its
//! scales make of them. A layer lives as long as some plan has it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ocellus_kernels::{Epilogue, Isa, PackError, PackedConv, PackedDepthwise, PackedGemm, Window};
use tract_onnx::tract_hir::internal::*;

/// A convolution ready to run.
#[derive(Debug)]
pub(super) struct Packed {
    key: Key,
    /// Of each channel's weights, see [`weight_sums`].
    sums: Arc<[(i64, i64)]>,
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
pub(super) struct Key {
    /// Compared by identity: plans of one model have their constants in common.
    pub(super) weights: Arc<Tensor>,
    pub(super) transposed: bool,
    pub(super) shape: Shape,
    pub(super) window: Window,
    pub(super) input_zero_point: i8,
    pub(super) bias: Vec<i32>,
    pub(super) multiplier: Vec<f32>,
    pub(super) zero_point: i8,
    pub(super) bounds: (i8, i8),
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
pub(super) enum Shape {
    Dense { filters: usize, channels: usize },
    Depthwise { channels: usize },
}

/// The packed convolutions of all plans that are alive. Clones are the same store, for one instruction set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store(Arc<Mutex<HashMap<usize, Vec<Weak<Packed>>>>>);

impl Store {
    /// What is packed already of the same weights and scales.
    pub(super) fn get(&self, key: &Key) -> Option<Arc<Packed>> {
        self.of(&key.weights)
            .into_iter()
            .find(|packed| packed.key.is(key))
    }

    /// The sums of weights that are packed already, whatever their scales.
    pub(super) fn sums(
        &self,
        weights: &Arc<Tensor>,
        transposed: bool,
    ) -> Option<Arc<[(i64, i64)]>> {
        let packed = self
            .of(weights)
            .into_iter()
            .find(|packed| packed.key.transposed == transposed)?;
        Some(packed.sums.clone())
    }

    /// Packs `weights` and keeps them findable; where another thread was first, what it packed.
    pub(super) fn pack(
        &self,
        key: Key,
        sums: Arc<[(i64, i64)]>,
        weights: &[i8],
        isa: Isa,
    ) -> Result<Arc<Packed>, PackError> {
        let kernel = key.pack(weights, isa)?;
        let place = Arc::as_ptr(&key.weights).addr();
        let packed = Arc::new(Packed { key, sums, kernel });
        let mut known = self.lock();
        let same_weights = known.entry(place).or_default();
        let mut alive = same_weights.iter().filter_map(Weak::upgrade);
        if let Some(first) = alive.find(|other| other.key.is(&packed.key)) {
            return Ok(first);
        }
        same_weights.push(Arc::downgrade(&packed));
        Ok(packed)
    }

    /// All that is alive of `weights`.
    fn of(&self, weights: &Arc<Tensor>) -> Vec<Arc<Packed>> {
        let mut known = self.lock();
        let same_weights = known.entry(Arc::as_ptr(weights).addr()).or_default();
        same_weights.retain(|weak| weak.strong_count() > 0);
        same_weights.iter().filter_map(Weak::upgrade).collect()
    }

    /// A panic leaves the map as it was.
    fn lock(&self) -> MutexGuard<'_, HashMap<usize, Vec<Weak<Packed>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The packed convolutions that are alive.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock()
            .values()
            .flatten()
            .filter(|weak| weak.strong_count() > 0)
            .count()
    }
}

/// `[filters, channels, taps]` to `[filters, taps, channels]`; a depthwise `[channels, taps]` to `[taps, channels]`.
pub(super) fn channels_last(weights: &[i8], channels: usize, taps: usize) -> Vec<i8> {
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
    fn channels_come_last() {
        assert_eq!(
            channels_last(&[1, 2, 3, 4, 5, 6, 7, 8], 2, 2),
            [1, 3, 2, 4, 5, 7, 6, 8]
        );
    }
}
