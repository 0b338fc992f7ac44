//! Keys and values of a call's tokens, packed once for all pictures.

#[cfg(target_arch = "aarch64")]
use super::qs8_attention_4c_dotprod::Packed;
use super::query::are_sound;
use crate::{Isa, quantize_symmetric};
use alloc::{vec, vec::Vec};
use core::{f32::consts::LOG2_E, fmt};

/// How keys meet queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Bytes with a scale for each token and each cell, exact sums; values in f32, or f16 where dot products go with it.
    Int8,
    /// Everything in f32, for models that give f32 maps.
    F32,
}

/// The tokens of all labels of a call, as the text model gives them.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    /// `[l, heads, d]`, none of them zero.
    pub shape: [usize; 3],
    /// `[l, heads, d]`
    pub keys: &'a [f32],
    /// `[l, heads, d]`; none where relevance is all that will be asked for.
    pub values: Option<&'a [f32]>,
    /// `[l]`: the label that each token belongs to, below `label_count`.
    pub labels: &'a [u32],
    /// How many labels there are.
    pub label_count: usize,
    /// `[l]`: false for padding, which is never chosen.
    pub valid: &'a [bool],
    /// `[l]`: true for valid tokens that every block attends to, besides those it chooses.
    pub always: &'a [bool],
    /// What a product of query and key is multiplied by in front of the softmax: 0..=65536, as a rule `1 / sqrt(d)` or
    /// the model's logit scale.
    pub scale: f32,
}

/// Tokens that cannot be attended to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokensError {
    /// An element of a key that is infinite, NaN or beyond [`MAX_MAGNITUDE`](super::MAX_MAGNITUDE).
    Key {
        /// The token.
        token: usize,
    },
    /// The same of a value.
    Value {
        /// The token.
        token: usize,
    },
    /// No token is valid.
    NoneValid,
    /// The sizes multiply beyond what can be addressed, or a sum of products could leave 32 bits.
    TooLarge {
        /// `[l, heads, d]`
        shape: [usize; 3],
    },
}

impl fmt::Display for TokensError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = "has an element that is infinite, NaN or beyond 2^48; expected finite features";
        match self {
            TokensError::Key { token } => write!(f, "attention: the key of token {token} {range}"),
            TokensError::Value { token } => {
                write!(f, "attention: the value of token {token} {range}")
            }
            TokensError::NoneValid => {
                write!(f, "attention: no token is valid; expected one at least")
            }
            TokensError::TooLarge {
                shape: [l, heads, d],
            } => write!(
                f,
                "attention: {l} tokens of {heads} heads of {d} are too large; expected at most {MAX_ELEMENTS} elements in a token"
            ),
        }
    }
}

impl core::error::Error for TokensError {}

/// The most elements of a token, padding included: 127 * 127 * that stays below 2^31.
const MAX_ELEMENTS: usize = i32::MAX as usize / (127 * 127);

/// Dimensions of a head are padded with zeros to a multiple of this.
const STEP: usize = 16;

/// Tokens packed for one instruction set. Only valid ones are left; "token" is a place among those from here on.
#[derive(Clone, Debug)]
pub struct PackedTokens {
    pub(super) isa: Isa,
    pub(super) precision: Precision,
    pub(super) heads: usize,
    pub(super) d: usize,
    /// `d` padded.
    pub(super) stride: usize,
    pub(super) has_values: bool,
    pub(super) label_count: usize,
    /// `[tokens]`: the label.
    pub(super) labels: Vec<u32>,
    /// `[tokens]`: the place in the caller's list.
    pub(super) places: Vec<u32>,
    /// The tokens that are always chosen, rising.
    pub(super) always: Vec<u32>,
    pub(super) keys: Keys,
    /// `[tokens, heads, stride]`; empty where `dotprod` has them, or nobody.
    pub(super) values: Vec<f32>,
    /// What the kernel with dot product reads.
    #[cfg(target_arch = "aarch64")]
    pub(super) dotprod: Option<Packed>,
}

#[derive(Clone, Debug)]
pub(super) enum Keys {
    Int8 {
        /// `[tokens, heads, stride]`; zeros follow, up to a multiple of [`STEP`] tokens.
        bytes: Vec<i8>,
        /// `[tokens]`; zeros follow likewise.
        scales: Vec<f32>,
        /// `[tokens]`: `scales * (scale * log2 e)`
        multipliers: Vec<f32>,
    },
    F32 {
        /// `[tokens, heads, stride]`; zeros follow, up to a multiple of [`STEP`] tokens.
        reals: Vec<f32>,
        /// `scale * log2 e`
        multiplier: f32,
    },
}

impl PackedTokens {
    /// Packs the valid ones of `tokens` for `isa`. With [`Precision::Int8`] the key of a token has one scale, that of
    /// [`quantize_symmetric`].
    ///
    /// # Errors
    ///
    /// If a valid token has an element that is not finite, if none is valid, or if the sizes are too large.
    ///
    /// # Panics
    ///
    /// If slices and shape contradict each other, a label is not below the count, a size is zero, or the scale is not
    /// in its range.
    pub fn new(
        isa: Isa,
        precision: Precision,
        tokens: Tokens,
    ) -> Result<PackedTokens, TokensError> {
        let [l, heads, d] = tokens.shape;
        let too_large = TokensError::TooLarge {
            shape: tokens.shape,
        };
        let elements = heads.checked_mul(d).ok_or(too_large)?;
        check(&tokens, elements.checked_mul(l).ok_or(too_large)?);
        let stride = d.checked_next_multiple_of(STEP).ok_or(too_large)?;
        let row = heads.checked_mul(stride).ok_or(too_large)?;
        if row > MAX_ELEMENTS || u32::try_from(l).is_err() {
            return Err(too_large);
        }
        let valid = || (0..l).filter(|&token| tokens.valid[token]);
        let count = valid().count();
        if count == 0 {
            return Err(TokensError::NoneValid);
        }
        // Room for four bytes an element, and for what a kernel pads tokens with.
        let padded = count.checked_add(STEP).and_then(|n| n.checked_mul(4 * row));
        padded.ok_or(too_large)?;
        for token in valid() {
            if !are_sound(&tokens.keys[token * elements..][..elements]) {
                return Err(TokensError::Key { token });
            }
            let value = tokens
                .values
                .map(|values| &values[token * elements..][..elements]);
            if !value.is_none_or(are_sound) {
                return Err(TokensError::Value { token });
            }
        }
        let places: Vec<u32> = valid().map(|token| token as u32).collect();
        let mut keys = padded_rows(tokens.keys, &places, [heads, d, stride]);
        let multiplier = tokens.scale * LOG2_E;
        let values = tokens.values.map_or_else(Vec::new, |values| {
            padded_rows(values, &places, [heads, d, stride])
        });
        let keys = match precision {
            Precision::F32 => {
                keys.resize(count.next_multiple_of(STEP) * row, 0.0);
                Keys::F32 {
                    reals: keys,
                    multiplier,
                }
            }
            Precision::Int8 => quantize_keys(&keys, row, multiplier),
        };
        #[cfg(target_arch = "aarch64")]
        let (dotprod, values) = match (isa, &keys) {
            (Isa::DotProd(proof), Keys::Int8 { bytes, .. }) => {
                (Some(Packed::new(proof, bytes, row, &values)), Vec::new())
            }
            _ => (None, values),
        };
        Ok(PackedTokens {
            isa,
            precision,
            heads,
            d,
            stride,
            has_values: tokens.values.is_some(),
            label_count: tokens.label_count,
            labels: valid().map(|token| tokens.labels[token]).collect(),
            always: (0..count as u32)
                .filter(|&token| tokens.always[places[token as usize] as usize])
                .collect(),
            values,
            #[cfg(target_arch = "aarch64")]
            dotprod,
            places,
            keys,
        })
    }

    /// Whether a token's place here is its place in the caller's list.
    pub(super) fn keep_their_places(&self) -> bool {
        self.places
            .last()
            .is_some_and(|&last| last as usize + 1 == self.places.len())
    }

    /// How many tokens are valid: what a [`BlockAttention`](super::BlockAttention) must have room for.
    pub fn valid_count(&self) -> usize {
        self.places.len()
    }

    /// Whether there are values to be attended to.
    pub fn has_values(&self) -> bool {
        self.has_values
    }

    /// How many labels the tokens have: the first size of the relevance.
    pub fn label_count(&self) -> usize {
        self.label_count
    }

    /// The kernel's name, for reports.
    pub fn name(&self) -> &'static str {
        match (self.precision, self.isa) {
            (Precision::Int8, Isa::Scalar) => "qs8_attention_scalar",
            #[cfg(target_arch = "aarch64")]
            (Precision::Int8, Isa::Neon(_)) => "qs8_attention_4c_neon",
            #[cfg(target_arch = "aarch64")]
            (Precision::Int8, Isa::DotProd(_)) => "qs8_attention_4c_dotprod",
            (Precision::F32, Isa::Scalar) => "f32_attention_scalar",
            #[cfg(target_arch = "aarch64")]
            (Precision::F32, _) => "f32_attention_4c_neon",
        }
    }

    /// Elements of a padded token.
    pub(super) fn row(&self) -> usize {
        self.heads * self.stride
    }
}

fn check(tokens: &Tokens, elements: usize) {
    let [l, heads, d] = tokens.shape;
    assert!(
        l > 0 && heads > 0 && d > 0,
        "attention: {l} tokens of {heads} heads of {d} are nothing to attend to"
    );
    assert!(
        tokens.keys.len() == elements
            && tokens.values.is_none_or(|values| values.len() == elements),
        "attention: {} elements of keys and {:?} of values for {l} tokens of {heads} heads of {d}",
        tokens.keys.len(),
        tokens.values.map(<[f32]>::len)
    );
    assert!(
        [tokens.labels.len(), tokens.valid.len(), tokens.always.len()] == [l; 3],
        "attention: {} labels, {} marks of validity and {} of always for {l} tokens",
        tokens.labels.len(),
        tokens.valid.len(),
        tokens.always.len()
    );
    for (token, &label) in tokens.labels.iter().enumerate() {
        assert!(
            (label as usize) < tokens.label_count,
            "attention: token {token} has label {label} of {}",
            tokens.label_count
        );
    }
    assert!(
        (0.0..=65536.0).contains(&tokens.scale),
        "attention: a scale of {} is not in 0..=65536",
        tokens.scale
    );
}

/// The rows at `places` of `[l, heads, d]`, with each head padded to `stride`.
fn padded_rows(rows: &[f32], places: &[u32], [heads, d, stride]: [usize; 3]) -> Vec<f32> {
    let mut padded = vec![0.0; places.len() * heads * stride];
    let heads_at = places
        .iter()
        .flat_map(|&place| (0..heads).map(move |head| place as usize * heads + head));
    for (to, at) in padded.chunks_exact_mut(stride).zip(heads_at) {
        to[..d].copy_from_slice(&rows[at * d..][..d]);
    }
    padded
}

fn quantize_keys(keys: &[f32], row: usize, multiplier: f32) -> Keys {
    let padded = (keys.len() / row).next_multiple_of(STEP);
    let mut bytes = vec![0; padded * row];
    let mut scales: Vec<f32> = keys
        .chunks_exact(row)
        .zip(bytes.chunks_exact_mut(row))
        .map(|(key, bytes)| quantize_symmetric(key, bytes))
        .collect();
    let multipliers = scales.iter().map(|scale| scale * multiplier).collect();
    scales.resize(padded, 0.0);
    Keys::Int8 {
        bytes,
        multipliers,
        scales,
    }
}
