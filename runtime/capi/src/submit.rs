//! Frames for the worker: submitted, waited for, forgotten.

use crate::{
    frame::ocellus_frame,
    infer::{ocellus_hit, ocellus_result},
    session::{beside, ocellus_session},
    shared::lock,
    sized,
    status::{Failure, OCELLUS_E_BUSY, OCELLUS_E_TIMEOUT},
};
use std::{ffi::c_void, time::Duration};

/// Result flag: the kernel slowed the CPU down to cool it, now or within the last second. Never set where it does not say
/// so.
pub const OCELLUS_RESULT_THROTTLED: u32 = 1;
/// Result flag: the frame waited longer than `stale_after_us`.
pub const OCELLUS_RESULT_STALE: u32 = 2;
/// Result flag: the answer is unsure, and `budget_us` left no time for a higher resolution.
pub const OCELLUS_RESULT_DEGRADED: u32 = 4;
/// Result flag: each probability is its label's own, for the bundle's model was trained so; several labels may fit, or none.
/// Where it is not set, they are shares of one.
pub const OCELLUS_RESULT_SIGMOID: u32 = 8;

/// Takes the answer of a submitted frame. It is called in the session's worker, once for each frame that was computed,
/// in the order in which they were submitted, and not for those that were dropped.
///
/// context    `on_result_context`.
/// status     OCELLUS_OK, or why there is no answer: OCELLUS_E_NO_LABELS, OCELLUS_E_MODEL, OCELLUS_E_MEMORY,
///            OCELLUS_E_PANIC. ocellus_last_error explains it, inside of the callback.
/// result     the answer, valid during the call. Without an answer, its `timestamp_ns`, `cookie`, `queue_us`, `dropped`
///            and `flags` are set, and the rest is 0.
/// hits       every label's, best first, `hit_count` of them, valid during the call. NULL without an answer.
///
/// Inside of it, any function may be called but those that would wait for its end: ocellus_session_free,
/// ocellus_session_flush and ocellus_session_swap with this session return OCELLUS_E_IN_CALLBACK. ocellus_session_relevance
/// answers for the frame of the callback. The worker's next frame waits for its return. Every signal is blocked in the
/// worker, and its name is "ocellus". It must return: no longjmp, no C++ exception.
pub type ocellus_result_fn = Option<
    unsafe extern "C" fn(
        context: *mut c_void,
        status: i32,
        result: *const ocellus_result,
        hits: *const ocellus_hit,
    ),
>;

/// Hands a frame to the session's worker, which calls on_result with the answer. The frame is read here: when the call
/// returns, the caller's buffer is free. That takes some milliseconds, and never waits for an answer.
///
/// frame    is read during the call only, and not changed; its bytes must not change meanwhile.
///
/// One frame may wait while another one is in work; what happens to a second one is said by `when_busy`.
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_HANDLE, OCELLUS_E_NO_WORKER, OCELLUS_E_STRUCT_SIZE, OCELLUS_E_ARGUMENT,
/// OCELLUS_E_FRAME_...; OCELLUS_E_BUSY where a frame waits and `when_busy` is OCELLUS_WHEN_BUSY_REFUSE. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_session_submit(
    session: *mut ocellus_session,
    frame: *const ocellus_frame,
) -> i32 {
    beside(session, |session| {
        let worker = session.worker()?;
        // SAFETY: NULL or as long as it says, and so are its planes, by the caller's word.
        let given = unsafe { sized::read(frame)? };
        // SAFETY: as above.
        let mapped = unsafe { given.map()? };
        let frame = mapped.frame()?;
        // Held until the frame is accepted: frames are accepted in the order in which they are read.
        let mut reader = lock(&worker.reader);
        if worker.refuses && worker.queue.is_full() {
            let message = "a frame waits already; submit again after its answer, or set when_busy to replace it";
            return Err(Failure::new(OCELLUS_E_BUSY, message));
        }
        let mut waiting = worker.queue.spare();
        reader.read(&frame, &mut waiting.reading);
        (waiting.timestamp_ns, waiting.cookie) = (given.timestamp_ns, given.cookie);
        worker.queue.put(waiting);
        Ok(())
    })
}

/// Waits until every frame that was accepted before is answered, its callback returned, or dropped.
///
/// timeout_ms    milliseconds; 0 asks without waiting.
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_HANDLE, OCELLUS_E_NO_WORKER, OCELLUS_E_IN_CALLBACK; OCELLUS_E_TIMEOUT where one still
/// waits or is in work. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_session_flush(
    session: *mut ocellus_session,
    timeout_ms: u32,
) -> i32 {
    beside(session, |session| {
        let worker = session.worker()?;
        session.refuse_in_callback()?;
        match worker.queue.flush(Duration::from_millis(timeout_ms.into())) {
            true => Ok(()),
            false => Err(Failure::new(
                OCELLUS_E_TIMEOUT,
                format!("frames are unanswered after {timeout_ms} ms"),
            )),
        }
    })
}

/// Forgets the frame that waits, if one does: it gets no answer. One in work still does.
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_HANDLE, OCELLUS_E_NO_WORKER. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_session_cancel(session: *mut ocellus_session) -> i32 {
    beside(session, |session| {
        session.worker()?.queue.cancel();
        Ok(())
    })
}
