//! Word pieces, prompt templates, label embeddings.
