//! What a camera gives: pixel format, size, strides, colours.

use super::{MAX_PLANES, abi};

/// What a camera gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraFormat {
    /// The V4L2 code of the pixel format, e.g. `YUYV`.
    pub fourcc: [u8; 4],
    /// Pixels of a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// How many buffers hold a frame's planes: one for all, or one each.
    pub planes: usize,
    /// Bytes from one row to the next, of each plane; 0 where the driver does not say.
    pub strides: [usize; MAX_PLANES],
    /// The luma was made by BT.709, and by BT.601 else.
    pub bt709: bool,
    /// Black to white takes 0 to 255, and 16 to 235 else.
    pub full_range: bool,
}

/// What a driver says of its colours.
pub(super) struct Colours {
    pub space: u32,
    pub encoding: u32,
    pub range: u32,
}

impl Colours {
    pub fn format(
        &self,
        fourcc: [u8; 4],
        (width, height): (u32, u32),
        planes: usize,
        strides: [usize; MAX_PLANES],
    ) -> CameraFormat {
        // What is left to the default follows from the colour space, as the kernel's macros map it.
        let bt709 = match self.encoding {
            abi::ENCODING_DEFAULT => self.space == abi::COLORSPACE_REC709,
            encoding => encoding == abi::ENCODING_709,
        };
        let full_range = match self.range {
            abi::RANGE_DEFAULT => self.space == abi::COLORSPACE_JPEG,
            range => range == abi::RANGE_FULL,
        };
        CameraFormat {
            fourcc,
            width: width as usize,
            height: height as usize,
            planes,
            strides,
            bt709,
            full_range,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_that_are_left_to_the_default_follow_from_the_space() {
        let of = |space, encoding, range| {
            let colours = Colours {
                space,
                encoding,
                range,
            };
            let format = colours.format(*b"NV12", (2, 2), 1, [2, 0, 0, 0]);
            (format.bt709, format.full_range)
        };
        let smpte170m = 1;
        assert_eq!(of(smpte170m, 0, 0), (false, false));
        assert_eq!(of(abi::COLORSPACE_REC709, 0, 0), (true, false));
        assert_eq!(of(abi::COLORSPACE_JPEG, 0, 0), (false, true));
        assert_eq!(of(abi::COLORSPACE_REC709, 1, 1), (false, true));
        assert_eq!(
            of(abi::COLORSPACE_JPEG, abi::ENCODING_709, 2),
            (true, false)
        );
    }
}
