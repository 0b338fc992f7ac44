//! Constant tensors: shape and data agree, and stay within the limits.
//!
//! A tensor's data stands either in `raw_data` or in a list of its type (`float_data`, `int32_data`, ...). Whatever the
//! shape and the element type need must be there to the byte, in the one place where the engine looks for it.
//!
//! Limits: strings, complex numbers, bfloat16 and types below 8 bits are refused, and so is data outside the file.

use std::fmt;

use super::Tally;
use super::wire::{Reader, Span};
use crate::{Fault, Limit};

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Element {
    F32,
    U8,
    I8,
    U16,
    I16,
    I32,
    I64,
    Bool,
    F16,
    F64,
    U32,
    U64,
}

impl Element {
    /// The element type of an ONNX `TensorProto.DataType`, where it is one that the engine reads.
    pub(super) fn from_onnx(data_type: i32) -> Option<Element> {
        Some(match data_type {
            1 => Element::F32,
            2 => Element::U8,
            3 => Element::I8,
            4 => Element::U16,
            5 => Element::I16,
            6 => Element::I32,
            7 => Element::I64,
            9 => Element::Bool,
            10 => Element::F16,
            11 => Element::F64,
            12 => Element::U32,
            13 => Element::U64,
            _ => return None,
        })
    }

    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            Element::U8 | Element::I8 | Element::Bool => 1,
            Element::U16 | Element::I16 | Element::F16 => 2,
            Element::F32 | Element::I32 | Element::U32 => 4,
            Element::I64 | Element::F64 | Element::U64 => 8,
        }
    }

    /// What `int32_data` may hold for this type: `f16` as its bits.
    fn int32_range(self) -> Option<std::ops::RangeInclusive<i64>> {
        Some(match self {
            Element::U8 => 0..=0xff,
            Element::I8 => -0x80..=0x7f,
            Element::U16 | Element::F16 => 0..=0xffff,
            Element::I16 => -0x8000..=0x7fff,
            Element::I32 => i64::from(i32::MIN)..=i64::from(i32::MAX),
            Element::Bool => 0..=1,
            _ => return None,
        })
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Element::F32 => "f32",
            Element::U8 => "u8",
            Element::I8 => "i8",
            Element::U16 => "u16",
            Element::I16 => "i16",
            Element::I32 => "i32",
            Element::I64 => "i64",
            Element::Bool => "bool",
            Element::F16 => "f16",
            Element::F64 => "f64",
            Element::U32 => "u32",
            Element::U64 => "u64",
        })
    }
}

/// A constant tensor that has been checked; its data stays in the file.
#[derive(Clone, Debug)]
pub(super) struct TensorInfo<'a> {
    pub(super) name: &'a str,
    pub(super) element: Element,
    pub(super) dims: Vec<usize>,
    message: Span<'a>,
}

/// How many elements each place for data holds.
#[derive(Default)]
struct Stored {
    raw_bytes: usize,
    float: usize,
    int32: usize,
    int64: usize,
    double: usize,
    uint64: usize,
}

const MESSAGE: &str = "TensorProto";

impl<'a> TensorInfo<'a> {
    /// Checks the tensor in `span`.
    pub(super) fn scan(span: Span<'a>, tally: &mut Tally) -> Result<TensorInfo<'a>, Fault> {
        tally.part()?;
        let (name, data_type, dims) = header(span, tally)?;
        let element = Element::from_onnx(data_type).ok_or_else(|| Fault::Unsupported {
            place: format!("tensor {name}"),
            what: format!("element type {data_type} of TensorProto is"),
            remedy: "export with f32, i64, u8, i8 or i32 tensors",
        })?;
        let (dims, count) = checked_shape(name, &dims, element, tally)?;
        let stored = stored(span, name, element)?;
        check_length(name, element, count, &stored)?;
        Ok(TensorInfo {
            name,
            element,
            dims,
            message: span,
        })
    }

    /// The number of elements.
    pub(super) fn count(&self) -> usize {
        self.dims.iter().product()
    }

    /// The elements of an f32 tensor.
    pub(super) fn f32s(&self) -> Result<Vec<f32>, Fault> {
        let mut values = Vec::new();
        let mut reader = Reader::new(self.message, MESSAGE);
        while let Some(field) = reader.next()? {
            if matches!(field.number, 4 | 9) {
                field.each_f32(|value| values.push(value))?;
            }
        }
        Ok(values)
    }

    /// The elements of a u8, i8 or i32 tensor.
    pub(super) fn i64s(&self) -> Result<Vec<i64>, Fault> {
        let mut values = Vec::new();
        let mut reader = Reader::new(self.message, MESSAGE);
        while let Some(field) = reader.next()? {
            match field.number {
                5 => field.each_varint(|value| {
                    values.push(value);
                    Ok(())
                })?,
                9 => {
                    let raw = field.span()?.bytes;
                    match self.element {
                        Element::I8 => {
                            values.extend(raw.iter().map(|byte| i64::from(byte.cast_signed())))
                        }
                        Element::I32 => {
                            let words = raw.as_chunks::<4>().0.iter();
                            values.extend(words.map(|word| i64::from(i32::from_le_bytes(*word))));
                        }
                        _ => values.extend(raw.iter().map(|byte| i64::from(*byte))),
                    }
                }
                _ => {}
            }
        }
        Ok(values)
    }
}

/// Name, element type and dimensions, and that the data is in the file.
fn header<'a>(span: Span<'a>, tally: &mut Tally) -> Result<(&'a str, i32, Vec<i64>), Fault> {
    let (mut name, mut data_type, mut dims) = (None, None, Vec::new());
    let (mut external, mut segmented, mut location) = (false, false, None);
    let mut reader = Reader::new(span, MESSAGE);
    while let Some(field) = reader.next()? {
        match field.number {
            1 => field.each_varint(|dim| {
                tally.part()?;
                dims.push(dim);
                Ok(())
            })?,
            2 => field.once(&mut data_type, field.int32()?)?,
            3 => segmented = true,
            8 => field.once(&mut name, field.text()?)?,
            12 => drop(field.text()?),
            13 => external = true,
            14 => field.once(&mut location, field.int32()?)?,
            _ => {}
        }
    }
    let name = name.unwrap_or_default();
    let unsupported = |what: &str, remedy| Fault::Unsupported {
        place: format!("tensor {name}"),
        what: what.to_owned(),
        remedy,
    };
    if external || location.is_some_and(|location| location != 0) {
        return Err(unsupported(
            "data outside the file is",
            "save the model as one file, with `save_as_external_data=False`",
        ));
    }
    if segmented {
        return Err(unsupported(
            "data in segments is",
            "export the model again as one file",
        ));
    }
    let data_type = data_type.ok_or_else(|| Fault::Missing {
        place: format!("tensor {name}"),
        part: "data_type",
    })?;
    Ok((name, data_type, dims))
}

/// The shape as sizes, and its number of elements.
fn checked_shape(
    name: &str,
    dims: &[i64],
    element: Element,
    tally: &Tally,
) -> Result<(Vec<usize>, u64), Fault> {
    let place = || format!("tensor {name}");
    tally.check(dims.len(), Limit::Rank, place)?;
    let mut shape = Vec::with_capacity(dims.len());
    for (axis, &dim) in dims.iter().enumerate() {
        shape.push(usize::try_from(dim).map_err(|_| Fault::NegativeDimension {
            tensor: name.to_owned(),
            axis,
            got: dim,
        })?);
    }
    let bytes = shape
        .iter()
        .try_fold(element.bytes(), |product, &dim| product.checked_mul(dim))
        // A zero anywhere makes the product zero, whatever overflowed before it.
        .or_else(|| shape.contains(&0).then_some(0))
        .unwrap_or(usize::MAX);
    tally.check(bytes, Limit::Tensor, place)?;
    Ok((shape, bytes as u64 / element.bytes() as u64))
}

/// Counts the data in each place, and holds small integers against their type.
fn stored(span: Span<'_>, name: &str, element: Element) -> Result<Stored, Fault> {
    let mut stored = Stored::default();
    let mut raw = None;
    let range = element.int32_range();
    let mut reader = Reader::new(span, MESSAGE);
    while let Some(field) = reader.next()? {
        match field.number {
            4 => field.each_f32(|_| stored.float += 1)?,
            5 => field.each_varint(|value| {
                if range.as_ref().is_some_and(|range| !range.contains(&value)) {
                    return Err(Fault::DataRange {
                        tensor: name.to_owned(),
                        index: stored.int32,
                        got: value,
                        element: element.to_string(),
                    });
                }
                stored.int32 += 1;
                Ok(())
            })?,
            7 => field.each_varint(|_| {
                stored.int64 += 1;
                Ok(())
            })?,
            9 => field.once(&mut raw, field.span()?.bytes.len())?,
            10 => stored.double += field.count_f64()?,
            11 => field.each_varint(|_| {
                stored.uint64 += 1;
                Ok(())
            })?,
            _ => {}
        }
    }
    stored.raw_bytes = raw.unwrap_or_default();
    Ok(stored)
}

fn check_length(name: &str, element: Element, count: u64, stored: &Stored) -> Result<(), Fault> {
    let listed = match element {
        Element::F32 => stored.float,
        Element::F64 => stored.double,
        Element::I64 => stored.int64,
        Element::U32 | Element::U64 => stored.uint64,
        _ => stored.int32,
    };
    let all = stored.float + stored.int32 + stored.int64 + stored.double + stored.uint64;
    let (unit, expected, got) = match stored.raw_bytes {
        0 => ("elements", count, listed),
        bytes => ("bytes", count * element.bytes() as u64, bytes),
    };
    if expected != got as u64 {
        return Err(Fault::DataLength {
            tensor: name.to_owned(),
            unit,
            expected,
            got: got as u64,
        });
    }
    let surplus = if stored.raw_bytes == 0 {
        all - listed
    } else {
        all
    };
    if surplus > 0 {
        return Err(Fault::DataLength {
            tensor: name.to_owned(),
            unit: "elements in a second place",
            expected: 0,
            got: surplus as u64,
        });
    }
    // The engine looks for unsigned words in the lists of signed ones.
    if matches!(element, Element::U32 | Element::U64) && listed > 0 {
        return Err(Fault::Unsupported {
            place: format!("tensor {name}"),
            what: format!("{element} data outside raw_data is"),
            remedy: "export with i64 tensors",
        });
    }
    Ok(())
}
