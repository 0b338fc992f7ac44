//! What a frame allocates once a session has seen a few like it: nothing, but the grids that relevance hands out.

use allocation_counter::measure;
use ocellus::{
    Bundle, Engine, Policy, Reading, Relevance, Report, Session, SessionOptions,
    vision::{CropMode, Frame, PixelFormat, Plane},
};
use std::sync::Arc;

const WIDTH: usize = 900;
const HEIGHT: usize = 700;
const LABELS: [&str; 3] = ["a cat", "a bus", "a cup of coffee"];

fn engine() -> Arc<Engine> {
    let bundle = Bundle::embedded(ocellus_models::DEFAULT).expect("the default bundle");
    let engine = Engine::load(bundle, ocellus::detect_isa()).expect("an engine");
    Arc::new(engine)
}

fn session(engine: &Arc<Engine>, policy: Policy, crop: CropMode, relevance: Relevance) -> Session {
    let options = SessionOptions {
        policy: Some(policy),
        crop,
        relevance,
        ..SessionOptions::default()
    };
    let mut session = Session::new(Arc::clone(engine), options).expect("a session");
    session
        .set_labels(LABELS.map(str::to_owned).to_vec())
        .expect("labels");
    session.warm_up().expect("plans");
    session
}

/// An answer at 112 that is never sure, so that every frame is computed again at 224.
fn escalates() -> Policy {
    Policy::Cascade {
        start: 112,
        margin: 1.0,
    }
}

/// Bytes with structure, so that no answer is the same for every frame.
fn bytes(seed: usize) -> Vec<u8> {
    let value = |at: usize| ((at / 7 + at * seed % 251) % 256) as u8;
    (0..3 * WIDTH * HEIGHT).map(value).collect()
}

fn nv12(bytes: &[u8]) -> Frame<'_> {
    let (luma, chroma) = bytes.split_at(WIDTH * HEIGHT);
    let plane = |data| Plane {
        data,
        stride: WIDTH,
    };
    let planes = [plane(luma), plane(chroma)];
    Frame::new(PixelFormat::Nv12, WIDTH, HEIGHT, &planes).expect("a frame")
}

/// What a frame allocates after others like it.
fn allocated(session: &mut Session, frames: [&Frame<'_>; 2]) -> u64 {
    let mut report = Report::default();
    let mut infer = |frame| session.infer_into(frame, &mut report).expect("an answer");
    frames.iter().for_each(|frame| infer(frame));
    let info = measure(|| frames.iter().for_each(|frame| infer(frame)));
    assert_eq!(info.count_current, 0, "something is kept");
    info.count_total
}

#[test]
fn a_frame_allocates_nothing() {
    let engine = engine();
    let bytes = [bytes(3), bytes(5)];
    let rgb = bytes
        .each_ref()
        .map(|bytes| Frame::rgb(WIDTH, HEIGHT, bytes));
    let rgb = rgb.map(|frame| frame.expect("a frame"));
    let nv12 = bytes.each_ref().map(|bytes| nv12(bytes));
    for (policy, crop, frames) in [
        (escalates(), CropMode::Centre, nv12.each_ref()),
        (Policy::Fixed(112), CropMode::Squash, rgb.each_ref()),
        (Policy::Fixed(112), CropMode::Tiles, rgb.each_ref()),
    ] {
        let mut session = session(&engine, policy, crop, Relevance::Off);
        assert_eq!(allocated(&mut session, frames), 0, "{crop}");
    }
}

#[test]
fn a_frame_allocates_nothing_where_labels_were_taught() {
    let engine = engine();
    let bytes = [bytes(3), bytes(5)];
    let frames = bytes.each_ref().map(|bytes| nv12(bytes));
    let mut session = session(&engine, Policy::Fixed(112), CropMode::Tiles, Relevance::Off);
    session.teach("my cat", &frames[0]).expect("taught");
    session.teach("a bus", &frames[1]).expect("taught");
    assert_eq!(allocated(&mut session, frames.each_ref()), 0);
}

#[test]
fn a_frame_that_was_read_elsewhere_allocates_nothing() {
    let engine = engine();
    let mut session = session(
        &engine,
        Policy::Fixed(112),
        CropMode::Centre,
        Relevance::Off,
    );
    let bytes = bytes(3);
    let frame = Frame::rgb(WIDTH, HEIGHT, &bytes).expect("a frame");
    let (mut reader, mut reading) = (session.reader(), Reading::default());
    let mut report = Report::default();
    let mut both = || {
        reader.read(&frame, &mut reading);
        session
            .infer_reading(&reading, &mut report)
            .expect("an answer");
    };
    both();
    assert_eq!(measure(both).count_total, 0);
}

#[test]
fn relevance_allocates_only_what_it_hands_out() {
    let engine = engine();
    let bytes = bytes(3);
    let frame = Frame::rgb(WIDTH, HEIGHT, &bytes).expect("a frame");
    for (crop, views) in [(CropMode::Centre, 1), (CropMode::Tiles, 2)] {
        let mut session = session(&engine, Policy::Fixed(112), crop, Relevance::Calibrated);
        // The list of labels while it is made and as it is handed on; a label's list of grids; each grid.
        let handed_out = 2 + LABELS.len() as u64 * (1 + views);
        let allocated = allocated(&mut session, [&frame, &frame]);
        assert_eq!(allocated, 2 * handed_out, "{crop}");
    }
}
