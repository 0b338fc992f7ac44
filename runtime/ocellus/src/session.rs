//! A session: an engine, a policy and a set of labels; frames go in, reports come out.

use crate::{
    engine::Engine,
    error::Error,
    examples::KeyCache,
    pace::Pace,
    pipeline::{self, Asked, Kept},
    policy::Policy,
    prompting::{PromptOptions, Prompting},
    reading::{Reader, Reading},
    relevance::Blocks,
    report::Report,
    words::Words,
};
use ocellus_vision::{CropMode, DecodeLimits, Frame, decode};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How a session looks at frames.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// How the resolution is chosen; `None` is the bundle's calibrated default.
    pub policy: Option<Policy>,
    /// Which part of a frame the encoder sees.
    pub crop: CropMode,
    /// How labels are prompted.
    pub prompts: PromptOptions,
    /// Limits of pictures that are decoded.
    pub limits: DecodeLimits,
    /// Whether a report says where each label is.
    pub relevance: Relevance,
    /// No escalation where, by what the last one took, it would end later than this after the frame came in. `None` is
    /// no limit.
    pub budget: Option<Duration>,
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
            prompts: PromptOptions::default(),
            limits: DecodeLimits::default(),
            relevance: Relevance::Off,
            budget: None,
        }
    }
}

/// Frames in, reports out. One thread uses a session at a time; sessions share an engine.
pub struct Session {
    pub(crate) engine: Arc<Engine>,
    pub(crate) options: SessionOptions,
    pub(crate) asked: Asked,
    pub(crate) kept: Kept,
    reader: Reader,
    reading: Reading,
}

impl Session {
    /// A session without labels yet.
    ///
    /// # Errors
    /// [`Error::Policy`] when the policy does not fit the bundle, [`Error::NoRelevance`] when it cannot tell where labels are,
    /// [`Error::Template`], [`Error::PromptMix`] and [`Error::NoSoftPrompts`] when it cannot prompt labels so.
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
        let prompting = Prompting::new(engine.bundle(), &options.prompts)?;
        let asked = Asked {
            policy,
            words: None,
            taught: KeyCache::empty(&engine, prompting),
            blocks,
        };
        let kept = Kept::new(Pace::new(options.budget));
        let crop_fraction = engine.bundle().manifest().image.crop_fraction;
        Ok(Session {
            reader: Reader::new(options.crop, crop_fraction),
            reading: Reading::default(),
            engine,
            options,
            asked,
            kept,
        })
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The policy in force.
    pub fn policy(&self) -> &Policy {
        &self.asked.policy
    }

    /// The labels that are set, in their order; none before the first were.
    pub fn labels(&self) -> &[String] {
        let words = self.asked.words.as_ref();
        words.map_or(&[], |words| &words.labels)
    }

    /// Every label in force, by [`Hit::index`](crate::Hit::index): those that are set, then those that were only taught.
    pub fn all_labels(&self) -> &[Arc<str>] {
        let words = self.asked.words.as_ref();
        words.map_or(&[], |words| &words.shared)
    }

    pub(crate) fn words(&self) -> Option<&Words> {
        self.asked.words.as_ref()
    }

    /// A reader of frames for [`Session::infer_reading`], which may be on another thread than the session.
    pub fn reader(&self) -> Reader {
        let image = &self.engine.bundle().manifest().image;
        Reader::new(self.options.crop, image.crop_fraction)
    }

    /// Sets how long answers may take from now on, as [`SessionOptions::budget`]. Of nothing, no answer escalates.
    pub fn set_budget(&mut self, budget: Option<Duration>) {
        self.options.budget = budget;
        self.kept.pace.set_budget(budget);
    }

    /// Sets the labels and computes their embeddings; what was taught stays. On an error the labels before stay in force.
    ///
    /// # Errors
    /// [`Error::Language`] for an empty list, an empty or over-long label, a label none of whose words is known;
    /// [`Error::Memory`], beside the labels before.
    pub fn set_labels(&mut self, labels: Vec<String>) -> Result<(), Error> {
        let prompting = self.asked.taught.prompting();
        let words = Words::new(&self.engine, prompting, labels)?;
        let relevance = self.asked.blocks.is_some();
        let taught = self.asked.taught.texts();
        let words = Words::with(&self.engine, Some(&words), taught, relevance)?;
        self.engine.room("labels")?;
        self.asked.words = words;
        self.kept.attention.forget();
        Ok(())
    }

    /// What was left out of the labels because the vocabulary does not know it.
    pub fn label_warnings(&self) -> &[String] {
        let words = self.asked.words.as_ref();
        words.map_or(&[], |words| &words.warnings)
    }

    /// Makes ready what the policy may choose, with the labels that are set, so that no frame waits for it.
    ///
    /// # Errors
    /// [`Error::Encoder`] when the model cannot run at a resolution, [`Error::Memory`].
    pub fn warm_up(&self) -> Result<(), Error> {
        let resolutions = match self.asked.policy {
            Policy::Fixed(side) => vec![side],
            _ => self.engine.resolutions().to_vec(),
        };
        resolutions.into_iter().try_for_each(|side| {
            self.engine.prepare(side)?;
            match &self.asked.words {
                Some(words) => words.standing(&self.engine, side).map(|_| ()),
                None => Ok(()),
            }?;
            self.engine.room("what labels need at a resolution")
        })
    }

    /// What a frame shows.
    ///
    /// # Errors
    /// [`Error::NoLabels`], [`Error::Encoder`], [`Error::NotFinite`], [`Error::Attention`]; [`Error::Memory`] where the
    /// session would keep too much for the next such frame, and it then keeps nothing.
    pub fn infer(&mut self, frame: &Frame<'_>) -> Result<Report, Error> {
        let mut report = Report::default();
        self.infer_into(frame, &mut report)?;
        Ok(report)
    }

    /// [`Session::infer`] into the memory of a report before, which stays as it was on an error. After a few frames of
    /// one size and as many labels nothing is allocated any more, but for what relevance hands out.
    ///
    /// # Errors
    /// Those of [`Session::infer`].
    pub fn infer_into(&mut self, frame: &Frame<'_>, report: &mut Report) -> Result<(), Error> {
        self.run(Instant::now(), frame, report)
    }

    /// What an encoded picture (JPEG, PNG, ...) shows.
    ///
    /// # Errors
    /// [`Error::Decode`], and those of [`Session::infer`].
    pub fn infer_picture(&mut self, bytes: &[u8]) -> Result<Report, Error> {
        let start = Instant::now();
        let picture = decode(bytes, &self.options.limits)?;
        let frame = Frame::rgb(picture.width, picture.height, &picture.rgb)?;
        let mut report = Report::default();
        self.run(start, &frame, &mut report)?;
        report
            .warnings
            .extend(picture.warnings.iter().map(ToString::to_string));
        Ok(report)
    }

    /// What a frame that one of the session's readers read shows, as [`Session::infer_into`].
    ///
    /// # Errors
    /// Those of [`Session::infer`].
    pub fn infer_reading(&mut self, reading: &Reading, report: &mut Report) -> Result<(), Error> {
        let done = pipeline::run(&self.engine, &self.asked, reading, &mut self.kept, report);
        self.settle(done)
    }

    /// The embedding of a frame in the text space, `[d]` and of length one, at the policy's first resolution; of several
    /// tiles their direction together. It needs no labels.
    ///
    /// # Errors
    /// [`Error::Encoder`], [`Error::NotFinite`], [`Error::Memory`].
    pub fn embed(&mut self, frame: &Frame<'_>) -> Result<Vec<f32>, Error> {
        self.reader.read(frame, &mut self.reading);
        let done = pipeline::embed(&self.engine, &self.asked, &self.reading, &mut self.kept);
        self.settle(done)
    }

    /// [`Session::embed`] of a frame that one of the session's readers read.
    pub(crate) fn embed_reading(&mut self, reading: &Reading) -> Result<Vec<f32>, Error> {
        let done = pipeline::embed(&self.engine, &self.asked, reading, &mut self.kept);
        self.settle(done)
    }

    /// Whether a reading is of what this session looks at.
    pub(crate) fn sees(&self, reading: &Reading) -> bool {
        reading.is_by(&self.reader)
    }

    /// Runs one frame; `start` is when its bytes arrived.
    fn run(&mut self, start: Instant, frame: &Frame<'_>, report: &mut Report) -> Result<(), Error> {
        self.reader.read_since(start, frame, &mut self.reading);
        let (asked, kept) = (&self.asked, &mut self.kept);
        let done = pipeline::run(&self.engine, asked, &self.reading, kept, report);
        self.settle(done)
    }

    /// Lets go of all that is kept for the next frame where a frame needed too much memory.
    fn settle<T>(&mut self, done: Result<T, Error>) -> Result<T, Error> {
        if let Err(Error::Memory { .. }) = done {
            self.reader = self.reader();
            self.reading = Reading::default();
            self.kept = Kept::new(Pace::new(self.options.budget));
        }
        done
    }
}
