//! Packing: from the parts of a bundle to a bundle that was checked.
//!
//! A draft is a folder with the files of a bundle and a `manifest.toml` that lacks what can be computed: the `[[file]]` entries,
//! `image.macs`, and the golden vectors where the draft has none. Packing loads it as a board would, under the same limits, makes the
//! plan of every resolution and text length, runs both encoders, and only then writes. So what was packed loads, its towers give
//! embeddings of one dimension, and its text encoder knows the vocabulary's last id.
//!
//! Golden vectors that come with the draft are held to what was computed here: made from a model in f32, they say how far INT8 is from
//! it. Golden vectors that were computed here prove of a board that it computes the same, and nothing of the model.

mod draft;
mod write;

use crate::{
    bundle::{Bundle, BundleError},
    engine::Engine,
    error::Error,
    golden::GoldenCheck,
};
use draft::Draft;
use ocellus_kernels::Isa;
use ocellus_vision::DecodeLimits;
use safetensors::{Dtype, tensor::TensorView};
use std::path::Path;

/// Why a draft was refused, or could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The draft is no bundle: its manifest, a model, a file.
    #[error(transparent)]
    Refused(#[from] Error),
    /// A golden vector of the draft is not what was computed.
    #[error(
        "golden vector {name}: expected a cosine of at least {least}, got {cosine:.5}; \
         calibrate INT8 on more pictures or texts, check mean, std and crop, or lower golden.min_cosine if that is near enough"
    )]
    Golden {
        /// `image.224`, `text "a cat"`.
        name: String,
        /// The manifest's `golden.min_cosine`.
        least: f32,
        /// The cosine.
        cosine: f32,
    },
    /// There is something where the bundle should go.
    #[error(
        "{path}: expected nothing there, got a file or a folder; name another --out, or remove it"
    )]
    Exists {
        /// The path.
        path: String,
    },
    /// The bundle could not be written; nothing of it is left.
    #[error("{path}: {message}")]
    Write {
        /// The file.
        path: String,
        /// What the system said.
        message: String,
    },
}

impl From<BundleError> for PackError {
    fn from(error: BundleError) -> PackError {
        PackError::Refused(error.into())
    }
}

/// A checked bundle that is not written yet.
pub struct Packed {
    files: Vec<(String, Vec<u8>)>,
    /// The bundle, ready to run.
    pub engine: Engine,
    /// Each golden vector, computed again.
    pub goldens: Vec<GoldenCheck>,
}

impl Packed {
    /// Checks the draft in `folder` and fills in what it lacks.
    ///
    /// # Errors
    /// [`PackError::Refused`], [`PackError::Golden`].
    pub fn of(folder: &Path, isa: Isa) -> Result<Packed, PackError> {
        let mut draft = Draft::read(folder)?;
        let engine = load(&draft, isa)?;
        let macs = engine.resolutions().iter().map(|&side| macs(&engine, side));
        draft.set_macs(macs.collect::<Result<_, _>>()?);
        engine.check_last_id()?;
        if !draft.has_vectors() {
            draft.set_vectors(vectors(&engine)?);
        }
        drop(engine);

        let engine = load(&draft, isa)?;
        let goldens = engine.check_goldens()?;
        if let Some(off) = goldens.iter().find(|check| !check.passes()) {
            return Err(PackError::Golden {
                name: off.name.clone(),
                least: off.least,
                cosine: off.cosine,
            });
        }
        Ok(Packed {
            files: draft.into_files(),
            engine,
            goldens,
        })
    }

    /// Writes the bundle to `out`, which does not exist yet: all of it, or nothing.
    ///
    /// # Errors
    /// [`PackError::Exists`], [`PackError::Write`].
    pub fn write(&self, out: &Path) -> Result<(), PackError> {
        write::all(&self.files, out)
    }
}

fn load(draft: &Draft, isa: Isa) -> Result<Engine, PackError> {
    Ok(Engine::load(Bundle::from_memory(draft.files())?, isa)?)
}

/// Multiply-accumulates of one inference.
fn macs(engine: &Engine, side: u32) -> Result<u64, Error> {
    let steps = engine.image_steps(side)?.iter();
    Ok(steps.filter_map(|step| step.macs).sum())
}

/// The golden vectors as this machine computes them.
fn vectors(engine: &Engine) -> Result<Vec<u8>, Error> {
    let bundle = engine.bundle();
    let golden = &bundle.manifest().golden;
    let picture = bundle.file(&golden.picture)?;
    let dimension = bundle.manifest().text.dimension;
    let mut tensors = Vec::new();
    for &side in engine.resolutions() {
        let embedded = engine.embed_picture(picture, side, &DecodeLimits::default())?;
        tensors.push((
            format!("image.{side}"),
            vec![dimension],
            bytes(&embedded.embedding),
        ));
    }
    let mut texts = Vec::new();
    for prompt in &golden.prompts {
        texts.extend(bytes(&engine.embed_prompt(prompt)?));
    }
    tensors.push(("text".into(), vec![golden.prompts.len(), dimension], texts));
    let views = tensors.iter().map(|(name, shape, bytes)| {
        TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (name, view))
    });
    let file = views
        .collect::<Result<Vec<_>, _>>()
        .and_then(|views| safetensors::serialize(views, None));
    file.map_err(|error| {
        let contents = BundleError::Contents {
            file: golden.vectors.clone(),
            what: "container".into(),
            expected: "vectors that can be written".into(),
            got: error.to_string(),
        };
        contents.into()
    })
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}
