//! `ocellus label --routes` and `watch --routes`: a table of routes, and why one of them was taken.
#![allow(missing_docs)]

use ocellus_tests::{BundleCopy, Clip, Run, ocellus, photo};
use std::{fs, path::Path};

const TABLE: &str = r#"
[[route]]
name = "animals"
label = "an animal"
latency_threshold_ms = 3600000
resolution = 112
labels = ["a cat", "a dog"]

[[route]]
name = "space"
label = "a rocket launch"
latency_threshold_ms = 3600000
resolution = 160
bundle = "other"
"#;

/// A folder with a table, and a bundle named `other` beside it.
fn folder(table: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("routes.toml"), table).expect("a file");
    let bundle = BundleCopy::new();
    let other = folder.path().join("other");
    fs::create_dir(&other).expect("a folder");
    for file in fs::read_dir(bundle.path()).expect("a bundle").flatten() {
        fs::copy(file.path(), other.join(file.file_name())).expect("a file");
    }
    folder
}

fn label<'a>(folder: &Path, photos: &'a [String], more: &[&'a str]) -> Run {
    let table = folder.join("routes.toml").display().to_string();
    let mut call = vec!["label", "--routes", &table];
    call.extend(photos.iter().map(String::as_str));
    call.extend(more);
    ocellus(call)
}

#[test]
fn each_picture_goes_its_way_and_it_is_said_why() {
    let folder = folder(TABLE);
    let photos = ["chelsea.jpg", "rocket.jpg"].map(photo);
    let asked = ["--labels", "a rocket,an astronaut", "--json"];
    let answers = label(folder.path(), &photos, &asked).json();
    let of = |index: usize| {
        let answer = &answers[index];
        (
            answer["route"]["taken"].as_str().expect("a route"),
            answer["labels"][0]["label"].as_str().expect("a label"),
            answer["resolution"].as_u64().expect("a resolution"),
        )
    };
    assert_eq!(of(0), ("animals", "a cat", 112));
    assert_eq!(of(1), ("space", "a rocket", 160));
    for answer in &answers {
        let candidates = answer["route"]["candidates"].as_array().expect("a list");
        assert_eq!(candidates.len(), 2);
        let taken = answer["route"]["taken"].as_str().expect("a route");
        let score = |name: &str| {
            let one = candidates.iter().find(|one| one["route"] == name);
            one.and_then(|one| one["score"].as_f64()).expect("a score")
        };
        let most = score("animals").max(score("space"));
        assert_eq!(score(taken), most, "{answer}");
    }
    let run = label(
        folder.path(),
        &photos[..1],
        &["--labels", "a rocket", "--explain-route"],
    );
    for words in [
        "  route animals\n",
        "    animals: score 0.",
        "    space: score 0.",
        "the scout took",
    ] {
        assert!(run.stdout.contains(words), "no {words:?} in {}", run.stdout);
    }
}

#[test]
fn a_table_that_is_wrong_says_what_and_where() {
    let photos = [photo("chelsea.jpg")];
    for (table, more, words) in [
        ("", &[][..], &["routes.toml", "at least one"][..]),
        ("[[route]]\nname = 3\n", &[], &["routes.toml", "name"]),
        (
            &TABLE.replace("resolution = 112", "resolution = 100"),
            &["--labels", "a cat"],
            &["animals", "100", "112"],
        ),
        (
            &TABLE.replace("resolution = 112", "speed = 1"),
            &["--labels", "a cat"],
            &["routes.toml", "speed"],
        ),
        (TABLE, &[], &["space", "--labels"]),
        (
            &TABLE.replace("\"other\"", "\"nowhere\""),
            &["--labels", "a cat"],
            &["space", "nowhere"],
        ),
        (
            &TABLE.replace("name = \"space\"", "name = \"animals\""),
            &["--labels", "a cat"],
            &["animals", "twice"],
        ),
        (
            &TABLE.replace("= 3600000", "= nan"),
            &["--labels", "a cat"],
            &["latency threshold", "above 0"],
        ),
    ] {
        let run = label(folder(table).path(), &photos, more);
        assert!(run.code == 1 || run.code == 2, "{run:?}");
        run.fails(run.code, words);
    }
    let folder = folder(TABLE);
    label(folder.path(), &photos, &["--labels", "a cat", "--where"]).fails(2, &["--where"]);
    ocellus(["label", &photos[0], "--labels", "a cat", "--explain-route"]).fails(2, &["--routes"]);
    ocellus(["label", &photos[0], "--routes", "no/table.toml"]).fails(1, &["no/table.toml"]);
}

/// Watches a cat, a cup of coffee and a rocket.
fn watch(folder: &Path, more: &[&str]) -> Run {
    let table = folder.join("routes.toml").display().to_string();
    let clip = folder.join("clip.y4m");
    fs::write(&clip, Clip::new().y4m()).expect("a file");
    let clip = clip.display().to_string();
    let mut call = vec!["watch", "--source", &clip, "--routes", &table];
    call.extend(more);
    ocellus(call)
}

const ASKED: [&str; 2] = ["--labels", "a rocket,an astronaut"];

#[test]
fn each_frame_of_a_watch_goes_its_way_and_alerts_follow_the_labels_of_all_routes() {
    let folder = folder(TABLE);
    let alerts = ["--on", "a cat>0.2", "--on", "a rocket>0.2", "--hold", "0"];
    let call = [&ASKED[..], &alerts, &["--json"]].concat();
    let run = watch(folder.path(), &call);
    assert_eq!(run.code, 0, "{run:?}");
    let lines = run.json();
    assert_eq!(lines.len(), 3);
    let of = |index: usize| {
        let line = &lines[index];
        let route = line["route"]["taken"].as_str().expect("a route");
        let on = |alert: usize| line["alerts"][alert]["on"].as_bool().expect("a verdict");
        (route, line["resolution"].as_u64(), on(0), on(1))
    };
    assert_eq!(of(0), ("animals", Some(112), true, false));
    let (route, resolution, cat, rocket) = of(2);
    assert_eq!((route, resolution, rocket), ("space", Some(160), true));
    // The coffee's route, whichever it was, decided; nobody looked for a cat in the last frame.
    assert_eq!(cat, of(1).2, "{lines:?}");
    for line in &lines {
        assert!(line["route"].get("candidates").is_none(), "{line}");
        assert!(line["route"]["scout_us"].as_u64().is_some_and(|us| us > 0));
        let us = |stage: &str| line["stages_us"][stage].as_u64().expect("a time");
        assert!(us("total") >= us("encode") + us("heads"), "{line}");
    }

    let call = [&ASKED[..], &["--json", "--explain-route", "--frames", "1"]].concat();
    let explained = watch(folder.path(), &call).json().remove(0);
    let candidates = explained["route"]["candidates"].as_array().expect("a list");
    assert_eq!(candidates.len(), 2, "{explained}");
    assert!(candidates.iter().all(|one| one["score"].is_number()));

    let call = [&ASKED[..], &["--explain-route", "--frames", "1"]].concat();
    let text = watch(folder.path(), &call).stdout;
    for words in [
        "a cat",
        "route animals",
        "\n  space: score 0.",
        "\n  the scout took",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
}

#[test]
fn a_watch_refuses_what_routes_cannot_do_and_tells_of_frames_without_one() {
    let folder = folder(TABLE);
    let refused = |more: &[&str], words: &[&str]| {
        let call = [&ASKED[..], more].concat();
        watch(folder.path(), &call).fails(2, words);
    };
    refused(&["--where"], &["--routes", "--where"]);
    refused(&["--taught", "t.ocellus"], &["--routes", "--taught"]);
    refused(
        &["--on", "a bus>0.5"],
        &["a cat, a dog, a rocket, an astronaut", "a bus"],
    );
    watch(folder.path(), &[]).fails(2, &["space", "--labels"]);
    ocellus([
        "watch",
        "--source",
        "-",
        "--labels",
        "a cat",
        "--explain-route",
    ])
    .fails(2, &["--routes"]);

    let table = TABLE.replace("3600000", "0.001");
    fs::write(folder.path().join("routes.toml"), table).expect("a file");
    let run = watch(folder.path(), &[&ASKED[..], &["--json"]].concat());
    assert_eq!(run.code, 1, "{run:?}");
    let lines = run.json();
    assert_eq!(
        lines.len(),
        3,
        "every frame is told of, and the watch goes on"
    );
    for (number, line) in lines.iter().enumerate() {
        assert_eq!(
            (&line["error"]["kind"], &line["frame"]),
            (&"route".into(), &number.into())
        );
    }
}

#[test]
fn where_no_route_is_quick_enough_the_picture_says_so() {
    let folder = folder(&TABLE.replace("3600000", "0.001"));
    let photos = [photo("chelsea.jpg")];
    let run = label(folder.path(), &photos, &["--labels", "a rocket", "--json"]);
    assert_eq!(run.code, 1, "{run:?}");
    let error = &run.json()[0]["error"];
    assert_eq!(error["kind"], "route");
    let message = error["message"].as_str().expect("a message");
    assert!(
        message.contains("\"animals\" takes") && message.contains("threshold"),
        "{message}"
    );
}
