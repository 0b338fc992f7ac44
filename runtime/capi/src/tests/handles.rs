//! Handles that are freed, freed twice, of another kind, or in use.

use super::*;
use std::{ffi::c_void, sync::mpsc, thread};

#[test]
fn freed_handles_are_detected_by_every_function() {
    let fixture = Fixture::new();
    let Fixture {
        bundle,
        runtime,
        session,
    } = fixture;
    unsafe {
        // What is still needed outlives its handle, in whichever order they go.
        ok(ocellus_bundle_free(bundle));
        ok(ocellus_runtime_free(runtime));
    }
    let (frame, _bytes) = grey_frame(32, 32);
    ok(infer(session, &frame));
    ok(unsafe { ocellus_session_free(session) });
    let (mut result, mut relevance) = (new_result(), ocellus_relevance::default());
    let (other, mut length) = (Fixture::new(), 0);
    let (mut to_runtime, mut to_session, mut isa) = (ptr::null_mut(), ptr::null_mut(), 0);
    let null = ptr::null_mut::<u8>();
    let statuses = unsafe {
        [
            ocellus_bundle_free(bundle),
            ocellus_runtime_free(runtime),
            ocellus_session_free(session),
            ocellus_runtime_new(bundle, null.cast(), &mut to_runtime),
            ocellus_runtime_isa(runtime, &mut isa),
            ocellus_session_new(runtime, null.cast(), &mut to_session),
            ocellus_session_warm_up(session),
            set_labels(session, &["a cat"]),
            ocellus_session_infer(session, &frame, &mut result, null.cast(), 0),
            ocellus_session_relevance(session, 0, &mut relevance, null.cast(), 0),
            ocellus_session_submit(session, &frame),
            ocellus_session_flush(session, 1),
            ocellus_session_cancel(session),
            ocellus_session_embed(session, &frame, null.cast(), 0, &mut length),
            ocellus_session_swap(session, other.runtime),
            ocellus_session_swap(other.session, runtime),
            ocellus_session_swap(other.session, other.session.cast()),
            // Alive once, and of another kind.
            ocellus_session_free(runtime.cast()),
        ]
    };
    for (call, status) in statuses.into_iter().enumerate() {
        assert_eq!(status, OCELLUS_E_HANDLE, "call {call}");
    }
}

#[test]
fn a_handle_of_another_kind_is_no_handle() {
    let fixture = Fixture::new();
    let wrong = unsafe { ocellus_session_free(fixture.runtime.cast()) };
    fails(wrong, OCELLUS_E_HANDLE, &["session"]);
    let mut isa = 0;
    ok(unsafe { ocellus_runtime_isa(fixture.runtime, &mut isa) });
}

/// Waits in the log callback, so inside of a call.
struct Gate {
    inside: mpsc::Sender<()>,
    leave: mpsc::Receiver<()>,
}

unsafe extern "C" fn wait(context: *mut c_void, _: i32, _: *const c_char) {
    let gate = unsafe { &*context.cast::<Gate>() };
    gate.inside.send(()).expect("a listener");
    gate.leave.recv().expect("a sender");
}

#[test]
fn a_session_in_use_is_busy_and_can_be_freed() {
    let (inside, entered) = mpsc::channel();
    let (leave, left) = mpsc::channel();
    let gate = Gate {
        inside,
        leave: left,
    };
    let mut options = runtime_options();
    options.log = Some(wait);
    options.log_context = (&raw const gate).cast_mut().cast();
    let fixture = Fixture::new();
    let (mut runtime, mut session) = (ptr::null_mut(), ptr::null_mut());
    ok(unsafe { ocellus_runtime_new(fixture.bundle, &options, &mut runtime) });
    ok(unsafe { ocellus_session_new(runtime, &session_options(), &mut session) });
    let held = session.addr();
    let user = thread::spawn(move || {
        // One word is unknown, so the callback hears of it.
        set_labels(
            ptr::without_provenance_mut(held),
            &["a cat", "a \u{4e00} dog"],
        )
    });
    entered.recv().expect("a sender");
    // The only callback that is open is the other thread's: this failure is logged as well.
    let here = thread::spawn(move || set_labels(ptr::without_provenance_mut(held), &["a bus"]));
    entered.recv().expect("a sender");
    leave.send(()).expect("a listener");
    leave.send(()).expect("a listener");
    assert_eq!(here.join().expect("no panic"), OCELLUS_E_BUSY);
    assert_eq!(user.join().expect("no panic"), OCELLUS_OK);

    let user = thread::spawn(move || {
        set_labels(
            ptr::without_provenance_mut(held),
            &["a cat", "a \u{4e00} dog"],
        )
    });
    entered.recv().expect("a sender");
    unsafe {
        ok(ocellus_session_free(session));
        ok(ocellus_runtime_free(runtime));
    }
    fails(
        set_labels(session, &["a bus"]),
        OCELLUS_E_HANDLE,
        &["session"],
    );
    leave.send(()).expect("a listener");
    assert_eq!(user.join().expect("no panic"), OCELLUS_OK);
}

#[test]
fn sessions_of_one_runtime_work_side_by_side() {
    let fixture = Fixture::new();
    let runtime = fixture.runtime.addr();
    let workers: Vec<_> = (0..3)
        .map(|_| {
            thread::spawn(move || {
                let mut session = ptr::null_mut();
                let runtime = ptr::without_provenance(runtime);
                ok(unsafe { ocellus_session_new(runtime, &session_options(), &mut session) });
                ok(set_labels(session, &["a cat", "a bus"]));
                let (frame, _bytes) = grey_frame(40, 30);
                ok(infer(session, &frame));
                ok(unsafe { ocellus_session_free(session) });
            })
        })
        .collect();
    workers
        .into_iter()
        .for_each(|worker| worker.join().expect("no panic"));
}
