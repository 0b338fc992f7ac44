//! How a product is cut: blocks of rows that stay in the first-level cache, tiles of nearly equal height in a block.

/// The rows of a block, of `rows` in all: whole tiles of `tile` rows, as many blocks of about `block_bytes` as there are in
/// rows of `row_bytes`, and nearly equal. A block more loads all weights once more, so a few rows have none of their
/// own.
pub fn block_rows(rows: usize, row_bytes: usize, block_bytes: usize, tile: usize) -> usize {
    let bytes = rows.saturating_mul(row_bytes);
    let blocks = bytes.saturating_add(block_bytes / 2) / block_bytes;
    rows.div_ceil(blocks.max(1))
        .next_multiple_of(tile)
        .max(tile)
}

/// Cuts `rows` into as few tiles of at most `tile` rows as there can be, each `(first, rows)`, whose heights differ by
/// one at most: a last tile of a single row would load the weights for hardly any work.
pub fn tiles(rows: usize, tile: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = rows.div_ceil(tile);
    let (low, taller) = (rows / count.max(1), rows % count.max(1));
    (0..count).map(move |i| (i * low + i.min(taller), low + usize::from(i < taller)))
}

/// The tiles of [`tiles`] as runs of equal ones, at most two: `(rows of a tile, tiles)`.
pub fn runs_of_tiles(rows: usize, tile: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = rows.div_ceil(tile);
    let (low, taller) = (rows / count.max(1), rows % count.max(1));
    [(low + 1, taller), (low, count - taller)]
        .into_iter()
        .filter(|&(_, tiles)| tiles > 0)
}

/// Tiles of rows one below the other, as assembly takes them.
#[cfg(target_arch = "aarch64")]
pub struct Tiles {
    /// The first tile's first row.
    pub a: *const i8,
    pub a_stride: usize,
    pub out: *mut i8,
    pub out_stride: usize,
    pub count: usize,
}

#[cfg(target_arch = "aarch64")]
impl Tiles {
    /// Row `r` of the first tile.
    pub fn row(&self, r: usize) -> *const i8 {
        self.a.wrapping_add(r * self.a_stride)
    }

    /// The same of the output.
    pub fn out_row(&self, r: usize) -> *mut i8 {
        self.out.wrapping_add(r * self.out_stride)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_every_row_once() {
        for tile in 1..=8 {
            for rows in 0..100 {
                let mut next = 0;
                for (first, height) in tiles(rows, tile) {
                    assert_eq!(first, next);
                    assert!((1..=tile).contains(&height));
                    next += height;
                }
                assert_eq!(next, rows);
                let heights = runs_of_tiles(rows, tile)
                    .flat_map(|(height, count)| core::iter::repeat_n(height, count));
                assert!(heights.eq(tiles(rows, tile).map(|(_, height)| height)));
            }
        }
    }

    #[test]
    fn blocks_are_whole_tiles_and_nearly_equal() {
        assert_eq!(block_rows(12_544, 112, 24 * 1024, 6), 222);
        assert_eq!(block_rows(49, 1600, 64 * 1024, 6), 54);
        assert_eq!(block_rows(100, 1 << 20, 1024, 6), 6);
        assert_eq!(block_rows(0, 0, 1024, 6), 6);
        assert_eq!(block_rows(usize::MAX / 8, usize::MAX, 1024, 4) % 4, 0);
    }
}
