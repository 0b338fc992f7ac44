//! What tests of submitted frames share: a session whose answers are kept, and whose callback may be held.

use super::*;
use std::{
    ffi::c_void,
    slice,
    sync::{Condvar, Mutex},
};

/// What on_result was told.
#[derive(Clone)]
pub struct Answer {
    pub status: i32,
    pub result: ocellus_result,
    /// None where the callback got NULL.
    pub hits: Option<Vec<ocellus_hit>>,
    /// Of the worker's last failure.
    pub message: String,
}

type Reaction = Box<dyn Fn(*mut ocellus_session, &Answer) + Send + Sync>;

/// Listens to on_result.
pub struct Ear {
    heard: Mutex<Heard>,
    changed: Condvar,
    /// Done inside of the callback, before the answer counts as heard.
    react: Reaction,
}

#[derive(Default)]
struct Heard {
    session: usize,
    answers: Vec<Answer>,
    held: bool,
    inside: bool,
}

/// A session with a worker that looks at 112 pixels, the labels "a cat" and "a bus", and what was heard of it.
pub struct Stream {
    // Freed before the ear goes, so that no callback comes after.
    pub fixture: Fixture,
    pub ear: Box<Ear>,
}

impl Stream {
    pub fn new() -> Stream {
        Stream::with(|_| {}, |_, _| {})
    }

    /// With other options, and with something done inside of the callback.
    pub fn with(
        change: impl FnOnce(&mut ocellus_session_options),
        react: impl Fn(*mut ocellus_session, &Answer) + Send + Sync + 'static,
    ) -> Stream {
        let stream = Stream::bare(change, react);
        ok(set_labels(stream.session(), &["a cat", "a bus"]));
        stream
    }

    /// Without labels.
    pub fn bare(
        change: impl FnOnce(&mut ocellus_session_options),
        react: impl Fn(*mut ocellus_session, &Answer) + Send + Sync + 'static,
    ) -> Stream {
        let ear = Box::new(Ear {
            heard: Mutex::default(),
            changed: Condvar::new(),
            react: Box::new(react),
        });
        let fixture = Fixture::bare(|options| {
            options.on_result = Some(take);
            options.on_result_context = (&raw const *ear).cast_mut().cast();
            change(options);
        });
        ear.heard().session = fixture.session.addr();
        Stream { fixture, ear }
    }

    pub fn session(&self) -> *mut ocellus_session {
        self.fixture.session
    }

    pub fn submit(&self, frame: &ocellus_frame) -> i32 {
        unsafe { ocellus_session_submit(self.session(), frame) }
    }

    /// Submits a grey frame with this cookie.
    pub fn submit_grey(&self, cookie: u64) -> i32 {
        let (mut frame, _bytes) = grey_frame(32, 24);
        frame.cookie = cookie;
        self.submit(&frame)
    }

    /// Waits for all answers, and returns them.
    pub fn answers(&self) -> Vec<Answer> {
        ok(unsafe { ocellus_session_flush(self.session(), 60_000) });
        self.ear.answers()
    }
}

impl Ear {
    /// Answers so far.
    pub fn answers(&self) -> Vec<Answer> {
        self.heard().answers.clone()
    }

    /// From now on the callback does not return until it is let go.
    pub fn hold(&self) {
        self.heard().held = true;
    }

    /// Waits until the callback is held.
    pub fn wait_inside(&self) {
        let wait = self
            .changed
            .wait_while(self.heard(), |heard| !heard.inside)
            .expect("no panic");
        drop(wait);
    }

    /// Lets the callback return.
    pub fn let_go(&self) {
        self.heard().held = false;
        self.changed.notify_all();
    }

    fn heard(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.heard.lock().expect("no panic")
    }
}

unsafe extern "C" fn take(
    context: *mut c_void,
    status: i32,
    result: *const ocellus_result,
    hits: *const ocellus_hit,
) {
    let ear = unsafe { &*context.cast::<Ear>() };
    let result = unsafe { *result };
    let list = || unsafe { slice::from_raw_parts(hits, result.hit_count as usize) }.to_vec();
    let answer = Answer {
        status,
        result,
        hits: (!hits.is_null()).then(list),
        message: message(),
    };
    let session = ear.heard().session;
    (ear.react)(ptr::without_provenance_mut(session), &answer);
    let mut heard = ear.heard();
    heard.answers.push(answer);
    heard.inside = true;
    ear.changed.notify_all();
    let mut heard = ear
        .changed
        .wait_while(heard, |heard| heard.held)
        .expect("no panic");
    heard.inside = false;
}
