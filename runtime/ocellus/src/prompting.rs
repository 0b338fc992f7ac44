//! Prompting: what is made of a label before it is compared with pictures.
//!
//! Hard prompts are sentences with the label in them; soft prompts are vectors that were learnt: a prefix, which stands before
//! the label's tokens where the text encoder takes their embeddings, or offsets, which are added to the label's own
//! embedding. The mix weighs the two kinds:
//!
//! ```text
//! hard = unit(mean over templates of unit(text encoder(template with the label)))
//! soft = unit(text encoder(start, prefix, label, end)), or
//! soft = unit(mean over offsets of unit(text encoder(label) + offset))
//! embedding = unit((1 - mix) * hard + mix * soft)
//! ```
//!
//! After Zhou et al., "Learning to Prompt for Vision-Language Models", IJCV 2022, and Yu et al., "Task Residual for Tuning
//! Vision-Language Models", CVPR 2023.
//!
//! Limits: soft prompts suit the labels that they were learnt from, and others less; a bundle's report says how much. A
//! prefix takes places from long labels.

use crate::{
    bundle::{Bundle, SoftVectors},
    engine::Engine,
    error::Error,
};
use ocellus_language::{Templates, ensemble};

/// How labels are prompted; what is left out is the bundle's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PromptOptions {
    /// Templates with `{}` once in each, where the label goes, in the place of the bundle's; none: the bundle's.
    pub templates: Vec<String>,
    /// The share of the bundle's soft prompts in an embedding, 0..1; 0 is templates alone.
    pub mix: Option<f32>,
}

/// Checked prompts of a bundle.
#[derive(Clone, Debug)]
pub(crate) struct Prompting {
    templates: Templates,
    mix: f32,
}

impl Prompting {
    /// The bundle's prompts, or what is asked for in their place.
    ///
    /// # Errors
    /// [`Error::Template`], [`Error::PromptMix`], [`Error::NoSoftPrompts`].
    pub fn new(bundle: &Bundle, options: &PromptOptions) -> Result<Prompting, Error> {
        let manifest = bundle.manifest();
        let templates = match &options.templates[..] {
            [] => &manifest.text.templates,
            given => given,
        };
        let templates = Templates::new(templates.to_vec()).map_err(Error::Template)?;
        let soft = manifest.soft_prompts.as_ref();
        let mix = options.mix.or(soft.map(|soft| soft.mix)).unwrap_or(0.0);
        if !(0.0..=1.0).contains(&mix) {
            return Err(Error::PromptMix { got: mix });
        }
        if mix > 0.0 && soft.is_none() {
            return Err(Error::NoSoftPrompts {
                bundle: manifest.name.clone(),
            });
        }
        Ok(Prompting { templates, mix })
    }
}

impl Engine {
    /// The embedding `[d]` of a label, of length one, by the bundle's prompts.
    ///
    /// # Errors
    /// [`Error::Language`] where no word of the label is known.
    pub fn embed_label(&self, label: &str) -> Result<Vec<f32>, Error> {
        self.embed_prompted(label, &self.prompting)
    }

    /// The embedding `[d]` of a label, of length one, by these prompts.
    pub(crate) fn embed_prompted(&self, label: &str, by: &Prompting) -> Result<Vec<f32>, Error> {
        let hard = || -> Result<Vec<f32>, Error> {
            let prompts = by.templates.expand(label);
            let embeddings = prompts.iter().map(|prompt| self.embed_prompt(prompt));
            Ok(ensemble(&embeddings.collect::<Result<Vec<_>, _>>()?)?)
        };
        let soft = || -> Result<Vec<f32>, Error> {
            match &self.soft {
                SoftVectors::None => self.embed_prompt(label),
                SoftVectors::Offsets(offsets) => {
                    let label = self.embed_prompt(label)?;
                    let moved = offsets.iter().map(|offset| sum(&label, offset));
                    Ok(ensemble(&moved.collect::<Vec<_>>())?)
                }
                SoftVectors::Prefix { vectors, count } => {
                    self.tokenizer.require_known(label)?;
                    let (tokens, at) = self.tokenizer.tokenize_behind(*count, label);
                    self.text.encode_with(&tokens.ids, at, vectors)
                }
            }
        };
        match by.mix {
            0.0 => hard(),
            1.0 => soft(),
            mix => {
                let scaled = |vector: Vec<f32>, share: f32| -> Vec<f32> {
                    vector.into_iter().map(|x| x * share).collect()
                };
                let mixed = sum(&scaled(hard()?, 1.0 - mix), &scaled(soft()?, mix));
                Ok(ensemble(&[mixed])?)
            }
        }
    }

    /// The embedding `[d]` of a whole prompt, no template applied.
    ///
    /// # Errors
    /// [`Error::Language`] where no word of it is known.
    pub fn embed_prompt(&self, prompt: &str) -> Result<Vec<f32>, Error> {
        self.tokenizer.require_known(prompt)?;
        self.text.encode(&self.tokenizer.tokenize(prompt).ids)
    }
}

fn sum(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}
