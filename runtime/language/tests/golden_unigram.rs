//! The ids of `tests/golden/unigram.json`, which SentencePiece gave over the vocabulary of `tests/data/clip/siglip`, of texts that
//! open_clip made canonical.

use ocellus_language::{Canonical, Sequence, Tokenizer, Unigram, UnigramParts};
use safetensors::SafeTensors;
use serde_json::Value;
use std::fs;

const SIGLIP: Canonical = Canonical {
    lowercase: true,
    drop_punctuation: true,
};

fn repository_file(path: &str) -> Vec<u8> {
    let path = format!("../../tests/{path}");
    fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn tokenizer(max_tokens: usize) -> Tokenizer {
    let vocabulary = repository_file("data/clip/siglip/vocab.txt");
    let file = repository_file("data/clip/siglip/unigram.safetensors");
    let tensors = SafeTensors::deserialize(&file).expect("a good file");
    let tensor = |name| tensors.tensor(name).expect("a tensor").data();
    let (scores, _) = tensor("scores").as_chunks();
    let scores: Vec<f32> = scores
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    let parts = UnigramParts {
        vocabulary: &vocabulary,
        scores: &scores,
        character_map: tensor("characters"),
        unknown: Some("<unk>"),
    };
    Tokenizer::of_unigram(
        Unigram::parse(&parts, SIGLIP).expect("good parts"),
        max_tokens,
    )
}

/// Each text with its ids.
fn golden() -> Vec<(String, Vec<u32>)> {
    let file: Value =
        serde_json::from_slice(&repository_file("golden/unigram.json")).expect("JSON");
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

#[test]
fn ids_are_those_of_the_reference() {
    let golden = golden();
    assert!(golden.len() >= 1000, "only {} strings", golden.len());
    assert!(
        golden
            .iter()
            .any(|(text, ids)| !text.is_empty() && ids.is_empty())
    );
    let tokenizer = tokenizer(4096);
    let mut other = Vec::new();
    for (text, ids) in golden {
        let tokens = tokenizer.tokenize(&text);
        assert!(!tokens.truncated, "{text:?}");
        if tokens.ids != ids {
            other.push((text, tokens.ids, ids));
        }
    }
    let some = &other[..other.len().min(5)];
    assert!(other.is_empty(), "{} differ: {some:?}", other.len());
}

#[test]
fn the_end_and_what_fills_up_are_the_same_piece() {
    let sequence = Sequence {
        end: Some("</s>".into()),
        pad: Some("</s>".into()),
        lengths: vec![16],
        ..Sequence::default()
    };
    let tokenizer = tokenizer(16)
        .with_sequence(&sequence)
        .expect("known pieces");
    for (text, ids) in golden() {
        let got = tokenizer.tokenize(&text);
        let mut framed = ids[..ids.len().min(15)].to_vec();
        framed.resize(16, 1);
        assert_eq!(got.ids, framed, "{text:?}");
        assert_eq!(got.truncated, ids.len() > 15, "{text:?}");
    }
}
