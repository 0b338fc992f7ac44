//! Good calls give what the Rust library gives.

use super::*;
use ocellus::{Bundle, Engine, Policy, Relevance, Report, Session, SessionOptions, vision::Frame};
use std::sync::Arc;

const LABELS: [&str; 3] = ["a cat", "a bus", "a cup of coffee"];

fn report(bytes: &[u8], width: usize, height: usize, relevance: Relevance) -> Report {
    let bundle = Bundle::embedded(ocellus_models::DEFAULT).expect("the default bundle");
    let engine = Engine::load(bundle, ocellus::detect_isa()).expect("an engine");
    let options = SessionOptions {
        policy: Some(Policy::Fixed(112)),
        relevance,
        ..SessionOptions::default()
    };
    let mut session = Session::new(Arc::new(engine), options).expect("a session");
    session
        .set_labels(LABELS.map(str::to_owned).to_vec())
        .expect("labels");
    let frame = Frame::rgb(width, height, bytes).expect("a frame");
    session.infer(&frame).expect("a report")
}

#[test]
fn hits_and_result_are_the_report() {
    let fixture = Fixture::bare(|_| {});
    ok(set_labels(fixture.session, &LABELS));
    ok(unsafe { ocellus_session_warm_up(fixture.session) });
    let (mut frame, bytes) = grey_frame(64, 48);
    (frame.timestamp_ns, frame.cookie) = (-5, u64::MAX);
    let wanted = report(&bytes, 64, 48, Relevance::Off);
    for capacity in [0, 2, 3, 5] {
        let none = ocellus_hit {
            label: 9,
            score: 9.0,
            probability: 9.0,
        };
        let mut hits = [none; 5];
        let mut result = new_result();
        ok(unsafe {
            ocellus_session_infer(
                fixture.session,
                &frame,
                &mut result,
                hits.as_mut_ptr(),
                capacity,
            )
        });
        let written = capacity.min(LABELS.len());
        for (hit, wanted) in hits.iter().zip(&wanted.labels).take(written) {
            assert_eq!(hit.label as usize, wanted.index);
            assert_eq!(
                (hit.score, hit.probability),
                (wanted.score, wanted.probability)
            );
        }
        assert!(hits[written..].iter().all(|hit| *hit == none));
        assert_eq!((result.label_count, result.hit_count), (3, written as u32));
        assert_eq!(result.no_match, i32::from(wanted.no_match));
        assert_eq!(result.match_probability, wanted.match_probability);
        assert_eq!(result.entropy_bits, wanted.entropy_bits);
        assert_eq!((result.resolution, result.escalated), (112, 0));
        assert_eq!((result.timestamp_ns, result.cookie), (-5, u64::MAX));
        assert!(result.encode_us > 0 && result.total_us >= result.encode_us);
    }
}

#[test]
fn relevance_is_the_report_s() {
    let fixture = Fixture::bare(|options| options.relevance = 1);
    ok(set_labels(fixture.session, &LABELS));
    let (frame, bytes) = grey_frame(64, 48);
    ok(infer(fixture.session, &frame));
    let report = report(&bytes, 64, 48, Relevance::Calibrated);
    for hit in &report.labels {
        let place = hit.place.as_ref().expect("a place");
        let grid = &place.relevance[place.view];
        let mut relevance = ocellus_relevance::default();
        let size = size_of_val(&relevance) as u32;
        ok(unsafe { ocellus_relevance_init(&mut relevance, size) });
        let mut cells = vec![9.0; grid.values.len() + 1];
        let label = hit.index as u32;
        let mut ask = |capacity| unsafe {
            ocellus_session_relevance(
                fixture.session,
                label,
                &mut relevance,
                cells.as_mut_ptr(),
                capacity,
            )
        };
        fails(ask(1), OCELLUS_E_CAPACITY, &["cells", "got 1"]);
        ok(ask(grid.values.len()));
        assert_eq!(cells.pop(), Some(9.0));
        assert_eq!(cells, grid.values);
        assert_eq!(
            (relevance.rows, relevance.columns),
            (grid.height as u32, grid.width as u32)
        );
        assert_eq!(relevance.local_score, place.local_score);
        let peak = place.peak_px.map(|peak| peak.map(|at| at as f32));
        assert_eq!(relevance.has_peak, i32::from(peak.is_some()));
        assert_eq!(
            [relevance.peak_x_px, relevance.peak_y_px],
            peak.unwrap_or_default()
        );
        let seen = &report.seen[place.view];
        let view = [seen.x, seen.y, seen.width, seen.height].map(|at| at as f32);
        let got = [
            relevance.view_x_px,
            relevance.view_y_px,
            relevance.view_width_px,
            relevance.view_height_px,
        ];
        assert_eq!(got, view);
        // Without room for cells, the sizes alone.
        relevance.rows = 0;
        ok(unsafe {
            ocellus_session_relevance(fixture.session, label, &mut relevance, ptr::null_mut(), 0)
        });
        assert_eq!(relevance.rows, grid.height as u32);
    }
}

#[test]
fn relevance_waits_for_a_frame_and_ends_with_its_labels() {
    let fixture = Fixture::bare(|options| options.relevance = 1);
    ok(set_labels(fixture.session, &LABELS));
    let mut relevance = ocellus_relevance::default();
    let size = size_of_val(&relevance) as u32;
    ok(unsafe { ocellus_relevance_init(&mut relevance, size) });
    let before = relevance;
    let mut ask = |label| {
        let status = unsafe {
            ocellus_session_relevance(fixture.session, label, &mut relevance, ptr::null_mut(), 0)
        };
        assert!(status == OCELLUS_OK || relevance == before);
        status
    };
    fails(ask(0), OCELLUS_E_NO_RELEVANCE, &["infer a frame"]);
    let (frame, _bytes) = grey_frame(32, 32);
    ok(infer(fixture.session, &frame));
    fails(ask(3), OCELLUS_E_ARGUMENT, &["3 labels", "got 3"]);
    ok(set_labels(fixture.session, &LABELS[..1]));
    fails(ask(0), OCELLUS_E_NO_RELEVANCE, &[]);
    let off = Fixture::new();
    ok(infer(off.session, &frame));
    let status =
        unsafe { ocellus_session_relevance(off.session, 0, &mut relevance, ptr::null_mut(), 0) };
    fails(status, OCELLUS_E_NO_RELEVANCE, &[]);
}

#[test]
fn a_bundle_comes_from_a_folder_and_from_memory() {
    let names: Vec<std::ffi::CString> = ocellus_models::DEFAULT
        .iter()
        .map(|(name, _)| std::ffi::CString::new(*name).expect("no NUL"))
        .collect();
    let mut files: Vec<ocellus_file> = names
        .iter()
        .zip(ocellus_models::DEFAULT)
        .map(|(name, (_, bytes))| ocellus_file {
            name: name.as_ptr(),
            data: bytes.as_ptr().cast(),
            size: bytes.len(),
        })
        .collect();
    let mut bundle = ptr::null_mut();
    ok(unsafe { ocellus_bundle_from_memory(files.as_ptr(), files.len(), &mut bundle) });
    let mut runtime = ptr::null_mut();
    ok(unsafe { ocellus_runtime_new(bundle, ptr::null(), &mut runtime) });
    ok(unsafe { ocellus_bundle_free(bundle) });
    ok(unsafe { ocellus_runtime_free(runtime) });

    let mut none = ptr::null_mut();
    let without = unsafe { ocellus_bundle_from_memory(files.as_ptr(), files.len() - 1, &mut none) };
    fails(without, OCELLUS_E_BUNDLE, &["vocab.txt", "missing"]);
    files[1].size -= 1;
    let cut = unsafe { ocellus_bundle_from_memory(files.as_ptr(), files.len(), &mut none) };
    fails(cut, OCELLUS_E_BUNDLE, &["classes.txt", "bytes"]);
    let absent = unsafe { ocellus_bundle_open(c"no/such/folder".as_ptr(), &mut none) };
    fails(absent, OCELLUS_E_IO, &["manifest.toml"]);
    assert!(none.is_null());
}

#[test]
fn a_lowered_instruction_set_is_used_and_said() {
    let fixture = Fixture::new();
    let mut options = runtime_options();
    options.isa_at_most = OCELLUS_ISA_SCALAR;
    let mut runtime = ptr::null_mut();
    ok(unsafe { ocellus_runtime_new(fixture.bundle, &options, &mut runtime) });
    let mut isa = -1;
    ok(unsafe { ocellus_runtime_isa(runtime, &mut isa) });
    assert_eq!(isa, OCELLUS_ISA_SCALAR);
    ok(unsafe { ocellus_runtime_free(runtime) });
    options.isa_at_most = 4;
    let unknown = unsafe { ocellus_runtime_new(fixture.bundle, &options, &mut runtime) };
    fails(unknown, OCELLUS_E_ARGUMENT, &["isa_at_most", "got 4"]);
}

#[test]
fn threads_end_with_their_runtime_and_too_many_are_refused() {
    let fixture = Fixture::new();
    let mut options = runtime_options();
    let mut runtime = ptr::null_mut();
    // Those of this runtime alone: other tests have theirs at the same time.
    for threads in [0, 1, 4, 16] {
        options.threads = threads;
        ok(unsafe { ocellus_runtime_new(fixture.bundle, &options, &mut runtime) });
        ok(unsafe { ocellus_runtime_free(runtime) });
    }
    options.threads = 17;
    let more = unsafe { ocellus_runtime_new(fixture.bundle, &options, &mut runtime) };
    fails(more, OCELLUS_E_ARGUMENT, &["threads", "0 to 16", "got 17"]);
    (options.threads, options.cpu_mask) = (2, 1 << 63);
    let nowhere = unsafe { ocellus_runtime_new(fixture.bundle, &options, &mut runtime) };
    fails(
        nowhere,
        OCELLUS_E_ARGUMENT,
        &["cpu_mask", "0x8000000000000000"],
    );
}

#[test]
fn a_header_is_served_by_its_own_generation() {
    ok(ocellus_abi_check(OCELLUS_ABI_MAJOR, OCELLUS_ABI_MINOR));
    fails(
        ocellus_abi_check(OCELLUS_ABI_MAJOR, OCELLUS_ABI_MINOR + 1),
        OCELLUS_E_ABI,
        &["1.2"],
    );
    fails(
        ocellus_abi_check(OCELLUS_ABI_MAJOR + 1, 0),
        OCELLUS_E_ABI,
        &["2.0"],
    );
    let name = |status| unsafe { std::ffi::CStr::from_ptr(ocellus_status_name(status)) };
    assert_eq!(name(OCELLUS_E_FRAME_CROP), c"OCELLUS_E_FRAME_CROP");
    assert_eq!(name(7), c"unknown status");
    let version = unsafe { std::ffi::CStr::from_ptr(ocellus_version()) };
    assert_eq!(version.to_str(), Ok(env!("CARGO_PKG_VERSION")));
}
