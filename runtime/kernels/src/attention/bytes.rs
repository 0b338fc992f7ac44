//! A map whose cells become bytes, for the kernels that multiply those.

use super::{
    QueryError,
    attention_scalar::pad,
    plan::Task,
    query_neon::{Layout, Sum, quantize_cells, quantize_sum},
    tokens::{Keys, PackedTokens},
    vector_room::Room,
};

/// Turns all cells into bytes, and the sums of the blocks where they choose and have more than one cell. Cells that share their
/// tokens lie as `layout` says, others as rows.
pub fn quantize_map(
    task: &Task,
    room: &mut Room,
    layout: Layout,
    is_shared: bool,
) -> Result<(), QueryError> {
    let layout = if is_shared { layout } else { Layout::Rows };
    let is_summed = is_shared && task.top_k.is_some();
    let is_padded = task.tokens.stride != task.tokens.d;
    let row = task.tokens.row();
    let cell_count = task.plan.map.height * task.plan.map.width;
    assert!(is_padded || task.queries.len() == cell_count * row);
    for group in 0..room.groups(task) {
        let four = room.four(task, group);
        let mut cells = [core::ptr::null(); 4];
        for (lane, place) in cells.iter_mut().enumerate().take(four.live) {
            let cell = four.cells[lane];
            debug_assert!(cell < cell_count);
            *place = match is_padded {
                true => {
                    let padded = &mut room.cells[lane * row..][..row];
                    pad(task, cell, padded);
                    padded.as_ptr()
                }
                // Cells are of the map.
                false => task.queries.as_ptr().wrapping_add(cell * row),
            };
        }
        let sum = match (is_summed, four.is_first) {
            (false, _) => Sum::None,
            (true, true) => Sum::Start(&mut room.sum[..row]),
            (true, false) => Sum::Add(&mut room.sum[..row]),
        };
        let bytes = &mut room.bytes[group * 4 * row..][..4 * row];
        // SAFETY: 64-bit ARM is compiled for neon, and each live cell has `row` elements.
        let (scales, sum_top) = unsafe { quantize_cells(cells, four.live, sum, layout, bytes) }
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

/// The bytes that the `rows` blocks from `first` on choose by.
pub fn means<'a>(task: &Task, room: &'a Room, first: usize, rows: usize) -> &'a [i8] {
    let row = task.tokens.row();
    let means = if task.is_shared() {
        &room.means
    } else {
        &room.bytes
    };
    &means[first * row..][..rows * row]
}

/// Where the bytes of a group's cells are, as rows; the first is where they begin in any layout.
pub fn cells(task: &Task, room: &Room, group: usize) -> [*const i8; 4] {
    let row = task.tokens.row();
    let bytes = &room.bytes[group * 4 * row..][..4 * row];
    [0, 1, 2, 3].map(|lane| bytes[lane * row..].as_ptr())
}

/// The products of the scales of four cells and of their tokens.
pub fn multiply<const SHARED: bool>(
    tokens: &PackedTokens,
    room: &mut Room,
    group: usize,
    lists: [&[u32]; 4],
) {
    let Keys::Int8 { multipliers, .. } = &tokens.keys else {
        unreachable!("keys in f32 have no scales")
    };
    let scales = room.scales[group];
    let count = lists[0].len();
    let places = &mut room.multipliers[..count.next_multiple_of(4)];
    // SAFETY: `place_list` looked for each token.
    let multiplier = |token: u32| unsafe { *multipliers.get_unchecked(token as usize) };
    if SHARED {
        for (place, &token) in places.iter_mut().zip(lists[0]) {
            let multiplier = multiplier(token);
            *place = scales.map(|scale| scale * multiplier);
        }
    } else {
        let [a, b, c, d] = lists.map(|list| &list[..count]);
        for (t, place) in places[..count].iter_mut().enumerate() {
            let products = [a[t], b[t], c[t], d[t]].map(multiplier);
            *place = core::array::from_fn(|lane| scales[lane] * products[lane]);
        }
    }
    let last = places[count - 1];
    places[count..].fill(last);
}
