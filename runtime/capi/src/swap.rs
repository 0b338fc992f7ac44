//! Another runtime under a session that goes on.

use crate::{
    guard, handle,
    log::OCELLUS_LOG_WARN,
    runtime::{Runtime, ocellus_runtime},
    session::{Session, ocellus_session},
    shared::lock,
};
use ocellus::Examples;
use std::{mem, sync::Arc};

/// Puts a session on another runtime, with the same options, labels and examples: it is made ready aside, while frames go on, and
/// used from the next frame on that is begun. Where this fails, the session stays on the runtime before. A session with a
/// worker loses no frame; one that waits was cropped as the bundle before says.
///
/// runtime    may be freed before the session is, and so may the one before. Calls that are inside of the session
///            meanwhile may still log to the one before until they return.
///
/// The labels' places in the last frame are forgotten, as with ocellus_session_set_labels.
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_HANDLE, OCELLUS_E_BUSY, OCELLUS_E_MODEL, OCELLUS_E_MEMORY; OCELLUS_E_POLICY, OCELLUS_E_NO_RELEVANCE and
/// OCELLUS_E_LABELS where the options or the labels do not fit the other bundle; OCELLUS_E_EXAMPLES
/// where the session was taught with the bundle before, whose examples mean nothing to another; OCELLUS_E_ARGUMENT where none of the
/// runtime's CPUs can be used; OCELLUS_E_IN_CALLBACK. One thread at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_session_swap(
    session: *mut ocellus_session,
    runtime: *const ocellus_runtime,
) -> i32 {
    guard::call(|| {
        let session = handle::get::<Session>(session)?;
        let runtime = handle::get::<Runtime>(runtime)?;
        let log = session.shared.runtime();
        log.log.failures(|| {
            session.refuse_in_callback()?;
            let engine = Arc::clone(&runtime.engine);
            let options = session.wanted.on(engine.bundle().manifest());
            let mut fresh = ocellus::Session::new(engine, options)?;
            let mut known = None;
            loop {
                let mut inside = session.turn()?;
                guard::checkpoint();
                let state = &mut *inside.state;
                // Labels may be set while the other session learns those of before.
                if known != Some(state.labels_set) {
                    known = Some(state.labels_set);
                    let labels = state.session.labels().to_vec();
                    let mut examples = state.session.examples().clone();
                    drop(inside);
                    if examples.is_empty() {
                        examples = Examples::none(fresh.engine().bundle());
                    }
                    fresh.set_examples(&examples)?;
                    if !labels.is_empty() {
                        fresh.set_labels(labels)?;
                    }
                    fresh.warm_up()?;
                    continue;
                }
                if let Ok(worker) = session.worker() {
                    worker.keep_to(&runtime)?;
                    *lock(&worker.reader) = fresh.reader();
                }
                let old = mem::replace(&mut state.session, fresh);
                session.keep_places(state, None);
                session.shared.set_runtime(Arc::clone(&runtime));
                let warnings = state.session.label_warnings().to_vec();
                drop(inside);
                // What the session before kept may take a while to go.
                drop(old);
                for warning in warnings {
                    runtime.log.write(OCELLUS_LOG_WARN, || warning);
                }
                return Ok(());
            }
        })
    })
}
