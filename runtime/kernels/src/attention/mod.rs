//! Block-local cross-attention from image cells to text tokens: which words a part of the picture looks at.
//!
//! Queries are the cells of a feature map, `[h, w, heads, d]`; keys and values are the tokens of all labels of a call,
//! `[l, heads, d]`. The map is cut into blocks. Each block's mean cell chooses `top_k` tokens, for all heads at once, and
//! each cell of the block attends to those only:
//!
//! * choice: `score[t] = f32(sum over heads and d of m * k[t]) * key_scale[t]`, where `m` is the quantized sum of the
//!   block's cells (a scale common to all tokens changes no order, so it is left out). The `top_k` greatest are chosen, ties go
//!   to the token that comes first; tokens marked `always` are chosen besides and take none of the `top_k` places;
//! * weights: `x[t] = f32(q . k[t]) * (query_scale * key_multiplier[t])` with `key_multiplier[t] = key_scale[t] * (scale *
//!   log2 e)`, `w[t] = 2^(x[t] - max x)` by `exp`, `p[t] = w[t] * (1 / sum w)`, sums in the order of the tokens;
//! * attended: `sum of p[t] * v[t]`, for each head;
//! * relevance of a label: the mean over heads of the sum of `p` over the label's tokens.
//!
//! A cell, or a block's sum, is quantized with one scale, a power of two; a key with one of its own. Where `top_k` reaches the
//! number of tokens that are not chosen anyway there is nothing to choose and all cells attend to all tokens: global attention.
//!
//! With [`Precision::F32`] nothing is quantized: a product of a sum or a query with a key is `(s0 + s1) + (s2 + s3)`, where
//! `s` adds up the elements whose index is the same modulo 4, each product and sum rounded once; scores are those products,
//! and `x[t]` is the product times `scale * log2 e`.
//!
//! Choice and relevance have the same bits on every instruction set. Attended differs from the specification by at most
//! `(n + 1) * 2^-23 * max |v|`, where `n` is the number of chosen tokens; but with [`Precision::Int8`] and dotprod, which has
//! the values in half precision, by `18 * 2^-11 * max |v|`.
//!
//! No matrix of scores exists: the room holds the scores of four cells and one head. A run allocates nothing.
//!
//! Limits: queries, keys and values are below [`MAX_MAGNITUDE`].

#[cfg(target_arch = "aarch64")]
mod attend_dotprod;
#[cfg(target_arch = "aarch64")]
mod attend_neon;
mod attention_scalar;
#[cfg(target_arch = "aarch64")]
mod bytes;
mod choose;
#[cfg(target_arch = "aarch64")]
mod choose_neon;
#[cfg(target_arch = "aarch64")]
mod f32_attention_4c_neon;
mod fused;
mod plan;
#[cfg(target_arch = "aarch64")]
mod qs8_attention_4c_dotprod;
#[cfg(target_arch = "aarch64")]
mod qs8_attention_4c_neon;
#[cfg(target_arch = "aarch64")]
mod quads_dotprod;
mod query;
#[cfg(target_arch = "aarch64")]
mod query_neon;
#[cfg(target_arch = "aarch64")]
mod query_passes_neon;
#[cfg(target_arch = "aarch64")]
mod relevance_neon;
#[cfg(target_arch = "aarch64")]
mod scores_dotprod;
#[cfg(target_arch = "aarch64")]
mod scores_f32_neon;
#[cfg(target_arch = "aarch64")]
mod scores_neon;
#[cfg(target_arch = "aarch64")]
mod softmax_neon;
#[cfg(target_arch = "aarch64")]
mod sums_f32_neon;
#[cfg(target_arch = "aarch64")]
mod sums_neon;
mod tokens;
#[cfg(target_arch = "aarch64")]
mod values_batches_dotprod;
#[cfg(target_arch = "aarch64")]
mod values_dotprod;
#[cfg(target_arch = "aarch64")]
mod values_lone_dotprod;
#[cfg(target_arch = "aarch64")]
mod values_narrow_neon;
#[cfg(target_arch = "aarch64")]
mod values_neon;
#[cfg(target_arch = "aarch64")]
mod vector;
#[cfg(target_arch = "aarch64")]
mod vector_room;

pub use plan::{BlockAttention, MapShape, Outputs};
pub use query::{MAX_MAGNITUDE, QueryError};
pub use tokens::{PackedTokens, Precision, Tokens, TokensError};

#[cfg(test)]
mod tests;
