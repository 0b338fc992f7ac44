//! What a session computes with, which its worker shares.

use crate::{
    line::{Line, Refused, Turn},
    runtime::Runtime,
    status::{Failure, OCELLUS_E_BUSY},
};
use ocellus::{Place, Report, Seen};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A session and what keeps it.
pub(crate) struct Shared {
    line: Line,
    state: Mutex<State>,
    runtime: Mutex<Arc<Runtime>>,
    /// Where labels are in the frame that on_result is called for.
    answered: Mutex<Option<Arc<Places>>>,
}

/// What one thread at a time works on.
pub(crate) struct State {
    pub session: ocellus::Session,
    /// The last answer.
    pub report: Report,
    /// Where labels are in the last frame.
    pub places: Option<Arc<Places>>,
    /// How often labels were set.
    pub labels_set: u64,
}

/// Where the labels are in a frame, by their index, and what was seen of it.
pub(crate) struct Places {
    pub places: Vec<Place>,
    pub seen: Vec<Seen>,
}

/// A thread's turn with the state.
pub(crate) struct Inside<'a> {
    // Fields go in order: whoever is next in the line finds the state unlocked.
    pub state: MutexGuard<'a, State>,
    _turn: Turn<'a>,
}

impl Shared {
    pub fn new(session: ocellus::Session, runtime: Arc<Runtime>) -> Shared {
        Shared {
            line: Line::new(),
            state: Mutex::new(State {
                session,
                places: None,
                labels_set: 0,
                report: Report::default(),
            }),
            runtime: Mutex::new(runtime),
            answered: Mutex::new(None),
        }
    }

    /// A turn at once, or not at all.
    pub fn try_turn(&self) -> Result<Inside<'_>, Failure> {
        self.inside(self.line.try_enter())
    }

    /// A turn after all who came before.
    pub fn wait_turn(&self) -> Result<Inside<'_>, Failure> {
        self.inside(self.line.enter())
    }

    /// Whether it is this thread's turn.
    pub fn is_mine(&self) -> bool {
        self.line.is_mine()
    }

    fn inside<'a>(&'a self, turn: Result<Turn<'a>, Refused>) -> Result<Inside<'a>, Failure> {
        let turn = turn.map_err(|refused| {
            let message = match refused {
                Refused::Busy => {
                    "another call with this session has not returned; give each thread a session of its own"
                }
                Refused::Inside => {
                    "this thread is inside a call with this session already; a log callback must leave it alone"
                }
            };
            Failure::new(OCELLUS_E_BUSY, message)
        })?;
        Ok(Inside {
            state: lock(&self.state),
            _turn: turn,
        })
    }

    /// The runtime that the session is on.
    pub fn runtime(&self) -> Arc<Runtime> {
        Arc::clone(&lock(&self.runtime))
    }

    /// Puts the session on another runtime.
    pub fn set_runtime(&self, runtime: Arc<Runtime>) {
        *lock(&self.runtime) = runtime;
    }

    /// Where labels are in the frame that on_result is called for.
    pub fn answered(&self) -> Option<Arc<Places>> {
        lock(&self.answered).clone()
    }

    /// Says where labels are in the frame that on_result is called for.
    pub fn set_answered(&self, places: Option<Arc<Places>>) {
        *lock(&self.answered) = places;
    }
}

impl Places {
    /// Takes the places out of a report; none where it was not asked for them.
    pub fn take(report: &mut Report) -> Option<Arc<Places>> {
        let hits = &mut report.labels;
        if !hits.iter().all(|hit| hit.place.is_some()) {
            return None;
        }
        hits.sort_unstable_by_key(|hit| hit.index);
        Some(Arc::new(Places {
            places: hits.iter_mut().filter_map(|hit| hit.place.take()).collect(),
            seen: report.seen.clone(),
        }))
    }
}

/// Locks what a panic leaves whole: it changes at the end of a call, and all at once.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
