//! A C program gives the program's answers: the same pixels and words through the C library and through `ocellus label`.
#![allow(missing_docs)]

use image::RgbImage;
use ocellus_tests::{Linked, compile, nv12, ocellus, photo, prefix, run, run_program};
use serde_json::Value;
use std::{env, fs, path::Path};

const LABELS: [&str; 5] = ["a cat", "a dog", "a cup of coffee", "an astronaut", "a bus"];

/// What `label_file` printed.
#[derive(Debug)]
struct Answer {
    /// `[label, score, probability]`, best first.
    hits: Vec<[f32; 3]>,
    /// No match, match probability, entropy, resolution, escalated, cookie.
    result: Vec<f32>,
    /// `[label, has peak, x, y, local score]`.
    places: Vec<Vec<f32>>,
    /// Lines of heat.
    heat: usize,
}

fn answer(program: &Path, arguments: &[&str]) -> Answer {
    let run = run_program(&[], program, arguments);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    let numbers = |kind: &str| -> Vec<Vec<f32>> {
        let lines = run.stdout.lines().filter_map(|line| {
            let (word, rest) = line.split_once(' ')?;
            (word == kind).then_some(rest)
        });
        lines
            .map(|line| {
                line.split(' ')
                    .map(|word| word.parse().expect("a number"))
                    .collect()
            })
            .collect()
    };
    Answer {
        hits: numbers("hit")
            .iter()
            .map(|hit| [hit[0], hit[1], hit[2]])
            .collect(),
        result: numbers("result").concat(),
        places: numbers("place"),
        heat: run.stdout.matches("heat ").count(),
    }
}

fn number(value: &Value) -> f32 {
    value.as_f64().expect("a number") as f32
}

/// A photo of even sides, as a file that `ocellus label` reads without loss.
fn picture(name: &str, folder: &Path) -> (RgbImage, String) {
    let rgb = image::open(photo(name)).expect("a photo").to_rgb8();
    let (width, height) = (rgb.width() & !1, rgb.height() & !1);
    let rgb = image::imageops::crop_imm(&rgb, 0, 0, width, height).to_image();
    let path = folder.join("picture.png");
    rgb.save(&path).expect("a file");
    (rgb, path.display().to_string())
}

#[test]
fn c_and_the_program_answer_alike_to_the_last_bit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let raw = folder.path().join("picture.rgb");
    let raw_name = raw.display().to_string();
    let programs = [Linked::Dynamically, Linked::Statically]
        .map(|linked| compile("label_file", linked, folder.path()));
    for (name, resolution) in [("chelsea.jpg", "0"), ("coffee.jpg", "112")] {
        let (rgb, png) = picture(name, folder.path());
        fs::write(&raw, rgb.as_raw()).expect("a file");
        let [width, height] = [rgb.width(), rgb.height()].map(|side| side.to_string());
        let mut call = vec!["label", &png, "--json", "--where"];
        call.extend(LABELS.iter().flat_map(|label| ["--label", label]));
        if resolution != "0" {
            call.extend(["--resolution", resolution]);
        }
        let wanted = ocellus(&call).answer();
        let hits = wanted["labels"].as_array().expect("a list");
        for program in &programs {
            let mut call = vec!["--where", "RGB3", &width, &height, &raw_name, resolution];
            call.extend(LABELS);
            let got = answer(program, &call);
            assert_eq!(got.hits.len(), hits.len());
            for (got, wanted) in got.hits.iter().zip(hits) {
                let wanted = [
                    number(&wanted["index"]),
                    number(&wanted["score"]),
                    number(&wanted["probability"]),
                ];
                assert_eq!(*got, wanted, "{name}");
            }
            let flag = |value: &Value| f32::from(u8::from(value.as_bool().expect("a bool")));
            let result = [
                flag(&wanted["no_match"]),
                number(&wanted["match_probability"]),
                number(&wanted["entropy_bits"]),
                number(&wanted["resolution"]),
                flag(&wanted["escalated"]),
                77.0,
            ];
            assert_eq!(got.result, result, "{name}");
            let mut rows = 0;
            for (got, wanted) in got.places.iter().zip(hits) {
                assert_eq!(got[4], number(&wanted["local_score"]), "{name}");
                let peak = wanted["peak_px"].as_array();
                assert_eq!(got[1], f32::from(u8::from(peak.is_some())));
                if let Some(peak) = peak {
                    assert_eq!(got[2..4], [number(&peak[0]), number(&peak[1])], "{name}");
                }
                rows += wanted["relevance"].as_array().map_or(0, Vec::len);
            }
            assert_eq!((got.places.len(), got.heat), (hits.len(), rows));
        }
    }
}

#[test]
fn a_camera_s_nv12_is_the_picture() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let raw = folder.path().join("picture");
    let name = raw.display().to_string();
    let program = compile("label_file", Linked::Dynamically, folder.path());
    let (rgb, _) = picture("chelsea.jpg", folder.path());
    let [width, height] = [rgb.width(), rgb.height()].map(|side| side.to_string());
    let ask = |fourcc: &str, bytes: &[u8]| {
        fs::write(&raw, bytes).expect("a file");
        let mut call = vec![fourcc, &width, &height, &name, "160"];
        call.extend(LABELS);
        answer(&program, &call)
    };
    let (nv12, rgb) = (ask("NV12", &nv12(&rgb)), ask("RGB3", rgb.as_raw()));
    assert_eq!(nv12.hits[0][0], 0.0, "{nv12:?}");
    for (nv12, rgb) in nv12.hits.iter().zip(&rgb.hits) {
        assert!((nv12[1] - rgb[1]).abs() < 0.05, "{nv12:?} {rgb:?}");
    }
    assert!(
        (nv12.result[2] - rgb.result[2]).abs() < 0.1,
        "{nv12:?} {rgb:?}"
    );
}

#[test]
fn numpy_and_the_program_answer_alike_to_the_last_bit() {
    if env::var_os("OCELLUS_RUNNER").is_some() {
        // No interpreter for the target is asked for; the host's calls the same functions.
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let raw = folder.path().join("picture.rgb").display().to_string();
    let library = prefix().join("lib/libocellus.so").display().to_string();
    let (rgb, png) = picture("chelsea.jpg", folder.path());
    fs::write(&raw, rgb.as_raw()).expect("a file");
    let [width, height] = [rgb.width(), rgb.height()].map(|side| side.to_string());
    let mut call = vec!["label", &png, "--json"];
    call.extend(LABELS.iter().flat_map(|label| ["--label", label]));
    let wanted = ocellus(&call).answer();
    // Debian's own interpreter is the one that `cargo xtask setup` gives NumPy to.
    let python = ["/usr/bin/python3", "-B", "python/label.py"].map(str::to_owned);
    let mut call = vec![library.as_str(), &raw, &width, &height, "0"];
    call.extend(LABELS);
    let got = run(&python, &call, &[], &[]).answer();
    for (key, value) in got.as_object().expect("an object") {
        match (key.as_str(), value.as_f64()) {
            ("labels", _) => {}
            (_, Some(_)) => assert_eq!(number(value), number(&wanted[key]), "{key}"),
            (_, None) => assert_eq!(value, &wanted[key], "{key}"),
        }
    }
    let hits = |answer: &Value| -> Vec<[f32; 3]> {
        let hits = answer["labels"].as_array().expect("a list").iter();
        hits.map(|hit| ["index", "score", "probability"].map(|key| number(&hit[key])))
            .collect()
    };
    assert_eq!(
        (hits(&got), got.as_object().map(|got| got.len())),
        (hits(&wanted), Some(6))
    );
}

#[test]
fn a_bad_file_is_a_message_with_its_status() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = compile("label_file", Linked::Dynamically, folder.path());
    let raw = folder.path().join("short").display().to_string();
    fs::write(&raw, [0; 100]).expect("a file");
    let run = run_program(&[], &program, &["RGB3", "64", "48", &raw, "0", "a cat"]);
    run.fails(1, &["infer: OCELLUS_E_FRAME_PLANE", "holds 100 bytes"]);
    let run = run_program(&[], &program, &["RGB3", "64", "48", &raw, "113", "a cat"]);
    run.fails(1, &["session: OCELLUS_E_POLICY", "113"]);
}
