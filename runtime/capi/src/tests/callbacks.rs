//! What may be done inside of on_result, and what a fault in the worker does.

use super::{stream::*, *};
use crate::guard::panic_after;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

#[test]
fn what_would_wait_for_its_own_end_is_denied_and_does_nothing() {
    let denied = Arc::new(Mutex::new(Vec::new()));
    let statuses = denied.clone();
    let other = Fixture::new();
    let runtime = other.runtime.addr();
    let stream = Stream::with(
        |_| {},
        move |session, _| {
            let calls = unsafe {
                [
                    ocellus_session_free(session),
                    ocellus_session_flush(session, 1000),
                    ocellus_session_swap(session, ptr::without_provenance(runtime)),
                ]
            };
            statuses.lock().expect("no panic").extend(calls);
            assert!(message().contains("callback"));
        },
    );
    ok(stream.submit_grey(1));
    ok(stream.answers()[0].status);
    assert_eq!(
        *denied.lock().expect("no panic"),
        [OCELLUS_E_IN_CALLBACK; 3]
    );
    // It lives, and other threads may.
    ok(stream.submit_grey(2));
    assert_eq!(stream.answers().len(), 2);
    ok(unsafe { ocellus_session_swap(stream.session(), other.runtime) });
    ok(unsafe { ocellus_session_free(stream.session()) });
}

#[test]
fn everything_else_may_be_called_with_the_session() {
    let left = AtomicU32::new(3);
    let stream = Stream::with(
        |_| {},
        move |session, answer| {
            ok(answer.status);
            let (mut frame, _bytes) = grey_frame(32, 32);
            ok(infer(session, &frame));
            ok(set_labels(session, &["a dog", "a cat", "a bus"]));
            ok(unsafe { ocellus_session_warm_up(session) });
            ok(unsafe { ocellus_session_cancel(session) });
            if left.fetch_sub(1, Ordering::Relaxed) > 0 {
                frame.cookie = answer.result.cookie + 1;
                ok(unsafe { ocellus_session_submit(session, &frame) });
            }
        },
    );
    ok(stream.submit_grey(1));
    while stream.answers().len() < 4 {}
    let answers = stream.answers();
    let cookies: Vec<u64> = answers.iter().map(|answer| answer.result.cookie).collect();
    assert_eq!(cookies, [1, 2, 3, 4]);
    let counts: Vec<u32> = answers
        .iter()
        .map(|answer| answer.result.label_count)
        .collect();
    assert_eq!(
        counts,
        [2, 3, 3, 3],
        "labels are in force from the next frame on"
    );
}

#[test]
fn relevance_is_of_the_callback_s_frame_whatever_others_do_meanwhile() {
    let ask = |session| {
        let mut relevance = ocellus_relevance::default();
        let size = size_of_val(&relevance) as u32;
        ok(unsafe { ocellus_relevance_init(&mut relevance, size) });
        let status =
            unsafe { ocellus_session_relevance(session, 0, &mut relevance, ptr::null_mut(), 0) };
        (status, relevance)
    };
    let inside = Arc::new(Mutex::new(None));
    let kept = inside.clone();
    let stream = Stream::with(
        |options| options.relevance = 1,
        move |session, _| {
            // Another thread, while this one is inside of the callback.
            std::thread::scope(|scope| {
                let session = session.addr();
                scope.spawn(move || {
                    let session = ptr::without_provenance_mut(session);
                    ok(set_labels(session, &["a dog"]));
                    assert_eq!(ask(session).0, OCELLUS_E_NO_RELEVANCE);
                });
            });
            *kept.lock().expect("no panic") = Some(ask(session));
        },
    );
    let (frame, _bytes) = grey_frame(64, 48);
    ok(stream.submit(&frame));
    ok(stream.answers()[0].status);
    let (status, relevance) = inside.lock().expect("no panic").take().expect("an answer");
    assert_eq!(status, OCELLUS_OK);
    let plain = Fixture::bare(|options| options.relevance = 1);
    ok(set_labels(plain.session, &["a cat", "a bus"]));
    ok(infer(plain.session, &frame));
    assert_eq!(ask(plain.session), (OCELLUS_OK, relevance));
}

#[test]
fn a_panic_in_the_worker_is_that_frame_s_status_and_the_next_is_answered() {
    // The callback runs in the worker: what it injects meets the next frame. Past the checkpoints of the call and of its
    // log, the third stands where it is the worker's turn.
    for passed in 0..3 {
        let stream = Stream::with(
            |_| {},
            move |_, answer| {
                if answer.result.cookie == 1 {
                    panic_after(passed);
                }
            },
        );
        (1..=3).for_each(|cookie| {
            ok(stream.submit_grey(cookie));
            stream.answers();
        });
        let answers = stream.answers();
        let statuses: Vec<i32> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(
            statuses,
            [OCELLUS_OK, OCELLUS_E_PANIC, OCELLUS_OK],
            "{passed}"
        );
        assert!(answers[1].message.contains("injected") && answers[1].hits.is_none());
        assert_eq!(answers[1].result.cookie, 2);
    }
}
