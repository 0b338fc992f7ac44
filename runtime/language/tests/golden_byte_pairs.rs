//! The ids of `tests/golden/byte_pairs.json`, which open_clip's tokenizer gave over the vocabulary of `tests/data/clip`.

mod support;

use ocellus_language::{BytePairs, Sequence, Tokenizer};
use support::{file, golden};

fn tokenizer(max_tokens: usize) -> Tokenizer {
    let [vocabulary, merges] =
        ["vocab", "merges"].map(|name| file(&format!("data/clip/{name}.txt")));
    let pairs = BytePairs::parse(&vocabulary, &merges, true).expect("good files");
    Tokenizer::of_byte_pairs(pairs, max_tokens)
}

#[test]
fn ids_are_those_of_the_reference() {
    let golden = golden("byte_pairs");
    assert!(golden.len() >= 1000, "only {} strings", golden.len());
    let tokenizer = tokenizer(4096);
    let mut other = Vec::new();
    for (text, ids) in golden {
        let tokens = tokenizer.tokenize(&text);
        assert!(!tokens.truncated && tokens.unknown.is_empty(), "{text:?}");
        assert_eq!(
            tokenizer.require_known(&text).is_ok(),
            !ids.is_empty(),
            "{text:?}"
        );
        if tokens.ids != ids {
            other.push((text, tokens.ids, ids));
        }
    }
    assert!(other.is_empty(), "{} differ: {other:?}", other.len());
}

#[test]
fn a_frame_stands_around_what_the_reference_gives() {
    let sequence = Sequence {
        start: Some("<|startoftext|>".into()),
        end: Some("<|endoftext|>".into()),
        pad: Some("!".into()),
        lengths: vec![8, 77],
    };
    let tokenizer = tokenizer(77)
        .with_sequence(&sequence)
        .expect("known pieces");
    let size = tokenizer.vocabulary_len() as u32;
    let (start, end) = (size - 2, size - 1);
    for (text, ids) in golden("byte_pairs") {
        let got = tokenizer.tokenize(&text);
        let kept = &ids[..ids.len().min(75)];
        let mut framed = [&[start], kept, &[end]].concat();
        framed.resize(if framed.len() <= 8 { 8 } else { 77 }, 0);
        assert_eq!(got.ids, framed, "{text:?}");
        assert_eq!(got.truncated, ids.len() > 75, "{text:?}");
    }
}
