//! A run with vectors: all cells become bytes, blocks choose in tiles, then four cells at a time attend.
//!
//! The four are cells of one block, which share their tokens; where a block is one cell they are four blocks, each with
//! its own. A block's last four are filled up with cells of zeros, whose outputs are not written.

use super::{
    Outputs, QueryError,
    choose_neon::{CHUNK, list_marks, mark_greatest},
    exp_neon::Exp,
    plan::{Plan, Task, product},
    query_neon::{Layout, Sum, quantize_cells, quantize_sum},
    tokens::{Keys, PackedTokens},
};
use alloc::{vec, vec::Vec};

/// What an instruction set does differently.
pub trait Kernel: Copy {
    /// Blocks whose scores are computed at a time.
    const BLOCKS: usize;
    /// How the bytes of four cells lie that share tokens.
    const SHARED_LAYOUT: Layout;

    /// Writes the scores of the first `rows` means, `[rows, row]`, at the tokens to the rows of `out`, which are `out_stride`, a
    /// multiple of sixteen, apart.
    ///
    /// # Safety
    ///
    /// `means` has `rows` rows, at most [`BLOCKS`](Self::BLOCKS), and `out` as many of `out_stride`, which is not below
    /// the number of tokens.
    unsafe fn scores(
        self,
        tokens: &PackedTokens,
        means: *const i8,
        rows: usize,
        out: *mut f32,
        out_stride: usize,
    );

    /// Lets four cells attend: all heads.
    ///
    /// # Safety
    ///
    /// The pointers of `cells` have what they say, lists hold multiples of `row` below that of all tokens, and each strip has
    /// `padded_count` places.
    unsafe fn attend<const SHARED: bool>(
        self,
        tokens: &PackedTokens,
        cells: &Cells,
        strips: &mut Strips,
    );
}

/// Four cells.
pub struct Cells {
    /// `[4, row]`, in the kernel's layout.
    pub bytes: *const i8,
    /// `[padded_count]`: where the tokens of each cell begin in elements of keys or values, the same list four times where
    /// they share it.
    pub lists: [*const usize; 4],
    /// How many tokens there are.
    pub count: usize,
    /// The same, rounded up to four; the last token is repeated.
    pub padded_count: usize,
    /// `[heads, d]` of each cell that is live.
    pub attended: Option<[*mut f32; 4]>,
    /// How many of the four have outputs.
    pub live: usize,
    /// Elements of a padded token.
    pub row: usize,
    /// Elements of a padded head.
    pub stride: usize,
    pub heads: usize,
    pub d: usize,
}

/// Room for a number for each token and cell.
pub struct Strips<'a> {
    /// The constants of the softmax.
    pub exp: &'a Exp,
    /// `[padded_count]`: what a sum of products is multiplied by.
    pub multipliers: &'a mut [[f32; 4]],
    /// `[padded_count]`: scores, then weights, of one head.
    pub weights: &'a mut [[f32; 4]],
    /// `[padded_count]`: the weights of all heads added up, where they are wanted.
    pub sums: Option<&'a mut [[f32; 4]]>,
    /// `[padded_count]`: weights in half precision.
    pub halves: &'a mut [[u16; 4]],
}

/// See [`BlockAttention::run`](super::BlockAttention::run), which checked everything.
pub fn run<K: Kernel>(
    kernel: K,
    task: &Task,
    chosen: &mut [u32],
    room: &mut Room,
    mut outputs: Outputs,
) -> Result<(), QueryError> {
    let Keys::Int8 { multipliers, .. } = &task.tokens.keys else {
        unreachable!("keys in f32 have no bytes to multiply")
    };
    let is_shared = task.top_k.is_none() || task.plan.block != [1, 1];
    quantize::<K>(task, room, is_shared)?;
    choose(kernel, task, chosen, room, is_shared);
    if let Some(relevance) = &mut outputs.relevance {
        relevance.fill(0.0);
    }
    if outputs.relevance.is_none() && outputs.attended.is_none() {
        return Ok(());
    }
    let count = task.chosen_count;
    let list = |block: usize| &chosen[block * count..][..count];
    if is_shared {
        let mut group = 0;
        for (i, block) in task.plan.each_block().enumerate() {
            room.place_list(task, 0, list(i));
            let mut cells = block.cells();
            while let Some(four) = next_four(&mut cells) {
                room.multiply::<true>(multipliers, group, [list(i); 4]);
                attend::<K, true>(kernel, task, room, group, four, [list(i); 4], &mut outputs);
                group += 1;
            }
        }
        return Ok(());
    }
    let cell_count = task.plan.map.height * task.plan.map.width;
    let mut cells = 0..cell_count;
    let mut group = 0;
    while let Some(four) = next_four(&mut cells) {
        let lists = four.0.map(list);
        for lane in 0..4 {
            room.place_list(task, lane, lists[lane]);
        }
        room.multiply::<false>(multipliers, group, lists);
        attend::<K, false>(kernel, task, room, group, four, lists, &mut outputs);
        group += 1;
    }
    Ok(())
}

/// Up to four cells, and how many they are; the last is repeated.
fn next_four(cells: &mut impl Iterator<Item = usize>) -> Option<([usize; 4], usize)> {
    let mut four = [cells.next()?; 4];
    for live in 1..4 {
        match cells.next() {
            Some(cell) => four[live..].fill(cell),
            None => return Some((four, live)),
        }
    }
    Some((four, 4))
}

fn quantize<K: Kernel>(task: &Task, room: &mut Room, is_shared: bool) -> Result<(), QueryError> {
    let layout = if is_shared {
        K::SHARED_LAYOUT
    } else {
        Layout::Rows
    };
    let is_summed = is_shared && task.top_k.is_some();
    let row = task.tokens.row();
    let mut group = 0;
    let mut quantize_four =
        |room: &mut Room, (four, live): ([usize; 4], usize), sum: Option<usize>| {
            let Room {
                bytes,
                scales,
                cells,
                zeros,
                sum: sums,
                ..
            } = room;
            if task.tokens.stride != task.tokens.d {
                for lane in 0..live {
                    super::attention_scalar::pad(task, four[lane], &mut cells[lane * row..][..row]);
                }
            }
            let cells = core::array::from_fn(|lane| match lane < live {
                false => &zeros[..row],
                true if task.tokens.stride != task.tokens.d => &cells[lane * row..][..row],
                true => &task.queries[four[lane] * row..][..row],
            });
            let sum = match sum {
                None => Sum::None,
                Some(0) => Sum::Start(&mut sums[..row]),
                Some(_) => Sum::Add(&mut sums[..row]),
            };
            let bytes = &mut bytes[group * 4 * row..][..4 * row];
            // SAFETY: 64-bit ARM is compiled for neon.
            match unsafe { quantize_cells(cells, sum, layout, bytes) } {
                Err(lane) => Err(task.plan.error(four[lane])),
                Ok((four_scales, sum_top)) => {
                    scales[group] = four_scales;
                    group += 1;
                    Ok(sum_top)
                }
            }
        };
    if !is_shared {
        let cell_count = task.plan.map.height * task.plan.map.width;
        let mut cells = 0..cell_count;
        while let Some(four) = next_four(&mut cells) {
            quantize_four(room, four, None)?;
        }
        return Ok(());
    }
    for (i, block) in task.plan.each_block().enumerate() {
        let mut cells = block.cells();
        let mut top = 0;
        let mut of_block = 0;
        while let Some(four) = next_four(&mut cells) {
            top = quantize_four(room, four, is_summed.then_some(of_block))?;
            of_block += 1;
        }
        if is_summed {
            let mean = &mut room.means[i * row..][..row];
            // SAFETY: 64-bit ARM is compiled for neon.
            unsafe { quantize_sum(&room.sum[..row], top, mean) }
        }
    }
    Ok(())
}

fn choose<K: Kernel>(kernel: K, task: &Task, chosen: &mut [u32], room: &mut Room, is_shared: bool) {
    let count = task.chosen_count;
    let Some(top_k) = task.top_k else {
        for (token, place) in chosen[..count].iter_mut().enumerate() {
            *place = token as u32;
        }
        return;
    };
    let tokens = task.tokens;
    let row = tokens.row();
    let padded = tokens.valid_count().next_multiple_of(CHUNK);
    let chunks = padded / CHUNK;
    let [block_rows, block_columns] = task.plan.blocks();
    let blocks = block_rows * block_columns;
    let means = if is_shared { &room.means } else { &room.bytes };
    let score_rows = &mut room.score_rows[..K::BLOCKS * padded];
    let maxima = &mut room.maxima[..chunks.next_multiple_of(4)];
    let marks = &mut room.marks[..chunks];
    let mut first = 0;
    while first < blocks {
        // Rows that are left over are spread over the last tiles.
        let tiles = (blocks - first).div_ceil(K::BLOCKS);
        let rows = (blocks - first).div_ceil(tiles);
        assert!(means.len() >= (first + rows) * row);
        // SAFETY: means and rows of scores were checked; a row has room for the tokens.
        unsafe {
            kernel.scores(
                tokens,
                means.as_ptr().add(first * row),
                rows,
                score_rows.as_mut_ptr(),
                padded,
            );
        }
        for (i, scores) in score_rows.chunks_exact_mut(padded).take(rows).enumerate() {
            scores[tokens.valid_count()..].fill(f32::NEG_INFINITY);
            marks.fill(0);
            for &token in &tokens.always {
                scores[token as usize] = f32::NEG_INFINITY;
                marks[token as usize / CHUNK] |= 1 << (token as usize % CHUNK);
            }
            let chosen = &mut chosen[(first + i) * count..][..count];
            // SAFETY: 64-bit ARM is compiled for neon.
            unsafe { mark_greatest(scores, top_k, maxima, marks) };
            list_marks(marks, chosen);
        }
        first += rows;
    }
}

/// Lets a group of four cells attend to its lists, which are one where `SHARED`.
fn attend<K: Kernel, const SHARED: bool>(
    kernel: K,
    task: &Task,
    room: &mut Room,
    group: usize,
    (four, live): ([usize; 4], usize),
    lists: [&[u32]; 4],
    outputs: &mut Outputs,
) {
    let tokens = task.tokens;
    let (row, elements) = (tokens.row(), tokens.heads * tokens.d);
    let count = task.chosen_count;
    let padded_count = count.next_multiple_of(4);
    let sums = &mut room.sums[..padded_count];
    sums.fill([0.0; 4]);
    let attended = outputs
        .attended
        .as_mut()
        .map(|attended| four.map(|cell| attended[cell * elements..][..elements].as_mut_ptr()));
    let cells = Cells {
        bytes: room.bytes[group * 4 * row..][..4 * row].as_ptr(),
        lists: core::array::from_fn(|lane| {
            let at = if SHARED { 0 } else { lane * padded_count };
            room.lists[at..][..padded_count].as_ptr()
        }),
        count,
        padded_count,
        attended,
        live,
        row,
        stride: tokens.stride,
        heads: tokens.heads,
        d: tokens.d,
    };
    // SAFETY: 64-bit ARM is compiled for neon.
    let exp = unsafe { Exp::new() };
    let mut strips = Strips {
        exp: &exp,
        multipliers: &mut room.multipliers[..padded_count],
        weights: &mut room.weights[..padded_count],
        sums: outputs.relevance.is_some().then_some(&mut *sums),
        halves: &mut room.halves[..padded_count],
    };
    // SAFETY: the slices above have the lengths that the kernel counts on; `place_list` checked the tokens.
    unsafe { kernel.attend::<SHARED>(tokens, &cells, &mut strips) };
    let Some(relevance) = &mut outputs.relevance else {
        return;
    };
    let cell_count = task.plan.map.height * task.plan.map.width;
    let share = 1.0 / tokens.heads as f32;
    for t in 0..count {
        if SHARED {
            let label = tokens.labels[lists[0][t] as usize] as usize;
            let places = &mut relevance[label * cell_count..][..cell_count];
            for (cell, sum) in four.iter().zip(&sums[t]).take(live) {
                places[*cell] += sum * share;
            }
            continue;
        }
        for lane in 0..live {
            let label = tokens.labels[lists[lane][t] as usize] as usize;
            relevance[label * cell_count + four[lane]] += sums[t][lane] * share;
        }
    }
}

/// What a run needs to write besides its outputs.
#[derive(Clone, Debug)]
pub struct Room {
    /// `[groups of four cells, 4, row]`, in the layout of the kernel.
    bytes: Vec<i8>,
    /// `[groups]`
    scales: Vec<[f32; 4]>,
    /// `[4, row]`: cells with their padding.
    cells: Vec<f32>,
    /// `[row]`: a cell that is not there.
    zeros: Vec<f32>,
    /// `[row]`: a block's sum.
    sum: Vec<f32>,
    /// `[blocks, row]`
    means: Vec<i8>,
    /// `[MOST_BLOCKS, tokens]`
    score_rows: Vec<f32>,
    /// `[chunks of tokens]`
    maxima: Vec<f32>,
    /// `[chunks of tokens]`
    marks: Vec<u16>,
    /// `[4, tokens]`: where chosen tokens begin
    lists: Vec<usize>,
    /// `[tokens]`, see [`Strips`].
    multipliers: Vec<[f32; 4]>,
    weights: Vec<[f32; 4]>,
    sums: Vec<[f32; 4]>,
    halves: Vec<[u16; 4]>,
}

/// The most blocks whose scores any kernel computes at a time.
const MOST_BLOCKS: usize = 6;

impl Room {
    pub fn new(plan: &Plan, capacity: usize) -> Room {
        let map = plan.map;
        let row = product(&[map.heads, map.d.next_multiple_of(16)]);
        let tokens = capacity.next_multiple_of(CHUNK);
        let chunks = tokens / CHUNK;
        let cells = product(&[map.height, map.width]);
        let [rows, columns] = plan.blocks();
        // A run over all tokens takes cells of the whole map by fours, as does one whose blocks are single cells.
        let of_blocks = match plan.block {
            [1, 1] => 0,
            _ => plan
                .each_block()
                .map(|block| block.cells().count().div_ceil(4))
                .sum(),
        };
        let groups = cells.div_ceil(4).max(of_blocks);
        Room {
            bytes: vec![0; product(&[groups, 4, row])],
            scales: vec![[0.0; 4]; groups],
            cells: vec![0.0; product(&[4, row])],
            zeros: vec![0.0; row],
            sum: vec![0.0; row],
            means: vec![0; product(&[rows, columns, row])],
            score_rows: vec![0.0; product(&[MOST_BLOCKS, tokens])],
            maxima: vec![0.0; chunks.next_multiple_of(4)],
            marks: vec![0; chunks],
            lists: vec![0; product(&[4, tokens])],
            multipliers: vec![[0.0; 4]; tokens],
            weights: vec![[0.0; 4]; tokens],
            sums: vec![[0.0; 4]; tokens],
            halves: vec![[0; 4]; tokens],
        }
    }

    /// Writes where the chosen tokens begin to the given lane's list, and repeats the last up to a multiple of four.
    fn place_list(&mut self, task: &Task, lane: usize, chosen: &[u32]) {
        let (row, count) = (task.tokens.row(), task.tokens.valid_count());
        let padded = chosen.len().next_multiple_of(4);
        let to = &mut self.lists[lane * padded..][..padded];
        let mut last = 0;
        for (place, &token) in to.iter_mut().zip(chosen) {
            assert!((token as usize) < count, "attention: a token is not there");
            last = token as usize * row;
            *place = last;
        }
        to[chosen.len()..].fill(last);
    }

    /// The products of the scales of four cells and of their tokens.
    fn multiply<const SHARED: bool>(
        &mut self,
        multipliers: &[f32],
        group: usize,
        lists: [&[u32]; 4],
    ) {
        let scales = self.scales[group];
        let count = lists[0].len();
        let places = &mut self.multipliers[..count.next_multiple_of(4)];
        if SHARED {
            for (place, &token) in places.iter_mut().zip(lists[0]) {
                let multiplier = multipliers[token as usize];
                *place = scales.map(|scale| scale * multiplier);
            }
        } else {
            for (t, place) in places[..count].iter_mut().enumerate() {
                for lane in 0..4 {
                    place[lane] = scales[lane] * multipliers[lists[lane][t] as usize];
                }
            }
        }
        let last = places[count - 1];
        places[count..].fill(last);
    }
}
