//! Examples as bytes: what a device keeps from one start to the next.
//!
//! ```text
//! "ocellus\0examples"  16 bytes
//! version              u32, all numbers little-endian
//! bundle               32 bytes, the SHA-256 of its manifest
//! resolution           u32
//! channels             u32
//! labels               u32
//! for each label:      u32 and as many bytes of UTF-8; u32 examples, and for each f32 scale, i8 [channels]
//! checksum             32 bytes, the SHA-256 of all before
//! ```
//!
//! The checksum is looked at before the contents: what a power cut or a bad card left is damage, not a mistake of some
//! field. Whoever keeps the bytes in a file replaces it whole; see `docs/teach.md`.

use super::{Examples, ExamplesError, Key, MAX_EXAMPLES, TaughtLabel};
use crate::bundle::Bundle;
use ocellus_language::Labels;
use sha2::{Digest, Sha256};

const MAGIC: &[u8; 16] = b"ocellus\0examples";
const VERSION: u32 = 1;
const HASH: usize = 32;

impl Examples {
    /// The examples as bytes; of equal examples they are equal.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let number = |bytes: &mut Vec<u8>, n: usize| bytes.extend((n as u32).to_le_bytes());
        number(&mut bytes, VERSION as usize);
        bytes.extend(from_hex(&self.bundle));
        number(&mut bytes, self.resolution as usize);
        number(&mut bytes, self.dimension);
        number(&mut bytes, self.labels.len());
        for taught in &self.labels {
            number(&mut bytes, taught.label.len());
            bytes.extend(taught.label.bytes());
            number(&mut bytes, taught.keys.len());
            for key in &taught.keys {
                bytes.extend(key.scale.to_le_bytes());
                bytes.extend(key.elements.iter().map(|&element| element as u8));
            }
        }
        let checksum = Sha256::digest(&bytes);
        bytes.extend(checksum);
        bytes
    }

    /// Examples from their bytes, for the bundle that they were taught with.
    ///
    /// # Errors
    /// [`ExamplesError::NotExamples`], [`ExamplesError::Version`], [`ExamplesError::Damaged`],
    /// [`ExamplesError::OtherBundle`].
    pub fn read(bundle: &Bundle, bytes: &[u8]) -> Result<Examples, ExamplesError> {
        Examples::none(bundle).filled(bytes)
    }

    /// None yet, filled with what bytes hold.
    fn filled(mut self, bytes: &[u8]) -> Result<Examples, ExamplesError> {
        let mut rest = Rest(bytes);
        let magic = rest.take(MAGIC.len()).ok();
        if magic != Some(MAGIC) {
            let got = match bytes.is_empty() {
                true => "nothing".into(),
                false => format!("{} other bytes", bytes.len()),
            };
            return Err(ExamplesError::NotExamples { got });
        }
        let got = rest.number()?;
        if got != VERSION {
            return Err(ExamplesError::Version {
                expected: VERSION,
                got,
            });
        }
        let whole = rest.0.len().checked_sub(HASH);
        let whole = whole.ok_or_else(|| damaged(format!("{} bytes", bytes.len())))?;
        let (contents, checksum) = rest.0.split_at(whole);
        if Sha256::digest(&bytes[..bytes.len() - HASH])[..] != *checksum {
            return Err(damaged(format!(
                "{} bytes of another checksum",
                bytes.len()
            )));
        }
        let mut rest = Rest(contents);
        let got = to_hex(rest.take(HASH)?);
        if got != *self.bundle {
            return Err(ExamplesError::OtherBundle {
                expected: self.bundle.to_string(),
                got,
            });
        }
        // The same manifest, so the same numbers.
        let space = (rest.number()?, rest.number()? as usize);
        if space != (self.resolution, self.dimension) {
            return Err(damaged(format!("keys {space:?}")));
        }
        let count = rest.number()?;
        for _ in 0..count {
            let taught = self.label(&mut rest)?;
            self.labels.push(taught);
        }
        match rest.0.len() {
            0 => Ok(self),
            more => Err(damaged(format!("{more} bytes too many"))),
        }
    }

    fn label(&self, rest: &mut Rest<'_>) -> Result<TaughtLabel, ExamplesError> {
        let length = rest.number()? as usize;
        let text = std::str::from_utf8(rest.take(length)?);
        let text = text.map_err(|_| damaged("a label that is not UTF-8".into()))?;
        let checked = Labels::new(vec![text.into()]);
        if checked.map_or(true, |labels| labels.as_slice()[0] != text)
            || self.position(text).is_some()
        {
            return Err(damaged(format!("the label {text:?}")));
        }
        let count = rest.number()? as usize;
        if count == 0 || count > MAX_EXAMPLES - self.len() {
            return Err(damaged(format!("{count} examples of {text:?}")));
        }
        let keys = (0..count).map(|_| {
            let scale = f32::from_le_bytes(rest.four()?);
            let elements = rest.take(self.dimension)?;
            let elements: Vec<i8> = elements.iter().map(|&byte| byte as i8).collect();
            let sane = scale.is_finite()
                && scale > 0.0
                && !elements.contains(&i8::MIN)
                && elements.iter().any(|&element| element != 0);
            match sane {
                true => Ok(Key { elements, scale }),
                false => Err(damaged(format!("a key of {text:?}"))),
            }
        });
        Ok(TaughtLabel {
            label: text.into(),
            keys: keys.collect::<Result<_, _>>()?,
        })
    }
}

/// Bytes that are still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], ExamplesError> {
        let taken = self.0.split_at_checked(count);
        let (taken, rest) = taken.ok_or_else(|| damaged("an early end".into()))?;
        self.0 = rest;
        Ok(taken)
    }

    fn four(&mut self) -> Result<[u8; 4], ExamplesError> {
        let bytes = self.take(4)?;
        Ok([bytes[0], bytes[1], bytes[2], bytes[3]])
    }

    fn number(&mut self) -> Result<u32, ExamplesError> {
        Ok(u32::from_le_bytes(self.four()?))
    }
}

fn damaged(what: String) -> ExamplesError {
    ExamplesError::Damaged { what }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a bundle's hash, which is hexadecimal.
fn from_hex(text: &str) -> impl Iterator<Item = u8> + '_ {
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap_or(0) as u8;
    text.as_bytes()
        .chunks(2)
        .map(move |pair| digit(pair[0]) << 4 | digit(pair[1]))
}

#[cfg(test)]
mod tests {
    use super::{super::tests::examples, *};

    /// None yet of the bundle that the examples are of.
    fn none() -> Examples {
        Examples {
            labels: Vec::new(),
            ..examples()
        }
    }

    /// Bytes with a change, and the checksum that fits them.
    fn forged(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = examples().to_bytes();
        bytes.truncate(bytes.len() - HASH);
        change(&mut bytes);
        let checksum = Sha256::digest(&bytes);
        bytes.extend(checksum);
        bytes
    }

    #[test]
    fn bytes_are_the_examples_again() {
        for examples in [examples(), none()] {
            let bytes = examples.to_bytes();
            assert_eq!(none().filled(&bytes), Ok(examples));
        }
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_found() {
        let bytes = examples().to_bytes();
        for length in 0..bytes.len() {
            let error = none().filled(&bytes[..length]).unwrap_err();
            assert!(!error.to_string().is_empty());
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x10;
            assert!(none().filled(&bytes).is_err(), "byte {at}");
        }
        let longer = [&bytes[..], b"x"].concat();
        assert!(matches!(
            none().filled(&longer),
            Err(ExamplesError::Damaged { .. })
        ));
    }

    #[test]
    fn what_the_bytes_are_instead_is_said() {
        let kind = |bytes: &[u8]| none().filled(bytes).map_err(|error| error.kind());
        assert_eq!(kind(b""), Err("not-examples"));
        assert_eq!(kind(b"SQLite format 3\0..."), Err("not-examples"));
        assert_eq!(kind(&forged(|bytes| bytes[16] = 2)), Err("version"));
        assert_eq!(kind(&forged(|bytes| bytes[20] = 0xac)), Err("other-bundle"));
        assert_eq!(kind(&forged(|bytes| bytes.push(0))), Err("damaged"));
        // The scale of the first key, and an element that no key has.
        let first = 16 + 4 + 32 + 12 + 4 + "my cat".len() + 4;
        let nan =
            |bytes: &mut Vec<u8>| bytes[first..first + 4].copy_from_slice(&f32::NAN.to_le_bytes());
        assert_eq!(kind(&forged(nan)), Err("damaged"));
        assert_eq!(
            kind(&forged(|bytes| bytes[first + 4] = 0x80)),
            Err("damaged")
        );
        // Numbers that would ask for more memory than there is.
        for at in [60, 64, first - 4] {
            let huge = |bytes: &mut Vec<u8>| bytes[at..at + 4].fill(0xff);
            assert_eq!(kind(&forged(huge)), Err("damaged"), "at {at}");
        }
    }
}
