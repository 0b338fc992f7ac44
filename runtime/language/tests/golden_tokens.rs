//! The ids of `tests/golden/tokens.json`, which the reference tokenizer gave over the default bundle's vocabulary.
//!
//! The file is `[{"text", "ids", ...}]`; `models/recipe` makes it, and drops what the reference calls unknown.

mod support;

use ocellus_language::{Normalization, Tokenizer, Vocabulary};
use support::{file, golden};

fn tokenizer(max_tokens: usize) -> Tokenizer {
    let vocabulary = Vocabulary::parse(&file("../models/default/vocab.txt")).unwrap();
    Tokenizer::new(vocabulary, Normalization { lowercase: true }, max_tokens)
}

#[test]
fn ids_are_those_of_the_reference() {
    let golden = golden("tokens");
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
    for (text, ids) in golden("tokens") {
        let tokens = short.tokenize(&text);
        assert_eq!(tokens.ids, ids[..ids.len().min(3)], "{text:?}");
        assert_eq!(tokens.truncated, ids.len() > 3, "{text:?}");
    }
}

#[test]
fn a_text_is_known_where_the_reference_gives_an_id() {
    let tokenizer = tokenizer(128);
    for (text, ids) in golden("tokens") {
        assert_eq!(
            tokenizer.require_known(&text).is_ok(),
            !ids.is_empty(),
            "{text:?}"
        );
    }
}
