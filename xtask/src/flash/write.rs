//! Writing an image to a card, and reading it back.

use super::disk::Image;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// How much is copied at once, in bytes; the first of them holds the partition table.
const STEP: usize = 1 << 22;

/// The card does not hold what was written to it.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error(
    "{device}: byte {at} is not what was written; the card (or its reader) is worn or counterfeit: use another one"
)]
pub struct Mismatch {
    /// What was written to.
    device: String,
    /// The first byte that differs.
    at: u64,
}

/// Writes the image and reads it back.
///
/// # Errors
/// [`Mismatch`], and what the system says.
pub fn write(image: &Image, device: &Path) -> Result<()> {
    let shown = || device.display().to_string();
    let is_device = is_block_device(device)?;
    let mut options = File::options();
    options.write(true);
    if is_device {
        // The kernel then refuses a disk that somebody else mounts or opens this way, at any time.
        options.custom_flags(libc::O_EXCL);
    }
    let mut card = options.open(device).with_context(shown)?;
    let mut source = File::open(&image.path)?;
    copy(&mut source, &mut card).with_context(shown)?;
    card.sync_all().with_context(shown)?;
    drop(card);
    let mut options = File::options();
    options.read(true);
    if is_device {
        // What is read back is to come from the card, and not from memory.
        options.custom_flags(libc::O_DIRECT);
    }
    let mut card = Whole::new(options.open(device).with_context(shown)?);
    source.seek(SeekFrom::Start(0))?;
    match compare(&mut source, &mut card).with_context(shown)? {
        None => Ok(()),
        Some(at) => Err(Mismatch {
            device: shown(),
            at,
        }
        .into()),
    }
}

/// Reads whole steps into memory that begins on a page's boundary, as the kernel asks of who goes past its own.
struct Whole<R> {
    file: R,
    memory: Vec<u8>,
    /// Where in the memory the step begins.
    start: usize,
    /// What of it was not handed out.
    left: std::ops::Range<usize>,
}

impl<R: Read> Whole<R> {
    fn new(file: R) -> Whole<R> {
        const PAGE: usize = 1 << 16;
        let memory = vec![0; STEP + PAGE];
        let start = memory.as_ptr().align_offset(PAGE);
        let left = start..start;
        Whole {
            file,
            memory,
            start,
            left,
        }
    }
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        if self.left.is_empty() {
            let step = &mut self.memory[self.start..self.start + STEP];
            let size = self.file.read(step)?;
            self.left = self.start..self.start + size;
        }
        let size = to.len().min(self.left.len());
        to[..size].copy_from_slice(&self.memory[self.left.start..][..size]);
        self.left.start += size;
        Ok(size)
    }
}

fn is_block_device(device: &Path) -> Result<bool> {
    let about = fs::metadata(device).with_context(|| device.display().to_string())?;
    Ok(about.file_type().is_block_device())
}

/// Copies all, the first piece last: a card on which the writing was interrupted has no partitions, and boots nothing.
fn copy(source: &mut (impl Read + Seek), card: &mut (impl Write + Seek)) -> Result<()> {
    let mut first = Vec::new();
    source.by_ref().take(STEP as u64).read_to_end(&mut first)?;
    card.write_all(&vec![0; first.len()])?;
    let mut piece = Vec::with_capacity(STEP);
    loop {
        piece.clear();
        if source.by_ref().take(STEP as u64).read_to_end(&mut piece)? == 0 {
            break;
        }
        card.write_all(&piece)?;
    }
    card.flush()?;
    card.seek(SeekFrom::Start(0))?;
    card.write_all(&first)?;
    card.flush()?;
    Ok(())
}

/// The first byte at which the card differs.
fn compare(source: &mut impl Read, card: &mut impl Read) -> Result<Option<u64>> {
    let (mut expected, mut got) = (Vec::new(), Vec::new());
    let mut at = 0;
    loop {
        expected.clear();
        got.clear();
        if source
            .by_ref()
            .take(STEP as u64)
            .read_to_end(&mut expected)?
            == 0
        {
            return Ok(None);
        }
        let size = expected.len() as u64;
        card.by_ref().take(size).read_to_end(&mut got)?;
        if expected != got {
            let pairs = expected.iter().zip(&got);
            let same = pairs.take_while(|(expected, got)| expected == got).count();
            return Ok(Some(at + same as u64));
        }
        at += size;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Error};

    /// A card that is taken out after so many bytes.
    struct TakenOut {
        bytes: Cursor<Vec<u8>>,
        left: usize,
    }

    impl Write for TakenOut {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let size = bytes.len().min(self.left);
            if size == 0 {
                return Err(Error::other("taken out"));
            }
            self.left -= size;
            self.bytes.write(&bytes[..size])
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Seek for TakenOut {
        fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
            self.bytes.seek(to)
        }
    }

    #[test]
    fn a_card_that_is_taken_out_has_no_partition_table() {
        let image = vec![0xaa; 3 * STEP];
        for left in [512, STEP + 1, 3 * STEP - 1] {
            let bytes = Cursor::new(vec![0x55; image.len()]);
            let mut card = TakenOut { bytes, left };
            let error = copy(&mut Cursor::new(&image), &mut card).unwrap_err();
            assert!(error.to_string().contains("taken out"), "{error:#}");
            assert_eq!(card.bytes.into_inner()[..512], [0; 512], "{left}");
        }
        let mut card = Cursor::new(vec![0x55; image.len()]);
        copy(&mut Cursor::new(&image), &mut card).unwrap();
        assert!(card.into_inner() == image);
    }

    #[test]
    fn a_byte_that_a_card_loses_is_found() {
        let image = vec![7; 2 * STEP + 100];
        let compared = |card: &[u8]| compare(&mut &image[..], &mut Whole::new(card)).unwrap();
        assert_eq!(compared(&image), None);
        for at in [0, STEP, 2 * STEP + 99] {
            let mut card = image.clone();
            card[at] = 8;
            assert_eq!(compared(&card), Some(at as u64));
        }
        // A card that tells a larger size than it has.
        assert_eq!(compared(&image[..STEP + 5]), Some(STEP as u64 + 5));
    }
}
