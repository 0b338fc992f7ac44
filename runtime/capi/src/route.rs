//! Routes as C says them, and what it is told of a choice.

use crate::{
    guard, handle, labels,
    pointer::slice,
    session::{Session, ocellus_session},
    sized::{self, Versioned},
    status::Failure,
};
use ocellus::route::{Candidate, Choice, Route, Skipped};
use std::{ffi::c_char, ptr, sync::Arc, time::Duration};

/// No route needs more: each frame goes to one of them.
const MAX_SESSIONS: usize = 64;

/// Route: it could be taken.
pub const OCELLUS_ROUTE_OPEN: i32 = 0;
/// Route: it takes longer than its threshold just now.
pub const OCELLUS_ROUTE_OVER_THRESHOLD: i32 = 1;
/// Route: all its sessions are in use.
pub const OCELLUS_ROUTE_BUSY: i32 = 2;

/// A way to answer a frame: sessions that answer alike, and what they are for. Set up by ocellus_route_init; then `name`,
/// `label`, `sessions`, `session_count` and `latency_threshold_us` are set.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ocellus_route {
    /// Set by ocellus_route_init.
    pub struct_size: u32,
    /// By which its match is multiplied, 0 to 10. 1.
    pub weight: f32,
    /// Its name, of which there is one: UTF-8 with a NUL, at most 1000 bytes, copied. NULL.
    pub name: *const c_char,
    /// What it is for, as a label, such as "a street at night": UTF-8 with a NUL, at most 1000 bytes, copied. NULL.
    pub label: *const c_char,
    /// Its sessions, at most 64, which have labels and no worker: how many frames it answers at once. NULL.
    pub sessions: *const *mut ocellus_session,
    /// How many sessions. 0.
    pub session_count: u32,
    /// Microseconds: the route is skipped while it takes longer. 0, which is refused.
    pub latency_threshold_us: u32,
}

// SAFETY: repr(C), size first; pointers are any bytes but are only followed where the caller set them.
unsafe impl Versioned for ocellus_route {
    const NAME: &'static str = "ocellus_route";
    const FIRST: usize = 40;
    fn defaults() -> ocellus_route {
        ocellus_route {
            struct_size: size_of::<ocellus_route>() as u32,
            weight: 1.0,
            name: ptr::null(),
            label: ptr::null(),
            sessions: ptr::null(),
            session_count: 0,
            latency_threshold_us: 0,
        }
    }
}

/// How a route stood when one was chosen. This struct never changes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ocellus_candidate {
    /// OCELLUS_ROUTE_...: whether it was skipped, and why.
    pub skipped: i32,
    /// How well its label fits, 0 to 1 times its weight.
    pub semantic_match: f32,
    /// semantic_weight * semantic_match + latency_weight * (1 - latency / the longest of those not skipped); 0 where it was
    /// skipped.
    pub score: f32,
    /// Microseconds that it was expected to take.
    pub latency_us: u32,
    /// Microseconds that it may take.
    pub latency_threshold_us: u32,
}

/// Which route answered. Set up by ocellus_choice_init.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ocellus_choice {
    /// Set by ocellus_choice_init.
    pub struct_size: u32,
    /// The route's place in the list that was given, from 0.
    pub taken: u32,
    /// How many candidates were written: the smaller of the number of routes and `candidate_capacity`.
    pub candidate_count: u32,
    /// Microseconds of finding out what the frame is; 0 where words decide.
    pub scout_us: u32,
}

// SAFETY: repr(C), size first, numbers only.
unsafe impl Versioned for ocellus_choice {
    const NAME: &'static str = "ocellus_choice";
    const FIRST: usize = 16;
    fn defaults() -> ocellus_choice {
        ocellus_choice {
            struct_size: size_of::<ocellus_choice>() as u32,
            ..ocellus_choice::default()
        }
    }
}

/// Sets a route up: every field has the value that its comment ends with.
///
/// struct_size    sizeof(ocellus_route)
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_STRUCT_SIZE. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_route_init(route: *mut ocellus_route, struct_size: u32) -> i32 {
    // SAFETY: NULL or `struct_size` writable bytes by the caller's word.
    guard::call(|| unsafe { sized::init(route, struct_size) })
}

/// Sets a choice up: every field but its size is 0.
///
/// struct_size    sizeof(ocellus_choice)
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_STRUCT_SIZE. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_choice_init(choice: *mut ocellus_choice, struct_size: u32) -> i32 {
    // SAFETY: NULL or `struct_size` writable bytes by the caller's word.
    guard::call(|| unsafe { sized::init(choice, struct_size) })
}

/// A route and its sessions.
pub(crate) type Wanted = (Route, Vec<Arc<Session>>);

impl ocellus_route {
    /// # Safety
    /// `name`, `label` and `sessions` keep the header's word.
    pub(crate) unsafe fn wanted(&self, at: usize) -> Result<Wanted, Failure> {
        let what = |field: &str| format!("routes[{at}].{field}");
        // SAFETY: handed through.
        let name = unsafe { labels::text(self.name, None, &what("name"))? };
        // SAFETY: handed through.
        let label = unsafe { labels::text(self.label, None, &what("label"))? };
        let count = self.session_count as usize;
        if count > MAX_SESSIONS {
            let what = what("session_count");
            return Err(Failure::argument(format!(
                "{what}: expected 1 to {MAX_SESSIONS}, got {count}"
            )));
        }
        // SAFETY: as many handles as it says, by the caller's word.
        let handles = unsafe { slice(self.sessions, count, &what("sessions"))? };
        let session = |(index, &handle): (usize, &*mut ocellus_session)| {
            let session = handle::get::<Session>(handle)?;
            match session.worker() {
                Err(_) => Ok(session),
                Ok(_) => Err(Failure::argument(format!(
                    "{}[{index}]: expected a session without a worker, got one whose options have on_result",
                    what("sessions")
                ))),
            }
        };
        let sessions = handles.iter().enumerate().map(session);
        let route = Route {
            name: name.into(),
            label: label.into(),
            weight: self.weight,
            latency_threshold: Duration::from_micros(self.latency_threshold_us.into()),
        };
        Ok((route, sessions.collect::<Result<_, _>>()?))
    }
}

/// What C is told of a choice of which so many candidates were written.
pub(crate) fn told(choice: &Choice, candidate_count: usize) -> ocellus_choice {
    let taken = choice.candidates.iter();
    let taken = taken.take_while(|one| one.route != choice.taken).count();
    ocellus_choice {
        taken: taken as u32,
        candidate_count: candidate_count as u32,
        scout_us: us(choice.scout_us),
        ..ocellus_choice::defaults()
    }
}

impl From<&Candidate> for ocellus_candidate {
    fn from(candidate: &Candidate) -> ocellus_candidate {
        ocellus_candidate {
            skipped: match candidate.skipped {
                None => OCELLUS_ROUTE_OPEN,
                Some(Skipped::OverThreshold) => OCELLUS_ROUTE_OVER_THRESHOLD,
                Some(Skipped::Busy) => OCELLUS_ROUTE_BUSY,
            },
            semantic_match: candidate.semantic_match,
            score: candidate.score.unwrap_or(0.0),
            latency_us: us(candidate.latency_us),
            latency_threshold_us: us(candidate.latency_threshold_us),
        }
    }
}

/// Over an hour is the longest that is told.
fn us(us: u64) -> u32 {
    us.try_into().unwrap_or(u32::MAX)
}
