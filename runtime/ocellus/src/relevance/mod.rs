//! Where in a frame the words are: block-local cross-attention from the encoder's map to the labels.
//!
//! A cell of the map is a query. A label's key lies in the space of the map's channels: with a classifier, the label is
//! looked for as the classes whose texts are like it, `sum(softmax(sharpness * cosine(class text, label))[c] * (W[c] - mean W))`,
//! so that `cell . key` is what the class head says of that cell, summed over the label's classes and measured from the
//! mean of all classes. Only the labels' classes are ever computed, and exactly: the product of head and texts is made
//! once, when labels are set. (Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016, for
//! a classifier's own classes.) Without a classifier the key is the label's embedding itself.
//!
//! Labels compete for a cell. One more token, which is always attended to, stands for everything else and scores `floor`
//! in every cell. So a single label has a map as well, and a cell that nothing fits belongs to nobody. (Cells have one more
//! channel for it, which is 1, and the key of everything else is zero but there.)
//!
//! Limits: a label is one token. Its word pieces are none: without their sentence they mean other classes ("red" of "a
//! red traffic light" is red wine to this text space), which the report on the default bundle measures.

mod grid;
mod place;

use grid::SurfaceSpace;
pub use grid::{Grid, Peak};
pub use place::Place;

use crate::{
    attention::{AttentionError, BlockAttention, Outputs, Precision, Prompts, Tokens},
    bundle::RelevanceDefaults,
    engine::Engine,
    error::Error,
};
use ocellus_encoder::Tensor;
use ocellus_vision::View;

/// How the cells of a map attend to labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Height and width of a block in cells, at least 1.
    pub block: [usize; 2],
    /// How many labels a block attends to; as many as there are labels, or more: global attention.
    pub top_k: usize,
}

impl Blocks {
    /// The bundle's calibrated default.
    pub(crate) fn of(defaults: &RelevanceDefaults) -> Blocks {
        Blocks {
            block: defaults.block,
            top_k: defaults.top_k,
        }
    }
}

/// The labels as tokens of the attention, and the token for everything else behind them.
pub(crate) fn prompts(engine: &Engine, embeddings: &[Vec<f32>]) -> Result<Prompts, Error> {
    let defaults = engine.relevance()?;
    let channels = engine.bundle().manifest().image.channels;
    let mut keys = Vec::with_capacity((embeddings.len() + 1) * (channels + 1));
    for embedding in embeddings {
        keys.extend(engine.label_key(embedding, defaults.sharpness));
        keys.push(0.0);
    }
    keys.resize(keys.len() + channels, 0.0);
    keys.push(defaults.floor);
    let count = embeddings.len() + 1;
    let labels: Vec<u32> = (0..count as u32).collect();
    let always: Vec<bool> = (0..count).map(|token| token == embeddings.len()).collect();
    let tokens = Tokens {
        shape: [count, 1, channels + 1],
        keys: &keys,
        values: None,
        labels: &labels,
        label_count: count,
        valid: &vec![true; count],
        always: &always,
        scale: defaults.scale,
    };
    Ok(Prompts::new(engine.isa(), Precision::Int8, tokens)?)
}

/// Memory of the attention, which is kept from one frame to the next.
#[derive(Default)]
pub(crate) struct AttentionSpace {
    /// For each size of map that came with the labels.
    attentions: Vec<([usize; 2], BlockAttention)>,
    queries: Vec<f32>,
    relevance: Vec<f32>,
    surface: SurfaceSpace,
}

impl AttentionSpace {
    /// The labels are others now.
    pub fn forget(&mut self) {
        self.attentions.clear();
    }
}

/// Where each label is, from the maps `[1, c, h, w]` of the views that were encoded.
pub(crate) fn places<'m>(
    blocks: Blocks,
    prompts: &Prompts,
    maps: impl Iterator<Item = &'m Tensor>,
    views: &[View],
    space: &mut AttentionSpace,
) -> Result<Vec<Place>, AttentionError> {
    let labels = prompts.label_count() - 1;
    let mut grids: Vec<Vec<Grid>> = (0..labels)
        .map(|_| Vec::with_capacity(views.len()))
        .collect();
    for map in maps {
        let &[1, channels, height, width] = &map.shape[..] else {
            return Err(AttentionError::Shape {
                what: "map",
                expected: "[1, c, h, w]".into(),
                got: format!("{:?}", map.shape),
            });
        };
        let cells = height * width;
        space.queries.clear();
        space.queries.resize(cells * (channels + 1), 1.0);
        for (channel, plane) in map.data.chunks_exact(cells.max(1)).enumerate() {
            for (cell, &value) in plane.iter().enumerate() {
                space.queries[cell * (channels + 1) + channel] = value;
            }
        }
        space.relevance.resize(prompts.label_count() * cells, 0.0);
        let outputs = Outputs {
            relevance: Some(&mut space.relevance),
            attended: None,
        };
        let size = [height, width];
        let known = space.attentions.iter().position(|(of, _)| *of == size);
        let at = match known {
            Some(at) => at,
            None => {
                let made = BlockAttention::new(prompts, size, blocks.block, blocks.top_k)?;
                space.attentions.push((size, made));
                space.attentions.len() - 1
            }
        };
        let attention = &mut space.attentions[at].1;
        attention.run(prompts, &space.queries, outputs)?;
        for (grids, values) in grids.iter_mut().zip(space.relevance.chunks_exact(cells)) {
            grids.push(Grid {
                height,
                width,
                values: values.to_vec(),
            });
        }
    }
    let place = |relevance| Place::new(relevance, views, &mut space.surface);
    Ok(grids.into_iter().map(place).collect())
}
