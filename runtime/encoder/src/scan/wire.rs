//! Reads protobuf's wire format: fields of a number and a value, nothing else.
//!
//! It is a reader of its own because it has to be stricter than the engine's decoder, which allocates while it reads.
//! This one borrows, allocates nothing and stops at the first byte that is wrong. Specification:
//! protobuf.dev/programming-guides/encoding.
//!
//! Limits: groups, which proto2 deprecated and ONNX never used, are refused.

use crate::Fault;

/// A range of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span<'a> {
    pub(super) bytes: &'a [u8],
    /// Where it starts in the file.
    pub(super) offset: usize,
}

/// The fields of one message, in file order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    span: Span<'a>,
    at: usize,
    message: &'static str,
}

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub(super) number: u32,
    value: Value<'a>,
    offset: usize,
    message: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    Varint(u64),
    Fixed64,
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Reader<'a> {
    pub(super) fn new(span: Span<'a>, message: &'static str) -> Reader<'a> {
        Reader {
            span,
            at: 0,
            message,
        }
    }

    /// The next field, or nothing at the end of the message.
    pub(super) fn next(&mut self) -> Result<Option<Field<'a>>, Fault> {
        if self.at == self.span.bytes.len() {
            return Ok(None);
        }
        let start = self.at;
        let key = self.varint()?;
        let number = match u32::try_from(key >> 3) {
            Ok(number @ 1..=0x1fff_ffff) => number,
            _ => return Err(self.wrong(start, "a field number is out of range")),
        };
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed64)?,
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            5 => {
                let mut bits = [0; 4];
                bits.copy_from_slice(self.take(4)?);
                Value::Fixed32(u32::from_le_bytes(bits))
            }
            3 | 4 => return Err(self.wrong(start, "groups are not part of ONNX")),
            _ => return Err(self.wrong(start, "a wire type is unknown")),
        };
        let offset = match value {
            Value::Bytes(bytes) => self.span.offset + self.at - bytes.len(),
            _ => self.span.offset + start,
        };
        Ok(Some(Field {
            number,
            value,
            offset,
            message: self.message,
        }))
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        let start = self.at;
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            if shift == 63 && byte > 1 {
                return Err(self.wrong(start, "a number has more than 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.wrong(start, "a number has more than 64 bits"))
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Fault> {
        let left = &self.span.bytes[self.at..];
        match usize::try_from(length)
            .ok()
            .and_then(|length| left.get(..length))
        {
            Some(taken) => {
                self.at += taken.len();
                Ok(taken)
            }
            None => Err(Fault::Truncated {
                message: self.message,
                offset: self.span.offset + self.at,
                needed: length,
                left: left.len(),
            }),
        }
    }

    fn wrong(&self, at: usize, why: &'static str) -> Fault {
        Fault::Encoding {
            message: self.message,
            offset: self.span.offset + at,
            why,
        }
    }
}

impl<'a> Field<'a> {
    pub(super) fn span(self) -> Result<Span<'a>, Fault> {
        match self.value {
            Value::Bytes(bytes) => Ok(Span {
                bytes,
                offset: self.offset,
            }),
            _ => Err(self.wrong("a field that should hold bytes holds a number")),
        }
    }

    pub(super) fn message(self, message: &'static str) -> Result<Reader<'a>, Fault> {
        Ok(Reader::new(self.span()?, message))
    }

    pub(super) fn text(self) -> Result<&'a str, Fault> {
        std::str::from_utf8(self.span()?.bytes).map_err(|_| self.wrong("a name is not UTF-8"))
    }

    pub(super) fn int64(self) -> Result<i64, Fault> {
        match self.value {
            Value::Varint(value) => Ok(value.cast_signed()),
            _ => Err(self.wrong("a field that should hold an integer does not")),
        }
    }

    pub(super) fn int32(self) -> Result<i32, Fault> {
        i32::try_from(self.int64()?).map_err(|_| self.wrong("a number does not fit 32 bits"))
    }

    /// Each integer of a repeated field, packed or not.
    pub(super) fn each_varint(
        self,
        mut each: impl FnMut(i64) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        match self.value {
            Value::Varint(value) => each(value.cast_signed()),
            Value::Bytes(bytes) => {
                let span = Span {
                    bytes,
                    offset: self.offset,
                };
                let mut packed = Reader::new(span, self.message);
                while packed.at < bytes.len() {
                    each(packed.varint()?.cast_signed())?;
                }
                Ok(())
            }
            _ => Err(self.wrong("a list of integers holds something else")),
        }
    }

    /// Each f32 of a repeated field, packed or not.
    pub(super) fn each_f32(self, mut each: impl FnMut(f32)) -> Result<(), Fault> {
        match self.value {
            Value::Fixed32(bits) => each(f32::from_bits(bits)),
            Value::Bytes(bytes) => {
                let (whole, rest) = bytes.as_chunks::<4>();
                if !rest.is_empty() {
                    return Err(self.wrong("a list of f32 ends within a number"));
                }
                whole
                    .iter()
                    .for_each(|bytes| each(f32::from_le_bytes(*bytes)));
            }
            _ => return Err(self.wrong("a list of f32 holds something else")),
        }
        Ok(())
    }

    /// How many f64 a repeated field holds, packed or not.
    pub(super) fn count_f64(self) -> Result<usize, Fault> {
        match self.value {
            Value::Fixed64 => Ok(1),
            Value::Bytes(bytes) if bytes.len().is_multiple_of(8) => Ok(bytes.len() / 8),
            _ => Err(self.wrong("a list of f64 holds something else")),
        }
    }

    /// Puts `value` where nothing may be yet. A decoder merges repeated messages and keeps the last of repeated
    /// numbers; refusing both leaves no room for two readings of one file.
    pub(super) fn once<T>(self, place: &mut Option<T>, value: T) -> Result<(), Fault> {
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err(self.wrong("a field occurs twice that may occur once")),
        }
    }

    fn wrong(self, why: &'static str) -> Fault {
        Fault::Encoding {
            message: self.message,
            offset: self.offset,
            why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(bytes: &[u8]) -> Result<Vec<u32>, Fault> {
        let mut reader = Reader::new(Span { bytes, offset: 100 }, "Test");
        let mut numbers = Vec::new();
        while let Some(field) = reader.next()? {
            numbers.push(field.number);
        }
        Ok(numbers)
    }

    #[test]
    fn reads_every_wire_type() {
        let bytes = [
            0x08, 0x96, 0x01, // 1: varint 150
            0x11, 0, 0, 0, 0, 0, 0, 0, 0, // 2: fixed 64
            0x1a, 0x02, b'h', b'i', // 3: bytes
            0x25, 0, 0, 0x80, 0x3f, // 4: fixed 32
        ];
        assert_eq!(fields(&bytes), Ok(vec![1, 2, 3, 4]));
    }

    #[test]
    fn the_largest_varint_is_read_and_a_larger_one_refused() {
        let largest = [
            0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
        ];
        let mut reader = Reader::new(
            Span {
                bytes: &largest,
                offset: 0,
            },
            "Test",
        );
        let field = reader.next().expect("valid").expect("one field");
        assert_eq!(field.int64(), Ok(-1));

        for last in [0x02, 0x80] {
            let mut larger = largest;
            larger[10] = last;
            let fault = fields(&larger).expect_err("65 bits");
            assert!(
                matches!(fault, Fault::Encoding { offset: 101, why, .. } if why.contains("64 bits")),
                "{fault}"
            );
        }
    }

    #[test]
    fn a_cut_field_says_where() {
        let fault = fields(&[0x0a, 0x05, b'a', b'b']).expect_err("3 bytes short");
        assert_eq!(
            fault,
            Fault::Truncated {
                message: "Test",
                offset: 102,
                needed: 5,
                left: 2
            }
        );
        assert!(matches!(fields(&[0x80]), Err(Fault::Truncated { .. })));
        assert!(matches!(
            fields(&[0x0d, 0, 0]),
            Err(Fault::Truncated {
                needed: 4,
                left: 2,
                ..
            })
        ));
    }

    #[test]
    fn field_number_zero_groups_and_unknown_wire_types_are_refused() {
        for (bytes, why) in [
            (&[0x00, 0x00][..], "field number"),
            (&[0x0b][..], "groups"),
            (&[0x0f][..], "wire type"),
            (
                &[0xf8, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00][..],
                "field number",
            ),
        ] {
            match fields(bytes) {
                Err(Fault::Encoding { why: got, .. }) => assert!(got.contains(why), "{got}"),
                other => panic!("{bytes:x?}: {other:?}"),
            }
        }
    }
}
