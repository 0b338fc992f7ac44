//! Panels of the right side of a product: sixteen columns each, the last one eight where that is enough, and zeros where there is
//! none. A panel is `[k, width]`, its `k` whole steps, with rows of zeros behind the last.

use super::{STEP, Strided, WIDEST};

/// Columns of a matrix that are packed together.
#[derive(Clone, Copy)]
pub struct Panel {
    /// The first column.
    pub start: usize,
    /// How many there are, with those of zeros.
    pub width: usize,
    /// How many there are.
    pub live: usize,
}

impl Panel {
    /// The panel's elements of `packed`, of `k` rows.
    pub fn of(self, packed: &[f32], k: usize) -> &[f32] {
        &packed[self.start * k..][..self.width * k]
    }
}

/// The panels of `columns` columns.
pub fn panels(columns: usize) -> impl Iterator<Item = Panel> {
    (0..columns).step_by(WIDEST).map(move |start| {
        let live = (columns - start).min(WIDEST);
        Panel {
            start,
            width: padded(live),
            live,
        }
    })
}

/// The columns of all panels of `columns` columns.
pub fn padded(columns: usize) -> usize {
    columns.next_multiple_of(WIDEST / 2)
}

/// The elements of all panels of a matrix `[k, columns]`.
pub fn packed_len([k, columns]: [usize; 2]) -> usize {
    padded(columns) * k.next_multiple_of(STEP)
}

/// Packs `from`, `[k, columns]`.
pub fn pack(from: Strided, [k, columns]: [usize; 2], to: &mut [f32]) {
    let rows = k.next_multiple_of(STEP);
    for panel in panels(columns) {
        let to = &mut to[panel.start * rows..][..panel.width * rows];
        if panel.live < panel.width {
            to.fill(0.0);
        }
        let (to, zeros) = to.split_at_mut(k * panel.width);
        zeros.fill(0.0);
        if from.column == 1 {
            for (row, to) in to.chunks_exact_mut(panel.width).enumerate() {
                let from = &from.elements[row * from.row + panel.start..];
                match to.first_chunk_mut::<WIDEST>() {
                    Some(to) if panel.live == WIDEST => to.copy_from_slice(&from[..WIDEST]),
                    _ => to[..panel.live].copy_from_slice(&from[..panel.live]),
                }
            }
            continue;
        }
        let mut column = 0;
        while from.row == 1 && column + STEP <= panel.live {
            let start = |i: usize| (panel.start + column + i) * from.column;
            let columns = [0, 1, 2, 3].map(|i| &from.elements[start(i)..][..k]);
            turn(columns, panel.width, &mut to[column..]);
            column += STEP;
        }
        for column in column..panel.live {
            let start = (panel.start + column) * from.column;
            let to = to[column..].iter_mut().step_by(panel.width);
            to.enumerate()
                .for_each(|(row, to)| *to = from.elements[start + row * from.row]);
        }
    }
}

/// Writes four columns, which are as long, to rows `stride` apart.
fn turn(columns: [&[f32]; STEP], stride: usize, to: &mut [f32]) {
    let [a, b, c, d] = columns.map(|column| column.as_chunks::<STEP>());
    let blocks = a.0.iter().zip(b.0).zip(c.0.iter().zip(d.0));
    for (((a, b), (c, d)), to) in blocks.zip(to.chunks_mut(STEP * stride)) {
        for i in 0..STEP {
            to[i * stride..][..STEP].copy_from_slice(&[a[i], b[i], c[i], d[i]]);
        }
    }
    let done = a.0.len() * STEP;
    let rest = a.1.iter().zip(b.1).zip(c.1.iter().zip(d.1)).enumerate();
    for (i, ((a, b), (c, d))) in rest {
        to[(done + i) * stride..][..STEP].copy_from_slice(&[*a, *b, *c, *d]);
    }
}
