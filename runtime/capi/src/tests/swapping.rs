//! Another runtime under a session: frames go on, and a runtime that does not fit changes nothing.

use super::{stream::*, *};
use std::{ffi::CString, thread, time::Duration};

/// Text of a manifest, and what stands in its place.
type Change = (&'static str, &'static str);

const WITHOUT_112: [Change; 3] = [
    ("[112, 160, 224]", "[160, 224]"),
    ("macs = [105611088, ", "macs = ["),
    ("entropy_bits = [6.5, 8.0]", "entropy_bits = [6.5]"),
];

const WITHOUT_RELEVANCE: [Change; 1] = [(
    "[relevance]\nsharpness = 30.0\nscale = 0.3\nfloor = 7.0\nblock = [2, 2]\ntop_k = 16\n",
    "",
)];

/// A runtime on the default bundle with its manifest changed.
fn runtime(changes: &[Change], cpu_mask: u64) -> *mut ocellus_runtime {
    let mut manifest = ocellus_models::DEFAULT
        .iter()
        .find(|(name, _)| *name == "manifest.toml")
        .map(|(_, bytes)| String::from_utf8(bytes.to_vec()).expect("UTF-8"))
        .expect("a manifest");
    for (from, to) in changes {
        assert!(manifest.contains(from), "{from}");
        manifest = manifest.replace(from, to);
    }
    let names: Vec<CString> = ocellus_models::DEFAULT
        .iter()
        .map(|(name, _)| CString::new(*name).expect("no NUL"))
        .collect();
    let files: Vec<ocellus_file> = names
        .iter()
        .zip(ocellus_models::DEFAULT)
        .map(|(text, (name, bytes))| {
            let bytes = match *name {
                "manifest.toml" => manifest.as_bytes(),
                _ => bytes,
            };
            ocellus_file {
                name: text.as_ptr(),
                data: bytes.as_ptr().cast(),
                size: bytes.len(),
            }
        })
        .collect();
    let (mut bundle, mut runtime) = (ptr::null_mut(), ptr::null_mut());
    let mut options = unsafe { std::mem::zeroed::<ocellus_runtime_options>() };
    let size = size_of_val(&options) as u32;
    unsafe {
        ok(ocellus_bundle_from_memory(
            files.as_ptr(),
            files.len(),
            &mut bundle,
        ));
        ok(ocellus_runtime_options_init(&mut options, size));
        options.cpu_mask = cpu_mask;
        ok(ocellus_runtime_new(bundle, &options, &mut runtime));
        ok(ocellus_bundle_free(bundle));
    }
    runtime
}

/// A runtime whose probabilities are flatter: its logits are scaled by less.
fn flatter() -> *mut ocellus_runtime {
    runtime(&[("logit_scale = 9.5", "logit_scale = 1.5")], 0)
}

#[test]
fn a_stream_goes_on_while_its_runtime_changes() {
    let refuse = |options: &mut ocellus_session_options| {
        options.when_busy = OCELLUS_WHEN_BUSY_REFUSE;
    };
    let stream = Stream::with(refuse, |_, _| {});
    let (frame, _bytes) = grey_frame(64, 48);
    ok(stream.submit(&frame));
    let best = |answer: &Answer| answer.hits.as_ref().expect("hits")[0].probability;
    let before = best(&stream.answers()[0]);
    let other = flatter();
    let (session, other) = (stream.session().addr(), other.addr());
    let swapping = thread::spawn(move || {
        let other = ptr::without_provenance_mut(other);
        ok(unsafe { ocellus_session_swap(ptr::without_provenance_mut(session), other) });
        ok(unsafe { ocellus_runtime_free(other) });
    });
    let mut accepted = 1;
    let mut submit = || {
        match stream.submit(&frame) {
            OCELLUS_E_BUSY => thread::sleep(Duration::from_millis(1)),
            status => {
                ok(status);
                accepted += 1;
            }
        };
    };
    while !swapping.is_finished() {
        submit();
    }
    swapping.join().expect("no panic");
    // What waited when the other came was answered by it; so is whatever comes now.
    ok(unsafe { ocellus_runtime_free(stream.fixture.runtime) });
    stream.answers();
    ok(stream.submit(&frame));
    let answers = stream.answers();
    assert_eq!(answers.len(), accepted + 1, "no frame is lost");
    let after = best(answers.last().expect("an answer"));
    assert!(after < before, "{after} is no flatter than {before}");
    let first_after = answers.iter().position(|answer| best(answer) == after);
    let (old, new) = answers.split_at(first_after.expect("the last one"));
    assert!(old.iter().all(|answer| best(answer) == before));
    assert!(new.iter().all(|answer| best(answer) == after));
}

#[test]
fn labels_that_are_set_meanwhile_are_the_labels_after() {
    let stream = Stream::new();
    let (session, other) = (stream.session().addr(), flatter().addr());
    let swapping = thread::spawn(move || unsafe {
        ocellus_session_swap(
            ptr::without_provenance_mut(session),
            ptr::without_provenance(other),
        )
    });
    while !swapping.is_finished() {
        ok(set_labels(stream.session(), &["a cat"]));
        ok(set_labels(stream.session(), &["a cat", "a bus", "a dog"]));
    }
    ok(swapping.join().expect("no panic"));
    ok(stream.submit_grey(1));
    assert_eq!(stream.answers()[0].result.label_count, 3);
}

#[test]
fn a_session_without_a_worker_changes_its_runtime_too() {
    let fixture = Fixture::bare(|options| options.relevance = 1);
    ok(set_labels(fixture.session, &["a cat", "a bus"]));
    let (frame, _bytes) = grey_frame(32, 32);
    ok(infer(fixture.session, &frame));
    let other = flatter();
    ok(unsafe { ocellus_session_swap(fixture.session, other) });
    ok(unsafe { ocellus_runtime_free(other) });
    let mut relevance = ocellus_relevance::default();
    let size = size_of_val(&relevance) as u32;
    ok(unsafe { ocellus_relevance_init(&mut relevance, size) });
    let status = unsafe {
        ocellus_session_relevance(fixture.session, 0, &mut relevance, ptr::null_mut(), 0)
    };
    fails(status, OCELLUS_E_NO_RELEVANCE, &[]);
    ok(infer(fixture.session, &frame));
}

#[test]
fn a_runtime_that_does_not_fit_leaves_the_one_before() {
    let stream = Stream::with(|options| options.relevance = 1, |_, _| {});
    let session = stream.session();
    ok(set_labels(session, &["CAT", "BUS"]));
    let (frame, _bytes) = grey_frame(64, 48);
    ok(stream.submit(&frame));
    let case = [("lowercase = true", "lowercase = false")];
    for (changes, cpu_mask, wanted, word) in [
        (&WITHOUT_112[..], 0, OCELLUS_E_POLICY, "112"),
        (&case, 0, OCELLUS_E_LABELS, "CAT"),
        (&WITHOUT_RELEVANCE, 0, OCELLUS_E_NO_RELEVANCE, "relevance"),
        (&[], 1 << 63, OCELLUS_E_ARGUMENT, "cpu_mask"),
    ] {
        let other = runtime(changes, cpu_mask);
        let status = unsafe { ocellus_session_swap(session, other) };
        fails(status, wanted, &[word]);
        ok(unsafe { ocellus_runtime_free(other) });
    }
    ok(stream.submit(&frame));
    let answers = stream.answers();
    ok(answers[1].status);
    assert_eq!(answers[0].hits, answers[1].hits);
}
