//! A camera's buffer as C describes it, and the checked frame that it becomes.

use crate::{
    guard,
    planes::Mapped,
    sized::{self, Versioned},
    status::{Failure, OCELLUS_E_FRAME_FORMAT, OCELLUS_E_FRAME_PLANE},
};
use ocellus::vision::{ColorMatrix, ColorRange, Frame, Orientation, PixelFormat, Plane, Rect};
use std::{ffi::c_void, ptr};

/// Colour matrix: ITU-R BT.601, which most sensors' drivers report.
pub const OCELLUS_MATRIX_BT601: i32 = 0;
/// Colour matrix: ITU-R BT.709, of high definition video.
pub const OCELLUS_MATRIX_BT709: i32 = 1;

/// Range: luma 16 to 235, of video.
pub const OCELLUS_RANGE_LIMITED: i32 = 0;
/// Range: luma 0 to 255, of JPEG.
pub const OCELLUS_RANGE_FULL: i32 = 1;

/// How many planes a frame has room for.
pub const OCELLUS_MAX_PLANES: usize = 4;

/// One plane of a frame: rows of samples. This struct never changes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ocellus_plane {
    /// The buffer in memory; NULL where `fd` is used.
    pub data: *const c_void,
    /// Bytes of the buffer before the first row.
    pub offset: usize,
    /// Bytes from the start of one row to the start of the next, at least a row's length. (V4L2: bytesperline.)
    pub stride: usize,
    /// Bytes of the buffer, `offset` included: nothing beyond is read. (V4L2: bytesused, or length.)
    pub size: usize,
    /// A dma-buf that holds the plane, in place of `data`: `offset` counts from its start. It is mapped for reading and
    /// fenced (DMA_BUF_IOCTL_SYNC) while a call reads the frame, once where several planes have the same number, and
    /// stays the caller's. Memory without a fence, such as a memfd, is taken too. -1: `data` is used. (V4L2:
    /// VIDIOC_EXPBUF.)
    pub fd: i32,
}

/// A camera's picture as it lies in memory. Set up by ocellus_frame_init; the caller's buffer is never copied as a whole.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ocellus_frame {
    /// Set by ocellus_frame_init.
    pub struct_size: u32,
    /// V4L2's code of the pixel format, such as V4L2_PIX_FMT_NV12, which is 'N' | 'V' << 8 | '1' << 16 | '2' << 24:
    /// RGB3, BGR3, AB24, XB24, AR24, XR24, GREY, NV12, NM12, NV21, NM21, YU12, YM12, YUYV, UYVY. 0.
    pub fourcc: u32,
    /// Pixels of a row. 0.
    pub width: u32,
    /// Rows. 0.
    pub height: u32,
    /// How many planes: as many as the format has, or 1 for a format of several that follow one another in one buffer,
    /// as single-planar V4L2 capture lays them out; `stride` is then the first plane's. 1.
    pub plane_count: u32,
    /// OCELLUS_MATRIX_...: how luma was made; of no meaning for RGB and grey. OCELLUS_MATRIX_BT601.
    pub matrix: i32,
    /// OCELLUS_RANGE_...: what black and white are; of no meaning for RGB and grey. OCELLUS_RANGE_LIMITED.
    pub range: i32,
    /// Degrees clockwise by which the picture is turned to be upright: 0, 90, 180 or 270. 0.
    pub rotation: i32,
    /// 1: left and right are swapped, after the rotation. 0.
    pub flip_horizontal: i32,
    /// 1: top and bottom are swapped, after the rotation. 0.
    pub flip_vertical: i32,
    /// The only part that is seen, in pixels as stored: columns left of it. 0.
    pub crop_x: u32,
    /// Rows above it. 0.
    pub crop_y: u32,
    /// Columns in it; with `crop_height` 0: the whole frame is seen. 0.
    pub crop_width: u32,
    /// Rows in it. 0.
    pub crop_height: u32,
    /// When the frame was taken, in nanoseconds of the caller's clock; returned in the result. 0.
    pub timestamp_ns: i64,
    /// Whatever the caller likes; returned in the result. 0.
    pub cookie: u64,
    /// The first `plane_count` are used. All NULL and 0, with `fd` -1.
    pub planes: [ocellus_plane; OCELLUS_MAX_PLANES],
}

// SAFETY: repr(C), size first; pointers are any bytes but are only followed where the caller set them.
unsafe impl Versioned for ocellus_frame {
    const NAME: &'static str = "ocellus_frame";
    const FIRST: usize = 232;
    fn defaults() -> ocellus_frame {
        let plane = ocellus_plane {
            data: ptr::null(),
            offset: 0,
            stride: 0,
            size: 0,
            fd: -1,
        };
        ocellus_frame {
            struct_size: size_of::<ocellus_frame>() as u32,
            fourcc: 0,
            width: 0,
            height: 0,
            plane_count: 1,
            matrix: OCELLUS_MATRIX_BT601,
            range: OCELLUS_RANGE_LIMITED,
            rotation: 0,
            flip_horizontal: 0,
            flip_vertical: 0,
            crop_x: 0,
            crop_y: 0,
            crop_width: 0,
            crop_height: 0,
            timestamp_ns: 0,
            cookie: 0,
            planes: [plane; OCELLUS_MAX_PLANES],
        }
    }
}

/// Sets a frame up: every field has the value that its comment ends with.
///
/// struct_size    sizeof(ocellus_frame)
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_STRUCT_SIZE. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_frame_init(frame: *mut ocellus_frame, struct_size: u32) -> i32 {
    // SAFETY: NULL or `struct_size` writable bytes by the caller's word.
    guard::call(|| unsafe { sized::init(frame, struct_size) })
}

impl ocellus_frame {
    /// The frame's bytes, which are there as long as what is returned.
    ///
    /// # Safety
    /// The planes' bytes are readable, and stay as they are for `'a`.
    pub(crate) unsafe fn map<'a>(&'a self) -> Result<Mapped<'a>, Failure> {
        // SAFETY: handed through.
        unsafe { Mapped::new(self) }
    }

    /// The planes that are used.
    pub(crate) fn used(&self) -> Result<&[ocellus_plane], Failure> {
        let format = self.format()?;
        let count = self.plane_count as usize;
        self.planes.get(..count).ok_or_else(|| {
            let message = format!(
                "plane_count: expected {} for {format}, or 1, got {count}",
                format.planes()
            );
            Failure::new(OCELLUS_E_FRAME_PLANE, message)
        })
    }

    /// The checked frame over its planes.
    pub(crate) fn over<'a>(
        &self,
        planes: [Plane<'a>; OCELLUS_MAX_PLANES],
    ) -> Result<Frame<'a>, Failure> {
        let format = self.format()?;
        let (width, height) = (self.width as usize, self.height as usize);
        let count = self.used()?.len();
        let frame = match planes {
            [first, ..] if count == 1 && format.planes() > 1 => {
                Frame::contiguous(format, width, height, first.stride, first.data)
            }
            planes => Frame::new(format, width, height, &planes[..count]),
        };
        let frame = frame?.with_colors(self.matrix()?, self.range()?);
        let crop = Rect {
            x: self.crop_x as usize,
            y: self.crop_y as usize,
            width: self.crop_width as usize,
            height: self.crop_height as usize,
        };
        let whole = [crop.x, crop.y, crop.width, crop.height] == [0; 4];
        let frame = match whole {
            true => frame,
            false => frame.with_crop(crop)?,
        };
        Ok(frame.with_orientation(self.orientation()?))
    }

    fn format(&self) -> Result<PixelFormat, Failure> {
        let fourcc = self.fourcc.to_le_bytes();
        PixelFormat::from_fourcc(fourcc).ok_or_else(|| {
            let message = format!(
                "fourcc: expected a format that the header names, got {:#010x} (\"{}\")",
                self.fourcc,
                fourcc.escape_ascii()
            );
            Failure::new(OCELLUS_E_FRAME_FORMAT, message)
        })
    }

    fn matrix(&self) -> Result<ColorMatrix, Failure> {
        match self.matrix {
            OCELLUS_MATRIX_BT601 => Ok(ColorMatrix::Bt601),
            OCELLUS_MATRIX_BT709 => Ok(ColorMatrix::Bt709),
            other => Err(unknown("matrix", "0 or 1", other)),
        }
    }

    fn range(&self) -> Result<ColorRange, Failure> {
        match self.range {
            OCELLUS_RANGE_LIMITED => Ok(ColorRange::Limited),
            OCELLUS_RANGE_FULL => Ok(ColorRange::Full),
            other => Err(unknown("range", "0 or 1", other)),
        }
    }

    /// The one of the eight orientations that a rotation and then the flips make.
    fn orientation(&self) -> Result<Orientation, Failure> {
        use Orientation::*;
        let flipped = |field, value| match value {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(unknown(field, "0 or 1", other)),
        };
        let horizontal = flipped("flip_horizontal", self.flip_horizontal)?;
        let vertical = flipped("flip_vertical", self.flip_vertical)?;
        // Turned only; flipped left and right too; top and bottom; both.
        let ways = match self.rotation {
            0 => [Upright, FlipHorizontal, FlipVertical, Rotate180],
            90 => [Rotate90, Transpose, Transverse, Rotate270],
            180 => [Rotate180, FlipVertical, FlipHorizontal, Upright],
            270 => [Rotate270, Transverse, Transpose, Rotate90],
            other => return Err(unknown("rotation", "0, 90, 180 or 270", other)),
        };
        Ok(ways[usize::from(horizontal) + 2 * usize::from(vertical)])
    }
}

fn unknown(field: &str, expected: &str, got: i32) -> Failure {
    Failure::argument(format!(
        "ocellus_frame: {field}: expected {expected}, got {got}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ocellus::vision::{Intermediate, View};

    const SIDE: usize = 8;

    /// The pixels of a square frame as they are seen.
    fn seen(frame: &ocellus_frame) -> Vec<u8> {
        // SAFETY: the tests' planes live as long as their frames.
        let mapped = unsafe { frame.map() }.expect("good planes");
        let frame = mapped.frame().expect("a good frame");
        let view = View {
            left: 0.0,
            top: 0.0,
            width: SIDE as f64,
            height: SIDE as f64,
        };
        Intermediate::read(&frame, &view).data().to_vec()
    }

    fn frame(pixels: &[u8]) -> ocellus_frame {
        let mut frame = ocellus_frame {
            fourcc: u32::from_le_bytes(*b"RGB3"),
            width: SIDE as u32,
            height: SIDE as u32,
            ..ocellus_frame::defaults()
        };
        frame.planes[0] = ocellus_plane {
            data: pixels.as_ptr().cast(),
            offset: 0,
            stride: 3 * SIDE,
            size: pixels.len(),
            fd: -1,
        };
        frame
    }

    /// A square picture, pixel by pixel.
    fn picture(pixel: impl Fn(usize, usize) -> [u8; 3]) -> Vec<u8> {
        let pixels = (0..SIDE * SIDE).flat_map(|at| pixel(at % SIDE, at / SIDE));
        pixels.collect()
    }

    #[test]
    fn a_frame_is_turned_and_then_flipped() {
        let stored = |x: usize, y: usize| [x as u8 * 30, y as u8 * 30, 99];
        let pixels = picture(stored);
        let last = SIDE - 1;
        for rotation in [0, 90, 180, 270] {
            for (horizontal, vertical) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let wanted = picture(|x, y| {
                    // Back from what is seen to what is stored: the flips first, for they came last.
                    let x = if horizontal == 1 { last - x } else { x };
                    let y = if vertical == 1 { last - y } else { y };
                    let (x, y) = match rotation {
                        90 => (y, last - x),
                        180 => (last - x, last - y),
                        270 => (last - y, x),
                        _ => (x, y),
                    };
                    stored(x, y)
                });
                let turned = ocellus_frame {
                    rotation,
                    flip_horizontal: horizontal,
                    flip_vertical: vertical,
                    ..frame(&pixels)
                };
                assert_eq!(seen(&turned), wanted, "{rotation} {horizontal} {vertical}");
            }
        }
    }

    #[test]
    fn an_offset_and_a_wide_stride_are_skipped() {
        let pixels = picture(|x, y| [x as u8, y as u8, 7]);
        let mut padded = vec![0xee; 5];
        for row in pixels.chunks(3 * SIDE) {
            padded.extend_from_slice(row);
            padded.extend_from_slice(&[0xee; 4]);
        }
        let mut frame = frame(&padded);
        frame.planes[0].offset = 5;
        frame.planes[0].stride = 3 * SIDE + 4;
        assert_eq!(seen(&frame), pixels);
    }

    #[test]
    fn one_buffer_of_several_planes_is_the_planes_apart() {
        let bytes: Vec<u8> = (0..96).map(|byte| byte * 2).collect();
        let mut one = frame(&bytes);
        one.fourcc = u32::from_le_bytes(*b"NV12");
        one.planes[0].stride = SIDE;
        let mut two = one;
        two.plane_count = 2;
        two.planes[1] = ocellus_plane {
            offset: 64,
            ..two.planes[0]
        };
        assert_eq!(seen(&one), seen(&two));
        let colours = ocellus_frame {
            matrix: OCELLUS_MATRIX_BT709,
            range: OCELLUS_RANGE_FULL,
            ..one
        };
        assert_ne!(seen(&colours), seen(&one));
    }
}
