//! The image encoder of a bundle: one model for all resolutions, or one for each, and a plan for each at first use.
//!
//! One model is kept, and its plans share their weights. Models for single resolutions share nothing, so each becomes its
//! plan when it is needed and is not kept beside it.

use crate::{
    bundle::{Bundle, Head, ImageFiles},
    error::Error,
    memory::MemoryLimit,
};
use ocellus_encoder::{CheckedModel, Dim, Encoder, Limits, Plan};
use ocellus_kernels::Isa;
use ocellus_sys::Pool;
use std::sync::{Arc, OnceLock};

/// The models and the plans that were made of them.
pub(crate) struct ImageEncoder {
    /// The one model for all resolutions, if it is one.
    shared: Option<Encoder>,
    loader: Loader,
    plans: Vec<OnceLock<Plan>>,
    outputs: &'static [&'static str],
}

/// Makes encoders of a bundle's files.
#[derive(Clone)]
pub(crate) struct Loader {
    pub isa: Isa,
    pub memory: MemoryLimit,
    pub pool: Arc<Pool>,
}

impl Loader {
    /// # Errors
    /// [`Error::Bundle`], [`Error::Encoder`], [`Error::Memory`].
    pub fn encoder(&self, bundle: &Bundle, file: &str) -> Result<Encoder, Error> {
        let bytes = bundle.file(file)?;
        // A model takes about as much memory as its file.
        self.memory.check(file, bytes.len())?;
        let encoder = Encoder::new(scan(bundle, file)?, self.isa)?;
        self.memory.check(file, 0)?;
        Ok(encoder)
    }
}

fn scan(bundle: &Bundle, file: &str) -> Result<CheckedModel, Error> {
    Ok(CheckedModel::scan(
        file,
        bundle.file(file)?,
        &Limits::default(),
    )?)
}

impl ImageEncoder {
    /// Checks every model.
    ///
    /// # Errors
    /// Those of [`Loader::encoder`].
    pub fn load(bundle: &Bundle, loader: Loader) -> Result<ImageEncoder, Error> {
        let image = &bundle.manifest().image;
        let shared = match &image.file {
            ImageFiles::One(file) => {
                let encoder = loader.encoder(bundle, file)?;
                Some(encoder.with_pool(Arc::clone(&loader.pool)))
            }
            ImageFiles::Each(files) => {
                for file in files {
                    scan(bundle, file)?;
                }
                None
            }
        };
        Ok(ImageEncoder {
            shared,
            loader,
            plans: image.resolutions.iter().map(|_| OnceLock::new()).collect(),
            outputs: outputs(bundle),
        })
    }

    /// The outputs of its plans: the map, where there is one, then the pooled features or the embedding.
    pub fn outputs(&self) -> &'static [&'static str] {
        self.outputs
    }

    /// The plan of the resolution with this index, once it was made.
    pub fn made(&self, index: usize) -> Option<&Plan> {
        self.plans[index].get()
    }

    /// Makes the plan of the resolution with this index, from `[1, 3, side, side]`.
    ///
    /// # Errors
    /// As [`ImageEncoder::load`].
    pub fn make(&self, bundle: &Bundle, index: usize) -> Result<Plan, Error> {
        let image = &bundle.manifest().image;
        let side = image.resolutions[index] as usize;
        let dims = [1, 3, side, side].map(Dim::Fixed);
        let plan = |encoder: &Encoder| encoder.plan("image", &dims, self.outputs);
        Ok(match &self.shared {
            Some(encoder) => plan(encoder)?,
            None => {
                let encoder = self.loader.encoder(bundle, image.file.at(index))?;
                plan(&encoder.with_pool(Arc::clone(&self.loader.pool)))?
            }
        })
    }

    /// Keeps a plan, unless another thread's came first.
    pub fn keep(&self, index: usize, plan: Plan) -> &Plan {
        self.plans[index].get_or_init(|| plan)
    }
}

fn outputs(bundle: &Bundle) -> &'static [&'static str] {
    let manifest = bundle.manifest();
    match (&manifest.head, &manifest.relevance) {
        (Head::Conse { .. }, _) => &["map", "features"],
        (Head::Embedding { .. }, Some(_)) => &["map", "embedding"],
        (Head::Embedding { .. }, None) => &["embedding"],
    }
}
