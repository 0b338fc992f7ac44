//! The functions as C calls them. Each file is a promise of the header.
// What every call rests on is the same: pointers are to locals that outlive it, or are what the test is about.
#![allow(clippy::undocumented_unsafe_blocks)]

mod answers;
mod bad_arguments;
mod bad_frames;
mod callbacks;
mod clip;
mod dma_bufs;
mod embedding;
mod flags;
mod guard_pages;
mod handles;
mod layout;
mod logging;
mod panics;
mod routing;
mod stream;
mod streaming;
mod swapping;
mod teaching;
mod turns;

use crate::*;
use std::{ffi::c_char, ptr};

/// A session on the default bundle that looks at 112 pixels, and everything under it.
pub struct Fixture {
    pub bundle: *mut ocellus_bundle,
    pub runtime: *mut ocellus_runtime,
    pub session: *mut ocellus_session,
}

impl Fixture {
    /// With the labels "a cat" and "a bus".
    pub fn new() -> Fixture {
        let fixture = Fixture::bare(|_| {});
        assert_eq!(set_labels(fixture.session, &["a cat", "a bus"]), OCELLUS_OK);
        fixture
    }

    /// Without labels, its options changed.
    pub fn bare(change: impl FnOnce(&mut ocellus_session_options)) -> Fixture {
        let mut bundle = ptr::null_mut();
        ok(unsafe { ocellus_bundle_default(&mut bundle) });
        let mut runtime = ptr::null_mut();
        ok(unsafe { ocellus_runtime_new(bundle, ptr::null(), &mut runtime) });
        let mut options = session_options();
        change(&mut options);
        let mut session = ptr::null_mut();
        ok(unsafe { ocellus_session_new(runtime, &options, &mut session) });
        Fixture {
            bundle,
            runtime,
            session,
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // Tests may have freed some of them.
        unsafe {
            ocellus_session_free(self.session);
            ocellus_runtime_free(self.runtime);
            ocellus_bundle_free(self.bundle);
        }
    }
}

/// Options of a runtime.
pub fn runtime_options() -> ocellus_runtime_options {
    let mut options = unsafe { std::mem::zeroed::<ocellus_runtime_options>() };
    let size = size_of_val(&options) as u32;
    ok(unsafe { ocellus_runtime_options_init(&mut options, size) });
    options
}

/// Options of a session at 112 pixels.
pub fn session_options() -> ocellus_session_options {
    let mut options = unsafe { std::mem::zeroed::<ocellus_session_options>() };
    let size = size_of_val(&options) as u32;
    ok(unsafe { ocellus_session_options_init(&mut options, size) });
    options.policy = OCELLUS_POLICY_FIXED;
    options.resolution = 112;
    options
}

pub fn set_labels(session: *mut ocellus_session, labels: &[&str]) -> i32 {
    let texts: Vec<*const c_char> = labels.iter().map(|text| text.as_ptr().cast()).collect();
    let lengths: Vec<usize> = labels.iter().map(|text| text.len()).collect();
    unsafe { ocellus_session_set_labels(session, texts.as_ptr(), lengths.as_ptr(), labels.len()) }
}

/// A frame of grey bytes in RGB24, and the bytes.
pub fn grey_frame(width: u32, height: u32) -> (ocellus_frame, Vec<u8>) {
    let bytes: Vec<u8> = (0..3 * width * height).map(|at| (at % 251) as u8).collect();
    let mut frame = new_frame(b"RGB3", width, height);
    frame.planes[0] = ocellus_plane {
        data: bytes.as_ptr().cast(),
        offset: 0,
        stride: 3 * width as usize,
        size: bytes.len(),
        fd: -1,
    };
    (frame, bytes)
}

pub fn new_frame(fourcc: &[u8; 4], width: u32, height: u32) -> ocellus_frame {
    let mut frame = unsafe { std::mem::zeroed::<ocellus_frame>() };
    let size = size_of_val(&frame) as u32;
    ok(unsafe { ocellus_frame_init(&mut frame, size) });
    frame.fourcc = u32::from_le_bytes(*fourcc);
    (frame.width, frame.height) = (width, height);
    frame
}

pub fn new_result() -> ocellus_result {
    let mut result = ocellus_result::default();
    let size = size_of_val(&result) as u32;
    ok(unsafe { ocellus_result_init(&mut result, size) });
    result
}

/// Infers with room for no hit.
pub fn infer(session: *mut ocellus_session, frame: &ocellus_frame) -> i32 {
    let mut result = new_result();
    let before = result;
    let status = unsafe { ocellus_session_infer(session, frame, &mut result, ptr::null_mut(), 0) };
    assert_eq!(
        status == OCELLUS_OK,
        result != before,
        "outputs are written on success, and only then"
    );
    status
}

/// The message of the last failure.
pub fn message() -> String {
    let length = unsafe { ocellus_last_error(ptr::null_mut(), 0) };
    let mut bytes = vec![0_u8; length + 1];
    let again = unsafe { ocellus_last_error(bytes.as_mut_ptr().cast(), bytes.len()) };
    assert_eq!((again, bytes.pop()), (length, Some(0)));
    String::from_utf8(bytes).expect("UTF-8")
}

#[track_caller]
pub fn ok(status: i32) {
    assert_eq!(status, OCELLUS_OK, "{}", message());
}

/// Asserts a status and that its message holds each of `words`.
#[track_caller]
pub fn fails(status: i32, wanted: i32, words: &[&str]) {
    assert_eq!(status, wanted, "{}", message());
    for word in words {
        assert!(message().contains(word), "no {word:?} in {:?}", message());
    }
}
