//! The ids of `tests/golden/tokens.json`, which the reference tokenizer gave over the default bundle's vocabulary.
//!
//! The file is `[{"text", "ids", ...}]`; `models/recipe` makes it, and drops what the reference calls unknown.

use ocellus_language::{Normalization, Tokenizer, Vocabulary};
use serde_json::Value;
use std::fs;

fn repository_file(path: &str) -> Vec<u8> {
    let path = format!("../../{path}");
    fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn tokenizer(max_tokens: usize) -> Tokenizer {
    let vocabulary = Vocabulary::parse(&repository_file("models/default/vocab.txt")).unwrap();
    Tokenizer::new(vocabulary, Normalization { lowercase: true }, max_tokens)
}

/// Each text with its ids.
fn golden() -> Vec<(String, Vec<u32>)> {
    let file: Value = serde_json::from_slice(&repository_file("tests/golden/tokens.json")).unwrap();
    let ids = |case: &Value| {
        case["ids"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_u64().unwrap() as u32)
            .collect()
    };
    let cases = file.as_array().unwrap().iter();
    cases
        .map(|case| (case["text"].as_str().unwrap().into(), ids(case)))
        .collect()
}

#[test]
fn ids_are_those_of_the_reference() {
    let golden = golden();
    assert!(golden.len() >= 1000, "only {} strings", golden.len());
    assert!(golden.iter().any(|(text, _)| text.is_empty()));
    let tokenizer = tokenizer(4096);
    for (text, ids) in golden {
        let tokens = tokenizer.tokenize(&text);
        assert_eq!(tokens.ids, ids, "{text:?}");
        assert!(!tokens.truncated, "{text:?}");
    }
}

#[test]
fn a_limit_cuts_what_the_reference_gives() {
    let short = tokenizer(3);
    for (text, ids) in golden() {
        let tokens = short.tokenize(&text);
        assert_eq!(tokens.ids, ids[..ids.len().min(3)], "{text:?}");
        assert_eq!(tokens.truncated, ids.len() > 3, "{text:?}");
    }
}

#[test]
fn a_text_is_known_where_the_reference_gives_an_id() {
    let tokenizer = tokenizer(128);
    for (text, ids) in golden() {
        assert_eq!(
            tokenizer.require_known(&text).is_ok(),
            !ids.is_empty(),
            "{text:?}"
        );
    }
}
