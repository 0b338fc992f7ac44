//! Words: from labels to embeddings, through templates, pieces and the text encoder.

use crate::{
    attention::Prompts, engine::Engine, error::Error, heads::Standing, prompting::Prompting,
    relevance,
};
use ocellus_language::Labels;
use std::sync::{Arc, OnceLock};

/// A set of labels with their embeddings, computed once: those that were set, then those that were only taught.
pub(crate) struct Words {
    /// The labels that were set.
    pub labels: Vec<String>,
    /// Every label, as reports hold them.
    pub shared: Vec<Arc<str>>,
    /// Unit vectors `[n][d]`.
    pub embeddings: Vec<Vec<f32>>,
    /// Of each label that was taught: its number among those.
    pub taught: Vec<Option<usize>>,
    /// Words that the vocabulary does not know and that were left out, as `label: words`.
    pub warnings: Vec<String>,
    /// The labels against the background of each resolution, computed at first use.
    standings: Vec<OnceLock<Standing>>,
    /// The labels as tokens of the attention, where relevance is asked for.
    pub prompts: Option<Prompts>,
}

impl Words {
    /// The words of labels that are set.
    pub fn new(
        engine: &Engine,
        prompting: &Prompting,
        labels: Vec<String>,
    ) -> Result<Words, Error> {
        let labels = Labels::new(labels)?;
        let mut warnings = Vec::new();
        let mut embeddings = Vec::with_capacity(labels.len());
        for label in labels.iter() {
            engine.tokenizer.require_known(label)?;
            let unknown = engine.tokenizer.tokenize(label).unknown;
            if !unknown.is_empty() {
                warnings.push(format!(
                    "label {label:?}: left out, not in the vocabulary: {}",
                    unknown.join(" ")
                ));
            }
            embeddings.push(engine.embed_prompted(label, prompting)?);
        }
        Ok(Words {
            taught: vec![None; labels.len()],
            shared: labels.iter().map(Arc::from).collect(),
            labels: labels.as_slice().to_vec(),
            embeddings,
            warnings,
            standings: Words::no_standings(engine),
            prompts: None,
        })
    }

    /// The words of labels that are set, if any are, and of those that were taught; nothing where there is none of
    /// either.
    pub fn with<'a>(
        engine: &Engine,
        set: Option<&Words>,
        taught: impl Iterator<Item = (&'a Arc<str>, &'a [f32])>,
        relevance: bool,
    ) -> Result<Option<Words>, Error> {
        let labels = set.map_or(&[][..], |words| &words.labels);
        let count = labels.len();
        let mut words = Words {
            labels: labels.to_vec(),
            shared: set.map_or_else(Vec::new, |words| words.shared[..count].to_vec()),
            embeddings: set.map_or_else(Vec::new, |words| words.embeddings[..count].to_vec()),
            taught: vec![None; count],
            warnings: set.map_or_else(Vec::new, |words| words.warnings.clone()),
            standings: Words::no_standings(engine),
            prompts: None,
        };
        for (number, (label, embedding)) in taught.enumerate() {
            match labels.iter().position(|set| **set == **label) {
                Some(at) => words.taught[at] = Some(number),
                None => {
                    words.shared.push(Arc::clone(label));
                    words.embeddings.push(embedding.to_vec());
                    words.taught.push(Some(number));
                }
            }
        }
        if words.shared.is_empty() {
            return Ok(None);
        }
        if relevance {
            words.prompts = Some(relevance::prompts(engine, &words.embeddings)?);
        }
        Ok(Some(words))
    }

    fn no_standings(engine: &Engine) -> Vec<OnceLock<Standing>> {
        let resolutions = engine.resolutions();
        resolutions.iter().map(|_| OnceLock::new()).collect()
    }

    /// The labels against the background at a resolution, where the bundle has a no-match verdict.
    pub fn standing(&self, engine: &Engine, resolution: u32) -> Result<Option<&Standing>, Error> {
        let Some(background) = engine.background(resolution)? else {
            return Ok(None);
        };
        let index = engine
            .resolutions()
            .iter()
            .position(|&side| side == resolution)
            .unwrap_or(0);
        let made = || Standing::new(background, &self.embeddings);
        Ok(Some(self.standings[index].get_or_init(made)))
    }
}
