//! What the log callback hears.

use super::*;
use std::{
    ffi::{CStr, c_void},
    sync::Mutex,
};

type Heard = Mutex<Vec<(i32, String)>>;

unsafe extern "C" fn keep(context: *mut c_void, level: i32, message: *const c_char) {
    let heard = unsafe { &*context.cast::<Heard>() };
    let message = unsafe { CStr::from_ptr(message) }.to_str().expect("UTF-8");
    heard
        .lock()
        .expect("no panic")
        .push((level, message.to_owned()));
}

/// What is heard at a level of a runtime that is loaded, a session with an unknown word, a frame, and a bad frame.
fn heard(level: i32) -> Vec<(i32, String)> {
    let heard = Heard::default();
    let mut options = runtime_options();
    options.log = Some(keep);
    options.log_context = (&raw const heard).cast_mut().cast();
    options.log_level = level;
    let fixture = Fixture::new();
    let (mut runtime, mut session) = (ptr::null_mut(), ptr::null_mut());
    unsafe {
        ok(ocellus_runtime_new(fixture.bundle, &options, &mut runtime));
        ok(ocellus_session_new(
            runtime,
            &session_options(),
            &mut session,
        ));
        ok(set_labels(session, &["a cat", "a \u{4e00} dog"]));
        let (mut frame, _bytes) = grey_frame(32, 32);
        ok(infer(session, &frame));
        frame.fourcc = 0;
        assert_eq!(infer(session, &frame), OCELLUS_E_FRAME_FORMAT);
        ok(ocellus_session_free(session));
        ok(ocellus_runtime_free(runtime));
    }
    heard.into_inner().expect("no panic")
}

#[test]
fn each_level_adds_its_messages() {
    let all = heard(OCELLUS_LOG_DEBUG);
    let words = [
        "loaded ocellus-default",
        "not in the vocabulary",
        "fixed at 112",
        "fourcc",
    ];
    let levels = [
        OCELLUS_LOG_INFO,
        OCELLUS_LOG_WARN,
        OCELLUS_LOG_DEBUG,
        OCELLUS_LOG_ERROR,
    ];
    assert_eq!(all.len(), words.len(), "{all:?}");
    for ((got, word), level) in all.iter().zip(words).zip(levels) {
        assert!(got.0 == level && got.1.contains(word), "{got:?}");
    }
    for level in OCELLUS_LOG_OFF..OCELLUS_LOG_DEBUG {
        let wanted = levels.iter().filter(|of| **of <= level).count();
        assert_eq!(heard(level).len(), wanted, "level {level}");
    }
}

#[test]
fn a_level_that_is_none_is_refused() {
    let fixture = Fixture::new();
    let mut options = runtime_options();
    for level in [-1, OCELLUS_LOG_DEBUG + 1] {
        options.log_level = level;
        let mut runtime = ptr::null_mut();
        let status = unsafe { ocellus_runtime_new(fixture.bundle, &options, &mut runtime) };
        fails(status, OCELLUS_E_ARGUMENT, &["log_level"]);
    }
}
