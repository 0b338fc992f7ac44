//! `ocellus bench`: stages, operations, baselines, marks.
#![allow(missing_docs)]

use ocellus_tests::{Run, ocellus, photo};
use serde_json::Value;
use std::{ffi::OsStr, fs, path::Path};

/// Asserts that a report names the commit that the program was built from, or says that the build was not told.
#[track_caller]
fn check_commit(commit: &Value) {
    if let Some(commit) = commit.as_str() {
        let digits = commit.strip_suffix("-changed").unwrap_or(commit);
        assert_eq!(digits.len(), 40, "{commit}");
        assert!(
            digits.bytes().all(|digit| digit.is_ascii_hexdigit()),
            "{commit}"
        );
    } else {
        assert!(commit.is_null(), "{commit}");
    }
}

/// A file of the default bundle.
fn bundled(name: &str) -> String {
    let models = Path::new("../models/default");
    models.join(name).display().to_string()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key]
        .as_array()
        .unwrap_or_else(|| panic!("no list {key} in {value}"))
}

/// The bundle's multiply-accumulates, by resolution.
fn stated_macs() -> Vec<u64> {
    let report = ocellus(["bundle", "inspect", "--json"]).answer();
    let macs = list(&report, "macs").iter();
    macs.map(|macs| macs.as_u64().expect("a number")).collect()
}

/// Asserts that steps are whole; their multiply-accumulates.
#[track_caller]
fn check_steps(row: &Value) -> u64 {
    let steps = list(row, "steps");
    let mut shares = 0.0;
    let mut macs = 0;
    for step in steps {
        let keys: Vec<&String> = step.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["kernel", "macs", "name", "op", "p50_ns", "share"]);
        for key in ["kernel", "name", "op"] {
            assert!(
                step[key].as_str().is_some_and(|word| !word.is_empty()),
                "{step}"
            );
        }
        assert!(step["p50_ns"].is_u64(), "{step}");
        shares += step["share"].as_f64().expect("a share");
        macs += step["macs"].as_u64().expect("a number");
    }
    assert!((shares - 1.0).abs() < 1e-9, "the shares' sum is {shares}");
    macs
}

#[test]
fn bench_measures_every_stage_at_every_resolution() {
    let report = ocellus(["bench", "--json", "--iterations", "2"]).answer();
    let hash = report["bundle"]["sha256"].as_str().expect("a hash");
    assert_eq!(hash.len(), 64, "{hash}");
    check_commit(&report["commit"]);
    let rows = report["resolutions"].as_array().expect("a list");
    assert_eq!(rows.len(), 3);
    for row in rows {
        for stage in ["decode", "look", "resize", "encode", "heads", "total"] {
            let us = |p: &str| {
                row["stages"][stage][p]
                    .as_u64()
                    .unwrap_or_else(|| panic!("no {stage}.{p} in {row}"))
            };
            assert!(us("p50_us") <= us("p95_us") && us("p95_us") <= us("p99_us"));
        }
        assert!(row["stages"]["encode"]["p50_us"].as_u64() > Some(0));
    }
    assert!(
        report["peak_rss_bytes"].as_u64() > Some(1 << 20),
        "{report}"
    );
}

#[test]
fn bench_measures_every_policy() {
    let report = ocellus(["bench", "--json", "--iterations", "1"]).answer();
    let rows = list(&report, "policies");
    let names: Vec<&Value> = rows.iter().map(|row| &row["policy"]).collect();
    assert_eq!(names, ["entropy", "cascade", "entropy-cascade"]);
    // The golden picture's entropy lies between 4.0 and 7.0 bits, and it is surely a cat.
    let bits = report["policy"]["picture_bits"].as_f64().expect("bits");
    assert!((4.0..7.0).contains(&bits), "{bits}");
    for row in rows {
        assert_eq!(
            (&row["resolution"], &row["escalated"]),
            (&160.into(), &false.into())
        );
        assert!(
            row["stages"]["encode"]["p50_us"].as_u64() > Some(0),
            "{row}"
        );
    }
    let one = "bench --json --iterations 1 --policy cascade";
    let report = ocellus(one.split(' ')).answer();
    assert_eq!(list(&report, "policies").len(), 1);
}

#[test]
fn each_number_of_threads_has_its_row() {
    let words = "bench --json --iterations 1 --resolution 112 --threads 1,2";
    let report = ocellus(words.split(' ')).answer();
    assert_eq!(report["threads"], serde_json::json!([1, 2]));
    assert_eq!(
        list(&report, "policies").len(),
        0,
        "one resolution was asked for"
    );
    let rows = list(&report, "resolutions");
    let threads: Vec<&Value> = rows.iter().map(|row| &row["threads"]).collect();
    assert_eq!(threads, [1, 2]);
    for row in rows {
        assert_eq!(row["resolution"], 112);
        assert!(
            row["stages"]["encode"]["p50_us"].as_u64() > Some(0),
            "{row}"
        );
    }
}

#[test]
fn operations_add_up_to_the_encoder() {
    let report = ocellus(["bench", "--json", "--ops", "--iterations", "2"]).answer();
    let isa = report["isa"].as_str().expect("a name");
    let rows = list(&report, "resolutions");
    let macs: Vec<u64> = rows.iter().map(check_steps).collect();
    assert_eq!(macs, stated_macs());
    for row in rows {
        assert!(row["stages"]["total"].is_object(), "{row}");
        let steps = list(row, "steps");
        assert_eq!(steps[0]["op"], "QuantizeLinear");
        let convolutions: Vec<&Value> = steps.iter().filter(|step| step["op"] == "Conv").collect();
        assert_eq!(convolutions.len(), 49);
        for step in convolutions {
            let kernel = step["kernel"].as_str().expect("a name");
            assert!(
                kernel.starts_with("qs8_") && kernel.ends_with(isa),
                "{step}"
            );
            assert!(step["macs"].as_u64() > Some(0), "{step}");
        }
    }
}

#[test]
fn operations_have_a_table() {
    let run = ocellus(["bench", "--ops", "--iterations", "1", "--resolution", "112"]);
    assert_eq!(run.code, 0, "{run:?}");
    for words in ["operation at 112", "Conv [qs8_", "in all"] {
        assert!(run.stdout.contains(words), "no {words:?} in {run:?}");
    }
}

#[test]
fn a_model_alone_is_the_bundles_encoder() {
    let model = bundled("image.onnx");
    let words = [
        "bench",
        "--json",
        "--ops",
        "--iterations",
        "1",
        "--resolution",
        "112",
    ];
    let report = ocellus(words.into_iter().chain(["--model", &model])).answer();
    assert_eq!(
        (&report["model"], &report["int8_regions"]),
        (&model.into(), &true.into())
    );
    let rows = list(&report, "resolutions");
    assert_eq!(rows.len(), 1);
    assert_eq!(check_steps(&rows[0]), stated_macs()[0]);
    let stages: Vec<&String> = rows[0]["stages"]
        .as_object()
        .expect("stages")
        .keys()
        .collect();
    assert_eq!(stages, ["encode"]);
}

#[test]
fn the_baseline_runs_in_the_engine_alone() {
    let words = [
        "bench",
        "--json",
        "--ops",
        "--iterations",
        "1",
        "--resolution",
        "112",
    ];
    let report = ocellus(words.into_iter().chain(["--without-regions"])).answer();
    assert_eq!(
        (&report["model"], &report["int8_regions"]),
        (&"image.onnx".into(), &false.into())
    );
    let row = &list(&report, "resolutions")[0];
    assert_eq!(check_steps(row), stated_macs()[0]);
    assert!(
        list(row, "steps")
            .iter()
            .all(|step| step["kernel"] == "tract")
    );
}

#[test]
fn marked_regions_are_named() {
    let report = ocellus(["bench", "--markers", "--resolution", "112"]).answer();
    let row = &list(&report, "resolutions")[0];
    let (regions, steps) = (list(row, "regions"), list(row, "steps"));
    let (of_steps, whole) = regions.split_at(steps.len());
    assert!(of_steps.iter().all(|region| region == "step"));
    assert_eq!(
        whole,
        ["load", "total", "camera", "from_pixels", "layers", "encode"]
    );
    let head = steps.last().expect("steps");
    assert_eq!(
        (&head["op"], &head["macs"]),
        (&"Gemm".into(), &1_280_000.into())
    );
    let report = ocellus(["bench", "--markers", "--resolution=112", "--threads=3"]).answer();
    let regions = list(&list(&report, "resolutions")[0], "regions");
    let shares = regions.iter().filter(|region| *region == "share").count();
    assert!(shares > 3 * steps.len() / 2 && shares % 3 == 0, "{shares}");
    assert_eq!(regions.last(), Some(&"encode".into()));
    let frame = list(row, "frame_px");
    assert!(frame.iter().all(|side| side.as_u64() > Some(0)), "{row}");
}

#[test]
fn a_report_says_what_was_measured_and_whether_it_counts() {
    let words = [
        "bench",
        "--json",
        "--iterations",
        "1",
        "--resolution",
        "112",
        "--camera",
    ];
    let report = ocellus(words).answer();
    assert_eq!(report["source"], "camera");
    let machine = &report["machine"];
    assert!(machine["kernel"].is_string(), "{report}");
    assert!(
        machine["page_size_bytes"].as_u64() >= Some(4096),
        "{report}"
    );
    for when in ["before", "after"] {
        assert_eq!(machine[when]["slowed"], false, "{report}");
    }
    assert_eq!(
        (&report["valid"], &report["invalid_because"]),
        (&true.into(), &Value::Null)
    );
    let row = &list(&report, "resolutions")[0];
    assert!(row["warm_up_runs"].as_u64() >= Some(2), "{row}");
    assert!(
        row["steady"].is_boolean() && row["state"].is_object(),
        "{row}"
    );
    // Nothing is decoded but the format, and that takes longer than a small picture's bytes.
    assert!(
        row["stages"]["decode"]["p50_us"].as_u64() > Some(0),
        "{row}"
    );
}

#[test]
fn a_report_is_a_page_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("bench.html");
    let to = path.display().to_string();
    let run = ocellus([
        "bench",
        "--iterations",
        "2",
        "--resolution",
        "160",
        "--html",
        &to,
    ]);
    assert_eq!(run.code, 0, "{run:?}");
    let page = fs::read_to_string(path).expect("a page");
    // Stages, latency and policy are drawn on any machine; heat where it can be read.
    assert!((3..=4).contains(&page.matches("<svg").count()), "{page}");
    assert!(
        !page.contains("http") && !page.contains("<script"),
        "{page}"
    );
    let nowhere = [
        "bench",
        "--iterations",
        "1",
        "--resolution",
        "112",
        "--html",
        "no/such/folder/x.html",
    ];
    ocellus(nowhere).fails(1, &["no/such/folder/x.html"]);
}

#[test]
fn what_became_slower_is_exit_code_4() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("base.json");
    let words = [
        "bench",
        "--json",
        // One run has no spread, which on a busy machine could hide anything.
        "--iterations",
        "1",
        "--resolution",
        "112",
    ];
    let mut base = ocellus(words).answer();
    let compared = |base: &Value| {
        fs::write(&path, base.to_string()).expect("a file");
        ocellus(
            words
                .into_iter()
                .map(OsStr::new)
                .chain(["--compare".as_ref(), path.as_os_str()]),
        )
    };
    let mut encode = |us: u64| {
        let times = ["p50_us", "p95_us", "p99_us"].map(|key| (key.to_owned(), us.into()));
        base["resolutions"][0]["stages"]["encode"] = Value::Object(times.into_iter().collect());
        base.clone()
    };
    let verdict = |run: &Run| {
        let report = &run.json()[0];
        let rows = list(report, "comparison");
        let row = rows.iter().find(|row| row["stage"] == "encode");
        row.expect("the encoder")["verdict"].clone()
    };
    let slower = compared(&encode(1));
    assert_eq!(
        (slower.code, verdict(&slower)),
        (4, "slower".into()),
        "{slower:?}"
    );
    let faster = compared(&encode(3_600_000_000));
    assert_eq!(verdict(&faster), "faster", "{faster:?}");

    base["isa"] = "sve9".into();
    compared(&base).fails(2, &["isa", "sve9"]);
    base["valid"] = false.into();
    compared(&base).fails(2, &["base.json", "valid"]);
    fs::write(&path, "fast").expect("a file");
    let words = ["bench".as_ref(), "--compare".as_ref(), path.as_os_str()];
    ocellus(words).fails(1, &["base.json", "ocellus bench --json"]);
}

#[test]
fn what_is_no_model_is_said() {
    let alone = |model: &str| ocellus(["bench", "--iterations", "1", "--model", model]);
    alone("no/such/file.onnx").fails(1, &["no/such/file.onnx"]);
    alone(&photo("chelsea.jpg")).fails(1, &["chelsea.jpg"]);
    alone(&bundled("text.onnx")).fails(1, &["text.onnx", "expected f32 [1, 3, n, n]", "i64"]);
    let image = bundled("image.onnx");
    let words = [
        "bench",
        "--iterations",
        "1",
        "--image",
        "no/such.png",
        "--model",
        &image,
    ];
    ocellus(words).fails(1, &["no/such.png"]);
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let usage = |words: &str| ocellus(std::iter::once("bench").chain(words.split(' ')));
    usage("--resolution 100").fails(2, &["100", "112"]);
    usage("--resolution 0").fails(2, &["--resolution"]);
    usage("--resolution 9999999").fails(2, &["--resolution"]);
    usage("--iterations 0").fails(2, &["--iterations"]);
    usage("--camera --without-regions").fails(2, &["--camera"]);
    usage("--threads 1,17").fails(2, &["--threads", "1 to 16"]);
    usage("--without-regions --threads 1,2").fails(2, &["--threads", "one number"]);
    usage("--markers --ops").fails(2, &["--markers", "--ops"]);
    usage("--without-regions --resolution x").fails(2, &["--resolution"]);
}
