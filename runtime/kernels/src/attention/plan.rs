//! A map cut into blocks, the room that a run needs, and the run itself.

use super::{attention_scalar, query::QueryError, tokens::PackedTokens};
#[cfg(target_arch = "aarch64")]
use super::{
    f32_attention_4c_neon::F32AttentionNeon, qs8_attention_4c_dotprod::Qs8AttentionDotProd,
    qs8_attention_4c_neon::Qs8AttentionNeon, vector, vector_room::Room as VectorRoom,
};
use crate::Isa;
#[cfg(target_arch = "aarch64")]
use crate::Precision;
use alloc::{vec, vec::Vec};

/// A feature map: `[height, width, heads, d]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapShape {
    /// Rows of cells.
    pub height: usize,
    /// Cells of a row.
    pub width: usize,
    /// Heads of a cell.
    pub heads: usize,
    /// Dimensions of a head.
    pub d: usize,
}

/// What a run writes; what is `None` is not computed.
#[derive(Debug, Default)]
pub struct Outputs<'a> {
    /// `[height, width, heads, d]`: the weighted sum of the values.
    pub attended: Option<&'a mut [f32]>,
    /// `[labels, height, width]`: the weight of each label's tokens, the mean over heads. The labels of a cell sum to 1.
    pub relevance: Option<&'a mut [f32]>,
}

/// Attention of one shape of map, with the memory that its runs need.
#[derive(Clone, Debug)]
pub struct BlockAttention {
    plan: Plan,
    room: Room,
    #[cfg(target_arch = "aarch64")]
    vector_room: VectorRoom,
    /// `[blocks, chosen]`
    chosen: Vec<u32>,
    top_k: usize,
    capacity: usize,
    /// Of the last run: how many tokens a block chose, and whether one list holds for all blocks.
    chosen_count: usize,
    is_global: bool,
}

impl BlockAttention {
    /// Room for runs over maps of `map` in blocks of `block`, `[height, width]`, with up to `capacity` valid tokens, of which
    /// a block chooses `top_k` besides those that are always chosen. Blocks at the lower and the right edge may be
    /// smaller. The memory for the lists of the blocks grows with `blocks * capacity`.
    ///
    /// # Panics
    ///
    /// If a size is zero, or sizes multiply beyond what can be addressed.
    pub fn new(map: MapShape, block: [usize; 2], top_k: usize, capacity: usize) -> BlockAttention {
        let MapShape {
            height,
            width,
            heads,
            d,
        } = map;
        let sizes = [height, width, heads, d, block[0], block[1], top_k, capacity];
        assert!(
            !sizes.contains(&0),
            "attention: a map of {map:?} in blocks of {block:?} with {top_k} of {capacity} tokens has a size of zero"
        );
        let plan = Plan { map, block };
        BlockAttention {
            room: Room::new(&plan, capacity),
            #[cfg(target_arch = "aarch64")]
            vector_room: VectorRoom::new(&plan, capacity),
            chosen: vec![0; product(&[plan.blocks()[0], plan.blocks()[1], capacity])],
            plan,
            capacity,
            top_k,
            chosen_count: 0,
            is_global: false,
        }
    }

    /// Rows and columns of blocks.
    pub fn blocks(&self) -> [usize; 2] {
        self.plan.blocks()
    }

    /// The tokens that block `block` chose in the last run that succeeded, by their places in the caller's list, rising. Blocks are
    /// counted row after row. Empty before the first run.
    ///
    /// # Panics
    ///
    /// If there is no such block.
    pub fn chosen(&self, block: usize) -> &[u32] {
        let [rows, columns] = self.blocks();
        assert!(
            block < rows * columns,
            "attention: there is no block {block} among {rows} x {columns}"
        );
        let list = if self.is_global { 0 } else { block };
        &self.chosen[list * self.chosen_count..][..self.chosen_count]
    }

    /// Lets the cells of `queries`, `[height, width, heads, d]`, attend to `tokens`.
    ///
    /// # Errors
    ///
    /// If a cell is not finite or too large; it is named, or one of them. The outputs then hold anything.
    ///
    /// # Panics
    ///
    /// If `tokens` have other heads than the map or do not fit into the room, have no values where they are asked for, or a slice has another size than its shape.
    pub fn run(
        &mut self,
        tokens: &PackedTokens,
        queries: &[f32],
        outputs: Outputs,
    ) -> Result<(), QueryError> {
        self.check(tokens, queries, &outputs);
        let others = tokens.valid_count() - tokens.always.len();
        self.is_global = self.top_k >= others;
        self.chosen_count = 0;
        let top_k = (!self.is_global).then_some(self.top_k);
        let chosen_count = top_k.unwrap_or(others) + tokens.always.len();
        let plan = match top_k {
            Some(_) => self.plan,
            None => self.plan.whole(),
        };
        let task = Task {
            plan,
            top_k,
            chosen_count,
            tokens,
            queries,
        };
        let chosen = &mut self.chosen[..];
        match (tokens.precision, tokens.isa) {
            #[cfg(target_arch = "aarch64")]
            (Precision::Int8, Isa::Neon(proof)) => {
                let kernel = Qs8AttentionNeon(proof);
                vector::run(kernel, &task, chosen, &mut self.vector_room, outputs)?
            }
            #[cfg(target_arch = "aarch64")]
            (Precision::F32, Isa::Neon(proof)) => {
                let kernel = F32AttentionNeon(proof);
                vector::run(kernel, &task, chosen, &mut self.vector_room, outputs)?
            }
            #[cfg(target_arch = "aarch64")]
            (Precision::F32, Isa::DotProd(proof)) => {
                let kernel = F32AttentionNeon(proof.neon());
                vector::run(kernel, &task, chosen, &mut self.vector_room, outputs)?
            }
            #[cfg(target_arch = "aarch64")]
            (Precision::Int8, Isa::DotProd(_)) => {
                let packed = tokens.dotprod.as_ref().expect("packed for this");
                let kernel = Qs8AttentionDotProd(packed);
                vector::run(kernel, &task, chosen, &mut self.vector_room, outputs)?
            }
            (_, Isa::Scalar) => attention_scalar::run(&task, chosen, &mut self.room, outputs)?,
        }
        if !tokens.keep_their_places() {
            let [rows, columns] = plan.blocks();
            for token in &mut self.chosen[..rows * columns * chosen_count] {
                *token = tokens.places[*token as usize];
            }
        }
        self.chosen_count = chosen_count;
        Ok(())
    }

    fn check(&self, tokens: &PackedTokens, queries: &[f32], outputs: &Outputs) {
        let map = self.plan.map;
        assert!(
            [tokens.heads, tokens.d] == [map.heads, map.d],
            "attention: tokens of {} heads of {} for cells of {} heads of {}",
            tokens.heads,
            tokens.d,
            map.heads,
            map.d
        );
        assert!(
            tokens.valid_count() <= self.capacity,
            "attention: {} tokens, and room for {}",
            tokens.valid_count(),
            self.capacity
        );
        let cells = map.height * map.width;
        let elements = cells * map.heads * map.d;
        assert!(
            queries.len() == elements,
            "attention: {} elements of queries for a map of {map:?}",
            queries.len()
        );
        if let Some(attended) = &outputs.attended {
            assert!(
                tokens.has_values,
                "attention: values are asked for, and the tokens have none"
            );
            assert!(
                attended.len() == elements,
                "attention: {} places for what a map of {map:?} attends to",
                attended.len()
            );
        }
        if let Some(relevance) = &outputs.relevance {
            assert!(
                Some(relevance.len()) == cells.checked_mul(tokens.label_count),
                "attention: {} places for the relevance of {} labels to {cells} cells",
                relevance.len(),
                tokens.label_count
            );
        }
    }
}

/// One run, checked.
#[derive(Clone, Copy)]
pub(super) struct Task<'a> {
    pub plan: Plan,
    /// None where all tokens are chosen; the plan is then one block.
    pub top_k: Option<usize>,
    /// How many tokens a block attends to.
    pub chosen_count: usize,
    pub tokens: &'a PackedTokens,
    pub queries: &'a [f32],
}

impl Task<'_> {
    /// Whether cells share the tokens they attend to.
    #[cfg(target_arch = "aarch64")]
    pub fn is_shared(&self) -> bool {
        self.top_k.is_none() || self.plan.block != [1, 1]
    }
}

/// How a map is cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub map: MapShape,
    pub block: [usize; 2],
}

impl Plan {
    /// The same map in one block.
    pub fn whole(self) -> Plan {
        let MapShape { height, width, .. } = self.map;
        Plan {
            map: self.map,
            block: [height, width],
        }
    }

    pub fn blocks(&self) -> [usize; 2] {
        let MapShape { height, width, .. } = self.map;
        [
            height.div_ceil(self.block[0]),
            width.div_ceil(self.block[1]),
        ]
    }

    /// All blocks, row after row.
    pub fn each_block(self) -> impl Iterator<Item = Block> {
        let [rows, columns] = self.blocks();
        (0..rows * columns).map(move |i| self.block(i))
    }

    /// Block `i`, counted row after row.
    pub fn block(&self, i: usize) -> Block {
        let MapShape { height, width, .. } = self.map;
        let columns = width.div_ceil(self.block[1]);
        let [y, x] = [i / columns * self.block[0], i % columns * self.block[1]];
        Block {
            first: y * width + x,
            rows: self.block[0].min(height - y),
            columns: self.block[1].min(width - x),
            width,
        }
    }

    /// The error that names `cell`.
    pub fn error(&self, cell: usize) -> QueryError {
        QueryError {
            y: cell / self.map.width,
            x: cell % self.map.width,
        }
    }
}

/// A part of the map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    first: usize,
    rows: usize,
    columns: usize,
    width: usize,
}

impl Block {
    /// The places of its cells in the map, row after row.
    pub fn cells(self) -> impl Iterator<Item = usize> {
        (0..self.rows).flat_map(move |y| {
            let first = self.first + y * self.width;
            first..first + self.columns
        })
    }
}

/// What a run needs to write besides its outputs.
#[derive(Clone, Debug)]
pub(super) struct Room {
    /// `[tokens]`
    pub order: Vec<u32>,
    /// `[tokens]`
    pub scores: Vec<f32>,
    /// `[tokens]`
    pub sum_of_weights: Vec<f32>,
    /// A padded cell.
    pub cell: Vec<f32>,
    /// A block's sum.
    pub sum: Vec<f32>,
    /// A quantized cell, or a block's sum.
    pub bytes: Vec<i8>,
}

impl Room {
    fn new(plan: &Plan, capacity: usize) -> Room {
        let row = product(&[plan.map.heads, plan.map.d.next_multiple_of(16)]);
        Room {
            order: vec![0; capacity],
            scores: vec![0.0; capacity],
            sum_of_weights: vec![0.0; capacity],
            cell: vec![0.0; row],
            sum: vec![0.0; row],
            bytes: vec![0; row],
        }
    }
}

pub(super) fn product(sizes: &[usize]) -> usize {
    let product = sizes
        .iter()
        .try_fold(1_usize, |product, &size| product.checked_mul(size));
    product.expect("attention: the sizes of a map multiply beyond what can be addressed")
}
