//! A run with vectors: all cells are prepared, blocks choose in tiles, then four cells at a time attend.
//!
//! The four are cells of one block, which share their tokens; where a block is one cell they are four blocks, each with
//! its own. A block's last four are filled up with cells whose outputs are not written.

use super::{
    Outputs, QueryError,
    choose_neon::{
        CHUNK, TAKEN, is_threshold_sooner, list_taken, places_of_maxima, take_greatest, threshold,
    },
    plan::Task,
    relevance_neon::add_relevance,
    tokens::PackedTokens,
    vector_room::{Four, Room},
};

/// What an instruction set and a precision do differently.
pub trait Kernel: Copy {
    /// What cells and keys are made of.
    type Element;
    /// Blocks whose scores are computed at a time.
    const BLOCKS: usize;

    /// Checks all cells and turns them into what the kernel reads.
    fn prepare(self, task: &Task, room: &mut Room, is_shared: bool) -> Result<(), QueryError>;

    /// What the `rows` blocks from `first` on choose by: `[rows, row]`.
    fn means<'a>(
        self,
        task: &Task<'a>,
        room: &'a mut Room,
        first: usize,
        rows: usize,
    ) -> &'a [Self::Element];

    /// Writes the scores of `means`, `[rows, row]`, at the tokens to the rows of `out`, which are `out_stride`, a multiple of
    /// sixteen, apart.
    ///
    /// # Safety
    ///
    /// `means` has one row at least and [`BLOCKS`](Self::BLOCKS) at most, and `out` as many of `out_stride`, which is not
    /// below the number of tokens.
    unsafe fn scores(
        self,
        tokens: &PackedTokens,
        means: &[Self::Element],
        out: *mut f32,
        out_stride: usize,
    );

    /// What the sums of products of a group's cells and of the tokens of their lists are multiplied by, to
    /// [`Room::multipliers`].
    fn multiply<const SHARED: bool>(
        self,
        tokens: &PackedTokens,
        room: &mut Room,
        group: usize,
        lists: [&[u32]; 4],
    );

    /// Where the cells of a group are, see [`Cells::cells`].
    fn cells(
        self,
        task: &Task,
        room: &mut Room,
        group: usize,
        four: &Four,
    ) -> [*const Self::Element; 4];

    /// Lets four cells attend: all heads.
    ///
    /// # Safety
    ///
    /// The pointers of `cells` have what they say, lists hold multiples of `row` below that of all tokens, and each strip has
    /// `padded_count` places.
    unsafe fn attend<const SHARED: bool>(
        self,
        tokens: &PackedTokens,
        cells: &Cells<Self::Element>,
        strips: &mut Strips,
    );
}

/// Four cells.
pub struct Cells<Element> {
    /// `[row]` each; where the kernel lets four cells lie together, all are at the first.
    pub cells: [*const Element; 4],
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
    /// Elements of a padded head.
    pub stride: usize,
    pub heads: usize,
    pub d: usize,
}

/// Room for a number for each token and cell.
pub struct Strips<'a> {
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
    let is_shared = task.is_shared();
    kernel.prepare(task, room, is_shared)?;
    choose(kernel, task, chosen, room);
    if let Some(relevance) = &mut outputs.relevance {
        relevance.fill(0.0);
    }
    if outputs.relevance.is_none() && outputs.attended.is_none() {
        return Ok(());
    }
    let count = task.chosen_count;
    let list = |block: usize| &chosen[block * count..][..count];
    for group in 0..room.groups(task) {
        let four = room.four(task, group);
        if is_shared {
            let list = list(four.block);
            if four.is_first {
                room.place_list(task, 0, list);
            }
            kernel.multiply::<true>(task.tokens, room, group, [list; 4]);
            attend::<K, true>(kernel, task, room, (group, &four), &mut outputs);
        } else {
            let lists = four.cells.map(list);
            for (lane, list) in lists.into_iter().enumerate() {
                room.place_list(task, lane, list);
            }
            kernel.multiply::<false>(task.tokens, room, group, lists);
            attend::<K, false>(kernel, task, room, (group, &four), &mut outputs);
        }
    }
    Ok(())
}

fn choose<K: Kernel>(kernel: K, task: &Task, chosen: &mut [u32], room: &mut Room) {
    let count = task.chosen_count;
    let Some(top_k) = task.top_k else {
        for (token, place) in chosen[..count].iter_mut().enumerate() {
            *place = token as u32;
        }
        return;
    };
    let tokens = task.tokens;
    let padded = tokens.valid_count().next_multiple_of(CHUNK);
    let [block_rows, block_columns] = task.plan.blocks();
    let blocks = block_rows * block_columns;
    let mut first = 0;
    while first < blocks {
        // Rows that are left over are spread over the last tiles.
        let tiles = (blocks - first).div_ceil(K::BLOCKS);
        let rows = (blocks - first).div_ceil(tiles);
        let mut score_rows = core::mem::take(&mut room.score_rows);
        let means = kernel.means(task, room, first, rows);
        assert!(means.len() == rows * tokens.row() && score_rows.len() >= rows * padded);
        // SAFETY: means and rows of scores were checked; a row has room for the tokens.
        unsafe { kernel.scores(tokens, means, score_rows.as_mut_ptr(), padded) }
        let maxima = &mut room.maxima[..places_of_maxima(padded)];
        for (i, scores) in score_rows.chunks_exact_mut(padded).take(rows).enumerate() {
            scores[tokens.valid_count()..].fill(TAKEN);
            for &token in &tokens.always {
                scores[token as usize] = TAKEN;
            }
            let chosen = &mut chosen[(first + i) * count..][..count];
            let valid_count = tokens.valid_count();
            // SAFETY: 64-bit ARM is compiled for neon.
            unsafe {
                if is_threshold_sooner(padded, top_k)
                    && let Some(threshold) = threshold(scores, top_k)
                {
                    list_taken::<true>(scores, valid_count, threshold, chosen);
                    continue;
                }
                let (taken, besides) = chosen.split_at_mut(top_k);
                take_greatest(scores, taken, maxima);
                if padded / CHUNK > count {
                    besides.copy_from_slice(&tokens.always);
                    chosen.sort_unstable();
                } else {
                    list_taken::<false>(scores, valid_count, TAKEN, chosen);
                }
            }
        }
        room.score_rows = score_rows;
        first += rows;
    }
}

/// Lets a group of four cells attend to its lists, which are one where `SHARED`.
fn attend<K: Kernel, const SHARED: bool>(
    kernel: K,
    task: &Task,
    room: &mut Room,
    (group, four): (usize, &Four),
    outputs: &mut Outputs,
) {
    let tokens = task.tokens;
    let elements = tokens.heads * tokens.d;
    let count = task.chosen_count;
    let padded_count = count.next_multiple_of(4);
    let places = kernel.cells(task, room, group, four);
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
        cells: places,
        lists: core::array::from_fn(|lane| {
            let at = if SHARED { 0 } else { lane * padded_count };
            room.lists[at..][..padded_count].as_ptr()
        }),
        count,
        padded_count,
        attended,
        live: four.live,
        stride: tokens.stride,
        heads: tokens.heads,
        d: tokens.d,
    };
    let mut strips = Strips {
        multipliers: &mut room.multipliers[..padded_count],
        weights: &mut room.weights[..padded_count],
        sums: outputs.relevance.is_some().then_some(&mut *sums),
        halves: &mut room.halves[..padded_count],
    };
    // SAFETY: the slices above have the lengths that the kernel counts on; `place_list` checked the tokens.
    unsafe { kernel.attend::<SHARED>(tokens, &cells, &mut strips) };
    if let Some(relevance) = &mut outputs.relevance {
        let lists = if SHARED { 1 } else { 4 };
        let grids = &room.grids[..lists * count];
        // SAFETY: 64-bit ARM is compiled for neon.
        unsafe { add_relevance::<SHARED>(task, four, sums, grids, relevance) }
    }
}
