//! Routers: which session answers, what is said of the choice, and what is refused.

use super::*;
use std::{ffi::CStr, sync::mpsc, thread};

/// Answers a frame by a router, with room for two candidates and no hit.
fn infer(router: *const ocellus_router, frame: &ocellus_frame) -> (i32, Answer) {
    let mut answer = Answer {
        result: new_result(),
        choice: new_choice(),
        candidates: [ocellus_candidate::default(); 2],
    };
    let Answer {
        result,
        choice,
        candidates,
    } = &mut answer;
    let status = unsafe {
        let (hits, room) = (ptr::null_mut(), candidates.as_mut_ptr());
        ocellus_router_infer(router, frame, result, hits, 0, choice, room, 2)
    };
    (status, answer)
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Answer {
    result: ocellus_result,
    choice: ocellus_choice,
    candidates: [ocellus_candidate; 2],
}

fn new_choice() -> ocellus_choice {
    let mut choice = ocellus_choice::default();
    let size = size_of_val(&choice) as u32;
    ok(unsafe { ocellus_choice_init(&mut choice, size) });
    choice
}

fn new_route(
    name: &'static CStr,
    label: &'static CStr,
    session: &*mut ocellus_session,
) -> ocellus_route {
    let mut route = unsafe { std::mem::zeroed::<ocellus_route>() };
    let size = size_of_val(&route) as u32;
    ok(unsafe { ocellus_route_init(&mut route, size) });
    (route.name, route.label) = (name.as_ptr(), label.as_ptr());
    (route.sessions, route.session_count) = (session, 1);
    route.latency_threshold_us = u32::MAX;
    route
}

fn new_options() -> ocellus_router_options {
    let mut options = unsafe { std::mem::zeroed::<ocellus_router_options>() };
    let size = size_of_val(&options) as u32;
    ok(unsafe { ocellus_router_options_init(&mut options, size) });
    options
}

/// A second session beside that of a fixture, with three labels.
fn sibling(fixture: &Fixture) -> *mut ocellus_session {
    let mut session = ptr::null_mut();
    ok(unsafe { ocellus_session_new(fixture.runtime, &session_options(), &mut session) });
    ok(set_labels(session, &["a rocket", "an astronaut", "a moon"]));
    session
}

fn new(
    fixture: &Fixture,
    options: &ocellus_router_options,
    routes: &[ocellus_route],
) -> (i32, *mut ocellus_router) {
    let mut router = ptr::null_mut();
    let (list, count) = (routes.as_ptr(), routes.len());
    let status = unsafe { ocellus_router_new(fixture.runtime, options, list, count, &mut router) };
    assert_eq!(status == OCELLUS_OK, !router.is_null());
    (status, router)
}

#[test]
fn words_choose_a_session_and_what_was_skipped_is_said() {
    let fixture = Fixture::new();
    let sessions = [fixture.session, sibling(&fixture)];
    let (frame, _bytes) = grey_frame(32, 32);
    let mut routes = [
        new_route(c"animals", c"an animal", &sessions[0]),
        new_route(c"space", c"a rocket launch", &sessions[1]),
    ];
    let words = [c"a spaceship".as_ptr()];
    let mut options = new_options();
    (options.words, options.word_count) = (words.as_ptr(), 1);
    let (status, router) = new(&fixture, &options, &routes);
    ok(status);
    let (status, answer) = infer(router, &frame);
    ok(status);
    let Answer {
        result,
        choice,
        candidates,
    } = answer;
    assert_eq!(
        (choice.taken, choice.candidate_count, choice.scout_us),
        (1, 2, 0)
    );
    assert_eq!((result.label_count, result.hit_count), (3, 0));
    // The formula, computed again.
    let longest = candidates
        .iter()
        .map(|one| one.latency_us)
        .max()
        .expect("two") as f32;
    for one in candidates {
        let score = 0.7 * one.semantic_match + 0.3 * (1.0 - one.latency_us as f32 / longest);
        assert!((score - one.score).abs() < 1e-3, "{one:?} {score}");
        assert_eq!(
            (one.skipped, one.latency_threshold_us),
            (OCELLUS_ROUTE_OPEN, u32::MAX)
        );
    }
    ok(unsafe { ocellus_router_free(router) });

    // One that is too slow is passed by, and the handles may be gone by then.
    routes[1].latency_threshold_us = 1;
    let (status, router) = new(&fixture, &options, &routes);
    ok(status);
    ok(unsafe { ocellus_session_free(sessions[0]) });
    ok(unsafe { ocellus_session_free(sessions[1]) });
    let (status, answer) = infer(router, &frame);
    ok(status);
    assert_eq!((answer.choice.taken, answer.result.label_count), (0, 2));
    assert_eq!(answer.candidates[1].skipped, OCELLUS_ROUTE_OVER_THRESHOLD);
    assert_eq!(answer.candidates[1].score, 0.0);
    ok(unsafe { ocellus_router_free(router) });
    fails(infer(router, &frame).0, OCELLUS_E_HANDLE, &["router"]);
}

#[test]
fn a_frame_chooses_and_no_choice_need_be_said() {
    let fixture = Fixture::new();
    let route = new_route(c"one", c"an animal", &fixture.session);
    let (status, router) = new(&fixture, &new_options(), &[route]);
    ok(status);
    let (frame, _bytes) = grey_frame(32, 32);
    let (status, answer) = infer(router, &frame);
    ok(status);
    assert!(answer.choice.scout_us > 0, "{answer:?}");
    assert_eq!(answer.choice.candidate_count, 1);
    let mut result = new_result();
    let mut hits = [ocellus_hit {
        label: 9,
        score: 0.0,
        probability: 0.0,
    }; 2];
    let none = ptr::null_mut::<u8>();
    let status = unsafe {
        let hits = hits.as_mut_ptr();
        ocellus_router_infer(
            router,
            &frame,
            &mut result,
            hits,
            2,
            none.cast(),
            none.cast(),
            0,
        )
    };
    ok(status);
    assert_eq!(result.hit_count, 2);
    // The answer is the session's own.
    let mut own = [ocellus_hit {
        label: 9,
        score: 0.0,
        probability: 0.0,
    }; 2];
    ok(unsafe { ocellus_session_infer(fixture.session, &frame, &mut result, own.as_mut_ptr(), 2) });
    assert_eq!(hits, own);
    ok(unsafe { ocellus_router_free(router) });
}

#[test]
fn a_session_that_is_used_beside_the_router_is_busy() {
    let fixture = Fixture::new();
    let route = new_route(c"one", c"an animal", &fixture.session);
    let (status, router) = new(&fixture, &new_options(), &[route]);
    ok(status);
    let (frame, _bytes) = grey_frame(32, 32);
    let session = fixture.session.addr();
    let (held, release) = (mpsc::channel(), mpsc::channel::<()>());
    let user = thread::spawn(move || {
        let session = ptr::without_provenance_mut(session);
        crate::session::with(session, |_, _, _| {
            held.0.send(()).expect("a listener");
            release.1.recv().expect("a sender");
            Ok(())
        })
    });
    held.1.recv().expect("a sender");
    let (status, answer) = infer(router, &frame);
    fails(
        status,
        OCELLUS_E_NO_ROUTE,
        &["\"one\" has no free instance"],
    );
    assert_eq!(answer.choice, new_choice(), "nothing is written");
    let second = new(&fixture, &new_options(), &[route]).0;
    fails(second, OCELLUS_E_BUSY, &["\"one\"", "in use"]);
    release.0.send(()).expect("a user");
    ok(user.join().expect("no panic"));
    ok(infer(router, &frame).0);
    ok(unsafe { ocellus_router_free(router) });
}

#[test]
fn a_table_that_is_none_is_refused() {
    let fixture = Fixture::new();
    let bare = Fixture::bare(|_| {});
    let route = new_route(c"one", c"an animal", &fixture.session);
    let refused = |change: &dyn Fn(&mut ocellus_route), status: i32, words: &[&str]| {
        let mut routes = [route; 2];
        routes[1].name = c"two".as_ptr();
        change(&mut routes[1]);
        fails(new(&fixture, &new_options(), &routes).0, status, words);
    };
    refused(
        &|route| route.name = c"one".as_ptr(),
        OCELLUS_E_ARGUMENT,
        &["\"one\"", "twice"],
    );
    refused(
        &|route| route.name = ptr::null(),
        OCELLUS_E_NULL,
        &["routes[1].name"],
    );
    refused(
        &|route| route.label = c"\xff".as_ptr(),
        OCELLUS_E_UTF8,
        &["routes[1].label"],
    );
    refused(
        &|route| route.label = c"".as_ptr(),
        OCELLUS_E_LABELS,
        &["empty"],
    );
    refused(
        &|route| route.weight = 11.0,
        OCELLUS_E_ARGUMENT,
        &["weight", "11"],
    );
    refused(
        &|route| route.latency_threshold_us = 0,
        OCELLUS_E_ARGUMENT,
        &["latency threshold"],
    );
    refused(
        &|route| route.session_count = 0,
        OCELLUS_E_ARGUMENT,
        &["instances"],
    );
    refused(
        &|route| route.session_count = 65,
        OCELLUS_E_ARGUMENT,
        &["64", "65"],
    );
    refused(
        &|route| route.sessions = ptr::null(),
        OCELLUS_E_NULL,
        &["routes[1].sessions"],
    );
    refused(
        &|route| route.sessions = &bare.session,
        OCELLUS_E_NO_LABELS,
        &["no labels"],
    );
    refused(
        &|route| route.struct_size = 48,
        OCELLUS_E_ARGUMENT,
        &["routes[1]", "40", "48"],
    );
    let mut old = route;
    old.struct_size = 8;
    let status = new(&fixture, &new_options(), &[old]).0;
    fails(status, OCELLUS_E_STRUCT_SIZE, &["ocellus_route"]);

    let mut options = new_options();
    fails(
        new(&fixture, &options, &[]).0,
        OCELLUS_E_ARGUMENT,
        &["at least one"],
    );
    let many = vec![route; 257];
    fails(
        new(&fixture, &options, &many).0,
        OCELLUS_E_ARGUMENT,
        &["256", "257"],
    );
    options.resolution = 100;
    fails(
        new(&fixture, &options, &[route]).0,
        OCELLUS_E_POLICY,
        &["100"],
    );
    options = new_options();
    options.crop = 4;
    fails(
        new(&fixture, &options, &[route]).0,
        OCELLUS_E_ARGUMENT,
        &["ocellus_router_options", "crop"],
    );
    options = new_options();
    options.latency_weight = f32::NAN;
    fails(
        new(&fixture, &options, &[route]).0,
        OCELLUS_E_ARGUMENT,
        &["weights"],
    );
    options = new_options();
    options.word_count = 1;
    fails(
        new(&fixture, &options, &[route]).0,
        OCELLUS_E_NULL,
        &["words"],
    );

    let worker = Fixture::bare(|options| options.on_result = Some(nothing));
    ok(set_labels(worker.session, &["a cat"]));
    refused(
        &|route| route.sessions = &worker.session,
        OCELLUS_E_ARGUMENT,
        &["sessions[0]", "on_result"],
    );
    let none = ptr::null_mut::<u8>();
    let status =
        unsafe { ocellus_router_new(fixture.runtime, none.cast(), &route, 1, none.cast()) };
    fails(status, OCELLUS_E_NULL, &["router"]);
}

unsafe extern "C" fn nothing(
    _: *mut std::ffi::c_void,
    _: i32,
    _: *const ocellus_result,
    _: *const ocellus_hit,
) {
}
