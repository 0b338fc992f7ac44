//! Who answers frames: a session, or a router that chooses among several for each frame.

use super::Arguments;
use crate::{
    Usage, loading,
    routes::{Call, Table},
};
use ocellus::{
    Bundle, Examples, Reader, Reading, Relevance, Session, SessionOptions,
    route::{Routed, Router},
};
use std::{sync::Arc, time::Duration};

/// Who answers.
pub trait Brain {
    /// What a frame shows, of which each reader has read its part. Without routes, the route of the answer stays empty.
    fn answer(&mut self, readings: &[Reading], routed: &mut Routed) -> Result<(), ocellus::Error>;

    /// Whether to be content with the first answer, sure or not.
    fn spare(&mut self, spare: bool);
}

/// Who answers a watch.
pub enum Mind {
    Session(Box<Session>),
    Router(Box<Router>),
}

impl Brain for Mind {
    fn answer(&mut self, readings: &[Reading], routed: &mut Routed) -> Result<(), ocellus::Error> {
        match self {
            // A session has one reader.
            Mind::Session(session) => session.infer_reading(&readings[0], &mut routed.report),
            Mind::Router(router) => router.infer_readings(readings, routed),
        }
    }

    fn spare(&mut self, spare: bool) {
        let budget = spare.then_some(Duration::ZERO);
        match self {
            Mind::Session(session) => session.set_budget(budget),
            Mind::Router(router) => router.set_budget(budget),
        }
    }
}

/// What a watch looks for, before anything is made ready.
pub enum Wanted {
    /// Labels in every frame.
    Labels {
        bundle: Arc<Bundle>,
        /// By words.
        labels: Vec<String>,
        /// By examples, and by words as well.
        taught: Option<Examples>,
    },
    /// In each frame those of its route.
    Routes {
        table: Table,
        /// Of the routes that have none of their own.
        labels: Vec<String>,
    },
}

impl Wanted {
    /// Reads what the arguments name.
    pub fn of(arguments: &Arguments) -> anyhow::Result<Wanted> {
        let Some(file) = &arguments.route.routes else {
            let bundle = Arc::new(arguments.bundle.load()?);
            let taught = arguments.taught.read(&bundle)?;
            return Ok(Wanted::Labels {
                bundle,
                labels: labels(arguments, taught.as_ref())?,
                taught,
            });
        };
        let places = [("--where", arguments.places)];
        arguments.route.refuse(&arguments.taught, &places)?;
        let mut labels = arguments.labels.any()?;
        if labels.is_empty() {
            labels = of_alerts(arguments, &[]);
        }
        Ok(Wanted::Routes {
            table: Table::read(file)?,
            labels,
        })
    }

    /// Every label that an answer may have.
    pub fn labels(&self) -> Vec<String> {
        match self {
            Wanted::Labels { labels, taught, .. } => {
                let mut all = labels.clone();
                for (label, _) in taught.iter().flat_map(Examples::labels) {
                    if !all.iter().any(|known| known.trim() == label) {
                        all.push(label.into());
                    }
                }
                all
            }
            Wanted::Routes { table, labels } => table.labels(labels),
        }
    }

    /// Who looks for it, ready to answer, and readers of the frames.
    pub fn ready(self, arguments: &Arguments) -> anyhow::Result<(Mind, Vec<Reader>)> {
        let mut options = SessionOptions {
            crop: arguments.crop,
            prompts: arguments.prompts.options(),
            ..SessionOptions::default()
        };
        match self {
            Wanted::Routes { table, labels } => {
                let router = table.router(&Call {
                    labels: &labels,
                    bundle: &arguments.bundle,
                    policy: &arguments.policy,
                    threads: arguments.threads,
                    options: &options,
                })?;
                let readers = router.readers();
                Ok((Mind::Router(Box::new(router)), readers))
            }
            Wanted::Labels {
                bundle,
                labels,
                taught,
            } => {
                let engine = Arc::new(loading::engine(bundle, arguments.threads.pool()?)?);
                options.policy = Some(arguments.policy.policy(engine.bundle().manifest())?);
                if arguments.places {
                    options.relevance = Relevance::Calibrated;
                }
                let session = Session::new(engine, options);
                let mut session = session.map_err(|error| Usage(error.to_string()))?;
                if let Some(taught) = &taught {
                    session.set_examples(taught)?;
                }
                if !labels.is_empty() {
                    session.set_labels(labels)?;
                }
                session.warm_up()?;
                let readers = vec![session.reader()];
                Ok((Mind::Session(Box::new(session)), readers))
            }
        }
    }
}

/// The labels that are given; those of the alerts if none are, without those that were taught.
fn labels(arguments: &Arguments, taught: Option<&Examples>) -> anyhow::Result<Vec<String>> {
    let given = arguments.labels.any()?;
    if !given.is_empty() {
        return Ok(given);
    }
    let taught: Vec<&str> = taught.map_or_else(Vec::new, |taught| {
        taught.labels().map(|(label, _)| label).collect()
    });
    if arguments.on.is_empty() && taught.is_empty() {
        return arguments.labels.labels();
    }
    Ok(of_alerts(arguments, &taught))
}

/// The labels of the alerts, each once, without some.
fn of_alerts(arguments: &Arguments, without: &[&str]) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for condition in &arguments.on {
        if !labels.contains(&condition.label) && !without.contains(&condition.label.as_str()) {
            labels.push(condition.label.clone());
        }
    }
    labels
}
