//! `ocellus bundle pack`: a bundle comes of a draft that holds together, and nothing at all of one that does not.
#![allow(missing_docs)]

use ocellus_tests::{Draft, ocellus};
use std::fs;

#[track_caller]
fn refused(draft: &Draft, words: &[&str]) {
    draft.pack().fails(1, words);
    assert_eq!(draft.left(), [""; 0], "something is left");
}

#[test]
fn a_draft_becomes_a_bundle_that_verifies() {
    let draft = Draft::new("vit");
    let run = draft.pack();
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(draft.left(), ["bundle"]);
    let bundle = draft.bundle().display().to_string();
    let verified = ocellus(["bundle", "verify", "--bundle", &bundle]);
    assert_eq!(verified.code, 0, "{verified:?}");
    let facts = ocellus(["bundle", "inspect", "--json", "--bundle", &bundle]).answer();
    let macs: Vec<_> = facts["macs"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|n| n.as_u64())
        .collect();
    assert!(macs.is_sorted() && macs[0] > Some(1_000_000), "{macs:?}");
    let names = |file: &serde_json::Value| file["name"].as_str().map(str::to_owned);
    let files: Vec<_> = facts["files"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(names)
        .collect();
    assert_eq!(
        files,
        [
            "golden.png",
            "golden.safetensors",
            "image-112.onnx",
            "image-64.onnx",
            "image-80.onnx",
            "merges.txt",
            "text.onnx",
            "vocab.txt"
        ]
    );
    // The same draft is the same bundle, and what is there is not written over.
    draft.pack().fails(1, &[&bundle, "expected nothing there"]);
    let before = fs::read(draft.bundle().join("manifest.toml")).expect("a manifest");
    fs::remove_dir_all(draft.bundle()).expect("a bundle");
    draft.packed();
    let again = fs::read(draft.bundle().join("manifest.toml")).expect("a manifest");
    assert!(before == again, "two packings differ");
}

#[test]
fn golden_vectors_that_are_not_there_are_computed() {
    let draft = Draft::new("conv")
        .without("golden.safetensors")
        .replace("min_cosine = 0.99", "min_cosine = 0.99999");
    let bundle = draft.packed();
    let healthy = ocellus(["doctor", "--json", "--bundle", &bundle]).answer();
    assert_eq!(healthy["healthy"], true, "{healthy}");
}

#[test]
fn golden_vectors_of_another_model_are_refused() {
    let draft = Draft::new("conv").spoil("golden.safetensors", |bytes| {
        // The sign of each element: its last byte's first bit.
        for element in bytes[256..].chunks_exact_mut(4) {
            element[3] ^= 0x80;
        }
    });
    refused(&draft, &["golden vector image.", "at least 0.99"]);
}

#[test]
fn parts_that_are_missing_or_damaged_are_named() {
    refused(
        &Draft::new("conv").without("manifest.toml"),
        &["manifest.toml"],
    );
    refused(
        &Draft::new("conv").without("image-96.onnx"),
        &["image-96.onnx"],
    );
    refused(&Draft::new("conv").without("golden.png"), &["golden.png"]);
    refused(
        &Draft::new("conv").spoil("image-96.onnx", |bytes| bytes.truncate(5000)),
        &["image-96.onnx"],
    );
    refused(
        &Draft::new("conv").spoil("text.onnx", |bytes| bytes.clear()),
        &["text.onnx"],
    );
    refused(
        &Draft::new("conv").spoil("merges.txt", |bytes| bytes[1] = b'\n'),
        &["merges line 1"],
    );
    refused(
        &Draft::new("conv").spoil("vocab.txt", |bytes| bytes.truncate(100)),
        &["vocabulary"],
    );
    refused(
        &Draft::new("conv").spoil("golden.png", |bytes| bytes.truncate(100)),
        &["draft"],
    );
}

#[test]
fn unigram_pieces_that_are_damaged_are_named() {
    let file = "unigram.safetensors";
    let longer = |bytes: &mut Vec<u8>| bytes.extend(b"one more\n");
    refused(
        &Draft::new("siglip").spoil("vocab.txt", longer),
        &["1001 scores", "got 1000"],
    );
    refused(&Draft::new("siglip").without(file), &[file]);
    refused(
        &Draft::new("siglip").spoil(file, |bytes| bytes.truncate(300)),
        &[file, "safetensors"],
    );
    refused(
        &Draft::new("siglip").replace("unknown = \"<unk>\"", "unknown = \"<none>\""),
        &["the piece \"<none>\""],
    );
    refused(
        &Draft::new("siglip").replace("unknown = \"<unk>\"\n", ""),
        &["the piece \"<0x00>\""],
    );
    refused(
        &Draft::new("siglip").replace("logit_bias = -6.0", "logit_bias = nan"),
        &["text.logit_bias", "NaN"],
    );
}

#[test]
fn parts_that_do_not_fit_each_other_are_named() {
    // Ids that the text encoder has no row for.
    let longer = Draft::new("conv").spoil("vocab.txt", |bytes| bytes.extend(b"one more\n"));
    refused(&longer, &["text.onnx", "1515 pieces", "1514 rows"]);
    // Towers whose embeddings are not of the length that the manifest says.
    let dimension = Draft::new("conv").replace("channels = 48", "channels = 40");
    refused(&dimension, &["image.channels", "48", "40"]);
    let both = Draft::new("conv")
        .replace("channels = 48", "channels = 40")
        .replace("dimension = 48", "dimension = 40");
    refused(&both, &["expected [1, 40]", "got [1, 48]"]);
    // A model of one resolution for another.
    let swapped = Draft::new("conv").replace(
        "[\"image-64.onnx\", \"image-96.onnx\"]",
        "[\"image-96.onnx\", \"image-64.onnx\"]",
    );
    refused(&swapped, &["image-96.onnx", "[1, 3, 96, 96]"]);
    let fewer = Draft::new("conv").replace(
        "[\"image-64.onnx\", \"image-96.onnx\"]",
        "[\"image-64.onnx\"]",
    );
    refused(&fewer, &["image.file", "one a resolution"]);
}

#[test]
fn a_manifest_that_is_wrong_in_itself_is_refused() {
    for (from, to, words) in [
        ("[policy]", "[polcy]", ["polcy", "expected"]),
        ("schema = 1", "schema = 2", ["schema", "2"]),
        (
            "vocab.txt",
            "../vocab.txt",
            ["text.vocabulary", "plain file name"],
        ),
        (
            "lengths = [16, 24]",
            "lengths = [16]",
            ["text.sequence.lengths", "24"],
        ),
        ("<|endoftext|>", "<|end|>", ["<|end|>", "vocabulary"]),
        (
            "resolutions = [64, 96]",
            "resolutions = []",
            ["image.", "expected"],
        ),
    ] {
        refused(&Draft::new("conv").replace(from, to), &words);
    }
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let draft = Draft::new("conv");
    let (path, out) = (draft.path(), draft.beside().join("no/such/bundle"));
    let words = [
        "bundle",
        "pack",
        path.to_str().expect("UTF-8"),
        "--out",
        out.to_str().expect("UTF-8"),
    ];
    ocellus(words).fails(1, &["no/such"]);
    assert_eq!(draft.left(), [""; 0]);
}
