//! The memory of a run with vectors, and which cells go together.

use super::{
    choose_neon::CHUNK,
    plan::{Plan, Task, product},
};
use alloc::{vec, vec::Vec};

/// Up to four cells that are computed together.
#[derive(Clone, Copy, Debug)]
pub struct Four {
    /// Their places in the map; the last is repeated.
    pub cells: [usize; 4],
    /// How many they are.
    pub live: usize,
    /// The block they are of.
    pub block: usize,
    /// Whether they are the first or the last of the block.
    pub is_first: bool,
    pub is_last: bool,
}

impl Four {
    /// All cells of all blocks, in order.
    fn all(plan: &Plan) -> Vec<Four> {
        let mut fours = Vec::new();
        for (i, block) in plan.each_block().enumerate() {
            let mut cells = block.cells();
            let first = fours.len();
            while let Some(cell) = cells.next() {
                let mut four = Four {
                    cells: [cell; 4],
                    live: 1,
                    block: i,
                    is_first: fours.len() == first,
                    is_last: false,
                };
                for cell in cells.by_ref().take(3) {
                    four.cells[four.live..].fill(cell);
                    four.live += 1;
                }
                fours.push(four);
            }
            if let Some(last) = fours.last_mut() {
                last.is_last = true;
            }
        }
        fours
    }
}

/// What a run needs to write besides its outputs.
#[derive(Clone, Debug)]
pub struct Room {
    /// The cells of the blocks.
    fours: Vec<Four>,
    /// The cells of the map.
    whole: Vec<Four>,
    /// `[groups of four cells, 4, row]`, in the layout of the kernel.
    pub bytes: Vec<i8>,
    /// `[groups]`
    pub scales: Vec<[f32; 4]>,
    /// `[4, row]`: cells with their padding.
    pub cells: Vec<f32>,
    /// `[row]`: a block's sum.
    pub sum: Vec<f32>,
    /// `[4, row]`: sums of four blocks.
    pub sums_of_cells: Vec<f32>,
    /// `[blocks, row]`
    pub means: Vec<i8>,
    /// `[MOST_BLOCKS, tokens]`
    pub score_rows: Vec<f32>,
    /// `[chunks of tokens]`
    pub maxima: Vec<f32>,
    /// `[4, tokens]`: where chosen tokens begin
    pub lists: Vec<usize>,
    /// `[4, chosen tokens]`: where the grids of their labels begin
    pub grids: Vec<usize>,
    /// `[tokens]`, see [`Strips`](super::vector::Strips).
    pub multipliers: Vec<[f32; 4]>,
    pub weights: Vec<[f32; 4]>,
    pub sums: Vec<[f32; 4]>,
    pub halves: Vec<[u16; 4]>,
}

/// The most blocks whose scores any kernel computes at a time.
const MOST_BLOCKS: usize = 6;

impl Room {
    pub fn new(plan: &Plan, capacity: usize) -> Room {
        let map = plan.map;
        let row = product(&[map.heads, map.d.next_multiple_of(16)]);
        let tokens = capacity.next_multiple_of(CHUNK);
        let chunks = tokens / CHUNK;
        let [rows, columns] = plan.blocks();
        let fours = Four::all(plan);
        let whole = Four::all(&plan.whole());
        let groups = fours.len().max(whole.len());
        Room {
            fours,
            whole,
            bytes: vec![0; product(&[groups, 4, row])],
            scales: vec![[0.0; 4]; groups],
            cells: vec![0.0; product(&[4, row])],
            sum: vec![0.0; row],
            sums_of_cells: vec![0.0; product(&[4, row])],
            means: vec![0; product(&[rows, columns, row])],
            score_rows: vec![0.0; product(&[MOST_BLOCKS, tokens])],
            maxima: vec![0.0; chunks.next_multiple_of(CHUNK)],
            lists: vec![0; product(&[4, tokens])],
            grids: vec![0; product(&[4, tokens])],
            multipliers: vec![[0.0; 4]; tokens],
            weights: vec![[0.0; 4]; tokens],
            sums: vec![[0.0; 4]; tokens],
            halves: vec![[0; 4]; tokens],
        }
    }

    /// How many groups of four cells a run has.
    pub fn groups(&self, task: &Task) -> usize {
        self.list_of_fours(task).len()
    }

    /// A group.
    pub fn four(&self, task: &Task, group: usize) -> Four {
        self.list_of_fours(task)[group]
    }

    /// Where blocks are single cells, four of them go together.
    fn list_of_fours(&self, task: &Task) -> &[Four] {
        match (task.top_k, task.plan.block) {
            (None, _) | (_, [1, 1]) => &self.whole,
            _ => &self.fours,
        }
    }

    /// Writes where the chosen tokens and the grids of their labels begin to the given lane's lists, and repeats the last token
    /// up to a multiple of four.
    pub fn place_list(&mut self, task: &Task, lane: usize, chosen: &[u32]) {
        let (row, count) = (task.tokens.row(), task.tokens.valid_count());
        let cell_count = task.plan.map.height * task.plan.map.width;
        let labels = &task.tokens.labels[..count];
        let padded = chosen.len().next_multiple_of(4);
        let to = &mut self.lists[lane * padded..][..padded];
        let grids = &mut self.grids[lane * chosen.len()..][..chosen.len()];
        let mut last = 0;
        for ((place, grid), &token) in to.iter_mut().zip(grids).zip(chosen) {
            let token = token as usize;
            // A token that is not there would be a panic here.
            *grid = labels[token] as usize * cell_count;
            last = token * row;
            *place = last;
        }
        to[chosen.len()..].fill(last);
    }
}
