//! Word pieces, prompt templates, label embeddings.
//!
//! A label becomes prompts ([`Templates`]), a prompt becomes piece ids ([`Tokenizer`] over a [`Vocabulary`]), the text
//! encoder, which is elsewhere, makes a vector of each prompt's ids, and [`ensemble`] makes one vector of a label's
//! prompts. [`Labels`] is a list of labels that was checked.
//!
//! ```
//! use ocellus_language::{Normalization, Templates, Tokenizer, Vocabulary};
//!
//! let vocabulary = Vocabulary::parse(b"a\nphoto\nof\ncat\n##s\n")?;
//! let tokenizer = Tokenizer::new(vocabulary, Normalization { lowercase: true }, 128);
//! let templates = Templates::new(vec!["a photo of {}".into()])?;
//!
//! tokenizer.require_known("Cats")?;
//! let prompts = templates.expand("Cats");
//! assert_eq!(tokenizer.tokenize(&prompts[0]).ids, [0, 1, 2, 3, 4]);
//! # Ok::<(), ocellus_language::LanguageError>(())
//! ```
//!
//! Pieces are BERT's, found in a [`Vocabulary`] by length, CLIP's [`BytePairs`], or SentencePiece's [`Unigram`]. What stands
//! around them for a text encoder that is a transformer is a [`Sequence`].

#![forbid(unsafe_code)]

mod byte_pairs;
mod canonical;
mod character_map;
mod clip_text;
mod ensemble;
mod error;
mod labels;
mod normalize;
mod sequence;
mod templates;
mod tokenizer;
mod unigram;
mod vocabulary;

pub use byte_pairs::BytePairs;
pub use canonical::Canonical;
pub use ensemble::ensemble;
pub use error::LanguageError;
pub use labels::{Labels, MAX_LABEL_BYTES, MAX_LABELS};
pub use normalize::Normalization;
pub use sequence::Sequence;
pub use templates::Templates;
pub use tokenizer::{Tokenizer, Tokens};
pub use unigram::{Unigram, UnigramParts};
pub use vocabulary::{MAX_PIECES, Vocabulary};
