//! Frames that are submitted: the newest wins, its buffer is free at once, and every one is answered or counted.

use super::{stream::*, *};

fn cookies(answers: &[Answer]) -> Vec<(u64, u32)> {
    let cookie = |answer: &Answer| (answer.result.cookie, answer.result.dropped);
    answers.iter().map(cookie).collect()
}

#[test]
fn the_answer_is_that_of_infer_though_the_buffer_was_used_again() {
    for crop in [OCELLUS_CROP_CENTRE, OCELLUS_CROP_TILES] {
        let stream = Stream::with(|options| options.crop = crop, |_, _| {});
        let plain = Fixture::bare(|options| options.crop = crop);
        ok(set_labels(plain.session, &["a cat", "a bus"]));
        // Of one, three and two tiles; one is turned, one is reduced.
        for (width, height, rotation) in [(64, 64, 0), (90, 32, 90), (1400, 1100, 0)] {
            let (mut frame, mut bytes) = grey_frame(width, height);
            frame.planes[0].data = bytes.as_mut_ptr().cast();
            (frame.rotation, frame.timestamp_ns, frame.cookie) = (rotation, -7, u64::MAX);
            let mut wanted = new_result();
            let none = ocellus_hit {
                label: 9,
                score: 9.0,
                probability: 9.0,
            };
            let mut hits = [none; 2];
            ok(unsafe {
                ocellus_session_infer(plain.session, &frame, &mut wanted, hits.as_mut_ptr(), 2)
            });
            ok(stream.submit(&frame));
            bytes.fill(0);
            let answer = stream.answers().pop().expect("an answer");
            ok(answer.status);
            assert_eq!(answer.hits.as_deref(), Some(&hits[..]));
            let result = answer.result;
            assert_eq!(result.match_probability, wanted.match_probability);
            assert_eq!(result.entropy_bits, wanted.entropy_bits);
            assert_eq!((result.label_count, result.hit_count), (2, 2));
            assert_eq!((result.timestamp_ns, result.cookie), (-7, u64::MAX));
            assert_eq!((wanted.queue_us, wanted.dropped), (0, 0));
            assert!(result.total_us >= result.decode_us + result.queue_us + result.encode_us);
        }
    }
}

#[test]
fn the_newest_frame_wins_and_the_dropped_ones_are_counted() {
    let stream = Stream::new();
    stream.ear.hold();
    ok(stream.submit_grey(1));
    stream.ear.wait_inside();
    (2..=4).for_each(|cookie| ok(stream.submit_grey(cookie)));
    stream.ear.let_go();
    assert_eq!(cookies(&stream.answers()), [(1, 0), (4, 2)]);
    ok(stream.submit_grey(5));
    assert_eq!(cookies(&stream.answers()), [(1, 0), (4, 2), (5, 0)]);
}

#[test]
fn a_frame_is_refused_while_another_one_waits_where_that_is_asked_for() {
    let refuse = |options: &mut ocellus_session_options| {
        options.when_busy = OCELLUS_WHEN_BUSY_REFUSE;
    };
    let stream = Stream::with(refuse, |_, _| {});
    stream.ear.hold();
    ok(stream.submit_grey(1));
    stream.ear.wait_inside();
    ok(stream.submit_grey(2));
    fails(stream.submit_grey(3), OCELLUS_E_BUSY, &["when_busy"]);
    stream.ear.let_go();
    assert_eq!(cookies(&stream.answers()), [(1, 0), (2, 0)]);
    ok(stream.submit_grey(4));
    assert_eq!(stream.answers().len(), 3);
}

#[test]
fn a_flush_waits_for_the_callback_and_no_longer_than_it_may() {
    let stream = Stream::new();
    let flush = |timeout_ms| unsafe { ocellus_session_flush(stream.session(), timeout_ms) };
    ok(flush(0));
    stream.ear.hold();
    ok(stream.submit_grey(1));
    stream.ear.wait_inside();
    for timeout_ms in [0, 20] {
        fails(flush(timeout_ms), OCELLUS_E_TIMEOUT, &["ms"]);
    }
    stream.ear.let_go();
    ok(flush(60_000));
    assert_eq!(stream.ear.answers().len(), 1);
}

#[test]
fn the_frame_that_waits_can_be_forgotten_and_the_one_in_work_not() {
    let stream = Stream::new();
    let cancel = || unsafe { ocellus_session_cancel(stream.session()) };
    ok(cancel());
    stream.ear.hold();
    ok(stream.submit_grey(1));
    stream.ear.wait_inside();
    ok(stream.submit_grey(2));
    ok(cancel());
    ok(cancel());
    stream.ear.let_go();
    assert_eq!(cookies(&stream.answers()), [(1, 0)]);
    ok(stream.submit_grey(3));
    assert_eq!(cookies(&stream.answers()), [(1, 0), (3, 1)]);
}

#[test]
fn a_frame_without_an_answer_says_whose_it_is_and_why() {
    let stream = Stream::bare(|_| {}, |_, _| {});
    let (mut frame, _bytes) = grey_frame(32, 32);
    (frame.timestamp_ns, frame.cookie) = (12, 34);
    ok(stream.submit(&frame));
    let answer = stream.answers().pop().expect("an answer");
    assert_eq!(answer.status, OCELLUS_E_NO_LABELS);
    assert!(answer.message.contains("set_labels"), "{}", answer.message);
    assert_eq!((answer.result.timestamp_ns, answer.result.cookie), (12, 34));
    assert_eq!((answer.result.label_count, answer.result.hit_count), (0, 0));
    assert!(answer.hits.is_none());
    ok(set_labels(stream.session(), &["a cat"]));
    ok(stream.submit(&frame));
    ok(stream.answers()[1].status);
}

#[test]
fn a_bad_frame_is_refused_at_once_and_answers_nothing() {
    let stream = Stream::new();
    let (mut frame, _bytes) = grey_frame(32, 32);
    frame.crop_width = 99;
    frame.crop_height = 1;
    fails(stream.submit(&frame), OCELLUS_E_FRAME_CROP, &[]);
    frame.fourcc = 0;
    fails(stream.submit(&frame), OCELLUS_E_FRAME_FORMAT, &["fourcc"]);
    assert!(stream.answers().is_empty());
}

#[test]
fn a_session_without_a_worker_takes_no_frames() {
    let fixture = Fixture::new();
    let (frame, _bytes) = grey_frame(32, 32);
    let statuses = unsafe {
        [
            ocellus_session_submit(fixture.session, &frame),
            ocellus_session_flush(fixture.session, 1),
            ocellus_session_cancel(fixture.session),
        ]
    };
    for status in statuses {
        fails(status, OCELLUS_E_NO_WORKER, &["on_result"]);
    }
    for change in [
        |options: &mut ocellus_session_options| options.when_busy = 1,
        |options: &mut ocellus_session_options| options.stale_after_us = 1,
        |options: &mut ocellus_session_options| options.when_busy = 2,
    ] {
        let mut options = session_options();
        change(&mut options);
        let mut session = ptr::null_mut();
        let status = unsafe { ocellus_session_new(fixture.runtime, &options, &mut session) };
        fails(status, OCELLUS_E_ARGUMENT, &["when_busy"]);
    }
}
