//! Prompt templates: `a photo of a {}` puts a label into a sentence like those that the text space was learnt from.
//!
//! Several templates average out what one of them adds to the label's meaning (Radford et al., 2021, CLIP).

use crate::LanguageError;

/// Where the label goes.
const HOLE: &str = "{}";

/// Checked prompt templates, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Templates {
    /// What stands before and after the label.
    around: Vec<(String, String)>,
}

impl Templates {
    /// Checks the templates.
    ///
    /// # Errors
    ///
    /// There is none, or one has not exactly one `{}`.
    pub fn new(templates: Vec<String>) -> Result<Templates, LanguageError> {
        if templates.is_empty() {
            return Err(LanguageError::NoTemplates);
        }
        let around: Result<_, _> = (1..)
            .zip(templates)
            .map(|(position, template)| split(position, template))
            .collect();
        Ok(Templates { around: around? })
    }

    /// One prompt for each template, in order.
    pub fn expand(&self, label: &str) -> Vec<String> {
        self.around
            .iter()
            .map(|(before, after)| format!("{before}{label}{after}"))
            .collect()
    }
}

fn split(position: usize, template: String) -> Result<(String, String), LanguageError> {
    let holes = template.matches(HOLE).count();
    match template.split_once(HOLE) {
        Some((before, after)) if holes == 1 => Ok((before.into(), after.into())),
        _ => Err(LanguageError::TemplateHoles {
            position,
            template,
            holes,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(templates: &[&str]) -> Result<Templates, LanguageError> {
        Templates::new(
            templates
                .iter()
                .map(|template| template.to_string())
                .collect(),
        )
    }

    #[test]
    fn a_label_goes_where_the_hole_is() {
        let templates = new(&["a photo of a {}", "{}", "{} in {braces}"]).unwrap();
        assert_eq!(
            templates.expand("bus"),
            ["a photo of a bus", "bus", "bus in {braces}"]
        );
        assert_eq!(
            templates.expand("{}"),
            ["a photo of a {}", "{}", "{} in {braces}"]
        );
        assert_eq!(templates.expand("")[0], "a photo of a ");
    }

    #[test]
    fn a_template_has_one_hole() {
        assert_eq!(new(&[]), Err(LanguageError::NoTemplates));
        for (template, holes) in [
            ("", 0),
            ("a photo", 0),
            ("{ }", 0),
            ("{}{}", 2),
            ("{} {} {}", 3),
        ] {
            let expected = LanguageError::TemplateHoles {
                position: 2,
                template: template.into(),
                holes,
            };
            assert_eq!(new(&["{}", template]), Err(expected));
        }
    }
}
