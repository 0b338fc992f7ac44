//! Words: from labels to embeddings, through templates, pieces and the text encoder.

use crate::{attention::Prompts, engine::Engine, error::Error, heads::Standing, relevance};
use ocellus_language::{Labels, ensemble};
use std::sync::{Arc, OnceLock};

/// A set of labels with their embeddings, computed once.
pub(crate) struct Words {
    pub labels: Labels,
    /// The labels again, as reports hold them.
    pub shared: Vec<Arc<str>>,
    /// Unit vectors `[n][d]`.
    pub embeddings: Vec<Vec<f32>>,
    /// Words that the vocabulary does not know and that were left out, as `label: words`.
    pub warnings: Vec<String>,
    /// The labels against the background of each resolution, computed at first use.
    standings: Vec<OnceLock<Standing>>,
    /// The labels as tokens of the attention, where relevance is asked for.
    pub prompts: Option<Prompts>,
}

impl Words {
    pub fn new(engine: &Engine, labels: Vec<String>) -> Result<Words, Error> {
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
            embeddings.push(engine.embed_label(label)?);
        }
        let standings = engine
            .resolutions()
            .iter()
            .map(|_| OnceLock::new())
            .collect();
        let shared = labels.iter().map(Arc::from).collect();
        Ok(Words {
            labels,
            shared,
            embeddings,
            warnings,
            standings,
            prompts: None,
        })
    }

    /// Makes the labels ready to be attended to.
    pub fn prepare_relevance(&mut self, engine: &Engine) -> Result<(), Error> {
        self.prompts = Some(relevance::prompts(engine, &self.embeddings)?);
        Ok(())
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

impl Engine {
    /// The embedding `[d]` of a label: the mean over the bundle's prompt templates.
    ///
    /// # Errors
    /// [`Error::Language`] where no word of the label is known.
    pub fn embed_label(&self, label: &str) -> Result<Vec<f32>, Error> {
        let prompts = self.templates.expand(label);
        let embeddings = prompts
            .iter()
            .map(|prompt| self.embed_prompt(prompt))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(ensemble(&embeddings)?)
    }

    /// The embedding `[d]` of a whole prompt, no template applied.
    ///
    /// # Errors
    /// [`Error::Language`] where no word of it is known.
    pub fn embed_prompt(&self, prompt: &str) -> Result<Vec<f32>, Error> {
        self.tokenizer.require_known(prompt)?;
        let ids: Vec<i64> = self
            .tokenizer
            .tokenize(prompt)
            .ids
            .into_iter()
            .map(i64::from)
            .collect();
        self.encode_text(&ids)
    }
}
