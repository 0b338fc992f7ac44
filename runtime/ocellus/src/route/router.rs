//! A router: routes with their sessions, who finds out what a frame is, and what each route has taken lately.

use super::{
    Candidate, Choice, Route, RouteError, Seat, Weights, choice,
    lane::{Lane, Taken, lock},
};
use crate::{
    error::Error,
    heads::{cosine, make_unit, softmax},
    reading::{Reader, Reading},
    report::Report,
    session::Session,
};
use ocellus_language::Labels;
use ocellus_vision::{DecodeLimits, Frame, decode};
use serde::Serialize;
use std::{
    sync::{Arc, Mutex, PoisonError},
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

/// Chooses a route for each frame. Threads may share it: a route answers as many frames at once as it has sessions.
pub struct Router<S = Session> {
    scout: Mutex<Session>,
    logit_scale: f32,
    weights: Weights,
    /// The matches, where words decide and so no frame changes them.
    by_words: Option<Vec<f32>>,
    lanes: Vec<Lane<S>>,
    /// One for each part of a frame that somebody looks at.
    readers: Vec<Reader>,
    /// Memory of threads that hand in frames.
    eyes: Mutex<Vec<Eyes>>,
}

/// A frame's report and the route that gave it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Routed {
    /// The report. Its total is from the frame's bytes to the report, the scout included.
    #[serde(flatten)]
    pub report: Report,
    /// The choice.
    pub route: Choice,
}

impl<S: Seat> Router<S> {
    /// A router over routes, each with the sessions that answer for it, whose labels are set. The scout is a session of its
    /// own: in its text space routes are matched, and its policy's first resolution is what frames are looked at in; a
    /// small one will do. Where words decide, they are the scout's labels.
    ///
    /// Each route's first session answers a grey frame twice, which makes it ready and gives its latency.
    ///
    /// # Errors
    /// [`Error::Route`] for a table that is not one, and a session that is in use; [`Error::Language`] for a route's label
    /// of which no word is known; [`Error::NoLabels`] for a session without labels, and those of [`Session::infer`].
    pub fn new(
        scout: Session,
        by: MatchBy,
        weights: Weights,
        routes: Vec<(Route, Vec<S>)>,
    ) -> Result<Router<S>, Error> {
        weights.check()?;
        check(&routes)?;
        let engine = Arc::clone(scout.engine());
        let logit_scale = engine.bundle().manifest().text.logit_scale;
        let mut readers = Vec::new();
        if by == MatchBy::Frame {
            scout.warm_up()?;
            readers.push(scout.reader());
        }
        let mut lanes = Vec::with_capacity(routes.len());
        for (route, mut seats) in routes {
            // Two routes may be for the same, and differ in how.
            let checked = Labels::new(vec![route.label.clone()])?;
            let label = &checked.as_slice()[0];
            engine.tokenizer.require_known(label)?;
            let embedding = engine.embed_label(label)?;
            for session in seats.iter_mut().filter_map(Seat::lend) {
                let reader = session.reader();
                if !readers.iter().any(|known| known.sees_as(&reader)) {
                    readers.push(reader);
                }
            }
            lanes.push(Lane::new(route, embedding, seats)?);
        }
        let mut router = Router {
            scout: Mutex::new(scout),
            logit_scale,
            weights,
            by_words: None,
            lanes,
            readers,
            eyes: Mutex::default(),
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

    /// Readers of frames for [`Router::infer_readings`], which may be on another thread than the router: one for each part of
    /// a frame that a route or the scout looks at, and so one in most cases.
    pub fn readers(&self) -> Vec<Reader> {
        self.readers.iter().map(Reader::again).collect()
    }

    /// Sets how long answers may take from now on, as [`Session::set_budget`], for every route.
    pub fn set_budget(&mut self, budget: Option<Duration>) {
        for lane in &mut self.lanes {
            let idle = lane.idle.get_mut().unwrap_or_else(PoisonError::into_inner);
            for mut session in idle.iter_mut().filter_map(Seat::lend) {
                session.set_budget(budget);
            }
        }
    }

    /// What a frame shows, by the route that is best for it just now.
    ///
    /// # Errors
    /// [`RouteError::AllSkipped`], and those of [`Session::infer`].
    pub fn infer(&self, frame: &Frame<'_>) -> Result<Routed, Error> {
        let mut routed = Routed::default();
        self.infer_into(frame, &mut routed)?;
        Ok(routed)
    }

    /// [`Router::infer`] into the memory of an answer before, which stays as it was on an error.
    ///
    /// # Errors
    /// Those of [`Router::infer`].
    pub fn infer_into(&self, frame: &Frame<'_>, routed: &mut Routed) -> Result<(), Error> {
        self.infer_since(Instant::now(), frame, routed)
    }

    /// What an encoded picture (JPEG, PNG, ...) shows, as [`Router::infer`].
    ///
    /// # Errors
    /// [`Error::Decode`], and those of [`Router::infer`].
    pub fn infer_picture(&self, bytes: &[u8], limits: &DecodeLimits) -> Result<Routed, Error> {
        let start = Instant::now();
        let picture = decode(bytes, limits)?;
        let frame = Frame::rgb(picture.width, picture.height, &picture.rgb)?;
        let mut routed = Routed::default();
        self.infer_since(start, &frame, &mut routed)?;
        let warnings = picture.warnings.iter().map(ToString::to_string);
        routed.report.warnings.extend(warnings);
        Ok(routed)
    }

    /// What a frame shows of which each of [`Router::readers`] has read its part, as [`Router::infer_into`].
    ///
    /// # Errors
    /// [`RouteError::NotRead`], and those of [`Router::infer`].
    pub fn infer_readings(&self, readings: &[Reading], routed: &mut Routed) -> Result<(), Error> {
        let (matches, scout_us) = match &self.by_words {
            Some(matches) => (matches.clone(), 0),
            None => self.scout(readings)?,
        };
        loop {
            let (mut taken, candidates) = self.take(&matches)?;
            let lane = taken.lane;
            // Who keeps the session for others too may have lent it meanwhile: then the route is busy.
            let Some(mut session) = taken.lend() else {
                continue;
            };
            let reading = readings.iter().find(|reading| session.sees(reading));
            let reading = reading.ok_or_else(|| RouteError::NotRead {
                who: format!("route {:?}", lane.name),
            })?;
            session.infer_reading(reading, &mut routed.report)?;
            lane.answered(&routed.report);
            routed.route = Choice {
                taken: Arc::clone(&lane.name),
                candidates,
                scout_us,
            };
            return Ok(());
        }
    }

    /// Reads a frame whose bytes arrived at `start`, and answers it.
    fn infer_since(
        &self,
        start: Instant,
        frame: &Frame<'_>,
        routed: &mut Routed,
    ) -> Result<(), Error> {
        let spare = lock(&self.eyes).pop();
        let mut eyes = spare.unwrap_or_else(|| Eyes::new(self.readers()));
        for (reader, reading) in eyes.readers.iter_mut().zip(&mut eyes.readings) {
            reader.read_since(start, frame, reading);
        }
        let done = self.infer_readings(&eyes.readings, routed);
        lock(&self.eyes).push(eyes);
        done
    }

    /// How well each route fits a frame, and the microseconds of finding out.
    fn scout(&self, readings: &[Reading]) -> Result<(Vec<f32>, u64), Error> {
        let start = Instant::now();
        let mut scout = lock(&self.scout);
        let reading = readings.iter().find(|reading| scout.sees(reading));
        let reading = reading.ok_or_else(|| RouteError::NotRead {
            who: "the scout".into(),
        })?;
        let embedding = scout.embed_reading(reading)?;
        let us = start.elapsed().as_micros() as u64;
        // An embedding takes a microsecond at least, and 0 means that there was none.
        Ok((self.matches(&embedding), us.max(1)))
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

    /// The best route and a seat of it. One that another thread takes in between is busy then, and the next best counts.
    fn take(&self, matches: &[f32]) -> Result<(Taken<'_, S>, Vec<Candidate>), Error> {
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
                    busy: lane.is_busy(),
                })
                .collect();
            let (candidates, best) = choice::choose(self.weights, &standings);
            let Some(best) = best else {
                return Err(RouteError::AllSkipped(candidates).into());
            };
            if let Some(taken) = self.lanes[best].take() {
                return Ok((taken, candidates));
            }
        }
    }
}

/// What a thread that hands in frames reads them with and into.
struct Eyes {
    readers: Vec<Reader>,
    readings: Vec<Reading>,
}

impl Eyes {
    fn new(readers: Vec<Reader>) -> Eyes {
        Eyes {
            readings: readers.iter().map(|_| Reading::default()).collect(),
            readers,
        }
    }
}

fn check<S>(routes: &[(Route, Vec<S>)]) -> Result<(), RouteError> {
    if routes.is_empty() {
        return Err(RouteError::Empty);
    }
    for (index, (route, seats)) in routes.iter().enumerate() {
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
        if seats.is_empty() {
            return number("instances", "1 or more", "0".into());
        }
    }
    Ok(())
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
