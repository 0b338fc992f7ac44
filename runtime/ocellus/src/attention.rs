//! Block-local cross-attention between an image's cells and text tokens, for maps and tokens of any model.
//!
//! The tokens of all labels of a call stand in one list, each with its label, so that labels compete for a cell. The map
//! is cut into blocks; the mean of a block's cells chooses `top_k` tokens, and each of its cells attends to those only:
//! `softmax(scale * q . k)`. Where `top_k` reaches the number of tokens this is global attention. What a label gets at a
//! cell is its **relevance**: the sum of its tokens' weights, the mean over heads.
//!
//! ```
//! use ocellus::attention::{BlockAttention, Outputs, Precision, Prompts, Tokens};
//!
//! // Two labels of one token each, in a space of two dimensions; a map of one row and two cells, one head.
//! let prompts = Prompts::new(ocellus::detect_isa(), Precision::Int8, Tokens {
//!     shape: [2, 1, 2],
//!     keys: &[1.0, 0.0, 0.0, 1.0],
//!     values: None,
//!     labels: &[0, 1],
//!     label_count: 2,
//!     valid: &[true, true],
//!     always: &[false, false],
//!     scale: 4.0,
//! })?;
//! let mut attention = BlockAttention::new(&prompts, [1, 2], [1, 1], 2)?;
//! let mut relevance = [0.0; 4];
//! let outputs = Outputs { relevance: Some(&mut relevance), attended: None };
//! attention.run(&prompts, &[1.0, 0.0, 0.0, 1.0], outputs)?;
//! // Label 0 at both cells, then label 1.
//! assert!(relevance[0] > 0.9 && relevance[1] < 0.1 && relevance[3] > 0.9);
//! # Ok::<(), ocellus::attention::AttentionError>(())
//! ```
//!
//! The arithmetic, its bounds and its kernels are `ocellus_kernels`' own; this is the door that checks what comes in.
//!
//! Limits: one map at a time, one thread.

use ocellus_kernels::{
    BlockAttention as Kernel, Isa, MapShape, PackedTokens, QueryError, TokensError,
};
pub use ocellus_kernels::{Outputs, Precision, Tokens};

/// The largest factor of a softmax that is taken.
const MAX_SCALE: f32 = 65_536.0;

/// Why tokens or a map cannot be attended to.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AttentionError {
    /// Two sizes contradict each other, or one is zero.
    #[error("attention: {what}: expected {expected}, got {got}")]
    Shape {
        /// Which size.
        what: &'static str,
        /// What it must be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// A token is not finite, or none is valid.
    #[error(transparent)]
    Tokens(#[from] TokensError),
    /// A cell is not finite.
    #[error(transparent)]
    Query(#[from] QueryError),
}

/// The tokens of all labels of a call, packed once for all maps.
#[derive(Clone, Debug)]
pub struct Prompts {
    packed: PackedTokens,
    heads: usize,
    d: usize,
}

impl Prompts {
    /// Checks and packs `tokens`.
    ///
    /// # Errors
    /// [`AttentionError::Shape`] where the slices do not fit `tokens.shape`, a label is not below the count, or the scale
    /// is not in 0..=65536; [`AttentionError::Tokens`] for tokens that are not finite, or none that is valid.
    pub fn new(
        isa: Isa,
        precision: Precision,
        tokens: Tokens<'_>,
    ) -> Result<Prompts, AttentionError> {
        let [l, heads, d] = tokens.shape;
        require("tokens", !tokens.shape.contains(&0), || {
            ("sizes of 1 and more".into(), format!("{:?}", tokens.shape))
        })?;
        let elements = heads.checked_mul(d).and_then(|row| row.checked_mul(l));
        for (what, got) in [
            ("elements of the keys", Some(tokens.keys.len())),
            ("elements of the values", tokens.values.map(<[f32]>::len)),
        ] {
            require(what, got.is_none() || got == elements, || {
                let got = got.unwrap_or_default();
                (format!("{l} tokens x {heads} heads x {d}"), got.to_string())
            })?;
        }
        for (what, got) in [
            ("labels of the tokens", tokens.labels.len()),
            ("marks of validity", tokens.valid.len()),
            ("marks of always", tokens.always.len()),
        ] {
            require(what, got == l, || {
                (format!("{l}, one for each token"), got.to_string())
            })?;
        }
        let stray = tokens
            .labels
            .iter()
            .find(|&&label| label as usize >= tokens.label_count);
        require("label of a token", stray.is_none(), || {
            (
                format!("below {}", tokens.label_count),
                stray.map_or_else(String::new, u32::to_string),
            )
        })?;
        require("scale", (0.0..=MAX_SCALE).contains(&tokens.scale), || {
            (format!("0 to {MAX_SCALE}"), tokens.scale.to_string())
        })?;
        Ok(Prompts {
            packed: PackedTokens::new(isa, precision, tokens)?,
            heads,
            d,
        })
    }

    /// How many labels the tokens have.
    pub fn label_count(&self) -> usize {
        self.packed.label_count()
    }
}

/// Attention over maps of one shape, with the memory that its runs need. A run allocates nothing.
#[derive(Clone, Debug)]
pub struct BlockAttention {
    kernel: Kernel,
    map: MapShape,
    capacity: usize,
}

impl BlockAttention {
    /// For maps of `size` (height and width in cells) in blocks of `block` (the same), each of which attends to the
    /// `top_k` tokens that its mean chose, for tokens like those of `prompts` and as many. At the lower and right edge
    /// blocks may be smaller.
    ///
    /// # Errors
    /// [`AttentionError::Shape`] where a size is zero, or the whole is too large to be addressed.
    pub fn new(
        prompts: &Prompts,
        size: [usize; 2],
        block: [usize; 2],
        top_k: usize,
    ) -> Result<BlockAttention, AttentionError> {
        for (what, sizes) in [("map", size), ("block", block), ("top_k", [top_k; 2])] {
            require(what, !sizes.contains(&0), || {
                ("sizes of 1 and more".into(), format!("{sizes:?}"))
            })?;
        }
        let capacity = prompts.packed.valid_count();
        let map = MapShape {
            height: size[0],
            width: size[1],
            heads: prompts.heads,
            d: prompts.d,
        };
        let factors = [size[0], size[1], capacity.max(map.heads * map.d)];
        let places = factors
            .iter()
            .try_fold(16_usize, |product, &factor| product.checked_mul(factor));
        let addressable = places.is_some_and(|places| places < isize::MAX as usize);
        require("map", addressable, || {
            ("what can be addressed".into(), format!("{map:?}"))
        })?;
        Ok(BlockAttention {
            kernel: Kernel::new(map, block, top_k, capacity),
            map,
            capacity,
        })
    }

    /// Lets the cells of `queries`, `[height, width, heads, d]`, attend to the tokens of `prompts`, and writes what is
    /// asked for: `attended`, `[height, width, heads, d]`, the weighted sum of the values; `relevance`,
    /// `[labels, height, width]`.
    ///
    /// # Errors
    /// [`AttentionError::Shape`] where `prompts` or a slice do not fit; [`AttentionError::Query`] names a cell that is not
    /// finite. What the outputs then hold says nothing.
    pub fn run(
        &mut self,
        prompts: &Prompts,
        queries: &[f32],
        outputs: Outputs<'_>,
    ) -> Result<(), AttentionError> {
        let map = self.map;
        require(
            "heads and dimensions of the tokens",
            [prompts.heads, prompts.d] == [map.heads, map.d],
            || {
                (
                    format!("{:?}", [map.heads, map.d]),
                    format!("{:?}", [prompts.heads, prompts.d]),
                )
            },
        )?;
        let count = prompts.packed.valid_count();
        require("valid tokens", count <= self.capacity, || {
            (format!("at most {}", self.capacity), count.to_string())
        })?;
        let cells = map.height * map.width;
        let elements = cells * map.heads * map.d;
        let attended = outputs.attended.as_ref().map(|slice| slice.len());
        require(
            "values of the tokens",
            attended.is_none() || prompts.packed.has_values(),
            || ("some, as they are to be attended to".into(), "none".into()),
        )?;
        let relevance = outputs.relevance.as_ref().map(|slice| slice.len());
        for (what, expected, got) in [
            ("elements of the queries", elements, Some(queries.len())),
            ("places for what is attended", elements, attended),
            (
                "places for the relevance",
                cells.saturating_mul(prompts.label_count()),
                relevance,
            ),
        ] {
            require(what, got.is_none_or(|got| got == expected), || {
                (expected.to_string(), format!("{}", got.unwrap_or_default()))
            })?;
        }
        Ok(self.kernel.run(&prompts.packed, queries, outputs)?)
    }

    /// Rows and columns of blocks.
    pub fn blocks(&self) -> [usize; 2] {
        self.kernel.blocks()
    }

    /// The tokens that a block chose in the last run, by their places in the list that was packed, rising; blocks are
    /// counted row after row. Nothing where there is no such block.
    pub fn chosen(&self, block: usize) -> Option<&[u32]> {
        let [rows, columns] = self.blocks();
        (block < rows * columns).then(|| self.kernel.chosen(block))
    }
}

/// Each label's score: its largest relevance at any cell, 0..1, of `relevance`, `[labels, cells]`.
pub fn label_scores(relevance: &[f32], cells: usize) -> Vec<f32> {
    let most = |grid: &[f32]| grid.iter().copied().fold(0.0, f32::max);
    relevance.chunks(cells.max(1)).map(most).collect()
}

fn require(
    what: &'static str,
    holds: bool,
    words: impl FnOnce() -> (String, String),
) -> Result<(), AttentionError> {
    if holds {
        return Ok(());
    }
    let (expected, got) = words();
    Err(AttentionError::Shape {
        what,
        expected,
        got,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens<'a>(keys: &'a [f32], labels: &'a [u32], marks: &'a [bool]) -> Tokens<'a> {
        Tokens {
            shape: [3, 1, 2],
            keys,
            values: Some(keys),
            labels,
            label_count: 2,
            valid: marks,
            always: &[false; 3],
            scale: 1.0,
        }
    }

    const KEYS: [f32; 6] = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0];

    fn prompts() -> Prompts {
        Prompts::new(
            Isa::Scalar,
            Precision::Int8,
            tokens(&KEYS, &[0, 1, 1], &[true; 3]),
        )
        .expect("good tokens")
    }

    #[test]
    fn each_contradiction_is_an_error_that_names_it() {
        let good = tokens(&KEYS, &[0, 1, 1], &[true; 3]);
        let cases = [
            (
                Tokens {
                    shape: [3, 0, 2],
                    ..good
                },
                "tokens",
            ),
            (
                Tokens {
                    shape: [4, 1, 2],
                    ..good
                },
                "keys",
            ),
            (
                Tokens {
                    values: Some(&KEYS[1..]),
                    ..good
                },
                "values",
            ),
            (
                Tokens {
                    labels: &[0, 1],
                    ..good
                },
                "labels",
            ),
            (
                Tokens {
                    labels: &[0, 1, 2],
                    ..good
                },
                "below 2",
            ),
            (
                Tokens {
                    always: &[false],
                    ..good
                },
                "always",
            ),
            (
                Tokens {
                    scale: f32::NAN,
                    ..good
                },
                "scale",
            ),
            (
                Tokens {
                    valid: &[false; 3],
                    ..good
                },
                "no token is valid",
            ),
            (
                Tokens {
                    keys: &[f32::NAN; 6],
                    ..good
                },
                "key of token 0",
            ),
        ];
        for (tokens, named) in cases {
            let error = Prompts::new(Isa::Scalar, Precision::Int8, tokens).unwrap_err();
            assert!(error.to_string().contains(named), "{named}: {error}");
        }
        for (size, block, top_k, named) in [
            ([0, 2], [1, 1], 1, "map"),
            ([2, 2], [1, 0], 1, "block"),
            ([2, 2], [1, 1], 0, "top_k"),
            ([usize::MAX / 2, 2], [1, 1], 1, "addressed"),
        ] {
            let error = BlockAttention::new(&prompts(), size, block, top_k).unwrap_err();
            assert!(error.to_string().contains(named), "{named}: {error}");
        }
    }

    #[test]
    fn a_run_takes_what_it_was_made_for() {
        let prompts = prompts();
        let mut attention = BlockAttention::new(&prompts, [2, 2], [2, 2], 1).expect("a map");
        let mut run = |queries: &[f32], places: usize| {
            let mut relevance = vec![0.0; places];
            let relevance = Some(&mut relevance[..]);
            attention.run(
                &prompts,
                queries,
                Outputs {
                    relevance,
                    attended: None,
                },
            )
        };
        assert_eq!(run(&[1.0; 8], 8), Ok(()));
        assert!(matches!(
            run(&[1.0; 7], 8),
            Err(AttentionError::Shape { .. })
        ));
        assert!(matches!(
            run(&[1.0; 8], 9),
            Err(AttentionError::Shape { .. })
        ));
        let mut bad = [1.0; 8];
        bad[5] = f32::INFINITY;
        let error = run(&bad, 8).unwrap_err();
        assert!(matches!(error, AttentionError::Query(cell) if [cell.y, cell.x] == [1, 0]));
        // The third token points where all cells do.
        assert_eq!(run(&[1.0; 8], 8), Ok(()));
        assert_eq!(attention.chosen(0), Some(&[2][..]));
        assert_eq!(attention.chosen(1), None);
        let bare = Tokens {
            values: None,
            ..tokens(&KEYS, &[0, 1, 1], &[true; 3])
        };
        let bare = Prompts::new(Isa::Scalar, Precision::Int8, bare).expect("good tokens");
        let attended = Some(&mut [0.0; 8][..]);
        let error = attention.run(
            &bare,
            &[1.0; 8],
            Outputs {
                relevance: None,
                attended,
            },
        );
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("values of the tokens")
        );
    }

    #[test]
    fn a_label_s_score_is_its_largest_share() {
        assert_eq!(label_scores(&[0.1, 0.9, 0.0, 0.2], 2), [0.9, 0.2]);
    }
}
