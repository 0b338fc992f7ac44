//! A run with vectors: all cells become bytes, blocks choose in tiles, then four cells at a time attend.
//!
//! The four are cells of one block, which share their tokens; where a block is one cell they are four blocks, each with
//! its own. A block's last four are filled up with cells of zeros, whose outputs are not written.

use super::{
    Outputs, QueryError,
    attention_scalar::pad,
    choose_neon::{CHUNK, list_marks, mark_greatest},
    exp_neon::Exp,
    plan::Task,
    query_neon::{Layout, Sum, quantize_cells, quantize_sum},
    tokens::{Keys, PackedTokens},
    vector_room::{Four, Room},
};

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
    /// `[heads, d]` of each cell; those that are not live have the place of the last that is.
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
    let groups = room.groups(task);
    quantize::<K>(task, room, groups, is_shared)?;
    choose(kernel, task, chosen, room, is_shared);
    if let Some(relevance) = &mut outputs.relevance {
        relevance.fill(0.0);
    }
    if outputs.relevance.is_none() && outputs.attended.is_none() {
        return Ok(());
    }
    let count = task.chosen_count;
    let list = |block: usize| &chosen[block * count..][..count];
    for group in 0..groups {
        let four = room.four(task, group);
        if is_shared {
            let list = list(four.block);
            if four.is_first {
                room.place_list(task, 0, list);
            }
            room.multiply::<true>(multipliers, group, [list; 4]);
            attend::<K, true>(kernel, task, room, (group, &four), [list; 4], &mut outputs);
        } else {
            let lists = four.cells.map(list);
            for (lane, list) in lists.into_iter().enumerate() {
                room.place_list(task, lane, list);
            }
            room.multiply::<false>(multipliers, group, lists);
            attend::<K, false>(kernel, task, room, (group, &four), lists, &mut outputs);
        }
    }
    Ok(())
}

/// Turns all cells into bytes, and the sums of the blocks where they choose and have more than one cell.
fn quantize<K: Kernel>(
    task: &Task,
    room: &mut Room,
    groups: usize,
    is_shared: bool,
) -> Result<(), QueryError> {
    let layout = if is_shared {
        K::SHARED_LAYOUT
    } else {
        Layout::Rows
    };
    let is_summed = is_shared && task.top_k.is_some();
    let is_padded = task.tokens.stride != task.tokens.d;
    let row = task.tokens.row();
    for group in 0..groups {
        let four = room.four(task, group);
        if is_padded {
            for lane in 0..four.live {
                pad(task, four.cells[lane], &mut room.cells[lane * row..][..row]);
            }
        }
        let mut cells = [&room.zeros[..row]; 4];
        for (lane, query) in cells.iter_mut().enumerate().take(four.live) {
            *query = match is_padded {
                true => &room.cells[lane * row..][..row],
                false => &task.queries[four.cells[lane] * row..][..row],
            };
        }
        let sum = match (is_summed, four.is_first) {
            (false, _) => Sum::None,
            (true, true) => Sum::Start(&mut room.sum[..row]),
            (true, false) => Sum::Add(&mut room.sum[..row]),
        };
        let bytes = &mut room.bytes[group * 4 * row..][..4 * row];
        // SAFETY: 64-bit ARM is compiled for neon.
        let (scales, sum_top) = unsafe { quantize_cells(cells, sum, layout, bytes) }
            .map_err(|lane| task.plan.error(four.cells[lane]))?;
        room.scales[group] = scales;
        if is_summed && four.is_last {
            let mean = &mut room.means[four.block * row..][..row];
            // SAFETY: as above.
            unsafe { quantize_sum(&room.sum[..row], sum_top, mean) }
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
    (group, four): (usize, &Four),
    lists: [&[u32]; 4],
    outputs: &mut Outputs,
) {
    let tokens = task.tokens;
    let (row, elements) = (tokens.row(), tokens.heads * tokens.d);
    let count = task.chosen_count;
    let padded_count = count.next_multiple_of(4);
    let sums = &mut room.sums[..padded_count];
    sums.fill([0.0; 4]);
    let attended = outputs.attended.as_mut().map(|attended| {
        assert!(
            four.cells
                .iter()
                .all(|cell| (cell + 1) * elements <= attended.len())
        );
        let start = attended.as_mut_ptr();
        four.cells.map(|cell| start.wrapping_add(cell * elements))
    });
    let cells = Cells {
        bytes: room.bytes[group * 4 * row..][..4 * row].as_ptr(),
        lists: core::array::from_fn(|lane| {
            let at = if SHARED { 0 } else { lane * padded_count };
            room.lists[at..][..padded_count].as_ptr()
        }),
        count,
        padded_count,
        attended,
        live: four.live,
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
    if SHARED && four.live == 4 {
        assert!(four.cells.iter().all(|&cell| cell < cell_count));
        for (sums, &token) in sums.iter().zip(lists[0]) {
            let label = tokens.labels[token as usize] as usize;
            for (cell, sum) in four.cells.into_iter().zip(sums) {
                // SAFETY: labels are below their count, as cells are, and the relevance has a place for each of both.
                let place = unsafe { relevance.get_unchecked_mut(label * cell_count + cell) };
                *place += sum * share;
            }
        }
        return;
    }
    for (t, sums) in sums[..count].iter().enumerate() {
        for lane in 0..four.live {
            let list = if SHARED { lists[0] } else { lists[lane] };
            let label = tokens.labels[list[t] as usize] as usize;
            relevance[label * cell_count + four.cells[lane]] += sums[lane] * share;
        }
    }
}
