//! Packed weights of products that give reals, once for all plans.
//!
//! Limits: as those of [`Store`](crate::region::store::Store).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ocellus_kernels::{Isa, PackedRealConv, PackedRealGemm, Window};
use tract_onnx::tract_hir::internal::*;

use crate::region::constant;
use crate::region::pack::transpose;
use crate::region::store::{Shape, channels_last};

/// What a pack depends on but the instruction set.
#[derive(Debug)]
pub(super) struct Key {
    /// `[k, n]`, or `[n, c, h, w]` under a window. Compared by identity.
    pub(super) weights: Arc<Tensor>,
    pub(super) shape: Shape,
    pub(super) window: Option<Window>,
}

/// Packed weights.
#[derive(Debug)]
pub(super) struct Pack {
    key: Key,
    pub(super) kernel: Kernel,
}

/// The kernel that suits a product.
#[derive(Debug)]
pub(super) enum Kernel {
    Matrix(PackedRealGemm),
    Convolution(PackedRealConv),
}

impl Kernel {
    /// The product of rows with all channels.
    pub(super) fn gemm(&self) -> &PackedRealGemm {
        match self {
            Kernel::Matrix(gemm) => gemm,
            Kernel::Convolution(conv) => conv.gemm(),
        }
    }
}

/// The packs of all plans that are alive. Clones are the same, for one instruction set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packs(Arc<Mutex<HashMap<usize, Vec<Weak<Pack>>>>>);

impl Packs {
    /// The weights of `key`, packed; nothing where a sum may overflow.
    pub(super) fn pack(&self, key: Key, isa: Isa) -> Option<Arc<Pack>> {
        let place = Arc::as_ptr(&key.weights).addr();
        let is = |pack: &Arc<Pack>| {
            Arc::ptr_eq(&pack.key.weights, &key.weights)
                && (pack.key.shape, pack.key.window) == (key.shape, key.window)
        };
        // A panic leaves the map as it was.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same_weights = known.entry(place).or_default();
        same_weights.retain(|weak| weak.strong_count() > 0);
        if let Some(pack) = same_weights.iter().filter_map(Weak::upgrade).find(is) {
            return Some(pack);
        }
        let kernel = kernel(&key, isa)?;
        let pack = Arc::new(Pack { key, kernel });
        same_weights.push(Arc::downgrade(&pack));
        Some(pack)
    }
}

fn kernel(key: &Key, isa: Isa) -> Option<Kernel> {
    let Shape::Dense { filters, channels } = key.shape else {
        return None;
    };
    let weights = constant::weights(&key.weights)?;
    Some(match key.window {
        None => {
            let weights = transpose(&weights, filters);
            Kernel::Matrix(PackedRealGemm::new(isa, &weights, [filters, channels]).ok()?)
        }
        Some(window) => {
            let [kh, kw] = window.kernel;
            let weights = channels_last(&weights, channels, kh * kw);
            let conv = PackedRealConv::new(isa, &weights, [filters, channels], window);
            Kernel::Convolution(conv.ok()?)
        }
    })
}
