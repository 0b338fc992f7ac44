//! What a result says of itself: that its frame is old, that it is unsure for want of time; and where a worker runs.

use super::{stream::*, *};
use std::{thread, time::Duration};

/// Options of a session that is never sure at 112 pixels.
fn unsure(options: &mut ocellus_session_options) {
    options.policy = OCELLUS_POLICY_CASCADE;
    options.resolution = 112;
    options.margin = 1.0;
}

#[test]
fn a_frame_that_waited_too_long_is_stale() {
    let stale_after_us = 20_000;
    let stream = Stream::with(|options| options.stale_after_us = stale_after_us, |_, _| {});
    stream.ear.hold();
    ok(stream.submit_grey(1));
    stream.ear.wait_inside();
    ok(stream.submit_grey(2));
    thread::sleep(Duration::from_millis(30));
    stream.ear.let_go();
    let answers = stream.answers();
    for answer in &answers {
        let stale = answer.result.flags & OCELLUS_RESULT_STALE != 0;
        assert_eq!(stale, answer.result.queue_us > u64::from(stale_after_us));
    }
    assert!(answers[1].result.queue_us >= 30_000);
    // Without a limit nothing is.
    let stream = Stream::new();
    ok(stream.submit_grey(1));
    assert_eq!(stream.answers()[0].result.flags & OCELLUS_RESULT_STALE, 0);
}

#[test]
fn an_unsure_answer_stands_where_the_budget_is_over() {
    let (frame, _bytes) = grey_frame(64, 48);
    for (budget_us, escalates) in [(1, false), (u32::MAX, true), (0, true)] {
        let change = |options: &mut ocellus_session_options| {
            unsure(options);
            options.budget_us = budget_us;
        };
        let stream = Stream::with(change, |_, _| {});
        ok(stream.submit(&frame));
        let submitted = stream.answers()[0].result;
        let mut inferred = new_result();
        ok(unsafe {
            ocellus_session_infer(stream.session(), &frame, &mut inferred, ptr::null_mut(), 0)
        });
        for result in [submitted, inferred] {
            assert_eq!(result.escalated, i32::from(escalates), "{budget_us}");
            assert_eq!(result.resolution, if escalates { 224 } else { 112 });
            let degraded = result.flags & OCELLUS_RESULT_DEGRADED != 0;
            assert_eq!(degraded, !escalates, "{budget_us}");
        }
    }
    // A sure answer is not degraded, whatever the budget.
    let stream = Stream::with(|options| options.budget_us = 1, |_, _| {});
    ok(stream.submit(&frame));
    assert_eq!(
        stream.answers()[0].result.flags & OCELLUS_RESULT_DEGRADED,
        0
    );
}

#[test]
fn a_worker_runs_where_its_runtime_says() {
    let fixture = Fixture::new();
    let mut options = runtime_options();
    for (cpu_mask, usable) in [(u64::MAX, true), (1 << 63, false)] {
        options.cpu_mask = cpu_mask;
        let (mut runtime, mut session) = (ptr::null_mut(), ptr::null_mut());
        ok(unsafe { ocellus_runtime_new(fixture.bundle, &options, &mut runtime) });
        let mut asked = session_options();
        let status = unsafe { ocellus_session_new(runtime, &asked, &mut session) };
        // No worker, no mask.
        ok(status);
        ok(unsafe { ocellus_session_free(session) });
        unsafe extern "C" fn nothing(
            _: *mut std::ffi::c_void,
            _: i32,
            _: *const ocellus_result,
            _: *const ocellus_hit,
        ) {
        }
        asked.on_result = Some(nothing);
        session = ptr::null_mut();
        let status = unsafe { ocellus_session_new(runtime, &asked, &mut session) };
        match usable {
            true => ok(status),
            false => fails(
                status,
                OCELLUS_E_ARGUMENT,
                &["cpu_mask", "0x8000000000000000"],
            ),
        }
        assert_eq!(session.is_null(), !usable);
        ok(unsafe { ocellus_session_free(session) });
        ok(unsafe { ocellus_runtime_free(runtime) });
    }
}
