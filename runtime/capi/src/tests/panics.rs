//! A panic in any function is a status, and nothing else breaks.

use super::*;
use crate::guard::panic_after;

#[test]
fn a_panic_in_any_function_is_a_status_and_writes_nothing() {
    let fixture = Fixture::new();
    let Fixture {
        bundle,
        runtime,
        session,
    } = fixture;
    let (frame, _bytes) = grey_frame(32, 32);
    let mut result = new_result();
    let mut relevance = ocellus_relevance::default();
    let mut options = session_options();
    let mut runtime_options = unsafe { std::mem::zeroed::<ocellus_runtime_options>() };
    let mut to_bundle = ptr::null_mut();
    let mut to_runtime = ptr::null_mut();
    let mut to_session = ptr::null_mut();
    let mut given = frame;
    let mut isa = -1;
    let mut length = 77;
    let mut bytes = 77_u64;
    let used = &raw mut bytes;
    let label = c"a cat".as_ptr();
    let file = ocellus_file {
        name: label,
        data: ptr::null(),
        size: 0,
    };
    let null = ptr::null_mut::<u8>();
    let mut route = unsafe { std::mem::zeroed::<ocellus_route>() };
    let mut router_options = unsafe { std::mem::zeroed::<ocellus_router_options>() };
    let mut choice = ocellus_choice::default();
    let mut to_router = ptr::null_mut();
    let router = null.cast();
    let mut calls: Vec<Box<dyn FnMut() -> i32>> = unsafe {
        vec![
            Box::new(|| ocellus_abi_check(1, 0)),
            Box::new(|| ocellus_bundle_default(&mut to_bundle)),
            Box::new(|| ocellus_bundle_open(label, null.cast())),
            Box::new(|| ocellus_bundle_from_memory(&file, 1, null.cast())),
            Box::new(|| ocellus_runtime_options_init(&mut runtime_options, 48)),
            Box::new(|| ocellus_runtime_new(bundle, null.cast(), &mut to_runtime)),
            Box::new(|| ocellus_runtime_isa(runtime, &mut isa)),
            Box::new(|| ocellus_session_options_init(&mut options, 80)),
            Box::new(|| ocellus_session_new(runtime, null.cast(), &mut to_session)),
            Box::new(|| ocellus_session_warm_up(session)),
            Box::new(|| ocellus_session_set_labels(session, &label, null.cast(), 1)),
            Box::new(|| ocellus_frame_init(&mut given, 200)),
            Box::new(|| ocellus_result_init(&mut result, 112)),
            Box::new(|| infer(session, &frame)),
            Box::new(|| ocellus_relevance_init(&mut relevance, 44)),
            Box::new(|| ocellus_session_relevance(session, 0, null.cast(), null.cast(), 0)),
            Box::new(|| ocellus_session_submit(session, &frame)),
            Box::new(|| ocellus_session_flush(session, 1)),
            Box::new(|| ocellus_session_cancel(session)),
            Box::new(|| ocellus_session_embed(session, &frame, null.cast(), 0, &mut length)),
            Box::new(|| ocellus_session_swap(session, runtime)),
            Box::new(|| ocellus_memory_used(used, used, used)),
            Box::new(|| ocellus_route_init(&mut route, 40)),
            Box::new(|| ocellus_choice_init(&mut choice, 16)),
            Box::new(|| ocellus_router_options_init(&mut router_options, 32)),
            Box::new(|| ocellus_router_new(runtime, null.cast(), null.cast(), 0, &mut to_router)),
            Box::new(|| {
                let (result, choice) = (null.cast(), null.cast());
                ocellus_router_infer(
                    router,
                    &frame,
                    result,
                    null.cast(),
                    0,
                    choice,
                    null.cast(),
                    0,
                )
            }),
            Box::new(|| ocellus_router_free(router)),
            Box::new(|| ocellus_bundle_free(bundle)),
            Box::new(|| ocellus_runtime_free(runtime)),
            Box::new(|| ocellus_session_free(session)),
        ]
    };
    for (index, call) in calls.iter_mut().enumerate() {
        // `infer` sets its result up first, which is a call as well.
        panic_after(if index == 13 { 1 } else { 0 });
        assert_eq!(call(), OCELLUS_E_PANIC, "call {index}");
    }
    drop(calls);
    assert!(to_router.is_null());
    assert!(to_bundle.is_null() && to_runtime.is_null() && to_session.is_null());
    assert_eq!((isa, length, bytes), (-1, 77, 77));
    panic_after(0);
    assert_eq!(unsafe { ocellus_last_error(ptr::null_mut(), 0) }, 0);
    fails(OCELLUS_E_PANIC, OCELLUS_E_PANIC, &["injected", "guard.rs"]);
    // Nothing was freed: every handle still lives.
    ok(infer(session, &frame));
}

#[test]
fn a_panic_while_a_session_is_held_leaves_it_and_the_others_working() {
    let (one, other) = (Fixture::new(), Fixture::new());
    let (frame, _bytes) = grey_frame(32, 32);
    // Past the checkpoints of the init, of the call and of its log: the next stands behind the session's lock.
    panic_after(3);
    assert_eq!(infer(one.session, &frame), OCELLUS_E_PANIC);
    ok(infer(one.session, &frame));
    ok(infer(other.session, &frame));
    let mut sibling = ptr::null_mut();
    ok(unsafe { ocellus_session_new(one.runtime, &session_options(), &mut sibling) });
    ok(set_labels(sibling, &["a dog"]));
    ok(infer(sibling, &frame));
    ok(unsafe { ocellus_session_free(sibling) });
}
