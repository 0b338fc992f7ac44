//! Bundles that are incomplete, damaged or wrong in themselves: an error that names the file and the part, no panic.
#![allow(missing_docs)]

use ocellus_tests::{BundleCopy, Run, ocellus, photo};
use std::fs;

fn label(bundle: &BundleCopy) -> Run {
    let folder = bundle.path().display().to_string();
    ocellus([
        "label",
        &photo("chelsea.jpg"),
        "--labels",
        "a cat",
        "--resolution",
        "112",
        "--bundle",
        &folder,
    ])
}

#[test]
fn an_unspoilt_copy_is_the_default() {
    let bundle = BundleCopy::new();
    assert_eq!(label(&bundle).code, 0);
    let run = ocellus([
        "bundle",
        "verify",
        "--bundle",
        &bundle.path().display().to_string(),
    ]);
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn a_folder_that_is_not_there() {
    ocellus([
        "label",
        &photo("chelsea.jpg"),
        "--labels",
        "a cat",
        "--bundle",
        "no-such-bundle",
    ])
    .fails(1, &["no-such-bundle", "manifest.toml"]);
}

#[test]
fn each_file_missing() {
    for (name, _) in ocellus_models::DEFAULT {
        let bundle = BundleCopy::new();
        fs::remove_file(bundle.path().join(name)).expect("a file of the bundle");
        label(&bundle).fails(1, &[name]);
    }
}

#[test]
fn a_folder_in_a_files_place() {
    let bundle = BundleCopy::new();
    fs::remove_file(bundle.path().join("image.onnx")).expect("a file of the bundle");
    fs::create_dir(bundle.path().join("image.onnx")).expect("a folder");
    label(&bundle).fails(1, &["image.onnx", "regular file"]);
}

#[test]
fn one_bit_flipped_in_each_file() {
    for (name, _) in &ocellus_models::DEFAULT[1..] {
        let bundle = BundleCopy::new().spoil(name, |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        });
        label(&bundle).fails(1, &[name, "SHA-256"]);
    }
}

#[test]
fn a_file_cut_short() {
    label(&BundleCopy::new().spoil("text.onnx", |bytes| bytes.truncate(1000)))
        .fails(1, &["text.onnx", "1000"]);
}

#[test]
fn a_manifest_that_is_not_toml() {
    label(&BundleCopy::new().manifest(|_| "{}".into())).fails(1, &["manifest.toml"]);
}

#[test]
fn a_manifest_that_is_not_utf8() {
    label(&BundleCopy::new().spoil("manifest.toml", |bytes| bytes[0] = 0xff))
        .fails(1, &["manifest.toml", "UTF-8"]);
}

#[test]
fn a_manifest_of_a_later_schema() {
    label(&BundleCopy::new().set("schema", "2")).fails(1, &["schema", "2"]);
}

#[test]
fn an_unknown_key() {
    label(&BundleCopy::new().replace("[policy]", "[policy]\nmargni = 0.1")).fails(1, &["margni"]);
}

#[test]
fn a_key_missing() {
    label(&BundleCopy::new().replace("logit_scale", "# logit_scale")).fails(1, &["logit_scale"]);
}

#[test]
fn a_file_name_that_leaves_the_folder() {
    label(&BundleCopy::new().replace("name = \"vocab.txt\"", "name = \"../vocab.txt\""))
        .fails(1, &["file.name", "../vocab.txt"]);
}

#[test]
fn numbers_out_of_range() {
    for (key, value) in [
        ("std", "[128.0, nan, 128.0]"),
        ("std", "[128.0, 0.0, 128.0]"),
        ("crop_fraction", "1.5"),
        ("resolutions", "[]"),
        ("resolutions", "[224, 160, 112]"),
        ("macs", "[1]"),
        ("logit_scale", "nan"),
        ("temperature", "-1.0"),
        ("top_k", "0"),
        ("margin", "7.0"),
        ("entropy_bits", "[9.0, 10.0]"),
        ("slope", "inf"),
        ("filter", "\"nearest\""),
        ("max_tokens", "0"),
    ] {
        label(&BundleCopy::new().set(key, value)).fails(1, &["manifest.toml", key]);
    }
}

#[test]
fn templates_without_a_place_for_the_label() {
    label(&BundleCopy::new().set("templates", "[\"a photo\"]")).fails(1, &["template", "a photo"]);
}

#[test]
fn dims_that_are_not_the_models() {
    label(&BundleCopy::new().set("dimension", "64")).fails(1, &["64"]);
    label(&BundleCopy::new().set("channels", "640")).fails(1, &["640"]);
}

#[test]
fn more_classes_mixed_than_there_are() {
    label(&BundleCopy::new().set("top_k", "1001")).fails(1, &["1001"]);
}

#[test]
fn a_class_name_missing() {
    let bundle = BundleCopy::new().forge("classes.txt", |bytes| {
        let end = bytes[..bytes.len() - 1]
            .iter()
            .rposition(|&byte| byte == b'\n')
            .expect("many lines");
        bytes.truncate(end + 1);
    });
    label(&bundle).fails(1, &["head.safetensors", "classifier.weight", "999"]);
}

#[test]
fn a_head_that_is_not_safetensors() {
    label(&BundleCopy::new().forge("head.safetensors", |bytes| bytes[..8].fill(0xff)))
        .fails(1, &["head.safetensors"]);
}

/// Overwrites the first value of an f32 tensor in a safetensors file.
fn poke(bytes: &mut [u8], tensor: &str, value: f32) {
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
    let json: serde_json::Value = serde_json::from_slice(&bytes[8..8 + header]).expect("a header");
    let start = 8 + header + json[tensor]["data_offsets"][0].as_u64().expect("an offset") as usize;
    bytes[start..start + 4].copy_from_slice(&value.to_le_bytes());
}

#[test]
fn scales_that_are_not_finite() {
    for tensor in ["classifier.scale", "classifier.bias", "class_texts.scale"] {
        let bundle =
            BundleCopy::new().forge("head.safetensors", |bytes| poke(bytes, tensor, f32::NAN));
        label(&bundle).fails(1, &["head.safetensors", tensor, "NaN"]);
    }
}

#[test]
fn a_vocabulary_with_a_piece_twice() {
    let bundle = BundleCopy::new().forge("vocab.txt", |bytes| {
        let first: Vec<u8> = bytes
            .iter()
            .copied()
            .take_while(|&byte| byte != b'\n')
            .chain([b'\n'])
            .collect();
        bytes.extend_from_slice(&first);
    });
    label(&bundle).fails(1, &["line"]);
}

#[test]
fn a_model_cut_at_each_sixteenth() {
    for name in ["image.onnx", "text.onnx"] {
        for sixteenth in 0..16 {
            let bundle =
                BundleCopy::new().forge(name, |bytes| bytes.truncate(bytes.len() * sixteenth / 16));
            label(&bundle).fails(1, &[name]);
        }
    }
}

#[test]
fn a_model_in_the_others_place() {
    let text = ocellus_models::DEFAULT
        .iter()
        .find(|(name, _)| *name == "text.onnx")
        .expect("a text encoder")
        .1;
    label(&BundleCopy::new().forge("image.onnx", |bytes| *bytes = text.to_vec()))
        .fails(1, &["image.onnx"]);
}

#[test]
fn goldens_that_do_not_agree_make_the_doctor_fail() {
    let bundle = BundleCopy::new().forge("golden.safetensors", |bytes| {
        let start = bytes.len() - 40_000.min(bytes.len() / 2);
        for value in bytes[start..].chunks_exact_mut(4) {
            value[3] ^= 0x80;
        }
    });
    let run = ocellus(["doctor", "--bundle", &bundle.path().display().to_string()]);
    run.fails(1, &["FAILED", "NOT HEALTHY"]);
}
