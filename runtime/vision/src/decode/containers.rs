//! What WebP and GIF files say of themselves: whether they are whole as containers, and how many
//! frames they hold.
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
