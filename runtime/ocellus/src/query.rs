//! A query: what a search asks pictures for, in words or by a picture, and what a score means.
//!
//! A cosine has no meaning by itself, and neither has a rank: something is always the nearest. So a query stands against
//! the bundle's background pictures as a label does, alone: its cosine with a picture is measured in units of the spread of
//! its cosines with the background, and calibrated. The probability is of one picture; among ten thousand that do not fit, a few
//! pass by chance.
//!
//! Limits: the calibration was made on words. For a query that is a picture the same measure says how far a hit stands out
//! of the background, and its probability is to be taken as an order, not as a frequency.

use crate::{
    bundle::NoMatch,
    engine::Engine,
    error::Error,
    heads::{Standing, make_unit},
    prompting::{PromptOptions, Prompting},
};
use ocellus_language::Labels;

/// A query's direction, and its standing against the background.
#[derive(Debug)]
pub struct Query {
    embedding: Vec<f32>,
    /// Where the bundle has a no-match verdict.
    standing: Option<(Standing, NoMatch)>,
    unknown: Vec<String>,
}

impl Query {
    /// What `text` asks for among pictures that were embedded at `resolution`; the bundle's prompt templates are around
    /// it, as around a label.
    ///
    /// # Errors
    /// [`Error::Language`] for a text that is empty, too long, holds a control character, or no word that is known;
    /// [`Error::Policy`] where the bundle has no such resolution.
    pub fn text(engine: &Engine, text: &str, resolution: u32) -> Result<Query, Error> {
        Query::prompted(engine, text, resolution, &PromptOptions::default())
    }

    /// [`Query::text`] by these prompts.
    ///
    /// # Errors
    /// Those of [`Query::text`]; [`Error::Template`], [`Error::PromptMix`], [`Error::NoSoftPrompts`].
    pub fn prompted(
        engine: &Engine,
        text: &str,
        resolution: u32,
        prompts: &PromptOptions,
    ) -> Result<Query, Error> {
        let prompting = Prompting::new(engine.bundle(), prompts)?;
        let checked = Labels::new(vec![text.into()])?;
        let text = &checked.as_slice()[0];
        engine.tokenizer.require_known(text)?;
        let unknown = engine.tokenizer.tokenize(text).unknown;
        let embedding = engine.embed_prompted(text, &prompting)?;
        Query::new(engine, embedding, unknown, resolution)
    }

    /// Pictures like the one of this embedding, `[dimension]`.
    ///
    /// # Errors
    /// [`Error::NotFinite`] where it has no direction, [`Error::Policy`] where the bundle has no such resolution.
    pub fn picture(
        engine: &Engine,
        mut embedding: Vec<f32>,
        resolution: u32,
    ) -> Result<Query, Error> {
        match make_unit(&mut embedding) {
            true => Query::new(engine, embedding, Vec::new(), resolution),
            false => Err(engine.not_finite("image embedding")),
        }
    }

    fn new(
        engine: &Engine,
        embedding: Vec<f32>,
        unknown: Vec<String>,
        resolution: u32,
    ) -> Result<Query, Error> {
        let background = engine.background(resolution)?;
        let calibration = engine.bundle().manifest().no_match.as_ref();
        Ok(Query {
            standing: background
                .zip(calibration)
                .map(|(background, calibration)| {
                    let standing = Standing::new(background, std::slice::from_ref(&embedding));
                    (standing, calibration.clone())
                }),
            embedding,
            unknown,
        })
    }

    /// The direction, `[dimension]`, of length one.
    pub fn embedding(&self) -> &[f32] {
        &self.embedding
    }

    /// Words that the vocabulary does not know, and that were left out.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// The probability, 0..1, that a picture with this cosine shows what was asked for; 1 where the bundle has no
    /// `[no_match]` table and cannot tell.
    pub fn match_probability(&self, score: f32) -> f32 {
        self.standing
            .as_ref()
            .map_or(1.0, |(standing, calibration)| {
                standing.match_probability(&[score], calibration)
            })
    }

    /// Whether a picture with this cosine is none of what was asked for, by the bundle's threshold.
    pub fn no_match(&self, score: f32) -> bool {
        let threshold = self
            .standing
            .as_ref()
            .map_or(0.0, |(_, calibration)| calibration.threshold);
        self.match_probability(score) < threshold
    }
}
