//! `ocellus label` on real photos: the answer, its form, and the ways to give pictures and words.
#![allow(missing_docs)]

use ocellus_tests::{ocellus, photo, photos, program, run};
use serde_json::Value;

const ANIMALS: &str = "a cat,a dog,a bus,a cup of coffee,an elephant,a bicycle";

fn label(arguments: &[&str]) -> Value {
    ocellus([&["label", "--json"], arguments].concat()).answer()
}

#[test]
fn a_cat_is_a_cat_at_every_resolution() {
    for resolution in ["auto", "112", "160", "224"] {
        let answer = label(&[
            &photo("chelsea.jpg"),
            "--labels",
            ANIMALS,
            "--resolution",
            resolution,
        ]);
        assert_eq!(
            answer["labels"][0]["label"], "a cat",
            "at {resolution}: {answer}"
        );
        assert_eq!(answer["no_match"], false, "at {resolution}: {answer}");
    }
}

#[test]
fn threads_change_no_number() {
    let answers = ["1", "2", "4"].map(|threads| {
        let photo = photo("chelsea.jpg");
        let answer = label(&[&photo, "--labels", ANIMALS, "--threads", threads]);
        answer["labels"].clone()
    });
    assert_eq!(answers[0][0]["label"], "a cat");
    assert_eq!(answers[1], answers[0]);
    assert_eq!(answers[2], answers[0]);
}

#[test]
fn numbers_of_threads_are_limited() {
    let photo = photo("chelsea.jpg");
    for threads in ["0", "17", "-1", "many"] {
        let threads = format!("--threads={threads}");
        ocellus(["label", &photo, "--labels", ANIMALS, &threads])
            .fails(2, &["--threads", "auto or 1 to 16"]);
    }
}

#[test]
fn coffee_is_coffee() {
    let answer = label(&[&photo("coffee.jpg"), "--labels", ANIMALS]);
    assert_eq!(answer["labels"][0]["label"], "a cup of coffee", "{answer}");
}

#[test]
fn nothing_fits_when_nothing_does_and_every_label_is_still_listed() {
    let answer = label(&[
        &photo("chelsea.jpg"),
        "--labels",
        "a fire engine,a piano,an aircraft carrier",
        "--resolution",
        "224",
    ]);
    assert_eq!(answer["no_match"], true, "{answer}");
    assert_eq!(answer["labels"].as_array().map(Vec::len), Some(3));
}

#[test]
fn the_answer_has_every_field_with_its_unit() {
    let answer = label(&[&photo("chelsea.jpg"), "--labels", ANIMALS]);
    let probabilities: Vec<f64> = answer["labels"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|hit| hit["probability"].as_f64().expect("a number"))
        .collect();
    assert!(
        (probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-4,
        "{probabilities:?}"
    );
    assert!(
        probabilities.is_sorted_by(|a, b| a >= b),
        "{probabilities:?}"
    );
    let entropy = answer["entropy_bits"].as_f64().expect("a number");
    assert!((0.0..=8.0).contains(&entropy));
    assert!([112, 160, 224].contains(&answer["resolution"].as_u64().expect("a number")));
    assert_eq!(answer["policy"], "entropy-cascade");
    assert!(!answer["reason"].as_str().expect("words").is_empty());
    assert!(answer["escalated"].is_boolean());
    let stages = &answer["stages_us"];
    let us = |stage: &str| {
        stages[stage]
            .as_u64()
            .unwrap_or_else(|| panic!("no {stage} in {stages}"))
    };
    let sum: u64 = ["decode", "look", "resize", "encode", "heads"]
        .into_iter()
        .map(us)
        .sum();
    assert!(us("total") >= sum, "{stages}");
    assert!(us("encode") > 0);
    assert!(["scalar", "neon", "dotprod"].contains(&answer["isa"].as_str().expect("a name")));
    assert_eq!(answer["bundle"]["name"], "ocellus-default");
    assert_eq!(answer["bundle"]["sha256"].as_str().map(str::len), Some(64));
}

#[test]
fn the_mission_s_entropy_rule_is_exact() {
    for name in photos() {
        let answer = label(&[&name, "--labels", ANIMALS, "--policy", "entropy"]);
        let bits = answer["entropy_bits"].as_f64().expect("a number");
        let resolution = if bits < 4.0 {
            112
        } else if bits < 7.0 {
            160
        } else {
            224
        };
        assert_eq!(answer["resolution"], resolution, "{answer}");
        assert_eq!(answer["escalated"], false);
    }
}

#[test]
fn a_margin_of_one_always_escalates_and_of_zero_never() {
    let at = |margin: &str| {
        label(&[
            &photo("chelsea.jpg"),
            "--labels",
            ANIMALS,
            "--policy",
            "cascade",
            "--margin",
            margin,
        ])
    };
    let (sure, unsure) = (at("0"), at("1"));
    assert_eq!(
        (&sure["escalated"], &sure["resolution"]),
        (&Value::from(false), &Value::from(160))
    );
    assert_eq!(
        (&unsure["escalated"], &unsure["resolution"]),
        (&Value::from(true), &Value::from(224))
    );
}

#[test]
fn crops_say_what_was_seen() {
    let seen = |crop: &str| {
        label(&[&photo("chelsea.jpg"), "--labels", ANIMALS, "--crop", crop])["seen"].clone()
    };
    let centre = seen("centre");
    assert_eq!(centre[0]["width"], centre[0]["height"]);
    let squash = seen("squash");
    assert_eq!(
        (&squash[0]["x"], &squash[0]["y"]),
        (&Value::from(0.0), &Value::from(0.0))
    );
    assert!(
        squash[0]["width"].as_f64() > squash[0]["height"].as_f64(),
        "the photo is wide: {squash}"
    );
    assert!(
        seen("tiles")
            .as_array()
            .is_some_and(|views| views.len() > 1)
    );
}

#[test]
fn standard_input_is_a_picture() {
    let bytes = std::fs::read(photo("chelsea.jpg")).expect("a photo");
    let answer = run(
        &program(),
        ["label", "-", "--labels", ANIMALS, "--json"],
        &bytes,
        &[],
    )
    .answer();
    assert_eq!(answer["image"], "-");
    assert_eq!(answer["labels"][0]["label"], "a cat");
}

#[test]
fn a_folder_is_its_pictures_and_a_bad_one_does_not_stop_the_rest() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join("b")).expect("a folder");
    std::fs::copy(photo("coffee.jpg"), folder.path().join("b/coffee.jpg")).expect("a copy");
    std::fs::copy(photo("chelsea.jpg"), folder.path().join("c.JPG")).expect("a copy");
    std::fs::write(folder.path().join("a.png"), "not a picture").expect("a file");
    std::fs::write(folder.path().join("notes.txt"), "left out").expect("a file");
    let run = ocellus([
        "label",
        &folder.path().display().to_string(),
        "--labels",
        ANIMALS,
        "--json",
        "--resolution",
        "112",
    ]);
    assert_eq!(run.code, 1, "{run:?}");
    let lines = run.json();
    assert_eq!(lines.len(), 3);
    assert!(lines[0]["error"]["message"].is_string(), "{}", lines[0]);
    assert_eq!(lines[1]["labels"][0]["label"], "a cup of coffee");
    assert_eq!(lines[2]["labels"][0]["label"], "a cat");
}

#[test]
fn labels_come_from_a_list_one_by_one_and_from_a_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("labels.txt");
    std::fs::write(&file, "# animals\n\n a dog \r\nan elephant\n").expect("a file");
    let answer = label(&[
        &photo("chelsea.jpg"),
        "--resolution",
        "112",
        "--label",
        "a cat, asleep",
        "--labels",
        "a bus,a piano",
        "--labels-file",
        &file.display().to_string(),
    ]);
    let mut labels: Vec<_> = answer["labels"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|hit| hit["label"].as_str().expect("words"))
        .collect();
    labels.sort_unstable();
    assert_eq!(
        labels,
        ["a bus", "a cat, asleep", "a dog", "a piano", "an elephant"]
    );
}

#[test]
fn ten_thousand_labels_work() {
    let words = [
        "red", "blue", "old", "small", "wooden", "big", "wet", "dark", "round", "shiny",
    ];
    let nouns = [
        "cat", "dog", "bus", "cup", "tree", "house", "boat", "horse", "chair", "lamp",
    ];
    let list: Vec<String> = (0..10_000)
        .map(|i| {
            format!(
                "{} {} {} {}",
                words[i / 1000],
                words[i / 100 % 10],
                words[i / 10 % 10],
                nouns[i % 10]
            )
        })
        .collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("labels.txt");
    std::fs::write(&file, list.join("\n")).expect("a file");
    let answer = label(&[
        &photo("chelsea.jpg"),
        "--resolution",
        "112",
        "--labels-file",
        &file.display().to_string(),
    ]);
    assert_eq!(answer["labels"].as_array().map(Vec::len), Some(10_000));
    assert!(
        answer["labels"][0]["label"]
            .as_str()
            .is_some_and(|label| label.ends_with("cat")),
        "{}",
        answer["labels"][0]
    );
}

#[test]
fn text_for_people_names_the_verdict_first() {
    let run = ocellus(["label", &photo("chelsea.jpg"), "--labels", ANIMALS]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.stdout
            .lines()
            .next()
            .is_some_and(|line| line.contains("chelsea.jpg: a cat")),
        "{run:?}"
    );
    assert!(run.stdout.contains("encode"), "{run:?}");
}
