//! What a value of a typed graph is to a region: a map of bytes, and what these mean; and what its node is called in the file.

use ocellus_kernels::Affine;
use tract_onnx::tract_hir::internal::*;

use crate::quant::Scale;
use crate::region::constant::shifted;

/// `[n, c, h, w]`, each at least 1.
pub(in crate::region) type Nchw = [usize; 4];

/// What `scale` means for integers of type `datum_type`, shifted to signed bytes; nothing where there is a scale per
/// channel.
pub(crate) fn affine(scale: &Scale, datum_type: DatumType) -> Option<Affine> {
    let &[(scale, zero_point)] = scale.pairs() else {
        return None;
    };
    let zero_point = match datum_type {
        DatumType::U8 => shifted(u8::try_from(zero_point).ok()?),
        DatumType::I8 => i8::try_from(zero_point).ok()?,
        _ => return None,
    };
    Some(Affine { scale, zero_point })
}

/// The shape of `outlet`, if it is a batch of maps of known size, or of rows, which are maps of one pixel. Sequences are
/// batches of rows.
pub(in crate::region) fn nchw(model: &TypedModel, outlet: OutletId) -> Option<Nchw> {
    let shape = match *model.outlet_fact(outlet).ok()?.shape.as_concrete()? {
        [n, c] => [n, c, 1, 1],
        [n, length, c] => [n.checked_mul(length)?, c, 1, 1],
        [n, c, h, w] => [n, c, h, w],
        _ => return None,
    };
    shape.iter().all(|&size| size > 0).then_some(shape)
}

/// The name in the file of the node called `name`, which the engine made with one of `suffixes`.
pub(in crate::region) fn onnx_name(name: &str, suffixes: &[&str]) -> String {
    let stem = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix));
    stem.unwrap_or(name).to_owned()
}

/// The name in the file of the node called `name`, one of several that the engine made and numbered.
pub(in crate::region) fn without_number(name: &str) -> String {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match name.rsplit_once('.') {
        Some((stem, number)) if is_number(number) => stem.to_owned(),
        _ => name.to_owned(),
    }
}
