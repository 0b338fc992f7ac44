//! When a photo was taken: what its camera's clock showed, or when the file was last changed.
//!
//! Limits: EXIF times have no zone, so they are kept and compared as the camera showed them; a file's time is in UTC.

use exif::{In, Reader, Tag, Value};
use jiff::{SignedDuration, civil::DateTime};
use std::{fmt, io::Cursor, str::FromStr};

/// A time, and where it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// `2024-05-01T12:30:00`; texts of this form are in the order of their times.
    pub at: String,
    /// Where it is from.
    pub from: TakenFrom,
}

/// Where a time is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenFrom {
    /// The picture's EXIF data, in the camera's own time.
    Exif,
    /// The time of the file's last change, in UTC.
    File,
}

impl TakenFrom {
    /// `exif` or `file`.
    pub fn name(self) -> &'static str {
        match self {
            TakenFrom::Exif => "exif",
            TakenFrom::File => "file",
        }
    }

    /// The one of that name.
    pub(crate) fn named(name: &str) -> Option<TakenFrom> {
        let both = [TakenFrom::Exif, TakenFrom::File];
        both.into_iter().find(|from| from.name() == name)
    }
}

impl Taken {
    /// When the picture in a file was taken; `modified_ns` is when the file was changed, from 1970 on.
    pub(crate) fn of(bytes: &[u8], modified_ns: i64) -> Taken {
        let (time, from) = match exif_time(bytes) {
            Some(time) => (time, TakenFrom::Exif),
            None => (utc(modified_ns), TakenFrom::File),
        };
        Taken {
            at: text(time),
            from,
        }
    }
}

/// The form that is kept: whole seconds.
fn text(time: DateTime) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// What a file's clock shows in UTC; 1970 where it is out of range.
fn utc(modified_ns: i64) -> DateTime {
    let start = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0);
    start
        .checked_add(SignedDuration::from_nanos(modified_ns))
        .unwrap_or(start)
}

/// The time of exposure, else of digitizing. Damaged EXIF data, and dates that no calendar has, are none.
fn exif_time(bytes: &[u8]) -> Option<DateTime> {
    let exif = Reader::new()
        .read_from_container(&mut Cursor::new(bytes))
        .ok()?;
    [Tag::DateTimeOriginal, Tag::DateTimeDigitized]
        .into_iter()
        .filter_map(|tag| exif.get_field(tag, In::PRIMARY))
        .find_map(|field| match &field.value {
            Value::Ascii(texts) => calendar(&exif::DateTime::from_ascii(texts.first()?).ok()?),
            _ => None,
        })
}

fn calendar(time: &exif::DateTime) -> Option<DateTime> {
    DateTime::new(
        i16::try_from(time.year).ok()?,
        time.month.try_into().ok()?,
        time.day.try_into().ok()?,
        time.hour.try_into().ok()?,
        time.minute.try_into().ok()?,
        time.second.try_into().ok()?,
        0,
    )
    .ok()
}

/// The earliest time of interest: `2024-05-01`, or `2024-05-01T12:30:00`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Since(pub(crate) String);

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Since {
    type Err = UnknownDate;

    fn from_str(words: &str) -> Result<Since, UnknownDate> {
        match words.parse::<DateTime>() {
            Ok(time) if (0..=9999).contains(&time.year()) => Ok(Since(text(time))),
            _ => Err(UnknownDate { got: words.into() }),
        }
    }
}

/// A text that is no date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownDate {
    /// The text.
    pub got: String,
}

impl fmt::Display for UnknownDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected a date such as 2024-05-01 or 2024-05-01T12:30:00, got {:?}",
            self.got
        )
    }
}

impl std::error::Error for UnknownDate {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_exif_was_taken_when_it_was_changed() {
        for (ns, at) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_400_999_999_999, "2000-02-29T00:00:00"),
            (-1, "1969-12-31T23:59:59"),
        ] {
            let taken = Taken::of(b"no picture", ns);
            assert_eq!((taken.at.as_str(), taken.from), (at, TakenFrom::File));
        }
    }

    /// A TIFF file's first directory, with nothing but a time of exposure.
    fn exposed(time: &[u8; 20]) -> Vec<u8> {
        let directory = |tag: u16, kind: u16, count: u32, value: u32| {
            let fields = [tag.to_le_bytes(), kind.to_le_bytes()].concat();
            let numbers = [count.to_le_bytes(), value.to_le_bytes(), [0; 4]].concat();
            [&[1, 0][..], &fields, &numbers].concat()
        };
        let head = b"II*\0\x08\0\0\0".to_vec();
        let exif = directory(0x8769, 4, 1, 26);
        [head, exif, directory(0x9003, 2, 20, 44), time.to_vec()].concat()
    }

    #[test]
    fn exif_says_when_a_picture_was_taken_where_the_date_exists() {
        let taken = Taken::of(&exposed(b"2023:05:01 12:34:56\0"), 0);
        assert_eq!(taken.at, "2023-05-01T12:34:56");
        assert_eq!(taken.from, TakenFrom::Exif);
        for time in [
            b"2023:02:30 12:34:56\0",
            b"    :  :     :  :  \0",
            b"0000:00:00 00:00:00\0",
        ] {
            assert_eq!(Taken::of(&exposed(time), 0).from, TakenFrom::File);
        }
        let whole = exposed(b"2023:05:01 12:34:56\0");
        for end in 0..whole.len() - 1 {
            Taken::of(&whole[..end], 0);
        }
    }

    #[test]
    fn dates_that_exist_are_read_and_others_are_named() {
        let since = |text: &str| text.parse::<Since>().map(|since| since.0);
        assert_eq!(since("2024-02-29").unwrap(), "2024-02-29T00:00:00");
        assert_eq!(since("2024-05-01T12:30:00").unwrap(), "2024-05-01T12:30:00");
        for text in ["", "yesterday", "2023-02-29", "2024-13-01", "01.05.2024"] {
            let error = since(text).unwrap_err();
            assert!(error.to_string().contains("2024-05-01"), "{error}");
            assert_eq!(error.got, text);
        }
    }
}
