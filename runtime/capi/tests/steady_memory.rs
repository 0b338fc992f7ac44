//! Frames that stream for long keep no more memory than a few did.
// Pointers are to locals that outlive each call.
#![allow(clippy::undocumented_unsafe_blocks)]

use ocellus_capi::*;
use std::{
    ffi::c_void,
    ptr,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

/// The bytes that the library uses.
fn used() -> u64 {
    let [mut used, mut peak, mut allocations] = [0; 3];
    ok(unsafe { ocellus_memory_used(&mut used, &mut peak, &mut allocations) });
    assert!(peak >= used && allocations > 0);
    used
}

/// How many frames were answered, and how many dropped.
#[derive(Default)]
struct Count {
    answered: AtomicU64,
    dropped: AtomicU64,
    /// A callback does not return meanwhile.
    held: AtomicBool,
}

unsafe extern "C" fn count(
    context: *mut c_void,
    status: i32,
    result: *const ocellus_result,
    _hits: *const ocellus_hit,
) {
    let count = unsafe { &*context.cast::<Count>() };
    assert_eq!(status, OCELLUS_OK);
    count.answered.fetch_add(1, Ordering::Relaxed);
    let dropped = unsafe { (*result).dropped };
    count.dropped.fetch_add(dropped.into(), Ordering::Relaxed);
    while count.held.load(Ordering::Relaxed) {
        thread::yield_now();
    }
}

#[track_caller]
fn ok(status: i32) {
    assert_eq!(status, OCELLUS_OK);
}

#[test]
fn two_thousand_frames_keep_no_more_than_twenty_did() {
    let counted = Count::default();
    let (mut bundle, mut runtime, mut session) =
        (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    let mut options = unsafe { std::mem::zeroed::<ocellus_session_options>() };
    let mut frame = unsafe { std::mem::zeroed::<ocellus_frame>() };
    // Two tiles, of packed YUV, turned.
    let (width, height) = (90_u32, 48_u32);
    let bytes: Vec<u8> = (0..2 * width * height).map(|at| (at % 251) as u8).collect();
    unsafe {
        ok(ocellus_bundle_default(&mut bundle));
        ok(ocellus_runtime_new(bundle, ptr::null(), &mut runtime));
        let size = size_of_val(&options) as u32;
        ok(ocellus_session_options_init(&mut options, size));
        options.policy = OCELLUS_POLICY_FIXED;
        options.resolution = 112;
        options.crop = OCELLUS_CROP_TILES;
        options.on_result = Some(count);
        options.on_result_context = (&raw const counted).cast_mut().cast();
        ok(ocellus_session_new(runtime, &options, &mut session));
        let labels = [c"a cat".as_ptr(), c"a bus".as_ptr()];
        ok(ocellus_session_set_labels(
            session,
            labels.as_ptr(),
            ptr::null(),
            2,
        ));
        let size = size_of_val(&frame) as u32;
        ok(ocellus_frame_init(&mut frame, size));
    }
    frame.fourcc = u32::from_le_bytes(*b"YUYV");
    (frame.width, frame.height, frame.rotation) = (width, height, 180);
    frame.planes[0] = ocellus_plane {
        data: bytes.as_ptr().cast(),
        offset: 0,
        stride: 2 * width as usize,
        size: bytes.len(),
        fd: -1,
    };
    let submit = || ok(unsafe { ocellus_session_submit(session, &frame) });
    let stream = |frames: u64| {
        for number in 1..=frames {
            submit();
            if number % 7 == 0 {
                ok(unsafe { ocellus_session_cancel(session) });
            }
            if number % 250 == 0 {
                ok(unsafe { ocellus_session_flush(session, 600_000) });
            }
        }
        // One that is answered for sure, and says how many were not.
        submit();
        ok(unsafe { ocellus_session_flush(session, 600_000) });
        used()
    };
    // One frame is in work, one waits, and one takes its place: no more than these can be there at once.
    counted.held.store(true, Ordering::Relaxed);
    submit();
    while counted.answered.load(Ordering::Relaxed) == 0 {
        thread::yield_now();
    }
    submit();
    submit();
    counted.held.store(false, Ordering::Relaxed);
    let few = stream(17);
    let many = stream(2_000);
    let (answered, dropped) = (
        counted.answered.load(Ordering::Relaxed),
        counted.dropped.load(Ordering::Relaxed),
    );
    assert_eq!(answered + dropped, 2_022);
    assert!(answered > 8, "{answered} answers");
    // What the last answer keeps may differ by the length of a text.
    assert!(
        many <= few + 256,
        "{few} bytes in use grew to {many} after {answered} answers"
    );
    unsafe {
        ok(ocellus_session_free(session));
        ok(ocellus_runtime_free(runtime));
        ok(ocellus_bundle_free(bundle));
    }
}
