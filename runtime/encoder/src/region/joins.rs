//! Steps that make one value of several: how a product and a concatenation are cut into parts for the threads of a pool.

use std::ops::Range;

use ocellus_kernels::{Isa, MulScales, qs8_mul, qs8_table_rows};
use ocellus_sys::Pool;

use super::parts::by_rows;
use super::program::by_bytes;

/// Writes `a * b` to `to`, image by image. Where `b` has fewer elements they are numbers of channels, which are used for every
/// pixel of their image.
pub(super) fn multiply(
    pool: &Pool,
    isa: Isa,
    scales: &MulScales,
    images: usize,
    [a, b]: [&[i8]; 2],
    to: &mut [i8],
) {
    if a.len() == b.len() {
        return by_bytes(pool, to, |range, to| {
            qs8_mul(isa, scales, &a[range.clone()], &b[range], to)
        });
    }
    let (image, channels) = (to.len() / images, b.len() / images);
    let each = a.chunks_exact(image).zip(b.chunks_exact(channels));
    for ((a, b), to) in each.zip(to.chunks_exact_mut(image)) {
        by_rows(pool, image / channels, 1, to, &mut [], |pixels, to, _| {
            qs8_mul(
                isa,
                scales,
                &a[pixels.start * channels..][..to.len()],
                b,
                to,
            );
        });
    }
}

/// What a concatenation makes of one of its inputs.
#[derive(Debug)]
pub(super) struct Part {
    /// What changes its scale, if that is another.
    pub(super) table: Option<Box<[i8; 256]>>,
    /// Which channels of the whole it becomes.
    pub(super) channels: Range<usize>,
    /// The channels of the whole.
    pub(super) width: usize,
    pub(super) from: Range<usize>,
}

impl Part {
    /// Puts the input `from` in its place in every pixel of `to`.
    pub(super) fn put(&self, pool: &Pool, isa: Isa, from: &[i8], to: &mut [i8]) {
        let (first, columns) = (self.channels.start, self.channels.len());
        let pixels = from.len() / columns;
        by_rows(pool, pixels, 1, to, &mut [], |pixels, to, _| {
            let from = &from[pixels.start * columns..pixels.end * columns];
            let to = &mut to[first..];
            if let Some(table) = &self.table {
                return qs8_table_rows(isa, table, (from, columns), (to, self.width));
            }
            for (from, to) in from.chunks_exact(columns).zip(to.chunks_mut(self.width)) {
                to[..columns].copy_from_slice(from);
            }
        });
    }
}
