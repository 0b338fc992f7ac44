//! Which labels a command line names, and how they are prompted.

use crate::Usage;
use anyhow::Context;
use ocellus::PromptOptions;
use std::path::PathBuf;

/// Options that name labels.
#[derive(clap::Args)]
pub struct LabelOptions {
    /// Labels, separated by commas
    #[arg(long, value_name = "A,B")]
    labels: Option<String>,
    /// One label as it is, commas included; may be repeated
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    /// A UTF-8 file with one label a line; blank lines and lines that start with # are left out
    #[arg(long, value_name = "FILE")]
    labels_file: Option<PathBuf>,
}

/// Options that say how labels are prompted.
#[derive(clap::Args)]
pub struct PromptArguments {
    /// A sentence with {} where the label goes, instead of the bundle's; may be repeated, and then they are averaged
    #[arg(long, value_name = "SENTENCE")]
    template: Vec<String>,
    /// The share of the bundle's soft prompts beside the sentences, 0 to 1; the bundle's if left out
    #[arg(long, value_name = "0..1")]
    prompt_mix: Option<f32>,
}

impl PromptArguments {
    /// The same for the library.
    pub fn options(&self) -> PromptOptions {
        PromptOptions {
            templates: self.template.clone(),
            mix: self.prompt_mix,
        }
    }
}

impl LabelOptions {
    /// The labels, of which there is one at least.
    pub fn labels(&self) -> anyhow::Result<Vec<String>> {
        let labels = self.any()?;
        if labels.is_empty() {
            return Err(Usage(
                "no labels; give --labels \"a cat,a dog\", --label or --labels-file".into(),
            )
            .into());
        }
        Ok(labels)
    }

    /// The labels, if any.
    pub fn any(&self) -> anyhow::Result<Vec<String>> {
        let mut labels = self.label.clone();
        if let Some(list) = &self.labels {
            labels.extend(list.split(',').map(str::to_owned));
        }
        if let Some(file) = &self.labels_file {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("--labels-file {}", file.display()))?;
            let lines = text
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty() && !line.starts_with('#'));
            labels.extend(lines.map(str::to_owned));
        }
        Ok(labels)
    }
}
