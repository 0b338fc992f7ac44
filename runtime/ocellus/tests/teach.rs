//! A session that is taught: its labels, its scores, what is kept of it, and what is refused.

use ocellus::{
    Bundle, Engine, Error, Examples, ExamplesError, Policy, Relevance, Report, Session,
    SessionOptions, detect_isa, vision::Frame,
};
use std::{fs, sync::Arc, sync::OnceLock};

fn engine() -> Arc<Engine> {
    static ENGINE: OnceLock<Arc<Engine>> = OnceLock::new();
    let load = || {
        let bundle = Bundle::embedded(ocellus_models::DEFAULT).expect("the default bundle");
        Arc::new(Engine::load(bundle, detect_isa()).expect("an engine"))
    };
    Arc::clone(ENGINE.get_or_init(load))
}

fn session(labels: &[&str]) -> Session {
    let options = SessionOptions {
        policy: Some(Policy::Fixed(160)),
        ..SessionOptions::default()
    };
    let mut session = Session::new(engine(), options).expect("a session");
    if !labels.is_empty() {
        set(&mut session, labels);
    }
    session
}

fn set(session: &mut Session, labels: &[&str]) {
    let labels = labels.iter().map(|label| label.to_string());
    session.set_labels(labels.collect()).expect("labels");
}

fn photo(name: &str) -> Vec<u8> {
    fs::read(format!("../../tests/data/photos/{name}.jpg")).expect("a committed photo")
}

fn names(session: &Session) -> Vec<&str> {
    session.all_labels().iter().map(|label| &**label).collect()
}

/// Score, examples and similarity of a label.
fn hit(report: &Report, label: &str) -> (f32, Option<(usize, f32)>) {
    let hit = report.labels.iter().find(|hit| &*hit.label == label);
    let hit = hit.unwrap_or_else(|| panic!("no {label}"));
    let taught = hit
        .taught
        .map(|taught| (taught.examples, taught.similarity));
    (hit.score, taught)
}

#[test]
fn a_taught_label_is_one_of_the_labels_and_knows_its_picture() {
    let (chelsea, coffee) = (photo("chelsea"), photo("coffee"));
    let mut session = session(&["a cat", "a dog"]);
    let before = session.infer_picture(&chelsea).expect("an answer");
    assert!(hit(&before, "a cat").1.is_none());
    // Words that say something else, and one that says nothing to this vocabulary.
    assert_eq!(
        session.teach_picture(" a dog", &chelsea).expect("taught"),
        1
    );
    assert_eq!(session.teach_picture("犬", &coffee).expect("taught"), 1);
    assert_eq!(names(&session), ["a cat", "a dog", "犬"]);
    assert_eq!(session.labels(), ["a cat", "a dog"]);

    let report = session.infer_picture(&chelsea).expect("an answer");
    assert_eq!(&*report.labels[0].label, "a dog");
    let (score, taught) = hit(&report, "a dog");
    let (examples, similarity) = taught.expect("taught");
    assert!(examples == 1 && similarity > 0.999, "{similarity}");
    let bonus = session.blend().bonus(similarity);
    assert!((score - hit(&before, "a dog").0 - bonus).abs() < 1e-5);
    assert_eq!(hit(&report, "a cat"), hit(&before, "a cat"));
    // Nothing like a cup of coffee fits a cat or a dog, but it was taught.
    let report = session.infer_picture(&coffee).expect("an answer");
    assert!(
        !report.no_match && &*report.labels[0].label == "犬",
        "{report:?}"
    );
    assert_eq!(report.labels[0].index, 2);

    // Twice the same is once; a picture teaches one label.
    assert_eq!(session.teach_picture("a dog", &chelsea).expect("known"), 1);
    let error = session.teach_picture("a cat", &chelsea).unwrap_err();
    assert!(
        matches!(error, Error::Examples(ExamplesError::Contradiction { .. })),
        "{error}"
    );

    assert_eq!(session.forget("a dog").expect("taught"), 1);
    assert_eq!(session.forget("犬").expect("taught"), 1);
    assert_eq!(names(&session), ["a cat", "a dog"]);
    let after = session.infer_picture(&chelsea).expect("an answer");
    assert_eq!(hit(&after, "a dog"), hit(&before, "a dog"));
    let error = session.forget("a dog").unwrap_err();
    assert!(
        matches!(error, Error::Examples(ExamplesError::NotTaught { .. })),
        "{error}"
    );
}

#[test]
fn labels_that_are_set_come_first_whatever_was_taught() {
    let mut session = session(&[]);
    let error = session.infer_picture(&photo("chelsea")).unwrap_err();
    assert!(matches!(error, Error::NoLabels), "{error}");
    session
        .teach_picture("my cat", &photo("chelsea"))
        .expect("taught");
    session
        .teach_picture("a cup", &photo("coffee"))
        .expect("taught");
    assert_eq!(
        session
            .infer_picture(&photo("chelsea"))
            .expect("an answer")
            .labels
            .len(),
        2
    );
    set(&mut session, &["a bus", "a cup"]);
    assert_eq!(names(&session), ["a bus", "a cup", "my cat"]);
    set(&mut session, &["a dog"]);
    assert_eq!(names(&session), ["a dog", "my cat", "a cup"]);
    // What is refused changes nothing.
    for bad in ["", " \t", "a\u{1b}b"] {
        let error = session.teach_picture(bad, &photo("rocket")).unwrap_err();
        assert!(matches!(error, Error::Language(_)), "{error}");
    }
    let error = session.teach_picture("x", b"no picture").unwrap_err();
    assert!(matches!(error, Error::Decode(_)), "{error}");
    assert_eq!(session.examples().len(), 2);
}

#[test]
fn what_was_taught_is_bytes_that_another_session_takes() {
    let mut one = session(&["a cat"]);
    for (label, name) in [
        ("my cat", "chelsea"),
        ("a cup", "coffee"),
        ("my cat", "rocket"),
    ] {
        one.teach_picture(label, &photo(name)).expect("taught");
    }
    let bytes = one.examples().to_bytes();
    let engine = engine();
    let read = Examples::read(engine.bundle(), &bytes).expect("the same bundle");
    assert_eq!(
        read.labels().collect::<Vec<_>>(),
        [("my cat", 2), ("a cup", 1)]
    );
    let mut other = session(&["a cat"]);
    other.set_examples(&read).expect("examples");
    assert_eq!(one.blend(), other.blend());
    let astronaut = photo("astronaut");
    let answers = [&mut one, &mut other].map(|session| {
        let report = session.infer_picture(&astronaut).expect("an answer");
        ["a cat", "my cat", "a cup"].map(|label| hit(&report, label))
    });
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn another_bundle_s_examples_are_refused() {
    let files = ocellus_models::DEFAULT.iter().map(|(name, bytes)| {
        let mut bytes = bytes.to_vec();
        if *name == "manifest.toml" {
            bytes.extend(b"\n# another one\n");
        }
        (name.to_string(), bytes)
    });
    let other = Bundle::from_memory(files.collect()).expect("a bundle");
    let mut session = session(&[]);
    session
        .teach_picture("my cat", &photo("chelsea"))
        .expect("taught");
    let error = Examples::read(&other, &session.examples().to_bytes()).unwrap_err();
    assert!(
        matches!(error, ExamplesError::OtherBundle { .. }),
        "{error}"
    );
    let error = session.set_examples(&Examples::none(&other)).unwrap_err();
    assert!(
        matches!(error, Error::Examples(ExamplesError::OtherBundle { .. })),
        "{error}"
    );
    assert_eq!(names(&session), ["my cat"]);
}

#[test]
fn relevance_has_a_grid_for_a_taught_label_too() {
    let options = SessionOptions {
        policy: Some(Policy::Fixed(112)),
        relevance: Relevance::Calibrated,
        ..SessionOptions::default()
    };
    let mut session = Session::new(engine(), options).expect("a session");
    set(&mut session, &["a dog"]);
    let report = session.infer_picture(&photo("coffee")).expect("an answer");
    assert!(report.labels[0].place.is_some());
    session
        .teach_picture("my cup", &photo("coffee"))
        .expect("taught");
    let report = session.infer_picture(&photo("coffee")).expect("an answer");
    assert!(report.labels.len() == 2 && report.labels.iter().all(|hit| hit.place.is_some()));
}

#[test]
fn many_examples_are_each_found() {
    // More than a panel of the scan, from plain patterns.
    let mut session = session(&[]);
    let pattern = |seed: usize| -> Vec<u8> {
        let value = |at: usize| ((at / (3 + seed) * (7 + 5 * seed) + at * seed) % 256) as u8;
        (0..3 * 64 * 64).map(value).collect()
    };
    for seed in 0..20 {
        let bytes = pattern(seed);
        let frame = Frame::rgb(64, 64, &bytes).expect("a frame");
        session
            .teach(&format!("pattern {seed}"), &frame)
            .expect("taught");
    }
    for seed in [0, 15, 16, 19] {
        let bytes = pattern(seed);
        let report = session.infer(&Frame::rgb(64, 64, &bytes).expect("a frame"));
        let report = report.expect("an answer");
        let (_, taught) = hit(&report, &format!("pattern {seed}"));
        assert!(taught.is_some_and(|(count, similarity)| count == 1 && similarity > 0.999));
    }
}
