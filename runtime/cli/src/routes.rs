//! A table of routes: which sessions there are, and what each is for.
//!
//! ```toml
//! match = "frame"            # or "words": by the words that are asked for
//!
//! [weights]
//! semantic = 0.7
//! latency = 0.3
//!
//! [[route]]
//! name = "night"
//! label = "a dark street at night"
//! weight = 1.0
//! latency_threshold_ms = 400
//! instances = 1
//! bundle = "night-bundle"    # a folder beside the table; that of --bundle if left out
//! resolution = 224           # the policy of the call if left out
//! labels = ["a car", "a fox"]  # the labels of the call if left out
//! ```

use crate::{
    Usage,
    loading::{self, BundleOption, PolicyOptions, Threads},
    taught::TaughtOption,
};
use anyhow::Context;
use ocellus::{
    Bundle, Engine, Policy, Session, SessionOptions,
    route::{Candidate, MatchBy, Route, Router, Skipped, Weights},
};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Sessions of one route at once: each keeps memory of its own.
const MOST_INSTANCES: usize = 16;

/// Longer than anything is worth waiting for.
const LONGEST_MS: f64 = 3_600_000.0;

/// Options that choose among routes.
#[derive(clap::Args)]
pub struct RouteOptions {
    /// A table of routes (TOML): each frame is answered by the one that fits it and is quick enough
    #[arg(long, value_name = "FILE")]
    pub routes: Option<PathBuf>,
    /// Also say how every route stood
    #[arg(long, requires = "routes")]
    pub explain_route: bool,
}

impl RouteOptions {
    /// Refuses what routes cannot do: labels that were taught, and other options of the call that are given.
    pub fn refuse(&self, taught: &TaughtOption, others: &[(&str, bool)]) -> anyhow::Result<()> {
        let mut message = None;
        if taught.is_given() {
            message = Some("--routes: routes know no taught labels; leave out --taught".into());
        } else if let Some((option, _)) = others.iter().find(|(_, given)| *given) {
            message = Some(format!(
                "--routes: routes do not say where labels are; leave out {option}"
            ));
        }
        message.map_or(Ok(()), |message| Err(Usage(message).into()))
    }
}

/// A table of a file.
pub struct Table {
    file: PathBuf,
    written: Written,
}

/// A table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, rename = "match")]
    by: By,
    #[serde(default)]
    weights: Shares,
    #[serde(default)]
    route: Vec<Row>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum By {
    #[default]
    Frame,
    Words,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Shares {
    semantic: f32,
    latency: f32,
}

impl Default for Shares {
    fn default() -> Shares {
        let Weights { semantic, latency } = Weights::default();
        Shares { semantic, latency }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    label: String,
    #[serde(default = "one")]
    weight: f32,
    latency_threshold_ms: f64,
    #[serde(default = "one_instance")]
    instances: usize,
    bundle: Option<PathBuf>,
    resolution: Option<u32>,
    labels: Option<Vec<String>>,
}

fn one() -> f32 {
    1.0
}

fn one_instance() -> usize {
    1
}

/// What a call says beside its table.
pub struct Call<'a> {
    pub labels: &'a [String],
    pub bundle: &'a BundleOption,
    pub policy: &'a PolicyOptions,
    pub threads: Threads,
    pub options: &'a SessionOptions,
}

impl Table {
    /// Reads a table. What it names is not looked at yet.
    ///
    /// # Errors
    /// A file that cannot be read, or is no table.
    pub fn read(file: &Path) -> anyhow::Result<Table> {
        let named = || format!("--routes {}", file.display());
        let text = fs::read_to_string(file).with_context(named)?;
        let written = toml::from_str(&text)
            .map_err(|error| Usage(format!("{}: {}", named(), error.to_string().trim_end())))?;
        Ok(Table {
            file: file.to_owned(),
            written,
        })
    }

    /// Every label that a route looks for, where `call` are those of the call.
    pub fn labels(&self, call: &[String]) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        let rows = self.written.route.iter();
        for label in rows.flat_map(|row| row.labels.as_deref().unwrap_or(call)) {
            if !all.contains(label) {
                all.push(label.clone());
            }
        }
        all
    }

    /// The router of the table.
    ///
    /// # Errors
    /// A table that names a bundle, a resolution or a number that cannot be.
    pub fn router(&self, call: &Call<'_>) -> anyhow::Result<Router> {
        let named = || format!("--routes {}", self.file.display());
        let mut engines = Engines {
            folder: self.file.parent().unwrap_or(Path::new("")),
            call,
            loaded: BTreeMap::new(),
        };
        let mut routes = Vec::new();
        for row in &self.written.route {
            let sessions = engines.sessions(row).with_context(|| {
                let name = &row.name;
                format!("{}: route {name:?}", named())
            })?;
            routes.push((row.route(), sessions));
        }
        let (by, labels) = match self.written.by {
            By::Frame => (MatchBy::Frame, None),
            By::Words => (MatchBy::Words, Some(call.labels)),
        };
        let scout = engines.scout(labels).with_context(named)?;
        let Shares { semantic, latency } = self.written.weights;
        let weights = Weights { semantic, latency };
        Router::new(scout, by, weights, routes)
            .map_err(|error| Usage(format!("{}: {error}", named())).into())
    }
}

impl Row {
    fn route(&self) -> Route {
        let ms = self.latency_threshold_ms;
        // What is no time is zero, which a router refuses by name.
        let seconds = if ms > 0.0 {
            ms.min(LONGEST_MS) / 1e3
        } else {
            0.0
        };
        Route {
            name: self.name.clone(),
            label: self.label.clone(),
            weight: self.weight,
            latency_threshold: Duration::from_secs_f64(seconds),
        }
    }
}

/// Engines that were loaded, each once.
struct Engines<'a> {
    /// Where the table lies.
    folder: &'a Path,
    call: &'a Call<'a>,
    loaded: BTreeMap<Option<PathBuf>, Arc<Engine>>,
}

impl Engines<'_> {
    fn of(&mut self, bundle: Option<&PathBuf>) -> anyhow::Result<Arc<Engine>> {
        let path = bundle.map(|bundle| self.folder.join(bundle));
        if let Some(engine) = self.loaded.get(&path) {
            return Ok(Arc::clone(engine));
        }
        let bundle = match &path {
            None => self.call.bundle.load()?,
            Some(path) => {
                Bundle::open(path).with_context(|| format!("bundle {}", path.display()))?
            }
        };
        let engine = Arc::new(loading::engine(
            Arc::new(bundle),
            self.call.threads.pool()?,
        )?);
        self.loaded.insert(path, Arc::clone(&engine));
        Ok(engine)
    }

    fn session(
        &mut self,
        bundle: Option<&PathBuf>,
        policy: Option<Policy>,
        labels: &[String],
    ) -> anyhow::Result<Session> {
        let options = SessionOptions {
            policy,
            ..self.call.options.clone()
        };
        let mut session =
            Session::new(self.of(bundle)?, options).map_err(|error| Usage(error.to_string()))?;
        if !labels.is_empty() {
            session.set_labels(labels.to_vec())?;
        }
        Ok(session)
    }

    fn sessions(&mut self, row: &Row) -> anyhow::Result<Vec<Session>> {
        let engine = self.of(row.bundle.as_ref())?;
        let policy = match row.resolution {
            Some(side) => Policy::Fixed(side),
            None => self.call.policy.policy(engine.bundle().manifest())?,
        };
        let labels = row.labels.as_deref().unwrap_or(self.call.labels);
        if labels.is_empty() {
            let message =
                "expected labels, got none; give the route some, or the call, by --labels";
            return Err(Usage(message.into()).into());
        }
        if row.instances > MOST_INSTANCES {
            let message = format!(
                "instances: expected 1 to {MOST_INSTANCES}, got {}",
                row.instances
            );
            return Err(Usage(message).into());
        }
        (0..row.instances)
            .map(|_| self.session(row.bundle.as_ref(), Some(policy.clone()), labels))
            .collect()
    }

    /// Looks at the lowest resolution of the call's bundle.
    fn scout(&mut self, labels: Option<&[String]>) -> anyhow::Result<Session> {
        let lowest = self.of(None)?.resolutions()[0];
        self.session(
            None,
            Some(Policy::Fixed(lowest)),
            labels.unwrap_or_default(),
        )
    }
}

/// How every route stood, a line each, and what finding out took.
pub fn reasons(candidates: &[Candidate], scout_us: u64) -> Vec<String> {
    let ms = |us: u64| us as f64 / 1e3;
    let reason = |candidate: &Candidate| {
        let Candidate {
            route,
            semantic_match,
            latency_us,
            latency_threshold_us,
            ..
        } = candidate;
        let verdict = match (candidate.score, candidate.skipped) {
            (Some(score), _) => format!("score {score:.3}"),
            (None, Some(Skipped::Busy)) => "skipped: busy".into(),
            (None, _) => "skipped: over its threshold".into(),
        };
        format!(
            "{route}: {verdict}, match {semantic_match:.3}, latency {:.1} ms of at most {:.1} ms",
            ms(*latency_us),
            ms(*latency_threshold_us)
        )
    };
    let mut reasons: Vec<String> = candidates.iter().map(reason).collect();
    if scout_us > 0 {
        reasons.push(format!("the scout took {:.1} ms", ms(scout_us)));
    }
    reasons
}
