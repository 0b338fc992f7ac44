//! A route with its sessions: which of them are idle, and what the route has taken lately.

use super::{Latency, RouteError};
use crate::{error::Error, report::Report, session::Session};
use ocellus_vision::Frame;
use std::{
    ops::DerefMut,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

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

/// Who lends a route its session: the session itself, or whoever keeps it for others too.
pub trait Seat: Send {
    /// The session, while it is lent.
    type Lease<'a>: DerefMut<Target = Session>
    where
        Self: 'a;

    /// The session; none while somebody else uses it.
    fn lend(&mut self) -> Option<Self::Lease<'_>>;
}

impl Seat for Session {
    type Lease<'a> = &'a mut Session;

    fn lend(&mut self) -> Option<&mut Session> {
        Some(self)
    }
}

/// A route and its idle seats.
pub(super) struct Lane<S> {
    pub name: Arc<str>,
    pub route: Route,
    /// Of its label, in the scout's text space, `[d]`.
    pub embedding: Vec<f32>,
    pub idle: Mutex<Vec<S>>,
    pub latency: Mutex<Latency>,
}

/// A seat that is in use, and goes back whatever happens.
pub(super) struct Taken<'a, S> {
    pub lane: &'a Lane<S>,
    seat: Option<S>,
}

impl<S: Seat> Lane<S> {
    /// A lane that is ready, and knows what its first session takes.
    pub fn new(route: Route, embedding: Vec<f32>, mut seats: Vec<S>) -> Result<Lane<S>, Error> {
        let took = first(&route, &mut seats)?;
        Ok(Lane {
            name: route.name.as_str().into(),
            route,
            embedding,
            idle: Mutex::new(seats),
            latency: Mutex::new(Latency::new(took, Instant::now())),
        })
    }

    /// Whether no idle seat lends its session.
    pub fn is_busy(&self) -> bool {
        !lock(&self.idle)
            .iter_mut()
            .any(|seat| seat.lend().is_some())
    }

    /// An idle seat that lends its session.
    pub fn take(&self) -> Option<Taken<'_, S>> {
        let mut idle = lock(&self.idle);
        let at = idle.iter_mut().position(|seat| seat.lend().is_some())?;
        Some(Taken {
            lane: self,
            seat: Some(idle.swap_remove(at)),
        })
    }

    /// An answer was given, and said what it took.
    pub fn answered(&self, report: &Report) {
        lock(&self.latency).took(own_time(report), Instant::now());
    }
}

impl<S: Seat> Taken<'_, S> {
    /// The session; none where somebody else has begun to use it.
    pub fn lend(&mut self) -> Option<S::Lease<'_>> {
        self.seat.as_mut().and_then(Seat::lend)
    }
}

impl<S> Drop for Taken<'_, S> {
    fn drop(&mut self) {
        lock(&self.lane.idle).extend(self.seat.take());
    }
}

/// What a panic of another thread left is whole: nothing here is changed in steps.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the route itself took: neither reading and finding out what the frame is, which come before the choice, nor what
/// the frame waited.
fn own_time(report: &Report) -> Duration {
    let us = &report.stages_us;
    Duration::from_micros(us.look + us.resize + us.encode + us.heads)
}

/// What the first session takes for a frame, once it is ready; the others are made ready too.
fn first<S: Seat>(route: &Route, seats: &mut [S]) -> Result<Duration, Error> {
    const SIDE: usize = 64;
    let grey = vec![128; SIDE * SIDE * 3];
    let frame = Frame::rgb(SIDE, SIDE, &grey)?;
    let mut took = Duration::ZERO;
    for (index, seat) in seats.iter_mut().enumerate() {
        let name = || route.name.clone();
        let mut session = seat
            .lend()
            .ok_or_else(|| RouteError::InUse { name: name() })?;
        if session.all_labels().is_empty() {
            return Err(Error::NoLabels);
        }
        session.warm_up()?;
        if index == 0 {
            session.infer(&frame)?;
            took = own_time(&session.infer(&frame)?);
        }
    }
    Ok(took)
}
