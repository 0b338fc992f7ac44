//! Random cases of attention. [`tiers`] holds every instruction set to the specification, [`exact`] the specification to plain
//! arithmetic in f64, [`faults`] what goes in and out at the doors.

mod exact;
mod faults;
mod tiers;

use super::*;
use crate::Isa;
use crate::harness::{Guarded, Place, isas};

/// A linear congruential generator (Knuth's MMIX constants).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as u32
    }

    /// Below `end`.
    fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end
    }

    /// In -1..1, more often small.
    fn real(&mut self) -> f32 {
        let mut unit = || self.next() as f32 / (1 << 23) as f32 - 1.0;
        unit() * unit()
    }

    fn reals(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.real()).collect()
    }
}

#[derive(Clone, Debug)]
struct Case {
    map: MapShape,
    block: [usize; 2],
    top_k: usize,
    l: usize,
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    labels: Vec<u32>,
    label_count: usize,
    valid: Vec<bool>,
    always: Vec<bool>,
    scale: f32,
}

impl Case {
    /// `[height, width, heads, d]`, `[block height, block width]`, `[l, top_k]`; every token is valid, none always chosen.
    fn new(map: [usize; 4], block: [usize; 2], [l, top_k]: [usize; 2], seed: u64) -> Case {
        let mut random = Random(seed);
        let [height, width, heads, d] = map;
        let label_count = l.div_ceil(3);
        Case {
            map: MapShape {
                height,
                width,
                heads,
                d,
            },
            block,
            top_k,
            l,
            queries: random.reals(height * width * heads * d),
            keys: random.reals(l * heads * d),
            values: random.reals(l * heads * d),
            labels: (0..l).map(|_| random.below(label_count) as u32).collect(),
            label_count,
            valid: vec![true; l],
            always: vec![false; l],
            scale: 4.0 / (d as f32).sqrt(),
        }
    }

    /// Some tokens are padding, some always chosen, some both.
    fn with_marks(mut self, seed: u64) -> Case {
        let mut random = Random(seed);
        for t in 0..self.l {
            self.valid[t] = random.below(4) != 0;
            self.always[t] = random.below(5) == 0;
        }
        let kept = random.below(self.l);
        self.valid[kept] = true;
        self
    }

    fn pack(&self, isa: Isa, precision: Precision) -> Result<PackedTokens, TokensError> {
        let MapShape { heads, d, .. } = self.map;
        let tokens = Tokens {
            shape: [self.l, heads, d],
            keys: &self.keys,
            values: Some(&self.values),
            labels: &self.labels,
            label_count: self.label_count,
            valid: &self.valid,
            always: &self.always,
            scale: self.scale,
        };
        PackedTokens::new(isa, precision, tokens)
    }

    fn attention(&self) -> BlockAttention {
        BlockAttention::new(self.map, self.block, self.top_k, self.l)
    }

    fn cells(&self) -> usize {
        self.map.height * self.map.width
    }

    fn run(&self, isa: Isa, precision: Precision) -> Answer {
        let tokens = self.pack(isa, precision).expect("sound tokens");
        let mut attention = self.attention();
        let queries = Guarded::new(&self.queries, Place::BeforeGuard);
        let mut attended = Guarded::new(&vec![f32::NAN; queries.len()], Place::BeforeGuard);
        let places = vec![f32::NAN; self.label_count * self.cells()];
        let mut relevance = Guarded::new(&places, Place::BeforeGuard);
        let outputs = Outputs {
            attended: Some(&mut attended),
            relevance: Some(&mut relevance),
        };
        attention
            .run(&tokens, &queries, outputs)
            .expect("sound cells");
        let [rows, columns] = attention.blocks();
        Answer {
            attended: attended.to_vec(),
            relevance: relevance.to_vec(),
            chosen: (0..rows * columns)
                .map(|block| attention.chosen(block).to_vec())
                .collect(),
        }
    }

    /// The greatest magnitude of a valid value.
    fn value_bound(&self) -> f32 {
        let row = self.map.heads * self.map.d;
        let values = self.values.chunks_exact(row).zip(&self.valid);
        let values = values.filter(|(_, valid)| **valid).flat_map(|(row, _)| row);
        values.fold(0.0, |bound, v| bound.max(v.abs()))
    }

    /// The block of a cell, counted row after row.
    fn block_of(&self, cell: usize) -> usize {
        let columns = self.map.width.div_ceil(self.block[1]);
        let [y, x] = [cell / self.map.width, cell % self.map.width];
        y / self.block[0] * columns + x / self.block[1]
    }
}

#[derive(Debug, PartialEq)]
struct Answer {
    attended: Vec<f32>,
    relevance: Vec<f32>,
    chosen: Vec<Vec<u32>>,
}
