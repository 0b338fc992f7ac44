//! Several threads with a session that has a worker: each gets its turn, and its end is the last callback.

use super::{stream::*, *};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

#[test]
fn a_session_is_free_when_its_last_callback_has_returned() {
    let stream = Stream::new();
    let session = stream.session().addr();
    let free = move || unsafe { ocellus_session_free(ptr::without_provenance_mut(session)) };
    stream.ear.hold();
    ok(stream.submit_grey(1));
    stream.ear.wait_inside();
    ok(stream.submit_grey(2));
    let freeing = thread::spawn(free);
    let submit = || stream.submit_grey(3);
    while submit() != OCELLUS_E_HANDLE {}
    // It is being freed: a second time is a mistake, and does not wait.
    fails(free(), OCELLUS_E_HANDLE, &["session"]);
    thread::sleep(Duration::from_millis(30));
    assert!(!freeing.is_finished(), "the callback has not returned");
    stream.ear.let_go();
    assert_eq!(freeing.join().expect("no panic"), OCELLUS_OK);
    assert_eq!(
        stream.ear.answers().len(),
        1,
        "the frame that waited is dropped"
    );
}

#[test]
fn labels_can_be_set_and_frames_inferred_while_others_stream() {
    let stream = Stream::new();
    let done = AtomicBool::new(false);
    let session = stream.session().addr();
    let session = move || ptr::without_provenance_mut(session);
    thread::scope(|scope| {
        let done = &done;
        let camera = scope.spawn(move || {
            let (frame, _bytes) = grey_frame(32, 24);
            let mut submitted = 0_u64;
            while !done.load(Ordering::Relaxed) {
                ok(unsafe { ocellus_session_submit(session(), &frame) });
                submitted += 1;
            }
            submitted
        });
        let other = scope.spawn(move || {
            let (frame, _bytes) = grey_frame(40, 40);
            (0..5).for_each(|_| ok(infer(session(), &frame)));
        });
        for _ in 0..4 {
            ok(set_labels(session(), &["a dog"]));
            ok(set_labels(session(), &["a cat", "a bus"]));
        }
        other.join().expect("no panic");
        done.store(true, Ordering::Relaxed);
        let submitted = camera.join().expect("no panic");
        let answers = stream.answers();
        let counted = answers
            .iter()
            .map(|answer| 1 + u64::from(answer.result.dropped));
        assert_eq!(counted.sum::<u64>(), submitted, "answered or dropped");
        for answer in answers {
            ok(answer.status);
            assert!(matches!(answer.result.label_count, 1 | 2));
        }
    });
    ok(stream.submit_grey(1));
    let last = stream.answers().pop().expect("an answer");
    assert_eq!(last.result.label_count, 2);
}

#[test]
fn many_threads_free_one_session_once() {
    let stream = Stream::new();
    ok(stream.submit_grey(1));
    let session = stream.session().addr();
    let free = move || unsafe { ocellus_session_free(ptr::without_provenance_mut(session)) };
    let threads: Vec<_> = (0..4).map(|_| thread::spawn(free)).collect();
    let statuses = threads
        .into_iter()
        .map(|thread| thread.join().expect("no panic"));
    let freed = statuses.filter(|status| *status == OCELLUS_OK).count();
    assert_eq!(freed, 1);
}
