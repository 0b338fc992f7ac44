//! What a JPEG file says of itself, read from its marker segments (ITU-T T.81, annex B) without
//! decoding.
//!
//! A decoder must not be asked whether a file is whole: it fills what is missing with grey. Here a
//! file is whole when its scans are followed by the end-of-image marker. The frame header also
//! tells how much memory the decoder will take.
//!
//! Limits: nothing of the entropy-coded data is understood. What follows the first end-of-image
//! marker (a second picture of an MPO or Ultra HDR file) is not looked at.

/// What the segments say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Segments {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Horizontal and vertical sampling factor of each component.
    pub(super) sampling: Vec<(u8, u8)>,
    /// The transform flag of an Adobe segment.
    pub(super) adobe: Option<u8>,
    /// Whether all coefficients are held until the last scan: progressive, or a scan per component.
    pub(super) buffered: bool,
    /// Whether the end-of-image marker was reached.
    pub(super) whole: bool,
}

const RESTART: std::ops::RangeInclusive<u8> = 0xD0..=0xD7;
const END_OF_IMAGE: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;
const APP14: u8 = 0xEE;

impl Segments {
    /// Reads as far as the bytes go; what was not reached keeps its default.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut segments = Self::default();
        // None: the bytes ended first, which `whole` tells.
        let _ = segments.walk(bytes);
        segments
    }

    /// Bytes of the quantised coefficients, 16 bits each, in whole blocks.
    pub(super) fn coefficient_bytes(&self) -> u64 {
        let largest = |factor: fn(&(u8, u8)) -> u8| {
            u64::from(self.sampling.iter().map(factor).max().unwrap_or(1).max(1))
        };
        let units = u64::from(self.width).div_ceil(8 * largest(|s| s.0))
            * u64::from(self.height).div_ceil(8 * largest(|s| s.1));
        self.sampling
            .iter()
            .map(|&(h, v)| units * u64::from(h) * u64::from(v) * 64 * 2)
            .sum()
    }

    fn walk(&mut self, mut bytes: &[u8]) -> Option<()> {
        let mut scans = 0;
        loop {
            let (marker, rest) = next_marker(bytes)?;
            bytes = rest;
            if marker == END_OF_IMAGE {
                self.whole = scans > 0;
                return Some(());
            }
            if stands_alone(marker) {
                continue;
            }
            let length = usize::from(u16::from_be_bytes(*bytes.first_chunk()?));
            let body = bytes.get(2..length)?;
            bytes = &bytes[length..];
            match marker {
                START_OF_SCAN => {
                    scans += 1;
                    let components = usize::from(*body.first()?);
                    self.buffered |= components < self.sampling.len();
                }
                0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                    self.frame_header(marker, body)?
                }
                APP14 if body.starts_with(b"Adobe") => self.adobe = body.get(11).copied(),
                _ => {}
            }
        }
    }

    /// Precision, height, width, and three bytes a component.
    fn frame_header(&mut self, marker: u8, body: &[u8]) -> Option<()> {
        let &[_, h1, h0, w1, w0, components] = body.first_chunk()?;
        self.height = u16::from_be_bytes([h1, h0]).into();
        self.width = u16::from_be_bytes([w1, w0]).into();
        let components = body[6..].get(..3 * usize::from(components))?;
        self.sampling = components
            .chunks_exact(3)
            .map(|component| (component[1] >> 4, component[1] & 15))
            .collect();
        self.buffered |= marker == 0xC2;
        Some(())
    }
}

/// The next marker and what follows it. Skips everything else: fill bytes, and between the start of
/// a scan and the next marker the entropy-coded data, in which 0xFF is followed by zero or a
/// restart marker.
fn next_marker(mut bytes: &[u8]) -> Option<(u8, &[u8])> {
    loop {
        let at = bytes.iter().position(|&byte| byte == 0xFF)?;
        bytes = &bytes[at + 1..];
        match *bytes.first()? {
            0xFF => {}
            0x00 => bytes = &bytes[1..],
            marker if RESTART.contains(&marker) => bytes = &bytes[1..],
            marker => return Some((marker, &bytes[1..])),
        }
    }
}

/// Whether a marker has no length and no body: start of image, TEM.
fn stands_alone(marker: u8) -> bool {
    matches!(marker, 0x01 | 0xD8)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] = &[
        0xFF, 0xD8, // start of image
        0xFF, 0xEE, 0, 14, b'A', b'd', b'o', b'b', b'e', 0, 100, 0, 0, 0, 0,
        2, // APP14, transform 2
        0xFF, 0xFF, 0xC2, 0, 17, 8, 1, 0, 2, 4, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11,
        1, // frame: 516 x 256, 4:2:0
        0xFF, 0xDA, 0, 8, 3, 1, 0, 0, 63, 0, // scan of three components
    ];

    fn file(tail: &[u8]) -> Vec<u8> {
        [HEADER, tail].concat()
    }

    #[test]
    fn facts_are_read() {
        let found = Segments::of(&file(&[1, 2, 0xFF, 0, 0xFF, 0xD0, 3, 0xFF, 0xD9]));
        assert_eq!((found.width, found.height), (516, 256));
        assert_eq!(found.sampling, [(2, 2), (1, 1), (1, 1)]);
        assert_eq!(found.adobe, Some(2));
        assert!(found.buffered && found.whole);
        assert_eq!(found.coefficient_bytes(), 33 * 16 * 6 * 64 * 2);
    }

    #[test]
    fn only_the_end_marker_makes_it_whole() {
        for tail in [
            &[][..],
            &[0xFF],
            &[0xFF, 0],
            &[1, 2, 3],
            &[0xFF, 0xD0],
            &[0xFF, 0xDA, 0, 8],
        ] {
            assert!(!Segments::of(&file(tail)).whole);
        }
        assert!(!Segments::of(&[0xFF, 0xD8, 0xFF, 0xD9]).whole);
        for end in 0..HEADER.len() {
            assert!(!Segments::of(&HEADER[..end]).whole);
        }
    }

    #[test]
    fn an_end_marker_inside_a_segment_does_not_count() {
        let comment = [0xFF, 0xD8, 0xFF, 0xFE, 0, 6, 0xFF, 0xD9, 0xFF, 0xD9];
        assert!(!Segments::of(&[&comment, &HEADER[2..]].concat()).whole);
    }
}
