//! The choice among routes: a pure function of how each stands.

use super::RouteError;
use serde::Serialize;
use std::{sync::Arc, time::Duration};

/// How much each half of a score counts. Not below zero, and not both zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Of the semantic match.
    pub semantic: f32,
    /// Of being quick.
    pub latency: f32,
}

impl Default for Weights {
    fn default() -> Weights {
        Weights {
            semantic: 0.7,
            latency: 0.3,
        }
    }
}

impl Weights {
    pub(super) fn check(&self) -> Result<(), RouteError> {
        for (what, weight) in [("semantic", self.semantic), ("latency", self.latency)] {
            if !(weight >= 0.0 && weight.is_finite()) {
                return Err(RouteError::Number {
                    name: "weights".into(),
                    what,
                    expected: "0 or above",
                    got: weight.to_string(),
                });
            }
        }
        match self.semantic + self.latency > 0.0 {
            true => Ok(()),
            false => Err(RouteError::Number {
                name: "weights".into(),
                what: "semantic + latency",
                expected: "above 0",
                got: "0".into(),
            }),
        }
    }
}

/// Why a route was not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skipped {
    /// It takes longer than its threshold just now.
    OverThreshold,
    /// All its instances are in use.
    Busy,
}

/// How a route stands for one frame. Field names are the JSON's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// Its name.
    #[serde(serialize_with = "text")]
    pub route: Arc<str>,
    /// How well its label fits, 0..1 times its weight.
    pub semantic_match: f32,
    /// What it is expected to take, in microseconds.
    pub latency_us: u64,
    /// What it may take, in microseconds.
    pub latency_threshold_us: u64,
    /// Its score; none of a route that was skipped.
    pub score: Option<f32>,
    /// Why it was skipped, if it was.
    pub skipped: Option<Skipped>,
}

fn text<S: serde::Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

/// Which route was taken, and how all of them stood.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Choice {
    /// The route that answered.
    #[serde(serialize_with = "text")]
    pub taken: Arc<str>,
    /// Every route, in the order of the table.
    pub candidates: Vec<Candidate>,
    /// What finding out what the frame is took, in microseconds; 0 where words decide.
    pub scout_us: u64,
}

/// How a route stands before the choice.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub route: Arc<str>,
    pub semantic_match: f32,
    pub latency: Duration,
    pub threshold: Duration,
    pub busy: bool,
}

/// Every route's score, and the place of the best; `None` where all are skipped. The longest latency of the formula is that
/// of the routes that are not skipped.
pub(super) fn choose(weights: Weights, standings: &[Standing]) -> (Vec<Candidate>, Option<usize>) {
    let skipped = |standing: &Standing| {
        if standing.latency > standing.threshold {
            Some(Skipped::OverThreshold)
        } else if standing.busy {
            Some(Skipped::Busy)
        } else {
            None
        }
    };
    let open = standings.iter().filter(|one| skipped(one).is_none());
    let longest = open.map(|one| one.latency).max().unwrap_or_default();
    let quickness = |latency: Duration| match longest.is_zero() {
        true => 0.0,
        false => 1.0 - latency.div_duration_f32(longest),
    };
    let us = |duration: Duration| duration.as_micros() as u64;
    let candidates: Vec<Candidate> = standings
        .iter()
        .map(|one| {
            let skipped = skipped(one);
            let score =
                weights.semantic * one.semantic_match + weights.latency * quickness(one.latency);
            Candidate {
                route: Arc::clone(&one.route),
                semantic_match: one.semantic_match,
                latency_us: us(one.latency),
                latency_threshold_us: us(one.threshold),
                score: skipped.is_none().then_some(score),
                skipped,
            }
        })
        .collect();
    let mut best: Option<(usize, f32)> = None;
    for (index, candidate) in candidates.iter().enumerate() {
        if let Some(score) = candidate.score
            && best.is_none_or(|(_, most)| score > most)
        {
            best = Some((index, score));
        }
    }
    (candidates, best.map(|(index, _)| index))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(name: &str, semantic_match: f32, ms: u64, threshold_ms: u64) -> Standing {
        Standing {
            route: name.into(),
            semantic_match,
            latency: Duration::from_millis(ms),
            threshold: Duration::from_millis(threshold_ms),
            busy: false,
        }
    }

    fn taken(weights: Weights, standings: &[Standing]) -> Option<&str> {
        let (candidates, best) = choose(weights, standings);
        assert_eq!(candidates.len(), standings.len());
        best.map(|index| &*standings[index].route)
    }

    #[test]
    fn the_formula_is_that_of_a_plain_computation() {
        // A multiplicative congruential generator: many tables, the same on each machine.
        let mut seed = 12_345_u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for _ in 0..1000 {
            let weights = Weights {
                semantic: next(100) as f32 / 100.0,
                latency: (1 + next(100)) as f32 / 100.0,
            };
            let standings: Vec<Standing> = (0..1 + next(6))
                .map(|index| Standing {
                    busy: next(5) == 0,
                    ..standing(
                        &format!("r{index}"),
                        next(1000) as f32 / 1000.0,
                        1 + next(300),
                        1 + next(400),
                    )
                })
                .collect();
            let mut longest = 0.0_f64;
            for one in &standings {
                if one.latency <= one.threshold && !one.busy {
                    longest = longest.max(one.latency.as_secs_f64());
                }
            }
            let mut expected: Option<(f64, usize)> = None;
            for (index, one) in standings.iter().enumerate() {
                if one.latency > one.threshold || one.busy {
                    continue;
                }
                let quick = 1.0 - one.latency.as_secs_f64() / longest;
                let score = f64::from(weights.semantic) * f64::from(one.semantic_match)
                    + f64::from(weights.latency) * quick;
                let (candidates, _) = choose(weights, &standings);
                let got = candidates[index].score.expect("not skipped");
                assert!((f64::from(got) - score).abs() < 1e-6, "{got} {score}");
                if expected.is_none_or(|(most, _)| score > most + 1e-6) {
                    expected = Some((score, index));
                }
            }
            let (candidates, best) = choose(weights, &standings);
            assert_eq!(best.is_some(), expected.is_some());
            if let (Some(best), Some((most, _))) = (best, expected) {
                let got = candidates[best].score.expect("not skipped");
                assert!((f64::from(got) - most).abs() < 2e-6, "{candidates:?}");
            }
        }
    }

    #[test]
    fn meaning_weighs_more_than_haste_until_the_weights_say_otherwise() {
        let routes = [
            standing("night", 0.8, 100, 500),
            standing("day", 0.2, 20, 500),
        ];
        // 0.56 against 0.14 + 0.24.
        assert_eq!(taken(Weights::default(), &routes), Some("night"));
        let hasty = Weights {
            semantic: 0.3,
            latency: 0.7,
        };
        assert_eq!(taken(hasty, &routes), Some("day"));
    }

    #[test]
    fn a_route_that_is_slow_or_busy_is_skipped_and_equal_ones_go_by_the_table() {
        let mut routes = [standing("a", 0.5, 10, 50), standing("b", 0.5, 10, 50)];
        assert_eq!(taken(Weights::default(), &routes), Some("a"));
        routes[0].busy = true;
        assert_eq!(taken(Weights::default(), &routes), Some("b"));
        routes[0].latency = Duration::from_millis(51);
        let (candidates, _) = choose(Weights::default(), &routes);
        assert_eq!(candidates[0].skipped, Some(Skipped::OverThreshold));
        assert_eq!(candidates[0].score, None);
        routes[1].busy = true;
        let (candidates, best) = choose(Weights::default(), &routes);
        assert_eq!(best, None);
        let error = RouteError::AllSkipped(candidates).to_string();
        assert!(
            error.contains("\"a\" takes 51.0 ms, over its 50.0 ms"),
            "{error}"
        );
        assert!(error.contains("\"b\" has no free instance"), "{error}");
    }
}
