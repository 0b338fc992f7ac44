//! A text encoder that takes tokens' embeddings, and the prefix that a bundle puts before labels: near what the recipe computed in
//! f32, and refused where widths differ. The models are those of `tests/data/clip`, which have learned nothing.
#![allow(missing_docs)]

use ocellus::{Engine, PackError, Packed, PromptOptions, Query, detect_isa, heads::cosine};
use serde_json::Value;
use std::{fs, path::Path};
use tempfile::TempDir;

const TOKENS: &str = "tokens.safetensors";
const PROMPTS: &str = "prompts.safetensors";
const LEAST: f32 = 0.99;

/// A draft of the vision transformer, whose text tower takes ids, or embeddings with a prefix.
fn draft(with_prefix: bool) -> TempDir {
    let draft = tempfile::tempdir().expect("a folder");
    let clip = Path::new("../../tests/data/clip");
    let folders = [clip.to_owned(), clip.join("vit"), clip.join("prefix")];
    for folder in &folders[..if with_prefix { 3 } else { 2 }] {
        for file in fs::read_dir(folder).expect("a folder").flatten() {
            if file.path().is_file() {
                fs::copy(file.path(), draft.path().join(file.file_name())).expect("a file");
            }
        }
    }
    draft
}

fn packed(draft: &TempDir) -> Result<Engine, PackError> {
    Packed::of(draft.path(), detect_isa()).map(|packed| packed.engine)
}

/// What a label becomes by the bundle's prompts, `mix` of them soft.
fn embedding(engine: &Engine, label: &str, mix: f32) -> Vec<f32> {
    let options = PromptOptions {
        templates: Vec::new(),
        mix: Some(mix),
    };
    let query = Query::prompted(engine, label, 64, &options).expect("a label");
    query.embedding().to_vec()
}

fn unit(vector: &[f32]) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter().map(|x| x / length).collect()
}

#[test]
fn a_prefix_makes_of_labels_what_the_recipe_computed_in_f32() {
    // Packing holds both to the same golden texts in f32.
    let of_ids = packed(&draft(false)).expect("a bundle");
    let folder = draft(true);
    let engine = packed(&folder).expect("a bundle");
    for text in [
        "a photo of a cat.",
        "two",
        "a very long text, and longer still, that is cut",
    ] {
        let same = cosine(
            &engine.embed_prompt(text).expect("a text"),
            &of_ids.embed_prompt(text).expect("a text"),
        );
        assert!(same > LEAST, "{text}: {same}");
    }

    let text = fs::read_to_string(folder.path().join("soft.json")).expect("goldens");
    let goldens: Value = serde_json::from_str(&text).expect("JSON");
    let goldens = goldens.as_object().expect("labels");
    assert_eq!(goldens.len(), 3);
    for (label, golden) in goldens {
        let golden: Vec<f32> = serde_json::from_value(golden.clone()).expect("numbers");
        let soft = embedding(&engine, label, 1.0);
        let same = cosine(&soft, &unit(&golden));
        assert!(same > LEAST, "{label}: {same}");
        let bare = engine.embed_prompt(label).expect("a text");
        assert!(cosine(&soft, &bare) < 0.95, "the prefix says something");
        let hard = embedding(&engine, label, 0.0);
        let both = hard.iter().zip(&soft).map(|(hard, soft)| hard + soft);
        let mixed = cosine(
            &embedding(&engine, label, 0.5),
            &unit(&both.collect::<Vec<_>>()),
        );
        assert!(mixed > 0.999_99, "{mixed}");
        // The bundle's own mix.
        let own = engine.embed_label(label).expect("a text");
        assert_eq!(own, embedding(&engine, label, 0.5));
    }
    // A long label is cut, and a prefix is no label.
    embedding(&engine, &"a cat ".repeat(100), 1.0);
    assert!(engine.embed_label(" ").is_err());
}

/// A safetensors file of zeros but for its first bytes, by name, type, bytes of an element and shape.
fn tensors(parts: &[(&str, &str, usize, &[usize])]) -> Vec<u8> {
    let (mut header, mut data) = (Vec::new(), Vec::new());
    for (name, dtype, size, shape) in parts {
        let begin = data.len();
        data.resize(begin + size * shape.iter().product::<usize>(), 0);
        let end = data.len();
        header.push(format!(
            r#""{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{begin},{end}]}}"#
        ));
    }
    let header = format!("{{{}}}", header.join(","));
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.extend(data);
    file
}

#[test]
fn widths_that_differ_are_refused_by_packing() {
    let refused = |change: &dyn Fn(&Path), words: &[&str]| {
        let draft = draft(true);
        change(draft.path());
        let message = packed(&draft).err().expect("a bad draft").to_string();
        for word in words {
            assert!(message.contains(word), "no {word:?} in {message}");
        }
    };
    let write = |name: &'static str, bytes: Vec<u8>| {
        move |folder: &Path| fs::write(folder.join(name), &bytes).expect("a file")
    };
    let replace = |from: &'static str, to: &'static str| {
        move |folder: &Path| {
            let path = folder.join("manifest.toml");
            let text = fs::read_to_string(&path).expect("a manifest");
            assert!(text.contains(from), "no {from}");
            fs::write(path, text.replace(from, to)).expect("a file");
        }
    };
    let prefix = |shape: &[usize]| tensors(&[("prefix", "F32", 4, shape)]);
    refused(
        &write(PROMPTS, prefix(&[4, 48])),
        &[PROMPTS, "prefix", "[4, 64]", "[4, 48]"],
    );
    refused(
        &write(PROMPTS, prefix(&[5, 64])),
        &[PROMPTS, "prefix", "[4, 64]", "[5, 64]"],
    );
    let offsets = tensors(&[("offsets", "F32", 4, &[4, 64])]);
    refused(&write(PROMPTS, offsets), &[PROMPTS, "prefix", "nothing"]);
    refused(
        &replace("dimension = 64\nmix", "dimension = 48\nmix"),
        &["soft_prompts.dimension", "64", "48"],
    );
    refused(
        &replace("prefix = 4", "prefix = 22"),
        &["soft_prompts.prefix", "1 to 21", "22"],
    );
    let table = |pieces, width| {
        tensors(&[
            ("scales", "F32", 4, &[pieces]),
            ("tokens", "I8", 1, &[pieces, width]),
        ])
    };
    refused(&write(TOKENS, table(9, 64)), &[TOKENS, "tokens", "9, 64"]);
    refused(
        &write(TOKENS, table(1514, 48)),
        &[TOKENS, "tokens", "1514, 48"],
    );
    // The table and the model disagree.
    let narrow = |folder: &Path| {
        let path = folder.join("manifest.toml");
        let text = fs::read_to_string(&path).expect("a manifest");
        let text = text
            .replace("width = 64", "width = 48")
            .replace("dimension = 64", "dimension = 48");
        fs::write(path, text).expect("a file");
        fs::write(folder.join(PROMPTS), prefix(&[4, 48])).expect("a file");
        fs::write(folder.join(TOKENS), table(1514, 48)).expect("a file");
    };
    refused(&narrow, &["text.onnx", "inputs_embeds", "64", "48"]);
    // The model takes ids, and the manifest says embeddings.
    let ids = |folder: &Path| {
        let text = "../../tests/data/clip/text.onnx";
        fs::copy(text, folder.join("text.onnx")).expect("a file");
    };
    refused(&ids, &["text.onnx", "inputs_embeds", "input_ids"]);
}
