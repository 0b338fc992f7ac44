//! Labels that are taught: what of them a caller sees, saves and loads.

use super::*;
use std::ffi::CStr;

/// A frame of a pattern, and its bytes.
fn pattern(seed: u32) -> (ocellus_frame, Vec<u8>) {
    let (mut frame, mut bytes) = grey_frame(64, 48);
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = ((at as u32 / (3 + seed) * (7 + 5 * seed)) % 256) as u8;
    }
    frame.planes[0].data = bytes.as_ptr().cast();
    (frame, bytes)
}

fn teach(session: *mut ocellus_session, label: &CStr, frame: &ocellus_frame) -> (i32, u32) {
    let mut count = 77;
    let status = unsafe { ocellus_session_teach(session, label.as_ptr(), frame, &mut count) };
    (status, count)
}

/// A label and by how many examples it was taught.
fn label(session: *mut ocellus_session, at: u32) -> (String, u32) {
    let mut text = [0x7f as c_char; 40];
    let (mut length, mut count) = (0, 77);
    ok(unsafe {
        ocellus_session_label(
            session,
            at,
            text.as_mut_ptr(),
            text.len(),
            &mut length,
            &mut count,
        )
    });
    let text = unsafe { CStr::from_ptr(text.as_ptr()) }
        .to_str()
        .expect("UTF-8");
    assert_eq!(text.len(), length);
    (text.into(), count)
}

fn saved(session: *mut ocellus_session) -> Vec<u8> {
    let mut size = 0;
    ok(unsafe { ocellus_session_save_examples(session, ptr::null_mut(), 0, &mut size) });
    let mut bytes = vec![0_u8; size + 3];
    let room = bytes.as_mut_ptr().cast();
    ok(unsafe { ocellus_session_save_examples(session, room, bytes.len(), &mut size) });
    bytes.truncate(size);
    bytes
}

fn load(session: *mut ocellus_session, bytes: &[u8]) -> i32 {
    unsafe { ocellus_session_load_examples(session, bytes.as_ptr().cast(), bytes.len()) }
}

/// The place of the best label, and how many labels there are.
fn best(session: *mut ocellus_session, frame: &ocellus_frame) -> (u32, u32) {
    let mut result = new_result();
    let mut hit = ocellus_hit {
        label: 99,
        score: 0.0,
        probability: 0.0,
    };
    ok(unsafe { ocellus_session_infer(session, frame, &mut result, &mut hit, 1) });
    (hit.label, result.label_count)
}

#[test]
fn a_taught_label_is_found_named_saved_loaded_and_forgotten() {
    let fixture = Fixture::new();
    let session = fixture.session;
    let ((one, _a), (two, _b)) = (pattern(1), pattern(9));
    assert_eq!(teach(session, c"my door", &one), (OCELLUS_OK, 1));
    assert_eq!(teach(session, c"my door", &one), (OCELLUS_OK, 1));
    assert_eq!(teach(session, c"a bus", &two), (OCELLUS_OK, 1));
    assert_eq!((best(session, &one), best(session, &two)), ((2, 3), (1, 3)));
    let labels = [0, 1, 2].map(|at| label(session, at));
    let want = [("a cat", 0), ("a bus", 1), ("my door", 1)];
    assert_eq!(labels, want.map(|(text, count)| (text.to_owned(), count)));

    let bytes = saved(session);
    let other = Fixture::bare(|_| {});
    ok(load(other.session, &bytes));
    assert_eq!(
        (label(other.session, 0).0, best(other.session, &one)),
        ("my door".into(), (0, 2))
    );
    assert_eq!(saved(other.session), bytes);

    let mut count = 0;
    let forget =
        |count: *mut u32| unsafe { ocellus_session_forget(session, c"my door".as_ptr(), count) };
    ok(forget(&mut count));
    assert_eq!((count, best(session, &one).1), (1, 2));
    fails(
        forget(&mut count),
        OCELLUS_E_NOT_TAUGHT,
        &["my door", "a bus"],
    );
}

#[test]
fn what_cannot_be_taught_or_loaded_changes_nothing() {
    let fixture = Fixture::new();
    let session = fixture.session;
    let (frame, _bytes) = pattern(1);
    let null = ptr::null_mut();
    ok(unsafe { ocellus_session_teach(session, c"x".as_ptr(), &frame, null) });
    let bytes = saved(session);

    let (status, count) = teach(session, c"y", &frame);
    fails(status, OCELLUS_E_NOT_TEACHABLE, &["\"x\"", "forget"]);
    assert_eq!(count, 77);
    assert_eq!(teach(session, c"", &frame).0, OCELLUS_E_LABELS);
    assert_eq!(teach(session, c"\xff", &frame).0, OCELLUS_E_UTF8);
    let mut thin = frame;
    thin.planes[0].stride = 1;
    assert_eq!(teach(session, c"z", &thin).0, OCELLUS_E_FRAME_STRIDE);
    let statuses = unsafe {
        [
            ocellus_session_teach(session, ptr::null(), &frame, null),
            ocellus_session_teach(session, c"z".as_ptr(), ptr::null(), null),
            ocellus_session_forget(session, ptr::null(), null),
            ocellus_session_save_examples(session, ptr::null_mut(), 0, ptr::null_mut()),
            ocellus_session_load_examples(session, ptr::null(), 9),
        ]
    };
    assert_eq!(statuses, [OCELLUS_E_NULL; 5]);

    for length in [0, 3, bytes.len() - 1] {
        assert_eq!(load(session, &bytes[..length]), OCELLUS_E_EXAMPLES);
    }
    let mut other = bytes.clone();
    other[40] ^= 1;
    fails(load(session, &other), OCELLUS_E_EXAMPLES, &["damaged"]);
    let huge =
        unsafe { ocellus_session_load_examples(session, bytes.as_ptr().cast(), usize::MAX / 2) };
    fails(huge, OCELLUS_E_EXAMPLES, &["bytes"]);
    assert_eq!(saved(session), bytes);

    let mut size = 5;
    let mut room = [0x7f_u8; 8];
    let small =
        unsafe { ocellus_session_save_examples(session, room.as_mut_ptr().cast(), 8, &mut size) };
    fails(small, OCELLUS_E_CAPACITY, &[&bytes.len().to_string(), "8"]);
    assert_eq!((size, room), (5, [0x7f; 8]));
    let (at, text) = (ptr::null_mut(), room.as_mut_ptr().cast());
    let statuses = unsafe {
        [
            ocellus_session_label(session, 0, text, 5, at, null),
            ocellus_session_label(session, 0, text, 6, at, null),
            ocellus_session_label(session, 3, text, 8, at, null),
            ocellus_session_label(session, 0, ptr::null_mut(), 0, at, null),
        ]
    };
    assert_eq!(
        statuses,
        [
            OCELLUS_E_CAPACITY,
            OCELLUS_OK,
            OCELLUS_E_ARGUMENT,
            OCELLUS_OK
        ]
    );
}

#[test]
fn a_swap_takes_along_what_was_taught() {
    let fixture = Fixture::new();
    let (frame, _bytes) = pattern(1);
    assert_eq!(teach(fixture.session, c"my door", &frame), (OCELLUS_OK, 1));
    let mut runtime = ptr::null_mut();
    ok(unsafe { ocellus_runtime_new(fixture.bundle, ptr::null(), &mut runtime) });
    ok(unsafe { ocellus_session_swap(fixture.session, runtime) });
    assert_eq!(best(fixture.session, &frame), (2, 3));
    ok(unsafe { ocellus_runtime_free(runtime) });
}

#[test]
fn templates_are_copied_and_bad_prompts_refused() {
    let mut bundle = ptr::null_mut();
    ok(unsafe { ocellus_bundle_default(&mut bundle) });
    let mut runtime = ptr::null_mut();
    ok(unsafe { ocellus_runtime_new(bundle, ptr::null(), &mut runtime) });
    let new = |templates: &[*const c_char], count: u32, mix: f32| {
        let mut options = session_options();
        options.templates = templates.as_ptr();
        (options.template_count, options.prompt_mix) = (count, mix);
        let mut session = ptr::null_mut();
        let status = unsafe { ocellus_session_new(runtime, &options, &mut session) };
        (status, session)
    };
    let score = |session| {
        assert_eq!(set_labels(session, &["a cat"]), OCELLUS_OK);
        let (frame, _bytes) = pattern(1);
        let mut hit = ocellus_hit {
            label: 0,
            score: 0.0,
            probability: 0.0,
        };
        let mut result = new_result();
        ok(unsafe { ocellus_session_infer(session, &frame, &mut result, &mut hit, 1) });
        ok(unsafe { ocellus_session_free(session) });
        hit.score
    };
    let (own, rain) = (c"a photo of a {}".as_ptr(), c"{} in the rain".as_ptr());
    let sessions = [
        new(&[], 0, -1.0),
        new(&[own], 1, 0.0),
        new(&[own, rain], 2, -1.0),
    ];
    let [default, same, other] = sessions.map(|(status, session)| {
        ok(status);
        score(session)
    });
    assert!(
        default == same && default != other,
        "{default} {same} {other}"
    );

    fails(
        new(&[c"a photo".as_ptr()], 1, -1.0).0,
        OCELLUS_E_ARGUMENT,
        &["{}"],
    );
    fails(
        new(&[own], 300, -1.0).0,
        OCELLUS_E_ARGUMENT,
        &["256", "300"],
    );
    fails(new(&[], 0, 0.5).0, OCELLUS_E_ARGUMENT, &["soft_prompts"]);
    fails(new(&[], 0, f32::NAN).0, OCELLUS_E_ARGUMENT, &["mix"]);
    assert_eq!(new(&[ptr::null()], 1, -1.0).0, OCELLUS_E_NULL);
    ok(unsafe { ocellus_runtime_free(runtime) });
    ok(unsafe { ocellus_bundle_free(bundle) });
}
