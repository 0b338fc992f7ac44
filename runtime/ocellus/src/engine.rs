//! The engine: a bundle made ready to run. It is shared by sessions and never changes; what a session caches is its own.

use crate::{
    bundle::{Bundle, BundleError, Head, RelevanceDefaults, Tensors},
    error::Error,
    heads::{Background, Conse, HeadSpace, make_unit, unit},
    memory::MemoryLimit,
    prompting::{PromptOptions, Prompting},
    report::BundleId,
};
use ocellus_encoder::{CheckedModel, Dim, Encoder, Input, Limits, Pixels, Plan, Step, Tensor};
use ocellus_kernels::Isa;
use ocellus_language::{Normalization, Tokenizer, Vocabulary};
use ocellus_sys::Pool;
use std::sync::{Arc, OnceLock};

/// A loaded bundle: encoders, words and heads.
pub struct Engine {
    bundle: Arc<Bundle>,
    id: BundleId,
    isa: Isa,
    memory: MemoryLimit,
    threads: usize,
    image: Encoder,
    plans: Vec<OnceLock<Plan>>,
    text: Plan,
    pub(crate) tokenizer: Tokenizer,
    /// The bundle's prompts.
    pub(crate) prompting: Prompting,
    /// The bundle's soft prompts `[n][d]`.
    pub(crate) offsets: Vec<Vec<f32>>,
    conse: Option<Conse>,
    backgrounds: Vec<Background>,
}

/// What an engine may use of the machine. The default is the thread of whoever calls, and no limit.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// What it may hold.
    pub memory: MemoryLimit,
    /// Threads that share the image encoder's work. Their number changes no result.
    pub pool: Arc<Pool>,
}

/// What the image encoder and the head made of one picture.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// The last feature map, `[1, c, h, w]`.
    pub map: Tensor,
    /// The pooled map, `[c]`.
    pub features: Vec<f32>,
    /// Class logits, `[classes]`, where the head has a classifier.
    pub logits: Option<Vec<f32>>,
    /// The embedding in the text space, `[d]`, of length one.
    pub embedding: Vec<f32>,
}

impl Engine {
    /// Checks and loads every model of a bundle, which engines may share. Plans for the resolutions are made at first
    /// use, or by [`Engine::prepare`].
    ///
    /// # Errors
    /// [`Error::Bundle`] or [`Error::Encoder`] name the file and what is wrong with it.
    pub fn load(bundle: impl Into<Arc<Bundle>>, isa: Isa) -> Result<Engine, Error> {
        Engine::of(bundle.into(), isa, Resources::default())
    }

    /// The same, with what it, its plans and its sessions may use.
    ///
    /// # Errors
    /// Those of [`Engine::load`], and [`Error::Memory`].
    pub fn load_with(
        bundle: impl Into<Arc<Bundle>>,
        isa: Isa,
        resources: Resources,
    ) -> Result<Engine, Error> {
        Engine::of(bundle.into(), isa, resources)
    }

    fn of(bundle: Arc<Bundle>, isa: Isa, resources: Resources) -> Result<Engine, Error> {
        let Resources { memory, pool } = resources;
        let manifest = bundle.manifest();
        let encoder = |file: &str| -> Result<Encoder, Error> {
            let bytes = bundle.file(file)?;
            // A model takes about as much memory as its file.
            memory.check(file, bytes.len())?;
            let encoder = Encoder::new(CheckedModel::scan(file, bytes, &Limits::default())?, isa)?;
            memory.check(file, 0)?;
            Ok(encoder)
        };
        let image = encoder(&manifest.image.file)?.with_pool(Arc::clone(&pool));
        let text = encoder(&manifest.text.file)?.plan(
            "input_ids",
            &[Dim::Fixed(1), Dim::Any],
            &["tokens", "embedding"],
        )?;
        let vocabulary = Vocabulary::parse(bundle.file(&manifest.text.vocabulary)?)?;
        let normalization = Normalization {
            lowercase: manifest.text.lowercase,
        };
        let tokenizer = Tokenizer::new(vocabulary, normalization, manifest.text.max_tokens);
        let prompting = Prompting::new(&bundle, &PromptOptions::default())?;
        let offsets = match &manifest.soft_prompts {
            Some(soft) => soft.read(bundle.file(&soft.file)?)?,
            None => Vec::new(),
        };

        let (head_file, classes) = match &manifest.head {
            Head::Conse { file, classes, .. } => (file, utf8_file(&bundle, classes)?),
            Head::None { file } => (file, ""),
        };
        let tensors = Tensors::parse(head_file, bundle.file(head_file)?)?;
        let (channels, dimension) = (manifest.image.channels, manifest.text.dimension);
        let conse = Conse::load(&manifest.head, &tensors, classes, channels, dimension)?;
        let resolutions = &manifest.image.resolutions;
        let backgrounds: Result<_, BundleError> = resolutions
            .iter()
            .map(|&side| Background::load(&tensors, side, dimension))
            .collect();

        let plans = resolutions.iter().map(|_| OnceLock::new()).collect();
        let engine = Engine {
            isa,
            memory,
            threads: pool.threads(),
            image,
            plans,
            text,
            tokenizer,
            prompting,
            offsets,
            conse,
            backgrounds: backgrounds?,
            id: BundleId {
                name: bundle.manifest().name.as_str().into(),
                sha256: bundle.sha256().into(),
            },
            bundle,
        };
        engine.room("the bundle's words and heads")?;
        Ok(engine)
    }

    /// Whether `what` was made within the limit of memory.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub(crate) fn room(&self, what: &str) -> Result<(), Error> {
        self.memory.check(what, 0)
    }

    /// The bundle.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The instruction set that kernels use.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// How many threads share the image encoder's work.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The bundle's name and hash, as reports carry it.
    pub fn bundle_id(&self) -> BundleId {
        self.id.clone()
    }

    /// The square input sizes in pixels, rising.
    pub fn resolutions(&self) -> &[u32] {
        &self.bundle.manifest().image.resolutions
    }

    fn index(&self, resolution: u32) -> Result<usize, Error> {
        let resolutions = self.resolutions();
        resolutions
            .iter()
            .position(|&side| side == resolution)
            .ok_or_else(|| Error::Policy {
                policy: "fixed",
                expected: format!("one of the bundle's resolutions {resolutions:?}"),
                got: resolution.to_string(),
            })
    }

    /// Makes the plan of a resolution ready, so that the first frame does not wait for it.
    ///
    /// # Errors
    /// [`Error::Encoder`] when the model cannot run at this size, [`Error::Policy`] when the bundle has no such resolution,
    /// [`Error::Memory`].
    pub fn prepare(&self, resolution: u32) -> Result<(), Error> {
        self.image_plan(resolution).map(|_| ())
    }

    /// The image encoder's plan at a resolution, from normalised pixels `[1, 3, resolution, resolution]` to the last
    /// feature map and the pooled one.
    ///
    /// # Errors
    /// As [`Engine::prepare`].
    pub fn image_plan(&self, resolution: u32) -> Result<&Plan, Error> {
        let slot = &self.plans[self.index(resolution)?];
        if let Some(plan) = slot.get() {
            return Ok(plan);
        }
        let side = resolution as usize;
        let dims = [
            Dim::Fixed(1),
            Dim::Fixed(3),
            Dim::Fixed(side),
            Dim::Fixed(side),
        ];
        let plan = self.image.plan("image", &dims, &["map", "features"])?;
        self.room("the image encoder's plan")?;
        Ok(slot.get_or_init(|| plan))
    }

    /// The image encoder's steps at a resolution, as they run.
    ///
    /// # Errors
    /// As [`Engine::prepare`].
    pub fn image_steps(&self, resolution: u32) -> Result<&[Step], Error> {
        Ok(self.image_plan(resolution)?.steps())
    }

    /// The text encoder's steps, as they run.
    pub fn text_steps(&self) -> &[Step] {
        self.text.steps()
    }

    /// Encodes a picture of RGB bytes, `[resolution, resolution, 3]`, into map and pooled features.
    ///
    /// # Errors
    /// [`Error::Encoder`], or [`Error::NotFinite`] where the features hold NaN or infinity.
    pub fn encode(&self, resolution: u32, rgb: &[u8]) -> Result<(Tensor, Vec<f32>), Error> {
        self.encode_input(resolution, self.pixels(rgb))
    }

    /// Encodes whatever the image encoder's plan takes: bytes, or normalised pixels `[3, resolution, resolution]`.
    ///
    /// # Errors
    /// As [`Engine::encode`].
    pub fn encode_input(
        &self,
        resolution: u32,
        input: Input<'_>,
    ) -> Result<(Tensor, Vec<f32>), Error> {
        let mut outputs = Vec::new();
        let [map, features] = self.encode_into(resolution, input, &mut outputs)?;
        Ok((std::mem::take(map), std::mem::take(&mut features.data)))
    }

    /// RGB bytes with the bundle's normalisation, as the plan takes them.
    pub(crate) fn pixels<'a>(&self, rgb: &'a [u8]) -> Input<'a> {
        let image = &self.bundle.manifest().image;
        Input::Pixels(Pixels {
            rgb,
            mean: image.mean,
            std: image.std,
        })
    }

    /// [`Engine::encode_input`] into tensors that are kept.
    pub(crate) fn encode_into<'t>(
        &self,
        resolution: u32,
        input: Input<'_>,
        outputs: &'t mut Vec<Tensor>,
    ) -> Result<&'t mut [Tensor; 2], Error> {
        let image = &self.bundle.manifest().image;
        self.image_plan(resolution)?.run_into(input, outputs)?;
        let both: &mut [Tensor; 2] = (&mut outputs[..])
            .try_into()
            .map_err(|_| self.not_finite("set of outputs"))?;
        let features = &both[1];
        if features.data.len() != image.channels {
            return Err(BundleError::Contents {
                file: image.file.clone(),
                what: "output features".into(),
                expected: format!("[1, {}]", image.channels),
                got: format!("{:?}", features.shape),
            }
            .into());
        }
        if features.data.iter().any(|value| !value.is_finite()) {
            return Err(self.not_finite("features vector"));
        }
        Ok(both)
    }

    /// Class logits `[classes]` of pooled features, where the head has a classifier.
    pub fn logits(&self, features: &[f32]) -> Option<Vec<f32>> {
        let conse = self.conse.as_ref()?;
        let mut space = HeadSpace::default();
        conse.logits(self.isa, features, &mut space);
        Some(space.logits)
    }

    /// Maps pooled features into the text space.
    ///
    /// # Errors
    /// [`Error::NotFinite`] where they have no direction there.
    pub fn embed(&self, map: Tensor, features: Vec<f32>) -> Result<Embedded, Error> {
        let mut space = HeadSpace::default();
        self.embed_into(&features, &mut space)?;
        Ok(Embedded {
            map,
            features,
            logits: self.conse.is_some().then_some(space.logits),
            embedding: space.embedding,
        })
    }

    /// [`Engine::embed`] in memory that is kept.
    pub(crate) fn embed_into(&self, features: &[f32], space: &mut HeadSpace) -> Result<(), Error> {
        let directed = match &self.conse {
            Some(conse) => {
                conse.logits(self.isa, features, space);
                conse.embed(space)
            }
            None => {
                space.embedding.clear();
                space.embedding.extend_from_slice(features);
                make_unit(&mut space.embedding)
            }
        };
        match directed {
            true => Ok(()),
            false => Err(self.not_finite("image embedding")),
        }
    }

    /// How the bundle computes relevance.
    ///
    /// # Errors
    /// [`Error::NoRelevance`] where it does not say.
    pub(crate) fn relevance(&self) -> Result<&RelevanceDefaults, Error> {
        let manifest = self.bundle.manifest();
        manifest
            .relevance
            .as_ref()
            .ok_or_else(|| Error::NoRelevance {
                bundle: manifest.name.clone(),
            })
    }

    /// Where in the space of the map's channels a label with this embedding lies, `[channels]`.
    pub(crate) fn label_key(&self, embedding: &[f32], sharpness: f32) -> Vec<f32> {
        match &self.conse {
            Some(conse) => conse.key(embedding, sharpness),
            None => embedding.to_vec(),
        }
    }

    /// The name of a class of the head's classifier.
    pub fn class_name(&self, class: usize) -> Option<&str> {
        self.conse.as_ref().map(|conse| conse.name(class))
    }

    /// Runs the text encoder on piece ids: token vectors `[1, l, d]` and the unit embedding `[d]`.
    pub(crate) fn encode_text(&self, ids: &[i64]) -> Result<(Tensor, Vec<f32>), Error> {
        let outputs = self.text.run(Input::I64(ids, &[1, ids.len()]))?;
        let file = || self.bundle.manifest().text.file.clone();
        let not_finite = || Error::NotFinite {
            file: file(),
            what: "text embedding",
        };
        let [tokens, embedding]: [Tensor; 2] = outputs.try_into().map_err(|_| not_finite())?;
        let dimension = self.bundle.manifest().text.dimension;
        if embedding.data.len() != dimension {
            return Err(BundleError::Contents {
                file: file(),
                what: "output embedding".into(),
                expected: format!("[1, {dimension}]"),
                got: format!("{:?}", embedding.shape),
            }
            .into());
        }
        Ok((tokens, unit(embedding.data).ok_or_else(not_finite)?))
    }

    pub(crate) fn background(&self, resolution: u32) -> Result<&Background, Error> {
        Ok(&self.backgrounds[self.index(resolution)?])
    }

    pub(crate) fn not_finite(&self, what: &'static str) -> Error {
        Error::NotFinite {
            file: self.bundle.manifest().image.file.clone(),
            what,
        }
    }
}

fn utf8_file<'a>(bundle: &'a Bundle, name: &str) -> Result<&'a str, BundleError> {
    std::str::from_utf8(bundle.file(name)?).map_err(|error| BundleError::Contents {
        file: name.into(),
        what: "text".into(),
        expected: "UTF-8".into(),
        got: error.to_string(),
    })
}
