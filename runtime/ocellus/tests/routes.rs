//! Routes: a frame goes to the one whose words fit it, a route that is slow or busy is passed by, and no session is lost.
#![allow(missing_docs)]

use ocellus::{
    Bundle, Engine, Error, Policy, Reading, Session, SessionOptions,
    route::{MatchBy, Route, RouteError, Routed, Router, Seat, Skipped, Weights},
    vision::{CropMode, DecodeLimits, Frame, Picture, decode},
};
use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

const CAT: &str = "chelsea.jpg";
const ROCKET: &str = "rocket.jpg";

fn engine() -> Arc<Engine> {
    let bundle = Bundle::embedded(ocellus_models::DEFAULT).expect("the default bundle");
    Arc::new(Engine::load(bundle, ocellus::detect_isa()).expect("an engine"))
}

fn session(engine: &Arc<Engine>, labels: &[&str]) -> Session {
    let options = SessionOptions {
        policy: Some(Policy::Fixed(112)),
        ..SessionOptions::default()
    };
    session_with(engine, labels, options)
}

fn session_with(engine: &Arc<Engine>, labels: &[&str], options: SessionOptions) -> Session {
    let mut session = Session::new(Arc::clone(engine), options).expect("a session");
    let labels = labels.iter().map(|&label| label.to_owned()).collect();
    session.set_labels(labels).expect("labels");
    session
}

fn route(name: &str, label: &str) -> Route {
    Route {
        name: name.into(),
        label: label.into(),
        weight: 1.0,
        latency_threshold: Duration::from_secs(3600),
    }
}

const ANIMALS: [&str; 2] = ["a cat", "a dog"];
const SPACE: [&str; 2] = ["a rocket", "an astronaut"];

type Table = Vec<(Route, Vec<Session>)>;

/// A route for animals and one for space, each with a session.
fn two(engine: &Arc<Engine>) -> Table {
    vec![
        (
            route("animals", "an animal"),
            vec![session(engine, &ANIMALS)],
        ),
        (
            route("space", "a rocket launch"),
            vec![session(engine, &SPACE)],
        ),
    ]
}

fn router(engine: &Arc<Engine>, routes: Table) -> Result<Router, Error> {
    let scout = session(engine, &["a cat"]);
    Router::new(scout, MatchBy::Frame, Weights::default(), routes)
}

fn photo(name: &str) -> Picture {
    let path = Path::new("../../tests/data/photos").join(name);
    let bytes = fs::read(path).expect("a photo");
    decode(&bytes, &DecodeLimits::default()).expect("a picture")
}

fn infer(router: &Router, picture: &Picture) -> Result<Routed, Error> {
    router.infer(&Frame::rgb(picture.width, picture.height, &picture.rgb).expect("a frame"))
}

#[test]
fn a_frame_goes_to_the_route_whose_words_fit_it() {
    let engine = engine();
    let router = router(&engine, two(&engine)).expect("a router");
    assert_eq!(router.routes().collect::<Vec<_>>(), ["animals", "space"]);
    for (name, taken, labels) in [(CAT, "animals", ANIMALS), (ROCKET, "space", SPACE)] {
        let picture = photo(name);
        let routed = infer(&router, &picture).expect("a report");
        assert_eq!(&*routed.route.taken, taken, "{:?}", routed.route);
        // The answer is that of the route's own session.
        let frame = Frame::rgb(picture.width, picture.height, &picture.rgb).expect("a frame");
        let alone = session(&engine, &labels).infer(&frame).expect("a report");
        let hits = |report: &ocellus::Report| {
            let hit = |hit: &ocellus::Hit| (hit.label.to_string(), hit.score);
            report.labels.iter().map(hit).collect::<Vec<_>>()
        };
        assert_eq!(hits(&routed.report), hits(&alone));
        // The scores are those of the formula.
        let candidates = &routed.route.candidates;
        let longest = candidates.iter().map(|one| one.latency_us).max();
        let longest = longest.expect("two") as f64;
        for one in candidates {
            let quick = 1.0 - one.latency_us as f64 / longest;
            let expected = 0.7 * f64::from(one.semantic_match) + 0.3 * quick;
            let got = f64::from(one.score.expect("not skipped"));
            assert!(
                (got - expected).abs() < 1e-4,
                "{got} {expected}: {candidates:?}"
            );
        }
        let shares: f32 = candidates.iter().map(|one| one.semantic_match).sum();
        assert!((shares - 1.0).abs() < 1e-5, "{candidates:?}");
        assert!(routed.route.scout_us > 0);
    }
}

#[test]
fn what_a_routers_readers_read_is_answered_as_the_frame_is() {
    let engine = engine();
    let mut routes = two(&engine);
    let squash = SessionOptions {
        policy: Some(Policy::Fixed(112)),
        crop: CropMode::Squash,
        ..SessionOptions::default()
    };
    routes[1].1[0] = session_with(&engine, &SPACE, squash);
    let router = router(&engine, routes).expect("a router");
    // The scout and one route see the same, the other route sees more.
    let mut readers = router.readers();
    assert_eq!(readers.len(), 2);
    let mut routed = Routed::default();
    for (name, taken) in [(CAT, "animals"), (ROCKET, "space")] {
        let picture = photo(name);
        let frame = Frame::rgb(picture.width, picture.height, &picture.rgb).expect("a frame");
        let mut readings: Vec<Reading> = readers.iter().map(|_| Reading::default()).collect();
        for (reader, reading) in readers.iter_mut().zip(&mut readings) {
            reader.read(&frame, reading);
        }
        let whole = infer(&router, &picture).expect("a report");
        router
            .infer_readings(&readings, &mut routed)
            .expect("a report");
        assert_eq!(&*routed.route.taken, taken, "{:?}", routed.route);
        let scores = |routed: &Routed| -> Vec<f32> {
            routed.report.labels.iter().map(|hit| hit.score).collect()
        };
        assert_eq!(scores(&routed), scores(&whole));
        let seen = routed.report.seen[0];
        let squashed = seen.width > seen.height;
        assert_eq!(squashed, taken == "space", "{seen:?}");
        // Without what the scout sees there is no choice; the answer before stays.
        let error = router.infer_readings(&readings[1..], &mut routed);
        let message = error.expect_err("nothing was read").to_string();
        assert!(message.contains("the scout"), "{message}");
        assert_eq!(&*routed.route.taken, taken);
    }
}

#[test]
fn a_budget_is_that_of_every_route() {
    let engine = engine();
    let unsure = || SessionOptions {
        policy: Some(Policy::Cascade {
            start: 112,
            margin: 1.0,
        }),
        ..SessionOptions::default()
    };
    let route = (
        route("animals", "an animal"),
        vec![session_with(&engine, &ANIMALS, unsure())],
    );
    let mut router = router(&engine, vec![route]).expect("a router");
    router.set_budget(Some(Duration::ZERO));
    let hasty = infer(&router, &photo(CAT)).expect("a report").report;
    assert!(hasty.degraded && !hasty.escalated, "{hasty:?}");
    router.set_budget(None);
    let patient = infer(&router, &photo(CAT)).expect("a report").report;
    assert!(patient.escalated && !patient.degraded, "{patient:?}");
}

/// A session that the test uses too.
struct Shared(Arc<Mutex<Session>>);

impl Seat for Shared {
    type Lease<'a> = MutexGuard<'a, Session>;

    fn lend(&mut self) -> Option<MutexGuard<'_, Session>> {
        self.0.try_lock().ok()
    }
}

#[test]
fn a_session_that_somebody_else_uses_makes_its_route_busy() {
    let engine = engine();
    let shared = [ANIMALS, SPACE].map(|labels| Arc::new(Mutex::new(session(&engine, &labels))));
    let seats = |index: usize| vec![Shared(Arc::clone(&shared[index]))];
    let routes = || {
        vec![
            (route("animals", "an animal"), seats(0)),
            (route("space", "a rocket launch"), seats(1)),
        ]
    };
    let new = || {
        let scout = session(&engine, &["a cat"]);
        Router::new(scout, MatchBy::Frame, Weights::default(), routes())
    };
    let router = new().expect("a router");
    let picture = photo(CAT);
    let frame = Frame::rgb(picture.width, picture.height, &picture.rgb).expect("a frame");
    let held = shared[0].lock().expect("no panic");
    let routed = router.infer(&frame).expect("a report");
    assert_eq!(&*routed.route.taken, "space");
    assert_eq!(routed.route.candidates[0].skipped, Some(Skipped::Busy));
    let error = new().err().expect("a session is in use").to_string();
    assert!(
        error.contains("\"animals\"") && error.contains("in use"),
        "{error}"
    );
    drop(held);
    let routed = router.infer(&frame).expect("a report");
    assert_eq!(&*routed.route.taken, "animals");
}

#[test]
fn words_decide_where_they_are_asked_to() {
    let engine = engine();
    for (asked, taken) in [("a kitten", "animals"), ("a spaceship", "space")] {
        let scout = session(&engine, &[asked]);
        let weights = Weights::default();
        let router = Router::new(scout, MatchBy::Words, weights, two(&engine)).expect("a router");
        // The frame has no say.
        for name in [CAT, ROCKET] {
            let routed = infer(&router, &photo(name)).expect("a report");
            assert_eq!((&*routed.route.taken, routed.route.scout_us), (taken, 0));
        }
    }
}

#[test]
fn a_route_over_its_threshold_is_passed_by_and_so_may_be_all() {
    let engine = engine();
    let mut routes = two(&engine);
    routes[0].0.latency_threshold = Duration::from_nanos(1);
    let patient = router(&engine, routes).expect("a router");
    let routed = infer(&patient, &photo(CAT)).expect("a report");
    assert_eq!(&*routed.route.taken, "space");
    let passed = &routed.route.candidates[0];
    assert_eq!(
        (passed.score, passed.skipped),
        (None, Some(Skipped::OverThreshold))
    );

    let mut routes = two(&engine);
    for (route, _) in &mut routes {
        route.latency_threshold = Duration::from_nanos(1);
    }
    let hasty = router(&engine, routes).expect("a router");
    let error = infer(&hasty, &photo(CAT)).expect_err("no route");
    assert!(
        matches!(error, Error::Route(RouteError::AllSkipped(_))),
        "{error}"
    );
    assert_eq!(error.kind(), "route");
}

#[test]
fn threads_share_a_router_and_every_session_comes_back() {
    let engine = engine();
    let router = router(&engine, two(&engine)).expect("a router");
    let (picture, frames) = (photo(CAT), 3);
    thread::scope(|scope| {
        let one = || {
            for _ in 0..frames {
                // Where both sessions are in use a third thread gets none, and is told so.
                if let Err(error) = infer(&router, &picture) {
                    let message = error.to_string();
                    assert!(message.contains("no free instance"), "{message}");
                }
            }
        };
        for _ in 0..3 {
            scope.spawn(one);
        }
    });
    let routed = infer(&router, &picture).expect("a report");
    let skipped = routed.route.candidates.iter().map(|one| one.skipped);
    assert!(skipped.eq([None, None]), "{:?}", routed.route);
}

#[test]
fn a_table_that_is_none_is_refused() {
    let engine = engine();
    let refused = |change: &dyn Fn(&mut Table), expected: &str| {
        let mut routes = two(&engine);
        change(&mut routes);
        let error = router(&engine, routes).err().expect(expected).to_string();
        assert!(error.contains(expected), "{error}");
    };
    refused(&|routes| routes.clear(), "at least one");
    refused(&|routes| routes[1].0.name = "animals".into(), "\"animals\"");
    refused(&|routes| routes[0].0.weight = f32::NAN, "weight");
    refused(&|routes| routes[0].0.weight = -1.0, "0 to 10");
    refused(
        &|routes| routes[1].0.latency_threshold = Duration::ZERO,
        "latency threshold",
    );
    refused(&|routes| routes[1].1.clear(), "instances");
    refused(&|routes| routes[0].0.label = "\u{13000}".into(), "label");
    for weights in [(f32::NAN, 0.3), (-0.1, 0.3), (0.0, 0.0)] {
        let weights = Weights {
            semantic: weights.0,
            latency: weights.1,
        };
        let scout = session(&engine, &["a cat"]);
        let error = Router::new(scout, MatchBy::Frame, weights, two(&engine)).err();
        let message = error.expect("no weights").to_string();
        assert!(message.contains("weights"), "{message}");
    }
}
