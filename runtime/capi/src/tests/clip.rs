//! A bundle whose head is CLIP's, which tells neither where labels are nor whether any fits.

use super::*;
use ocellus::Packed;
use std::{ffi::CString, fs, path::Path};

/// The small model `kind` of the end-to-end tests, packed into a folder below `scratch`.
fn packed(scratch: &Path, kind: &str) -> CString {
    let draft = scratch.join("draft");
    fs::create_dir_all(&draft).expect("a folder");
    let own = format!("../../tests/data/clip/{kind}");
    for from in ["../../tests/data/clip", &own] {
        for entry in fs::read_dir(from).expect("a folder of models") {
            let path = entry.expect("readable").path();
            if path.is_file() {
                fs::copy(&path, draft.join(path.file_name().expect("a name"))).expect("a copy");
            }
        }
    }
    let out = scratch.join("bundle");
    let packed = Packed::of(&draft, ocellus::detect_isa()).expect("a good draft");
    packed.write(&out).expect("a place for it");
    CString::new(out.to_str().expect("UTF-8")).expect("no NUL")
}

#[test]
fn frames_are_answered_without_a_verdict_and_relevance_is_refused() {
    let scratch = std::env::temp_dir().join(format!("ocellus-capi-clip-{}", std::process::id()));
    let path = packed(&scratch, "conv");
    let mut bundle = ptr::null_mut();
    ok(unsafe { ocellus_bundle_open(path.as_ptr(), &mut bundle) });
    fs::remove_dir_all(&scratch).expect("a folder of ours");
    let mut runtime = ptr::null_mut();
    ok(unsafe { ocellus_runtime_new(bundle, ptr::null(), &mut runtime) });
    let mut session = ptr::null_mut();

    let mut options = session_options();
    fails(
        unsafe { ocellus_session_new(runtime, &options, &mut session) },
        OCELLUS_E_POLICY,
        &["[64, 96]", "112"],
    );
    options.resolution = 96;
    options.relevance = 1;
    fails(
        unsafe { ocellus_session_new(runtime, &options, &mut session) },
        OCELLUS_E_NO_RELEVANCE,
        &["clip-conv-random", "[relevance]"],
    );
    options.relevance = 0;
    ok(unsafe { ocellus_session_new(runtime, &options, &mut session) });
    ok(set_labels(session, &["a cat", "猫"]));
    let (frame, _bytes) = grey_frame(120, 90);
    let mut result = new_result();
    ok(unsafe { ocellus_session_infer(session, &frame, &mut result, ptr::null_mut(), 0) });
    assert_eq!((result.resolution, result.label_count), (96, 2));
    assert_eq!((result.no_match, result.match_probability), (0, 1.0));
    assert_eq!(result.flags & OCELLUS_RESULT_SIGMOID, 0);
    unsafe {
        ocellus_session_free(session);
        ocellus_runtime_free(runtime);
        ocellus_bundle_free(bundle);
    }
}

#[test]
fn a_result_says_that_each_probability_is_its_label_s_own() {
    let scratch = std::env::temp_dir().join(format!("ocellus-capi-siglip-{}", std::process::id()));
    let path = packed(&scratch, "siglip");
    let mut bundle = ptr::null_mut();
    ok(unsafe { ocellus_bundle_open(path.as_ptr(), &mut bundle) });
    fs::remove_dir_all(&scratch).expect("a folder of ours");
    let (mut runtime, mut session) = (ptr::null_mut(), ptr::null_mut());
    ok(unsafe { ocellus_runtime_new(bundle, ptr::null(), &mut runtime) });
    let mut options = session_options();
    options.resolution = 64;
    ok(unsafe { ocellus_session_new(runtime, &options, &mut session) });
    ok(set_labels(session, &["a cat", "a rocket"]));
    let (frame, _bytes) = grey_frame(120, 90);
    let mut result = new_result();
    let mut hits = [ocellus_hit {
        label: 9,
        score: 0.0,
        probability: 0.0,
    }; 2];
    ok(unsafe { ocellus_session_infer(session, &frame, &mut result, hits.as_mut_ptr(), 2) });
    assert_eq!(result.flags, OCELLUS_RESULT_SIGMOID);
    for hit in hits {
        let expected = 1.0 / (1.0 + (-(20.0 * hit.score - 6.0)).exp());
        assert!((hit.probability - expected).abs() < 1e-4, "{hit:?}");
    }
    unsafe {
        ocellus_session_free(session);
        ocellus_runtime_free(runtime);
        ocellus_bundle_free(bundle);
    }
}
