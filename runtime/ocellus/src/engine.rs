//! The engine: a bundle made ready to run. It is shared by sessions and never changes; what a session caches is its own.

use crate::{
    bundle::{Bundle, BundleError, Head, RelevanceDefaults, SoftVectors, Tensors},
    error::Error,
    heads::{Background, Conse, HeadSpace, make_unit},
    image_encoder::{ImageEncoder, Loader},
    memory::MemoryLimit,
    prompting::{PromptOptions, Prompting},
    report::BundleId,
    text_encoder::TextEncoder,
};
use ocellus_encoder::{Input, Pixels, Plan, Step, Tensor};
use ocellus_kernels::Isa;
use ocellus_language::{
    BytePairs, Canonical, Normalization, Tokenizer, Unigram, UnigramParts, Vocabulary,
};
use ocellus_sys::Pool;
use std::sync::Arc;

/// A loaded bundle: encoders, words and heads.
pub struct Engine {
    bundle: Arc<Bundle>,
    id: BundleId,
    isa: Isa,
    memory: MemoryLimit,
    threads: usize,
    image: ImageEncoder,
    pub(crate) text: TextEncoder,
    pub(crate) tokenizer: Tokenizer,
    /// The bundle's prompts.
    pub(crate) prompting: Prompting,
    /// The bundle's soft prompts.
    pub(crate) soft: SoftVectors,
    conse: Option<Conse>,
    /// One a resolution, where there is a no-match verdict.
    backgrounds: Option<Vec<Background>>,
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
    /// The last feature map, `[1, c, h, w]`, where the bundle's encoder gives one.
    pub map: Option<Tensor>,
    /// The pooled map, `[c]`, or the embedding as the encoder gives it, of any length.
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
        let threads = pool.threads();
        let loader = Loader { isa, memory, pool };
        let manifest = bundle.manifest();
        let encoder = loader.encoder(&bundle, &manifest.text.file)?;
        let tokenizer = tokenizer(&bundle)?;
        let text = TextEncoder::load(&bundle, &encoder, tokenizer.vocabulary_len())?;
        let image = ImageEncoder::load(&bundle, loader)?;
        let prompting = Prompting::new(&bundle, &PromptOptions::default())?;
        let soft = match &manifest.soft_prompts {
            Some(soft) => soft.read(bundle.file(&soft.file)?)?,
            None => SoftVectors::None,
        };

        let (head_file, classes) = match &manifest.head {
            Head::Conse { file, classes, .. } => (Some(file), utf8_file(&bundle, classes)?),
            Head::Embedding { file } => (file.as_ref(), ""),
        };
        let (channels, dimension) = (manifest.image.channels, manifest.text.dimension);
        let (mut conse, mut backgrounds) = (None, None);
        if let Some(file) = head_file {
            let tensors = Tensors::parse(file, bundle.file(file)?)?;
            conse = Conse::load(&manifest.head, &tensors, classes, channels, dimension)?;
            if manifest.no_match.is_some() {
                let sides = manifest.image.resolutions.iter();
                let load = |&side: &u32| Background::load(&tensors, side, dimension);
                backgrounds = Some(sides.map(load).collect::<Result<_, BundleError>>()?);
            }
        }

        let engine = Engine {
            isa,
            memory,
            threads,
            image,
            text,
            tokenizer,
            prompting,
            soft,
            conse,
            backgrounds,
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

    /// The image encoder's plan at a resolution, from normalised pixels `[1, 3, resolution, resolution]` to
    /// [`Engine::image_outputs`].
    ///
    /// # Errors
    /// As [`Engine::prepare`].
    pub fn image_plan(&self, resolution: u32) -> Result<&Plan, Error> {
        let index = self.index(resolution)?;
        if let Some(plan) = self.image.made(index) {
            return Ok(plan);
        }
        let plan = self.image.make(&self.bundle, index)?;
        self.room("the image encoder's plan")?;
        Ok(self.image.keep(index, plan))
    }

    /// The outputs of the image encoder's plans, by their names in the model: the map, where the bundle's encoder gives
    /// one, and then `features` or `embedding`.
    pub fn image_outputs(&self) -> &'static [&'static str] {
        self.image.outputs()
    }

    /// The image encoder's steps at a resolution, as they run.
    ///
    /// # Errors
    /// As [`Engine::prepare`].
    pub fn image_steps(&self, resolution: u32) -> Result<&[Step], Error> {
        Ok(self.image_plan(resolution)?.steps())
    }

    /// The text encoder's steps, as they run; of several lengths, at the longest.
    pub fn text_steps(&self) -> &[Step] {
        self.text.steps()
    }

    /// Encodes a picture of RGB bytes, `[resolution, resolution, 3]`, into the map, where there is one, and the
    /// pooled features.
    ///
    /// # Errors
    /// [`Error::Encoder`], or [`Error::NotFinite`] where the features hold NaN or infinity.
    pub fn encode(&self, resolution: u32, rgb: &[u8]) -> Result<(Option<Tensor>, Vec<f32>), Error> {
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
    ) -> Result<(Option<Tensor>, Vec<f32>), Error> {
        let mut outputs = Vec::new();
        self.encode_into(resolution, input, &mut outputs)?;
        let features = outputs.pop().unwrap_or_default();
        Ok((outputs.pop(), features.data))
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

    /// [`Engine::encode_input`] into tensors that are kept; what is last of them is returned: the features.
    pub(crate) fn encode_into<'t>(
        &self,
        resolution: u32,
        input: Input<'_>,
        outputs: &'t mut Vec<Tensor>,
    ) -> Result<&'t [f32], Error> {
        let image = &self.bundle.manifest().image;
        self.image_plan(resolution)?.run_into(input, outputs)?;
        let features = outputs
            .last()
            .ok_or_else(|| self.not_finite("set of outputs"))?;
        if features.data.len() != image.channels {
            let name = self.image_outputs().last().unwrap_or(&"features");
            return Err(BundleError::Contents {
                file: image.file.at(self.index(resolution)?).into(),
                what: format!("output {name}"),
                expected: format!("[1, {}]", image.channels),
                got: format!("{:?}", features.shape),
            }
            .into());
        }
        if features.data.iter().any(|value| !value.is_finite()) {
            return Err(self.not_finite("features vector"));
        }
        Ok(&features.data)
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
    pub fn embed(&self, map: Option<Tensor>, features: Vec<f32>) -> Result<Embedded, Error> {
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

    /// Whether the text encoder takes the vocabulary's last id.
    ///
    /// # Errors
    /// [`Error::Encoder`], and those of a text encoder that gives no direction.
    pub(crate) fn check_last_id(&self) -> Result<(), Error> {
        let last = self.tokenizer.vocabulary_len().saturating_sub(1);
        self.text.check_last_id(last as u32)
    }

    /// The background at a resolution, where the bundle has a no-match verdict.
    pub(crate) fn background(&self, resolution: u32) -> Result<Option<&Background>, Error> {
        let index = self.index(resolution)?;
        Ok(self.backgrounds.as_ref().map(|all| &all[index]))
    }

    pub(crate) fn not_finite(&self, what: &'static str) -> Error {
        Error::NotFinite {
            file: self.bundle.manifest().image.file.all().join(", "),
            what,
        }
    }
}

/// Cuts texts into the ids that the text encoder takes.
fn tokenizer(bundle: &Bundle) -> Result<Tokenizer, Error> {
    let text = &bundle.manifest().text;
    let vocabulary = bundle.file(&text.vocabulary)?;
    let sequence = text.sequence.clone().unwrap_or_default();
    let tokenizer = match (&text.unigram, &sequence.merges) {
        (Some(pieces), _) => {
            let (scores, character_map) = pieces.tensors(bundle.file(&pieces.file)?)?;
            let parts = UnigramParts {
                vocabulary,
                scores: &scores,
                character_map,
                unknown: pieces.unknown.as_deref(),
            };
            let canonical = Canonical {
                lowercase: text.lowercase,
                drop_punctuation: pieces.drop_punctuation,
            };
            Tokenizer::of_unigram(Unigram::parse(&parts, canonical)?, text.max_tokens)
        }
        (None, Some(merges)) => {
            let pairs = BytePairs::parse(vocabulary, bundle.file(merges)?, text.lowercase)?;
            Tokenizer::of_byte_pairs(pairs, text.max_tokens)
        }
        (None, None) => {
            let normalization = Normalization {
                lowercase: text.lowercase,
            };
            Tokenizer::new(
                Vocabulary::parse(vocabulary)?,
                normalization,
                text.max_tokens,
            )
        }
    };
    Ok(tokenizer.with_sequence(&sequence.sequence())?)
}

fn utf8_file<'a>(bundle: &'a Bundle, name: &str) -> Result<&'a str, BundleError> {
    std::str::from_utf8(bundle.file(name)?).map_err(|error| BundleError::Contents {
        file: name.into(),
        what: "text".into(),
        expected: "UTF-8".into(),
        got: error.to_string(),
    })
}
