//! Operators on rows, or on elements in rows: made of a kernel that takes reals and gives as many.

use ocellus_sys::Pool;
use tract_onnx::tract_hir::internal::*;

use crate::region::parts::by_rows;

/// What `kernel` makes of `x`, in rows of `row` elements that threads of `pool` share.
pub(super) fn map(
    pool: &Pool,
    x: &Tensor,
    row: usize,
    kernel: impl Fn(&[f32], &mut [f32]) + Sync,
) -> TractResult<Tensor> {
    let mut y = Tensor::zero::<f32>(x.shape())?;
    let from = x.try_as_plain_ram()?;
    let mut to = y.try_as_plain_ram_mut()?;
    let (from, to) = (from.as_slice::<f32>()?, to.as_slice_mut::<f32>()?);
    if !to.is_empty() {
        ensure!(
            row > 0 && to.len().is_multiple_of(row),
            "{} elements are not rows of {row}",
            to.len()
        );
        by_rows(pool, to.len() / row, 1, to, &mut [], |rows, to, _| {
            kernel(&from[rows.start * row..][..to.len()], to);
        });
    }
    Ok(y)
}
