//! A router: routes with their sessions, who finds out what a frame is, and what each route has taken lately.

use super::{Candidate, Choice, Latency, RouteError, Weights, choice};
use crate::{
    error::Error,
    heads::{cosine, make_unit, softmax},
    report::Report,
    session::Session,
};
use ocellus_language::Labels;
use ocellus_vision::{DecodeLimits, Frame, decode};
use serde::Serialize;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// What decides how well a route fits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MatchBy {
    /// The frame: a day's route for a day's picture. Each frame is encoded once more, by the scout.
    #[default]
    Frame,
    /// The words that are asked for: an animals' route for animals' names. It costs a frame nothing.
    Words,
}

/// A way to answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Its name, of which there is one.
    pub name: String,
    /// What it is for, in words, as a label: `a night street`.
    pub label: String,
    /// By which its match is multiplied, 0 to 10.
    pub weight: f32,
    /// A route that takes longer just now is skipped. Above zero.
    pub latency_threshold: Duration,
}

/// A route and its idle sessions.
struct Lane {
    name: Arc<str>,
    route: Route,
    /// Of its label, in the scout's text space, `[d]`.
    embedding: Vec<f32>,
    idle: Mutex<Vec<Session>>,
    latency: Mutex<Latency>,
}

/// Chooses a route for each frame. Threads may share it: a route answers as many frames at once as it has sessions.
pub struct Router {
    scout: Mutex<Session>,
    logit_scale: f32,
    weights: Weights,
    /// The matches, where words decide and so no frame changes them.
    by_words: Option<Vec<f32>>,
    lanes: Vec<Lane>,
}

/// A frame's report and the route that gave it.
#[derive(Clone, Debug, Serialize)]
pub struct Routed {
    /// The report.
    #[serde(flatten)]
    pub report: Report,
    /// The choice.
    pub route: Choice,
}

impl Router {
    /// A router over routes, each with the sessions that answer for it, whose labels are set. The scout is a session of its
    /// own: in its text space routes are matched, and its policy's first resolution is what frames are looked at in; a
    /// small one will do. Where words decide, they are the scout's labels.
    ///
    /// Each route's first session answers a grey frame twice, which makes it ready and gives its latency.
    ///
    /// # Errors
    /// [`Error::Route`] for a table that is not one; [`Error::Language`] for a route's label of which no word is known;
    /// [`Error::NoLabels`] for a session without labels, and those of [`Session::infer`].
    pub fn new(
        scout: Session,
        by: MatchBy,
        weights: Weights,
        routes: Vec<(Route, Vec<Session>)>,
    ) -> Result<Router, Error> {
        weights.check()?;
        check(&routes)?;
        let engine = Arc::clone(scout.engine());
        let logit_scale = engine.bundle().manifest().text.logit_scale;
        let labels = routes.iter().map(|(route, _)| route.label.clone());
        // Two routes may be for the same, and differ in how.
        let embeddings = labels
            .map(|label| {
                let checked = Labels::new(vec![label])?;
                let label = &checked.as_slice()[0];
                engine.tokenizer.require_known(label)?;
                engine.embed_label(label)
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let lanes = routes
            .into_iter()
            .zip(embeddings)
            .map(|((route, mut sessions), embedding)| {
                let took = first(&mut sessions)?;
                Ok(Lane {
                    name: route.name.as_str().into(),
                    route,
                    embedding,
                    idle: Mutex::new(sessions),
                    latency: Mutex::new(Latency::new(took, Instant::now())),
                })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let mut router = Router {
            scout: Mutex::new(scout),
            logit_scale,
            weights,
            by_words: None,
            lanes,
        };
        if by == MatchBy::Words {
            let asked = lock(&router.scout).label_direction()?;
            router.by_words = Some(router.matches(&asked));
        }
        Ok(router)
    }

    /// The routes' names, in the order of the table.
    pub fn routes(&self) -> impl Iterator<Item = &str> {
        self.lanes.iter().map(|lane| &*lane.name)
    }

    /// What a frame shows, by the route that is best for it just now.
    ///
    /// # Errors
    /// [`RouteError::AllSkipped`], and those of [`Session::infer`].
    pub fn infer(&self, frame: &Frame<'_>) -> Result<Routed, Error> {
        let start = Instant::now();
        let (matches, scout_us) = match &self.by_words {
            Some(matches) => (matches.clone(), 0),
            None => {
                let embedding = lock(&self.scout).embed(frame)?;
                let matches = self.matches(&embedding);
                (matches, start.elapsed().as_micros() as u64)
            }
        };
        let (lane, session, candidates) = self.take(&matches)?;
        let mut lease = Lease {
            lane,
            session: Some(session),
        };
        let report = lease.infer(frame)?;
        let took = Duration::from_micros(report.stages_us.total);
        lock(&lane.latency).took(took, Instant::now());
        Ok(Routed {
            report,
            route: Choice {
                taken: Arc::clone(&lane.name),
                candidates,
                scout_us,
            },
        })
    }

    /// What an encoded picture (JPEG, PNG, ...) shows, as [`Router::infer`].
    ///
    /// # Errors
    /// [`Error::Decode`], and those of [`Router::infer`].
    pub fn infer_picture(&self, bytes: &[u8], limits: &DecodeLimits) -> Result<Routed, Error> {
        let start = Instant::now();
        let picture = decode(bytes, limits)?;
        let decoded = start.elapsed();
        let frame = Frame::rgb(picture.width, picture.height, &picture.rgb)?;
        let mut routed = self.infer(&frame)?;
        // What a route took is that of a frame; what the caller waited for is that and the decoding.
        let us = decoded.as_micros() as u64;
        routed.report.stages_us.decode += us;
        routed.report.stages_us.total += us;
        let warnings = picture.warnings.iter().map(ToString::to_string);
        routed.report.warnings.extend(warnings);
        Ok(routed)
    }

    /// How well each route fits what has this direction, `[d]` of length one: the share of a softmax over the cosines with
    /// their labels, times their weights.
    fn matches(&self, direction: &[f32]) -> Vec<f32> {
        let cosines: Vec<f32> = self
            .lanes
            .iter()
            .map(|lane| cosine(direction, &lane.embedding))
            .collect();
        softmax(&cosines, self.logit_scale)
            .into_iter()
            .zip(&self.lanes)
            .map(|(share, lane)| share * lane.route.weight)
            .collect()
    }

    /// The best route and a session of it. One that another thread takes in between is busy then, and the next best counts.
    fn take(&self, matches: &[f32]) -> Result<(&Lane, Session, Vec<Candidate>), Error> {
        loop {
            let now = Instant::now();
            let standings: Vec<choice::Standing> = self
                .lanes
                .iter()
                .zip(matches)
                .map(|(lane, &semantic_match)| choice::Standing {
                    route: Arc::clone(&lane.name),
                    semantic_match,
                    latency: lock(&lane.latency).expected(now),
                    threshold: lane.route.latency_threshold,
                    busy: lock(&lane.idle).is_empty(),
                })
                .collect();
            let (candidates, best) = choice::choose(self.weights, &standings);
            let Some(best) = best else {
                return Err(RouteError::AllSkipped(candidates).into());
            };
            let lane = &self.lanes[best];
            if let Some(session) = lock(&lane.idle).pop() {
                return Ok((lane, session, candidates));
            }
        }
    }
}

/// A session that is in use, and goes back whatever happens.
struct Lease<'a> {
    lane: &'a Lane,
    session: Option<Session>,
}

impl Lease<'_> {
    fn infer(&mut self, frame: &Frame<'_>) -> Result<Report, Error> {
        match &mut self.session {
            Some(session) => session.infer(frame),
            None => Err(Error::NoLabels),
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        lock(&self.lane.idle).extend(self.session.take());
    }
}

/// What a panic of another thread left is whole: nothing here is changed in steps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn check(routes: &[(Route, Vec<Session>)]) -> Result<(), RouteError> {
    if routes.is_empty() {
        return Err(RouteError::Empty);
    }
    for (index, (route, sessions)) in routes.iter().enumerate() {
        let name = || route.name.clone();
        let number = |what, expected, got: String| {
            Err(RouteError::Number {
                name: name(),
                what,
                expected,
                got,
            })
        };
        if routes[..index]
            .iter()
            .any(|(other, _)| other.name == route.name)
        {
            return Err(RouteError::Duplicate { name: name() });
        }
        if !(0.0..=10.0).contains(&route.weight) {
            return number("weight", "0 to 10", route.weight.to_string());
        }
        if route.latency_threshold.is_zero() {
            return number("latency threshold", "above 0", "0".into());
        }
        if sessions.is_empty() {
            return number("instances", "1 or more", "0".into());
        }
    }
    Ok(())
}

/// What the first session takes for a frame, once it is ready; the others are made ready too.
fn first(sessions: &mut [Session]) -> Result<Duration, Error> {
    const SIDE: usize = 64;
    let grey = vec![128; SIDE * SIDE * 3];
    let frame = Frame::rgb(SIDE, SIDE, &grey)?;
    let mut took = Duration::ZERO;
    for (index, session) in sessions.iter_mut().enumerate() {
        session.warm_up()?;
        if index == 0 {
            session.infer(&frame)?;
            took = Duration::from_micros(session.infer(&frame)?.stages_us.total);
        }
    }
    Ok(took)
}

impl Session {
    /// The direction of all labels together, `[d]` of length one.
    fn label_direction(&self) -> Result<Vec<f32>, Error> {
        let words = self.words().ok_or(Error::NoLabels)?;
        let mut sum = vec![0.0; self.engine().bundle().manifest().text.dimension];
        for embedding in &words.embeddings {
            for (sum, value) in sum.iter_mut().zip(embedding) {
                *sum += value;
            }
        }
        match make_unit(&mut sum) {
            true => Ok(sum),
            false => Err(self.engine().not_finite("labels' embedding")),
        }
    }
}
