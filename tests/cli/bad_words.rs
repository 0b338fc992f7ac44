//! Words and options that cannot be used: a message that names them and the remedy, exit code 1 or 2, no panic.
#![allow(missing_docs)]

use ocellus_tests::{ocellus, photo, program, run};

fn label(arguments: &[&str]) -> ocellus_tests::Run {
    let image = photo("chelsea.jpg");
    ocellus([&["label", &image], arguments].concat())
}

#[test]
fn no_labels_at_all() {
    label(&[]).fails(2, &["--labels"]);
}

#[test]
fn a_list_of_nothing() {
    label(&["--labels", ""]).fails(1, &["label", "empty"]);
}

#[test]
fn an_empty_label_among_others() {
    label(&["--labels", "a cat,,a dog"]).fails(1, &["label", "empty"]);
}

#[test]
fn a_blank_label() {
    label(&["--label", " \t "]).fails(1, &["label", "empty"]);
}

#[test]
fn a_label_of_unknown_words() {
    label(&["--labels", "a cat,\u{72ac}"]).fails(1, &["\u{72ac}"]);
}

#[test]
fn a_label_of_punctuation() {
    label(&["--label", "!?"]).fails(1, &["!?"]);
}

#[test]
fn an_emoji() {
    label(&["--label", "\u{1f408}"]).fails(1, &["\u{1f408}"]);
}

#[test]
fn a_label_of_100_kb() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("labels.txt");
    std::fs::write(&file, "cat ".repeat(25_000)).expect("a file");
    label(&["--labels-file", &file.display().to_string()]).fails(1, &["label", "bytes"]);
}

#[test]
fn a_label_twice() {
    label(&["--labels", "a cat,a dog,a cat"]).fails(1, &["a cat", "twice"]);
}

#[test]
fn a_labels_file_that_is_not_there() {
    label(&["--labels-file", "no-such-file.txt"]).fails(1, &["no-such-file.txt"]);
}

#[test]
fn a_labels_file_without_labels() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("labels.txt");
    std::fs::write(&file, "# nothing\n\n").expect("a file");
    label(&["--labels-file", &file.display().to_string()]).fails(2, &["no labels"]);
}

#[test]
fn a_labels_file_that_is_not_utf8() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("labels.txt");
    std::fs::write(&file, [0xff, 0xfe, b'a']).expect("a file");
    label(&["--labels-file", &file.display().to_string()]).fails(1, &["labels.txt", "UTF-8"]);
}

#[test]
fn a_resolution_that_the_bundle_lacks() {
    label(&["--labels", "a cat", "--resolution", "128"]).fails(2, &["128", "112, 160, 224"]);
}

#[test]
fn a_resolution_that_is_no_number() {
    label(&["--labels", "a cat", "--resolution", "large"]).fails(2, &["large", "auto"]);
}

#[test]
fn a_policy_that_does_not_exist() {
    label(&["--labels", "a cat", "--policy", "best"]).fails(2, &["best", "entropy-cascade"]);
}

#[test]
fn a_crop_that_does_not_exist() {
    label(&["--labels", "a cat", "--crop", "left"]).fails(2, &["left", "squash"]);
}

#[test]
fn thresholds_that_fall() {
    label(&[
        "--labels",
        "a cat",
        "--policy",
        "entropy",
        "--thresholds-bits",
        "7,4",
    ])
    .fails(2, &["rising"]);
}

#[test]
fn too_few_thresholds() {
    label(&[
        "--labels",
        "a cat",
        "--policy",
        "entropy",
        "--thresholds-bits",
        "7",
    ])
    .fails(2, &["2 rising thresholds"]);
}

#[test]
fn thresholds_that_are_not_numbers() {
    label(&["--labels", "a cat", "--thresholds-bits", "NaN,NaN"]).fails(2, &["thresholds"]);
}

#[test]
fn a_margin_over_one() {
    label(&["--labels", "a cat", "--margin", "2"]).fails(2, &["margin"]);
}

#[test]
fn no_picture() {
    ocellus(["label", "--labels", "a cat"]).fails(2, &["IMAGE"]);
}

#[test]
fn an_unknown_instruction_set() {
    let image = photo("chelsea.jpg");
    run(
        &program(),
        ["label", &image, "--labels", "a cat"],
        &[],
        &[("OCELLUS_ISA", "avx512")],
    )
    .fails(2, &["OCELLUS_ISA", "avx512", "neon"]);
}

#[test]
fn a_command_that_does_not_exist() {
    ocellus(["paint"]).fails(2, &["paint"]);
}
