//! A session: an engine, a policy and a set of labels; frames go in, reports come out.

use crate::{
    engine::Engine,
    error::Error,
    pipeline::{self, Asked},
    policy::Policy,
    relevance::Blocks,
    report::Report,
    words::Words,
};
use ocellus_vision::{CropMode, DecodeLimits, Frame, decode};
use std::{sync::Arc, time::Instant};

/// How a session looks at frames.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// How the resolution is chosen; `None` is the bundle's calibrated default.
    pub policy: Option<Policy>,
    /// Which part of a frame the encoder sees.
    pub crop: CropMode,
    /// Limits of pictures that are decoded.
    pub limits: DecodeLimits,
    /// Whether a report says where each label is.
    pub relevance: Relevance,
}

/// Whether a report says where each label is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Relevance {
    /// It does not.
    #[default]
    Off,
    /// By the bundle's calibrated blocks.
    Calibrated,
    /// By these blocks.
    Blocks(Blocks),
}

impl Default for SessionOptions {
    fn default() -> Self {
        SessionOptions {
            policy: None,
            crop: CropMode::Centre,
            limits: DecodeLimits::default(),
            relevance: Relevance::Off,
        }
    }
}

/// Frames in, reports out. One thread uses a session at a time; sessions share an engine.
pub struct Session {
    engine: Arc<Engine>,
    policy: Policy,
    options: SessionOptions,
    blocks: Option<Blocks>,
    words: Option<Words>,
}

impl Session {
    /// A session without labels yet.
    ///
    /// # Errors
    /// [`Error::Policy`] when the policy does not fit the bundle, [`Error::NoRelevance`] when it cannot tell where labels are.
    pub fn new(engine: Arc<Engine>, options: SessionOptions) -> Result<Session, Error> {
        let policy = options
            .policy
            .clone()
            .unwrap_or_else(|| Policy::of(engine.bundle().manifest()));
        policy.check(&engine.bundle().manifest().image)?;
        let blocks = match options.relevance {
            Relevance::Off => None,
            Relevance::Calibrated => Some(Blocks::of(engine.relevance()?)),
            Relevance::Blocks(blocks) => engine.relevance().map(|_| Some(blocks))?,
        };
        Ok(Session {
            engine,
            policy,
            options,
            blocks,
            words: None,
        })
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The policy in force.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Sets the labels and computes their embeddings. On an error the labels before stay in force.
    ///
    /// # Errors
    /// [`Error::Language`] for an empty list, an empty or over-long label, a label none of whose words is known.
    pub fn set_labels(&mut self, labels: Vec<String>) -> Result<(), Error> {
        let mut words = Words::new(&self.engine, labels)?;
        if self.blocks.is_some() {
            words.prepare_relevance(&self.engine)?;
        }
        self.words = Some(words);
        Ok(())
    }

    /// What was left out of the labels because the vocabulary does not know it.
    pub fn label_warnings(&self) -> &[String] {
        self.words.as_ref().map_or(&[], |words| &words.warnings)
    }

    /// Makes every plan that the policy may choose ready, so that no frame waits for one.
    ///
    /// # Errors
    /// [`Error::Encoder`] when the model cannot run at a resolution.
    pub fn warm_up(&self) -> Result<(), Error> {
        let resolutions = match self.policy {
            Policy::Fixed(side) => vec![side],
            _ => self.engine.resolutions().to_vec(),
        };
        resolutions
            .into_iter()
            .try_for_each(|side| self.engine.prepare(side))
    }

    /// What a frame shows.
    ///
    /// # Errors
    /// [`Error::NoLabels`], [`Error::Encoder`], [`Error::NotFinite`], [`Error::Attention`].
    pub fn infer(&self, frame: &Frame<'_>) -> Result<Report, Error> {
        self.run(frame, Instant::now())
    }

    /// What an encoded picture (JPEG, PNG, ...) shows.
    ///
    /// # Errors
    /// [`Error::Decode`], and those of [`Session::infer`].
    pub fn infer_picture(&self, bytes: &[u8]) -> Result<Report, Error> {
        let start = Instant::now();
        let picture = decode(bytes, &self.options.limits)?;
        let frame = Frame::rgb(picture.width, picture.height, &picture.rgb)?;
        let mut report = self.run(&frame, start)?;
        report
            .warnings
            .extend(picture.warnings.iter().map(ToString::to_string));
        Ok(report)
    }

    /// Runs one frame; `start` is when its bytes arrived.
    fn run(&self, frame: &Frame<'_>, start: Instant) -> Result<Report, Error> {
        let asked = Asked {
            policy: &self.policy,
            crop: self.options.crop,
            words: self.words.as_ref().ok_or(Error::NoLabels)?,
            blocks: self.blocks,
        };
        pipeline::run(&self.engine, &asked, frame, start)
    }
}
