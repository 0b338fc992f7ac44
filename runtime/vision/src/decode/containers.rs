//! What WebP, TIFF and GIF files say of themselves: whether they are whole as containers, and how
//! many frames they hold.
//!
//! Decoders trust a chunk's length when they allocate for it, and don't say whether a second frame
//! follows; a walk over the chunks answers both without decoding.

/// The frames of an animation that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frames {
    /// A still picture, or an animation of one.
    One,
    /// More than one.
    Many,
}

/// Walks the chunks of a WebP file (RIFF, little-endian lengths, padded to even). `None` if one
/// reaches beyond the end.
pub(super) fn webp(bytes: &[u8]) -> Option<Frames> {
    let mut chunks = bytes.get(12..)?;
    let mut frames = 0;
    while let Some((head, rest)) = chunks.split_first_chunk::<8>() {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        rest.get(..length)?;
        frames += usize::from(head.starts_with(b"ANMF"));
        chunks = rest
            .get(length.checked_next_multiple_of(2)?..)
            .unwrap_or_default();
    }
    Some(if frames > 1 {
        Frames::Many
    } else {
        Frames::One
    })
}

/// Walks the first directory of a TIFF file (TIFF 6.0, section 2; BigTIFF has wider fields). `None` if
/// it, or a value it points to, reaches beyond the end.
pub(super) fn tiff(bytes: &[u8]) -> Option<()> {
    let big_endian = bytes.starts_with(b"MM");
    let number = |at: u64, width: u64| {
        let start = usize::try_from(at).ok()?;
        let digits = bytes.get(start..start.checked_add(width as usize)?)?;
        let shift = |number: u64, &digit: &u8| number << 8 | u64::from(digit);
        Some(if big_endian {
            digits.iter().fold(0, shift)
        } else {
            digits.iter().rev().fold(0, shift)
        })
    };
    // Where the directory's offset is; bytes of an offset, and of the number of entries.
    let (offset_at, word, count) = if number(2, 2)? == 43 {
        (8, 8, 8)
    } else {
        (4, 4, 2)
    };
    let directory = number(offset_at, word)?;
    let entries = number(directory, count)?;
    for entry in 0..entries {
        let entry = entry
            .checked_mul(4 + 2 * word)?
            .checked_add(directory)?
            .checked_add(count)?;
        let kind = number(entry.checked_add(2)?, 2)?;
        let length = number(entry.checked_add(4)?, word)?.checked_mul(value_bytes(kind))?;
        let value = number(entry.checked_add(4 + word)?, word)?;
        let inline = length <= word;
        if !inline && value.checked_add(length)? > bytes.len() as u64 {
            return None;
        }
    }
    Some(())
}

/// Bytes of one value of a TIFF field type; unknown types count as the smallest.
fn value_bytes(kind: u64) -> u64 {
    match kind {
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16..=18 => 8,
        _ => 1,
    }
}

/// Walks the blocks of a GIF file (GIF89a specification, section 12 on). Files that end early hold
/// as many frames as were begun.
pub(super) fn gif(bytes: &[u8]) -> Frames {
    let mut images = Images::default();
    // None: the bytes ended before the trailer, or what follows is no block.
    let _ = images.walk(bytes);
    if images.begun > 1 {
        Frames::Many
    } else {
        Frames::One
    }
}

#[derive(Default)]
struct Images {
    begun: usize,
}

impl Images {
    fn walk(&mut self, bytes: &[u8]) -> Option<()> {
        let screen = bytes.get(..13)?;
        let mut rest = bytes.get(13 + color_table(screen[10])..)?;
        while self.begun < 2 {
            rest = match rest.split_first()? {
                (0x21, extension) => sub_blocks(extension.get(1..)?)?,
                (0x2C, image) => {
                    self.begun += 1;
                    let descriptor = image.get(..9)?;
                    // The byte after the color table is the code size.
                    sub_blocks(image.get(9 + color_table(descriptor[8]) + 1..)?)?
                }
                _ => return None,
            };
        }
        Some(())
    }
}

/// Bytes of the colour table that a flags byte announces.
fn color_table(flags: u8) -> usize {
    if flags & 0x80 == 0 {
        0
    } else {
        3 << ((flags & 7) + 1)
    }
}

/// What follows a list of length-prefixed blocks that ends with an empty one.
fn sub_blocks(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        let (&length, rest) = bytes.split_first()?;
        bytes = rest.get(usize::from(length)..)?;
        if length == 0 {
            return Some(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn riff(chunks: &[(&[u8; 4], u32, &[u8])]) -> Vec<u8> {
        let mut file = b"RIFF\0\0\0\0WEBP".to_vec();
        for (name, length, body) in chunks {
            file.extend_from_slice(*name);
            file.extend_from_slice(&length.to_le_bytes());
            file.extend_from_slice(body);
        }
        file
    }

    #[test]
    fn webp_chunks_must_fit() {
        assert_eq!(webp(&riff(&[(b"VP8L", 3, &[1, 2, 3])])), Some(Frames::One));
        assert_eq!(
            webp(&riff(&[
                (b"VP8X", 2, &[0; 2]),
                (b"ANMF", 1, &[0; 2]),
                (b"ANMF", 2, &[0; 2])
            ])),
            Some(Frames::Many)
        );
        assert_eq!(webp(&riff(&[(b"EXIF", u32::MAX, &[1, 2, 3])])), None);
        assert_eq!(webp(&riff(&[(b"VP8L", 4, &[1, 2, 3])])), None);
    }

    #[test]
    fn tiff_values_must_fit() {
        let little = |kind: u8, length: u8, value: u8| {
            [
                b"II*\0\x08\0\0\0\x01\0\x0e\x01",
                &[kind, 0, length, 0, 0, 0, value, 0, 0, 0][..],
                &[0; 8],
            ]
            .concat()
        };
        assert_eq!(tiff(&little(2, 4, 255)), Some(()));
        assert_eq!(tiff(&little(2, 8, 22)), Some(()));
        assert_eq!(tiff(&little(2, 9, 22)), None);
        assert_eq!(tiff(&little(4, 2, 22)), Some(()));
        assert_eq!(tiff(&little(4, 3, 22)), None);
        assert_eq!(tiff(&little(4, 2, 22)[..20]), None);
        let big = |length: u8| {
            let head = b"MM\0\x2b\0\x08\0\0\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\x01\x01\x0e\0\x02";
            [
                &head[..],
                &[0, 0, 0, 0, 0, 0, 0, length, 0, 0, 0, 0, 0, 0, 0, 40],
                &[0; 4],
            ]
            .concat()
        };
        assert_eq!(tiff(&big(9)), None);
        assert_eq!(tiff(&big(8)), Some(()));
    }

    #[test]
    fn gif_images_are_counted() {
        let screen = *b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff";
        let control = *b"\x21\xf9\x04\0\0\0\0\0";
        let image = *b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0";
        let one = [&screen[..], &control, &image, b";"].concat();
        let two = [&screen[..], &image, &control, &image, b";"].concat();
        assert_eq!(gif(&one), Frames::One);
        assert_eq!(gif(&two), Frames::Many);
        assert_eq!(gif(&two[..40]), Frames::One);
        assert_eq!(gif(b"GIF89a"), Frames::One);
    }
}
