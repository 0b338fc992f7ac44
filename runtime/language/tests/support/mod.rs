//! What the golden tests of tokenizers read.

use serde_json::Value;
use std::fs;

/// A file of the repository's folder `tests`.
pub fn file(path: &str) -> Vec<u8> {
    let path = format!("../../tests/{path}");
    fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Each text of `golden/NAME.json`, `[{"text", "ids", ...}]`, with its ids.
pub fn golden(name: &str) -> Vec<(String, Vec<u32>)> {
    let file: Value = serde_json::from_slice(&file(&format!("golden/{name}.json"))).expect("JSON");
    let case = |case: &Value| -> Option<(String, Vec<u32>)> {
        let ids = case["ids"].as_array()?.iter();
        let ids = ids
            .map(|id| id.as_u64().map(|id| id as u32))
            .collect::<Option<_>>()?;
        Some((case["text"].as_str()?.to_owned(), ids))
    };
    let cases = file.as_array().expect("a list").iter();
    cases.map(|of| case(of).expect("a text and ids")).collect()
}
