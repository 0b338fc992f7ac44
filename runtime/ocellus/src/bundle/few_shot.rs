//! `[few_shot]`: how pictures that a device is taught by count beside words. `models/README.md` is the specification.

use super::{BundleError, Manifest, check};
use serde::Deserialize;

/// Calibration of few-shot labels.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FewShot {
    /// Side in pixels at which examples are encoded, one of the image encoder's.
    pub resolution: u32,
    /// What an example that equals the picture adds to its label's score, where leave-one-out has nothing to go by.
    pub weight: f32,
    /// How fast that falls off: `weight * exp(sharpness * (similarity - 1))`, likewise.
    pub sharpness: f32,
    /// Slope of the logistic that turns the nearest example's similarity into a match probability.
    pub slope: f32,
    /// Its intercept.
    pub intercept: f32,
}

impl FewShot {
    /// The bundle's; of a bundle that has none, the middle resolution, numbers that suit most encoders, and no say in
    /// whether anything fits.
    pub fn of(manifest: &Manifest) -> FewShot {
        let resolutions = &manifest.image.resolutions;
        manifest.few_shot.clone().unwrap_or_else(|| FewShot {
            resolution: resolutions[resolutions.len() / 2],
            weight: 2.0,
            sharpness: 8.0,
            slope: 1.0,
            intercept: -1e3,
        })
    }

    /// The probability, 0..1, that a picture as similar as this to one of the examples shows what they show.
    pub(crate) fn match_probability(&self, similarity: f32) -> f32 {
        1.0 / (1.0 + (-(self.slope * similarity + self.intercept)).exp())
    }

    pub(super) fn check(&self, resolutions: &[u32]) -> Result<(), BundleError> {
        check::require(
            "few_shot.resolution",
            resolutions.contains(&self.resolution),
            || {
                (
                    format!("one of {resolutions:?}"),
                    self.resolution.to_string(),
                )
            },
        )?;
        check::in_range("few_shot.weight", self.weight, 0.0, 1e3)?;
        check::in_range("few_shot.sharpness", self.sharpness, 0.0, 1e3)?;
        check::in_range("few_shot.slope", self.slope, 0.0, 1e3)?;
        check::in_range("few_shot.intercept", self.intercept, -1e3, 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::check::tests::each_is_named, *};

    const GOOD: &str = include_str!("../../tests/data/manifest.toml");

    #[test]
    fn each_bad_value_is_named() {
        each_is_named(
            GOOD,
            &[
                (
                    "resolution = 160",
                    "resolution = 161",
                    "few_shot.resolution",
                ),
                ("weight = 3.0", "weight = nan", "few_shot.weight"),
                ("sharpness = 8.0", "sharpness = -1.0", "few_shot.sharpness"),
                ("slope = 18.0", "slope = inf", "few_shot.slope"),
                ("intercept = -9.5", "intercept = 2e3", "few_shot.intercept"),
            ],
        );
    }

    #[test]
    fn a_bundle_without_it_lets_examples_count_but_not_fit() {
        let (before, rest) = GOOD.split_once("[few_shot]").expect("the table");
        let after = rest.split_once("[soft_prompts]").expect("the next one").1;
        let text = format!("{before}[soft_prompts]{after}");
        let fallback = FewShot::of(&Manifest::parse(&text).expect("it is optional"));
        assert_eq!((fallback.resolution, fallback.weight), (160, 2.0));
        assert_eq!(fallback.match_probability(1.0), 0.0);
        let given = FewShot::of(&Manifest::parse(GOOD).expect("the example"));
        assert_eq!(given.weight, 3.0);
        assert!(given.match_probability(0.9) > 0.99 && given.match_probability(0.3) < 0.05);
    }
}
