//! A runtime with a limit of memory keeps to it, whatever it is asked.
// Pointers are to locals that outlive each call.
#![allow(clippy::undocumented_unsafe_blocks)]

use ocellus_capi::*;
use std::{ffi::CString, ptr};

#[track_caller]
fn is(status: i32, expected: i32) {
    let mut message = [0_u8; 400];
    let length = unsafe { ocellus_last_error(message.as_mut_ptr().cast(), message.len()) };
    let message = String::from_utf8_lossy(&message[..length.min(399)]);
    assert_eq!(status, expected, "{message}");
}

/// The bytes that the library uses.
fn used() -> u64 {
    let [mut used, mut peak, mut allocations] = [0; 3];
    let status = unsafe { ocellus_memory_used(&mut used, &mut peak, &mut allocations) };
    is(status, OCELLUS_OK);
    used
}

/// A runtime of the default bundle.
fn runtime(bundle: *mut ocellus_bundle, limit: u64) -> Result<*mut ocellus_runtime, i32> {
    let mut runtime = ptr::null_mut();
    let mut options = unsafe { std::mem::zeroed::<ocellus_runtime_options>() };
    let status = unsafe {
        let size = size_of_val(&options) as u32;
        is(ocellus_runtime_options_init(&mut options, size), OCELLUS_OK);
        options.memory_limit_bytes = limit;
        ocellus_runtime_new(bundle, &options, &mut runtime)
    };
    match status {
        OCELLUS_OK => Ok(runtime),
        status => Err(status),
    }
}

/// Labels a grey frame of this size at 112.
fn infer(session: *mut ocellus_session, side: u32) -> i32 {
    let bytes = vec![90_u8; (side * side * 3) as usize];
    let mut hits = [ocellus_hit {
        label: 9,
        score: 0.0,
        probability: 0.0,
    }; 2];
    unsafe {
        let mut frame = std::mem::zeroed::<ocellus_frame>();
        let mut result = std::mem::zeroed::<ocellus_result>();
        let size = size_of_val(&frame) as u32;
        is(ocellus_frame_init(&mut frame, size), OCELLUS_OK);
        let size = size_of_val(&result) as u32;
        is(ocellus_result_init(&mut result, size), OCELLUS_OK);
        frame.fourcc = u32::from_le_bytes(*b"RGB3");
        (frame.width, frame.height) = (side, side);
        frame.planes[0] = ocellus_plane {
            data: bytes.as_ptr().cast(),
            offset: 0,
            stride: 3 * side as usize,
            size: bytes.len(),
            fd: -1,
        };
        let status = ocellus_session_infer(session, &frame, &mut result, hits.as_mut_ptr(), 2);
        // What is refused writes nothing.
        assert_eq!(result.hit_count > 0, status == OCELLUS_OK);
        status
    }
}

fn set_labels(session: *mut ocellus_session, count: usize) -> i32 {
    let texts: Vec<CString> = (0..count)
        .map(|at| CString::new(format!("a red bus number {at}")).expect("no NUL"))
        .collect();
    let labels: Vec<_> = texts.iter().map(|text| text.as_ptr()).collect();
    unsafe { ocellus_session_set_labels(session, labels.as_ptr(), ptr::null(), count) }
}

#[test]
fn what_does_not_fit_is_refused_and_given_back() {
    let mut bundle = ptr::null_mut();
    is(unsafe { ocellus_bundle_default(&mut bundle) }, OCELLUS_OK);
    let empty = used();

    // One without a limit tells how much is needed.
    let roomy = runtime(bundle, 0).expect("no limit");
    let loaded = used();
    let mut session = ptr::null_mut();
    let mut options = unsafe { std::mem::zeroed::<ocellus_session_options>() };
    let size = size_of_val(&options) as u32;
    let status = unsafe { ocellus_session_options_init(&mut options, size) };
    is(status, OCELLUS_OK);
    (options.policy, options.resolution) = (OCELLUS_POLICY_FIXED, 112);
    let mut start = |runtime| {
        is(
            unsafe { ocellus_session_new(runtime, &options, &mut session) },
            OCELLUS_OK,
        );
        is(set_labels(session, 2), OCELLUS_OK);
        session
    };
    let session = start(roomy);
    is(unsafe { ocellus_session_warm_up(session) }, OCELLUS_OK);
    is(infer(session, 64), OCELLUS_OK);
    let working = used();
    is(infer(session, 1024), OCELLUS_OK);
    let large = used();
    assert!(empty < loaded && loaded < working && working < large);
    unsafe {
        is(ocellus_session_free(session), OCELLUS_OK);
        is(ocellus_runtime_free(roomy), OCELLUS_OK);
    }
    let slack = 64 << 10;
    assert!(used() < empty + slack, "{empty} became {}", used());

    // Less than a model's file, and a little less than what is loaded.
    for limit in [empty + 1, loaded - slack] {
        assert_eq!(runtime(bundle, limit).err(), Some(OCELLUS_E_MEMORY));
        assert!(used() < empty + slack, "{empty} became {}", used());
    }

    // Enough to load, not for a plan: the runtime stays of use.
    let narrow = runtime(bundle, loaded + slack).expect("as much as before");
    let session = start(narrow);
    let status = unsafe { ocellus_session_warm_up(session) };
    is(status, OCELLUS_E_MEMORY);
    is(infer(session, 64), OCELLUS_E_MEMORY);
    assert!(used() < loaded + slack, "{loaded} became {}", used());
    unsafe {
        is(ocellus_session_free(session), OCELLUS_OK);
        is(ocellus_runtime_free(narrow), OCELLUS_OK);
    }

    // Enough for small frames and few labels. What is refused harms nothing: the next one that fits is answered.
    let limit = working + slack;
    let fitting = runtime(bundle, limit).expect("more than before");
    let session = start(fitting);
    is(unsafe { ocellus_session_warm_up(session) }, OCELLUS_OK);
    for _ in 0..2 {
        is(infer(session, 64), OCELLUS_OK);
        is(infer(session, 1024), OCELLUS_E_MEMORY);
        assert!(used() <= limit);
        is(set_labels(session, 4000), OCELLUS_E_MEMORY);
        assert!(used() <= limit);
    }
    is(infer(session, 64), OCELLUS_OK);
    unsafe {
        is(ocellus_session_free(session), OCELLUS_OK);
        is(ocellus_runtime_free(fitting), OCELLUS_OK);
        is(ocellus_bundle_free(bundle), OCELLUS_OK);
    }
}
