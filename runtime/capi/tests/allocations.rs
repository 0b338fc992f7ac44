//! A call allocates nothing once a session has seen a few frames like its frame.
// Pointers are to locals that outlive each call.
#![allow(clippy::undocumented_unsafe_blocks)]

use ocellus_capi::*;
use std::ptr;

#[track_caller]
fn ok(status: i32) {
    assert_eq!(status, OCELLUS_OK);
}

#[test]
fn a_frame_s_answer_allocates_nothing() {
    let (width, height) = (640_u32, 480_u32);
    let bytes: Vec<u8> = (0..width * height * 3 / 2)
        .map(|at| (at / 7 % 251) as u8)
        .collect();
    let (mut bundle, mut runtime, mut session) =
        (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    let (mut options, mut frame, mut result) = unsafe {
        (
            std::mem::zeroed::<ocellus_session_options>(),
            std::mem::zeroed::<ocellus_frame>(),
            std::mem::zeroed::<ocellus_result>(),
        )
    };
    let labels = [c"a cat".as_ptr(), c"a bus".as_ptr()];
    unsafe {
        ok(ocellus_bundle_default(&mut bundle));
        ok(ocellus_runtime_new(bundle, ptr::null(), &mut runtime));
        let size = size_of_val(&options) as u32;
        ok(ocellus_session_options_init(&mut options, size));
        // An answer at 112 that is never sure: every frame is computed again at 224.
        options.policy = OCELLUS_POLICY_CASCADE;
        (options.resolution, options.margin) = (112, 1.0);
        ok(ocellus_session_new(runtime, &options, &mut session));
        let names = labels.as_ptr();
        ok(ocellus_session_set_labels(session, names, ptr::null(), 2));
        ok(ocellus_session_warm_up(session));
        let size = size_of_val(&frame) as u32;
        ok(ocellus_frame_init(&mut frame, size));
        let size = size_of_val(&result) as u32;
        ok(ocellus_result_init(&mut result, size));
    }
    frame.fourcc = u32::from_le_bytes(*b"NV12");
    (frame.width, frame.height) = (width, height);
    frame.planes[0] = ocellus_plane {
        data: bytes.as_ptr().cast(),
        offset: 0,
        stride: width as usize,
        size: bytes.len(),
        fd: -1,
    };
    let none = ocellus_hit {
        label: 9,
        score: 0.0,
        probability: 0.0,
    };
    let mut hits = [none; 2];
    let mut infer = || unsafe {
        let hits = hits.as_mut_ptr();
        ok(ocellus_session_infer(session, &frame, &mut result, hits, 2));
    };
    let allocations = || {
        let [mut used, mut peak, mut allocations] = [0; 3];
        ok(unsafe { ocellus_memory_used(&mut used, &mut peak, &mut allocations) });
        allocations
    };
    infer();
    let before = allocations();
    infer();
    infer();
    assert_eq!(allocations(), before);
    assert_eq!(
        (result.resolution, result.escalated, hits[0].label < 2),
        (224, 1, true)
    );
    unsafe {
        ok(ocellus_session_free(session));
        ok(ocellus_runtime_free(runtime));
        ok(ocellus_bundle_free(bundle));
    }
}
