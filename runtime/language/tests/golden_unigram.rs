//! The ids of `tests/golden/unigram.json`, which SentencePiece gave over the vocabulary of `tests/data/clip/siglip`, of texts that
//! open_clip made canonical.

mod support;

use ocellus_language::{Canonical, Sequence, Tokenizer, Unigram, UnigramParts};
use safetensors::SafeTensors;
use support::{file, golden};

const SIGLIP: Canonical = Canonical {
    lowercase: true,
    drop_punctuation: true,
};

fn tokenizer(max_tokens: usize) -> Tokenizer {
    let vocabulary = file("data/clip/siglip/vocab.txt");
    let tensors = file("data/clip/siglip/unigram.safetensors");
    let tensors = SafeTensors::deserialize(&tensors).expect("a good file");
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

#[test]
fn ids_are_those_of_the_reference() {
    let golden = golden("unigram");
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
    for (text, ids) in golden("unigram") {
        let got = tokenizer.tokenize(&text);
        let mut framed = ids[..ids.len().min(15)].to_vec();
        framed.resize(16, 1);
        assert_eq!(got.ids, framed, "{text:?}");
        assert_eq!(got.truncated, ids.len() > 15, "{text:?}");
    }
}
