//! A frame's embedding: what the scores are made of.

use super::*;
use ocellus::{Bundle, Engine, heads::cosine};

const LABELS: [&str; 2] = ["a cat", "a bus"];

fn embed(session: *mut ocellus_session, frame: &ocellus_frame, room: &mut [f32]) -> (i32, usize) {
    let mut length = 77;
    let status = unsafe {
        ocellus_session_embed(session, frame, room.as_mut_ptr(), room.len(), &mut length)
    };
    (status, length)
}

#[test]
fn scores_are_cosines_with_the_embedding() {
    let bundle = Bundle::embedded(ocellus_models::DEFAULT).expect("the default bundle");
    let engine = Engine::load(bundle, ocellus::detect_isa()).expect("an engine");
    let fixture = Fixture::new();
    let (frame, _bytes) = grey_frame(64, 48);
    let (mut result, mut hits) = (
        new_result(),
        [(); 2].map(|()| ocellus_hit {
            label: 0,
            score: 0.0,
            probability: 0.0,
        }),
    );
    ok(unsafe {
        ocellus_session_infer(fixture.session, &frame, &mut result, hits.as_mut_ptr(), 2)
    });
    let mut room = [9.0_f32; 200];
    let (status, length) = embed(fixture.session, &frame, &mut room);
    ok(status);
    let (vector, rest) = room.split_at(length);
    assert_eq!(length, engine.bundle().manifest().text.dimension);
    assert!((cosine(vector, vector) - 1.0).abs() < 1e-5);
    assert!(rest.iter().all(|value| *value == 9.0));
    for hit in hits {
        let label = engine
            .embed_label(LABELS[hit.label as usize])
            .expect("known words");
        assert!((cosine(vector, &label) - hit.score).abs() < 1e-5);
    }
    // Neither labels nor a frame of one tile are needed.
    let tiles = Fixture::bare(|options| options.crop = OCELLUS_CROP_TILES);
    let (wide, _bytes) = grey_frame(90, 32);
    let (status, length) = embed(tiles.session, &wide, &mut room);
    ok(status);
    assert!((cosine(&room[..length], &room[..length]) - 1.0).abs() < 1e-5);
}

#[test]
fn room_that_is_too_small_is_said_and_none_asks_for_the_length() {
    let fixture = Fixture::new();
    let (frame, _bytes) = grey_frame(32, 32);
    let (session, mut room) = (fixture.session, [9.0_f32; 127]);
    let small = embed(session, &frame, &mut room);
    fails(small.0, OCELLUS_E_CAPACITY, &["128", "127"]);
    assert!(small.1 == 77 && room.iter().all(|value| *value == 9.0));
    let mut length = 0;
    ok(unsafe { ocellus_session_embed(session, ptr::null(), ptr::null_mut(), 0, &mut length) });
    assert_eq!(length, 128);
    let odd = room.as_mut_ptr().wrapping_byte_add(1);
    let statuses = unsafe {
        [
            ocellus_session_embed(session, &frame, odd, 128, &mut length),
            ocellus_session_embed(session, &frame, ptr::null_mut(), 128, &mut length),
            ocellus_session_embed(session, ptr::null(), room.as_mut_ptr(), 128, &mut length),
        ]
    };
    assert_eq!(
        statuses,
        [OCELLUS_E_ARGUMENT, OCELLUS_E_NULL, OCELLUS_E_NULL]
    );
}
