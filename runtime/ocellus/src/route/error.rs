//! What can be wrong with a table of routes, or keep every route from being taken.

use super::{Candidate, Skipped};
use std::fmt::Write;

/// Why there is no router, or no route.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RouteError {
    /// A table without routes.
    #[error("routes: expected at least one, got none")]
    Empty,
    /// Two routes of one name.
    #[error("route {name:?}: expected each name once, got it twice; rename one")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// A number that is out of its range.
    #[error("route {name:?}: {what}: expected {expected}, got {got}")]
    Number {
        /// The route, or `weights`.
        name: String,
        /// Which number.
        what: &'static str,
        /// Its range.
        expected: &'static str,
        /// What it was.
        got: String,
    },
    /// A session that is to answer for a route is in use.
    #[error(
        "route {name:?}: expected sessions that nobody uses, got one in use; end that call first"
    )]
    InUse {
        /// The route.
        name: String,
    },
    /// What a route looks at was not read.
    #[error(
        "{who}: expected a reading of the part of the frame that it looks at, got none; read with the router's own readers, and make the router again where a session has changed since"
    )]
    NotRead {
        /// The route, or the scout.
        who: String,
    },
    /// Every route was skipped.
    #[error(
        "no route can be taken: {}; raise a threshold, or add instances or a quicker route",
        reasons(.0)
    )]
    AllSkipped(Vec<Candidate>),
}

fn reasons(candidates: &[Candidate]) -> String {
    let mut words = String::new();
    for candidate in candidates {
        let comma = if words.is_empty() { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = match candidate.skipped {
            Some(Skipped::OverThreshold) => write!(
                words,
                "{comma}{:?} takes {:.1} ms, over its {:.1} ms",
                candidate.route,
                candidate.latency_us as f64 / 1e3,
                candidate.latency_threshold_us as f64 / 1e3
            ),
            Some(Skipped::Busy) => {
                write!(words, "{comma}{:?} has no free instance", candidate.route)
            }
            None => Ok(()),
        };
    }
    words
}
