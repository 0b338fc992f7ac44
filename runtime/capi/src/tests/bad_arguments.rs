//! NULL anywhere, struct sizes that no header has, numbers out of range, labels that are none.

use super::*;

#[test]
fn null_is_refused_wherever_something_must_be() {
    let fixture = Fixture::new();
    let (frame, _bytes) = grey_frame(32, 32);
    let streaming = super::stream::Stream::new();
    let (mut number, mut length) = (0.0, 0);
    let (session, mut result) = (fixture.session, new_result());
    let mut relevance = ocellus_relevance::default();
    let mut some_bundle = ptr::null_mut();
    let mut some_runtime = ptr::null_mut();
    let mut some_session = ptr::null_mut();
    let mut isa = 0;
    let mut some_bytes = 0_u64;
    let bytes = &raw mut some_bytes;
    let null = ptr::null_mut::<u8>();
    let label = c"a cat".as_ptr();
    let statuses = unsafe {
        [
            ocellus_bundle_default(null.cast()),
            ocellus_bundle_open(null.cast(), &mut some_bundle),
            ocellus_bundle_open(c"x".as_ptr(), null.cast()),
            ocellus_bundle_from_memory(null.cast(), 1, &mut some_bundle),
            ocellus_bundle_from_memory(null.cast(), 0, &mut some_bundle),
            ocellus_bundle_from_memory(null.cast(), 0, null.cast()),
            ocellus_runtime_options_init(null.cast(), 48),
            ocellus_runtime_new(null.cast(), null.cast(), &mut some_runtime),
            ocellus_runtime_new(fixture.bundle, null.cast(), null.cast()),
            ocellus_runtime_isa(null.cast(), &mut isa),
            ocellus_runtime_isa(fixture.runtime, null.cast()),
            ocellus_session_options_init(null.cast(), 80),
            ocellus_session_new(null.cast(), null.cast(), &mut some_session),
            ocellus_session_new(fixture.runtime, null.cast(), null.cast()),
            ocellus_session_warm_up(null.cast()),
            ocellus_session_set_labels(null.cast(), &label, null.cast(), 1),
            ocellus_session_set_labels(session, null.cast(), null.cast(), 1),
            ocellus_session_set_labels(session, &ptr::null(), null.cast(), 1),
            ocellus_session_set_labels(session, &ptr::null(), &0, 1),
            ocellus_frame_init(null.cast(), 200),
            ocellus_result_init(null.cast(), 112),
            ocellus_session_infer(null.cast(), &frame, &mut result, null.cast(), 0),
            ocellus_session_infer(session, null.cast(), &mut result, null.cast(), 0),
            ocellus_session_infer(session, &frame, null.cast(), null.cast(), 0),
            ocellus_session_infer(session, &frame, &mut result, null.cast(), 1),
            ocellus_relevance_init(null.cast(), 44),
            ocellus_session_relevance(null.cast(), 0, &mut relevance, null.cast(), 0),
            ocellus_session_relevance(session, 0, null.cast(), null.cast(), 0),
            ocellus_session_submit(null.cast(), &frame),
            ocellus_session_submit(streaming.session(), null.cast()),
            ocellus_session_flush(null.cast(), 1),
            ocellus_session_cancel(null.cast()),
            ocellus_session_embed(null.cast(), &frame, &mut number, 1, &mut length),
            ocellus_session_embed(session, &frame, null.cast(), 128, &mut length),
            ocellus_session_embed(session, &frame, &mut number, 1, null.cast()),
            ocellus_session_swap(null.cast(), fixture.runtime),
            ocellus_session_swap(session, null.cast()),
            ocellus_memory_used(null.cast(), bytes, bytes),
            ocellus_memory_used(bytes, null.cast(), bytes),
            ocellus_memory_used(bytes, bytes, null.cast()),
        ]
    };
    for (call, status) in statuses.into_iter().enumerate() {
        assert_eq!(status, OCELLUS_E_NULL, "call {call}");
    }
    assert!(some_bundle.is_null() && some_runtime.is_null() && some_session.is_null());
    let freed = unsafe {
        [
            ocellus_bundle_free(null.cast()),
            ocellus_runtime_free(null.cast()),
            ocellus_session_free(null.cast()),
        ]
    };
    assert_eq!(freed, [OCELLUS_OK; 3]);
    ok(infer(session, &frame));
}

#[test]
fn structs_of_no_header_are_refused_and_newer_ones_taken() {
    let fixture = Fixture::new();
    let (mut frame, _bytes) = grey_frame(32, 32);
    for size in [0, 199, 4097, u32::MAX] {
        frame.struct_size = size;
        fails(
            infer(fixture.session, &frame),
            OCELLUS_E_STRUCT_SIZE,
            &["ocellus_frame"],
        );
    }
    #[repr(C)]
    struct Newer {
        frame: ocellus_frame,
        later: u64,
    }
    frame.struct_size = size_of::<Newer>() as u32;
    let mut newer = Newer { frame, later: 0 };
    // The whole struct's pointer: the library reads beyond the part it knows.
    let mut ask = |later| {
        newer.later = later;
        let mut result = new_result();
        let frame = (&raw const newer).cast();
        unsafe { ocellus_session_infer(fixture.session, frame, &mut result, ptr::null_mut(), 0) }
    };
    ok(ask(0));
    fails(
        ask(1 << 40),
        OCELLUS_E_STRUCT_SIZE,
        &["older than the program's header"],
    );
    let (frame, _bytes) = grey_frame(32, 32);
    let mut result = new_result();
    result.struct_size = 111;
    let status =
        unsafe { ocellus_session_infer(fixture.session, &frame, &mut result, ptr::null_mut(), 0) };
    fails(status, OCELLUS_E_STRUCT_SIZE, &["ocellus_result"]);
}

#[test]
fn labels_that_are_none_leave_the_ones_before() {
    let fixture = Fixture::new();
    let session = fixture.session;
    fails(
        set_labels(session, &[]),
        OCELLUS_E_LABELS,
        &["at least one"],
    );
    fails(set_labels(session, &["a cat", ""]), OCELLUS_E_LABELS, &[]);
    fails(
        set_labels(session, &["x".repeat(1001).as_str()]),
        OCELLUS_E_LABELS,
        &["labels[0]"],
    );
    let raw = |label: *const c_char, length: *const usize, count| unsafe {
        ocellus_session_set_labels(session, &label, length, count)
    };
    let not_utf8 = c"caf\xe9".as_ptr();
    fails(
        raw(not_utf8, ptr::null(), 1),
        OCELLUS_E_UTF8,
        &["labels[0]", "at 3"],
    );
    fails(raw(not_utf8, &4, 1), OCELLUS_E_UTF8, &["labels[0]"]);
    fails(
        raw(not_utf8, &usize::MAX, 1),
        OCELLUS_E_LABELS,
        &["1000 bytes"],
    );
    fails(raw(not_utf8, &1, usize::MAX), OCELLUS_E_LABELS, &["65536"]);
    let (frame, _bytes) = grey_frame(32, 32);
    let mut result = new_result();
    ok(unsafe { ocellus_session_infer(session, &frame, &mut result, ptr::null_mut(), 0) });
    assert_eq!(result.label_count, 2);
    ok(raw(c"a dog".as_ptr(), ptr::null(), 1));
    ok(infer(session, &frame));
}

#[test]
fn a_frame_before_labels_is_refused() {
    let fixture = Fixture::bare(|_| {});
    let (frame, _bytes) = grey_frame(32, 32);
    fails(
        infer(fixture.session, &frame),
        OCELLUS_E_NO_LABELS,
        &["set_labels"],
    );
}

#[test]
fn options_out_of_range_or_without_meaning_are_refused() {
    let fixture = Fixture::new();
    let thresholds = [4.0, 7.0];
    type Change = fn(&mut ocellus_session_options, &[f32; 2]);
    let refused: [(Change, i32, &str); 13] = [
        (|o, _| o.policy = 5, OCELLUS_E_ARGUMENT, "policy"),
        (|o, _| o.policy = -1, OCELLUS_E_ARGUMENT, "policy"),
        (|o, _| o.crop = 4, OCELLUS_E_ARGUMENT, "crop"),
        (|o, _| o.relevance = 2, OCELLUS_E_ARGUMENT, "relevance"),
        (|o, _| o.top_k = 4, OCELLUS_E_ARGUMENT, "without relevance"),
        (|o, _| o.margin = 0.5, OCELLUS_E_ARGUMENT, "margin"),
        (|o, _| o.margin = f32::NAN, OCELLUS_E_ARGUMENT, "margin"),
        (
            |o, _| o.policy = OCELLUS_POLICY_BUNDLE,
            OCELLUS_E_ARGUMENT,
            "resolution",
        ),
        (
            |o, _| o.policy = OCELLUS_POLICY_ENTROPY,
            OCELLUS_E_ARGUMENT,
            "resolution",
        ),
        (
            |o, t| (o.thresholds_bits, o.threshold_count) = (t.as_ptr(), 2),
            OCELLUS_E_ARGUMENT,
            "thresholds",
        ),
        (|o, _| o.resolution = 0, OCELLUS_E_POLICY, "got 0"),
        (|o, _| o.resolution = 113, OCELLUS_E_POLICY, "113"),
        (
            |o, _| (o.policy, o.resolution, o.threshold_count) = (OCELLUS_POLICY_ENTROPY, 0, 2),
            OCELLUS_E_NULL,
            "thresholds_bits",
        ),
    ];
    for (change, status, word) in refused {
        let mut options = session_options();
        change(&mut options, &thresholds);
        let mut session = ptr::null_mut();
        let got = unsafe { ocellus_session_new(fixture.runtime, &options, &mut session) };
        fails(got, status, &[word]);
        assert!(session.is_null());
    }
    let taken: [Change; 5] = [
        |o, _| (o.policy, o.resolution) = (OCELLUS_POLICY_BUNDLE, 0),
        |o, t| {
            (o.policy, o.resolution) = (OCELLUS_POLICY_ENTROPY, 0);
            (o.thresholds_bits, o.threshold_count) = (t.as_ptr(), 2);
        },
        |o, _| (o.policy, o.resolution, o.margin) = (OCELLUS_POLICY_CASCADE, 0, 0.0),
        |o, _| (o.policy, o.resolution) = (OCELLUS_POLICY_ENTROPY_CASCADE, 0),
        |o, _| (o.relevance, o.block_height, o.top_k) = (1, 1, 4),
    ];
    for change in taken {
        let mut options = session_options();
        change(&mut options, &thresholds);
        let mut session = ptr::null_mut();
        ok(unsafe { ocellus_session_new(fixture.runtime, &options, &mut session) });
        ok(unsafe { ocellus_session_free(session) });
    }
}

#[test]
fn a_message_is_cut_to_the_buffer() {
    fails(ocellus_abi_check(9, 9), OCELLUS_E_ABI, &["9.9"]);
    let whole = message();
    let mut buffer = [b'!'; 6];
    let length = unsafe { ocellus_last_error(buffer.as_mut_ptr().cast(), 5) };
    assert_eq!(length, whole.len());
    assert_eq!(buffer, [&whole.as_bytes()[..4], &[0, b'!']].concat()[..]);
}
