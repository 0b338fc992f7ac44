//! Pictures made smaller or larger: weighted sums of bytes, down the columns and across the rows.
//!
//! A target byte is `clamp((half + sum of weight * byte) >> precision)`, the sum over the run of its axis, `half` being
//! `2^(precision - 1)`. The two axes are separate calls with bytes between them, so a caller that reads a frame row by row
//! keeps only the rows that one run spans.
//!
//! Down the columns, neighbouring bytes are neighbouring lanes. Across the rows they are not, for a pixel has three of them
//! and each pixel has weights of its own: eight rows are laid side by side first, so that the lanes are rows.
//!
//! Limits: three bytes a pixel across the rows; the filter is the caller's.

#[cfg(target_arch = "aarch64")]
mod lay_8r_neon;
mod lay_scalar;
#[cfg(target_arch = "aarch64")]
mod sums_neon;
mod taps;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "aarch64")]
mod u8_down_64x_neon;
mod u8_down_scalar;
#[cfg(target_arch = "aarch64")]
mod u8x3_across_8r_neon;
mod u8x3_across_scalar;

pub use taps::Taps;

use crate::Isa;

/// Rows that [`resample_across`] takes at a time.
pub const ROWS_ACROSS: usize = 8;

/// One byte of each of [`ROWS_ACROSS`] rows.
pub type Lane = [u8; ROWS_ACROSS];

/// Some rows of a picture.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The rows, from the first byte that is wanted of the first one on.
    pub bytes: &'a [u8],
    /// Bytes from a row to the next.
    pub stride: usize,
    /// Which of the picture's rows is the first.
    pub first: usize,
}

/// Makes one target row: `out[i]` from byte `i` of the source rows of `taps`' target `target`.
///
/// # Panics
///
/// If there is no such target, or its source rows are not all there.
pub fn resample_down(isa: Isa, taps: &Taps, target: usize, rows: Rows<'_>, out: &mut [u8]) {
    let sources = taps.sources(target);
    let start = sources
        .start
        .checked_sub(rows.first)
        .and_then(|row| row.checked_mul(rows.stride));
    let len = rows
        .stride
        .checked_mul(sources.len() - 1)
        .and_then(|last| last.checked_add(out.len()));
    let column = start
        .zip(len)
        .and_then(|(start, len)| rows.bytes.get(start..)?.get(..len));
    let Some(column) = column else {
        panic!(
            "resample_down: rows {sources:?} of {} bytes, of {} bytes at a stride of {} from row {} on",
            out.len(),
            rows.bytes.len(),
            rows.stride,
            rows.first
        );
    };
    match isa {
        Isa::Scalar => {
            u8_down_scalar::run(
                taps.precision(),
                taps.weights(target),
                column,
                rows.stride,
                out,
            );
        }
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(neon) => down_neon(neon, taps, target, column, rows.stride, out),
        #[cfg(target_arch = "aarch64")]
        Isa::DotProd(dotprod) => {
            down_neon(dotprod.neon(), taps, target, column, rows.stride, out);
        }
    }
}

#[cfg(target_arch = "aarch64")]
fn down_neon(
    neon: crate::Neon,
    taps: &Taps,
    target: usize,
    rows: &[u8],
    stride: usize,
    out: &mut [u8],
) {
    let column = u8_down_64x_neon::Column {
        rows,
        stride,
        weights: taps.even_weights(target),
        len: taps.sources(target).len(),
    };
    u8_down_64x_neon::run(neon, taps.precision(), column, out);
}

/// How long the `space` of [`resample_across`] has to be.
pub fn across_space(taps: &Taps) -> usize {
    source_lanes(taps) + 3 * taps.targets()
}

/// Lanes that the source pixels take, and one pixel more: the zero that fills up an odd run's weights meets it.
fn source_lanes(taps: &Taps) -> usize {
    3 * (taps.span().len() + 1)
}

/// Makes up to eight target rows: `rows` is `[8, taps.span().len(), 3]`, of which the first rows are used, and `out` is
/// `[1..=8, taps.targets(), 3]`.
///
/// # Panics
///
/// If a slice has not the length that its shape says, or `space` is not [`across_space`] long.
pub fn resample_across(isa: Isa, taps: &Taps, rows: &[u8], space: &mut [Lane], out: &mut [u8]) {
    let (from, to) = (3 * taps.span().len(), 3 * taps.targets());
    assert!(
        to > 0
            && out.len().is_multiple_of(to)
            && (1..=ROWS_ACROSS).contains(&(out.len() / to))
            && rows.len() == ROWS_ACROSS * from
            && space.len() == across_space(taps),
        "resample_across: {} bytes to {} in {} lanes; rows are of {from} and {to} bytes",
        rows.len(),
        out.len(),
        space.len()
    );
    let (source, target) = space.split_at_mut(source_lanes(taps));
    match isa {
        Isa::Scalar => {
            lay_scalar::beside(rows, &mut source[..from]);
            u8x3_across_scalar::run(taps, source, target);
            lay_scalar::apart(target, out);
        }
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(neon) => across_neon(neon, taps, rows, source, target, out),
        #[cfg(target_arch = "aarch64")]
        Isa::DotProd(dotprod) => across_neon(dotprod.neon(), taps, rows, source, target, out),
    }
}

#[cfg(target_arch = "aarch64")]
fn across_neon(
    neon: crate::Neon,
    taps: &Taps,
    rows: &[u8],
    source: &mut [Lane],
    target: &mut [Lane],
    out: &mut [u8],
) {
    let from = rows.len() / ROWS_ACROSS;
    lay_8r_neon::beside(neon, rows, &mut source[..from]);
    u8x3_across_8r_neon::run(neon, taps, source, target);
    lay_8r_neon::apart(neon, target, out);
}

/// What a sum of bytes times weights is as a byte.
fn byte(sum: i32, precision: u32) -> u8 {
    (sum >> precision).clamp(0, 255) as u8
}
