//! Sessions as C sees them: how they are made, used by one thread at a time, and freed.

use crate::{
    guard,
    handle::{self, Handled, Table},
    options::{Wanted, ocellus_session_options},
    pointer::place,
    runtime::{Runtime, ocellus_runtime},
    shared::{Inside, Places, Shared, State},
    sized::{self, Versioned},
    status::{Failure, OCELLUS_E_IN_CALLBACK, OCELLUS_E_NO_WORKER},
    worker::{Callback, Worker},
};
use std::sync::Arc;

/// A runtime, a policy and labels: frames go in, answers come out. One thread uses a session at a time. What another
/// thread gets meanwhile depends on whether the session has a worker, which is whether on_result is set in its options:
/// without one OCELLUS_E_BUSY, at once; with one its turn, after the frame in work and the calls that came before, and
/// before the frame that waits.
pub struct ocellus_session {
    _opaque: [u8; 0],
}

/// What a handle stands for.
pub(crate) struct Session {
    pub shared: Arc<Shared>,
    pub wanted: Wanted,
    worker: Option<Worker>,
}

impl Handled for Session {
    type Token = ocellus_session;
    const NAME: &'static str = "session";
    fn table() -> &'static Table<Session> {
        static TABLE: Table<Session> = Table::new();
        &TABLE
    }
}

impl Session {
    /// This thread's turn.
    pub fn turn(&self) -> Result<Inside<'_>, Failure> {
        match self.worker {
            Some(_) => self.shared.wait_turn(),
            None => self.shared.try_turn(),
        }
    }

    /// The worker.
    pub fn worker(&self) -> Result<&Worker, Failure> {
        self.worker.as_ref().ok_or_else(|| {
            let message = "the session has no worker; set on_result in its options";
            Failure::new(OCELLUS_E_NO_WORKER, message)
        })
    }

    /// Refuses what would wait for the worker in the worker, or in a call that the worker waits for.
    pub fn refuse_in_callback(&self) -> Result<(), Failure> {
        let inside = |worker: &Worker| worker.is_this_thread() || self.shared.is_mine();
        match self.worker.as_ref().is_some_and(inside) {
            true => Err(Failure::new(
                OCELLUS_E_IN_CALLBACK,
                "called from inside a callback of the session, and would wait for its end; call it from another thread",
            )),
            false => Ok(()),
        }
    }

    /// Where labels are, in the frame that this thread means: in on_result its frame, otherwise the last one.
    pub fn places(&self) -> Result<Option<Arc<Places>>, Failure> {
        match &self.worker {
            Some(worker) if worker.is_this_thread() => Ok(self.shared.answered()),
            _ => Ok(self.turn()?.state.places.clone()),
        }
    }

    /// Keeps where labels are.
    pub fn keep_places(&self, state: &mut State, places: Option<Arc<Places>>) {
        if self.worker.as_ref().is_some_and(Worker::is_this_thread) {
            self.shared.set_answered(places.clone());
        }
        state.places = places;
    }
}

/// Runs `body` with the session that a handle stands for, in this thread's turn.
pub(crate) fn with(
    handle: *const ocellus_session,
    body: impl FnOnce(&Session, &mut State, &Runtime) -> Result<(), Failure>,
) -> i32 {
    guard::call(|| {
        let session = handle::get::<Session>(handle)?;
        let runtime = session.shared.runtime();
        runtime.log.failures(|| {
            let mut inside = session.turn()?;
            guard::checkpoint();
            body(&session, &mut inside.state, &runtime)
        })
    })
}

/// Runs `body` with the session that a handle stands for, whoever's turn it is.
pub(crate) fn beside(
    handle: *const ocellus_session,
    body: impl FnOnce(&Session) -> Result<(), Failure>,
) -> i32 {
    guard::call(|| {
        let session = handle::get::<Session>(handle)?;
        session.shared.runtime().log.failures(|| body(&session))
    })
}

/// Makes a session, without labels yet; and its worker, where on_result is set.
///
/// runtime    may be freed before the session is.
/// options    NULL: the defaults.
/// session    receives a handle that the caller frees with ocellus_session_free.
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_HANDLE, OCELLUS_E_STRUCT_SIZE, OCELLUS_E_UTF8; OCELLUS_E_ARGUMENT, also where soft
/// prompts are asked of a bundle that has none; OCELLUS_E_POLICY where the policy
/// does not fit the bundle; OCELLUS_E_NO_RELEVANCE where the bundle cannot say where labels are; OCELLUS_E_ARGUMENT where
/// the worker can use none of the runtime's CPUs, OCELLUS_E_THREAD where the system gives no thread. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_session_new(
    runtime: *const ocellus_runtime,
    options: *const ocellus_session_options,
    session: *mut *mut ocellus_session,
) -> i32 {
    guard::call(|| {
        let to = place(session, "session")?;
        let runtime = handle::get::<Runtime>(runtime)?;
        let made = runtime.log.failures(|| {
            let options = match options.is_null() {
                true => ocellus_session_options::defaults(),
                // SAFETY: not NULL, and as long as it says by the caller's word.
                false => unsafe { sized::read(options)? },
            };
            // SAFETY: thresholds and templates are as many as it says by the caller's word.
            let wanted = unsafe { options.wanted()? };
            let engine = Arc::clone(&runtime.engine);
            let options_here = wanted.on(engine.bundle().manifest());
            let session = ocellus::Session::new(engine, options_here)?;
            let reader = session.reader();
            let shared = Arc::new(Shared::new(session, Arc::clone(&runtime)));
            // SAFETY: the callback keeps the header's word.
            let worker = match unsafe { Callback::of(&options) } {
                Some(callback) => Some(Worker::start(&shared, reader, callback, &options)?),
                None => None,
            };
            Ok(Session {
                shared,
                wanted,
                worker,
            })
        })?;
        let handle = handle::put(made);
        // SAFETY: not NULL, and writable by the caller's word.
        unsafe { to.write_unaligned(handle) };
        Ok(())
    })
}

/// Makes every resolution ready that the policy may choose, so that no frame waits for it. Takes from tens of
/// milliseconds to a second for each.
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_HANDLE, OCELLUS_E_BUSY, OCELLUS_E_MODEL, OCELLUS_E_MEMORY. One thread at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_session_warm_up(session: *mut ocellus_session) -> i32 {
    with(session, |_, state, _| Ok(state.session.warm_up()?))
}

/// Frees a session. The frame that waits is dropped, the one in work is answered, and then no other call of on_result
/// comes: this function waits for that. A call of another thread that is inside the session ends as if it were not
/// freed. NULL is fine.
///
/// Errors: OCELLUS_E_HANDLE where it was freed before, or is being freed by another thread; OCELLUS_E_IN_CALLBACK, and
/// the session lives, from inside a callback of a session with a worker. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_session_free(session: *mut ocellus_session) -> i32 {
    guard::call(|| {
        if session.is_null() {
            return Ok(());
        }
        let found = handle::get::<Session>(session)?;
        found.refuse_in_callback()?;
        handle::free::<Session>(session)?;
        if let Some(worker) = &found.worker {
            worker.stop();
        }
        Ok(())
    })
}
