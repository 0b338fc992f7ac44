//! A convolution shared by threads: all of it, or some rows of it where a band of its input is at hand.

use std::ops::Range;

use ocellus_kernels::{PackedDepthwise, PackedGemm, Share};
use ocellus_sys::Pool;

use super::parts::{by_columns, by_rows, is_cut_by_columns};
use super::store::Kernel;

/// `size` is the height and width of the input, `rows` the height of the output. Each thread has its part of `scratch`.
pub(super) fn convolve(
    pool: &Pool,
    kernel: &Kernel,
    (images, size, rows): (usize, [usize; 2], usize),
    from: &[i8],
    to: &mut [i8],
    scratch: &mut [i8],
) {
    let (source, target) = (from.len() / images, to.len() / images);
    let each = from.chunks_exact(source).zip(to.chunks_exact_mut(target));
    match kernel {
        Kernel::Pointwise(gemm) => multiply(pool, gemm, from, to),
        Kernel::Dense(conv) => each.for_each(|(from, to)| {
            by_rows(pool, rows, 1, to, scratch, |rows, to, scratch| {
                conv.run(from, size, rows, to, scratch);
            });
        }),
        Kernel::Depthwise(conv) => {
            each.for_each(|(from, to)| match conv.share(rows, pool.threads()) {
                Share::Rows(unit) => by_rows(pool, rows, unit, to, scratch, |rows, to, scratch| {
                    conv.run(from, size, rows, to, scratch);
                }),
                Share::Channels => by_columns(pool, channels(conv), to, scratch, |to, scratch| {
                    conv.run_channels((from, size), 0..rows, to, scratch);
                }),
            })
        }
    }
}

/// The same for the output rows `rows` of one image, where `band` has the input rows `held`, those under them among them; of
/// a dense convolution all of them.
pub(super) fn convolve_band(
    pool: &Pool,
    kernel: &Kernel,
    (band, held): (&[i8], Range<usize>),
    (size, rows): ([usize; 2], Range<usize>),
    to: &mut [i8],
    scratch: &mut [i8],
) {
    let (first, count) = (rows.start, rows.len());
    let those = |part: Range<usize>| first + part.start..first + part.end;
    match kernel {
        Kernel::Pointwise(gemm) => {
            let row = gemm.shape()[1] * size[1];
            let from = &band[(first - held.start) * row..][..count * row];
            multiply(pool, gemm, from, to);
        }
        Kernel::Dense(conv) => by_rows(pool, count, 1, to, scratch, |part, to, scratch| {
            conv.run(band, size, those(part), to, scratch);
        }),
        Kernel::Depthwise(conv) => match conv.share(count, pool.threads()) {
            Share::Rows(unit) => by_rows(pool, count, unit, to, scratch, |part, to, scratch| {
                conv.run_band((band, held.clone()), size, those(part), to, scratch);
            }),
            Share::Channels => by_columns(pool, channels(conv), to, scratch, |to, scratch| {
                conv.run_band_channels((band, held.clone()), size, rows.clone(), to, scratch);
            }),
        },
    }
}

/// The product of all rows of `from`.
fn multiply(pool: &Pool, gemm: &PackedGemm, from: &[i8], to: &mut [i8]) {
    let [n, k] = gemm.shape();
    let m = from.len() / k;
    match is_cut_by_columns(pool.threads(), [m, n]) {
        true => by_columns(pool, (n, PackedGemm::COLUMNS), to, &mut [], |to, _| {
            gemm.run_columns((from, k), to);
        }),
        false => by_rows(pool, m, 1, to, &mut [], |rows, to, _| {
            gemm.run(&from[rows.start * k..], k, rows.len(), to, n);
        }),
    }
}

/// How many channels there are, and where they are cut.
fn channels(conv: &PackedDepthwise) -> (usize, usize) {
    (conv.channels(), PackedDepthwise::CHANNELS)
}
