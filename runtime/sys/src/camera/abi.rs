//! What of the kernel's V4L2 interface a capture needs: the structs of `linux/videodev2.h` as 64-bit Linux lays them out,
//! and the requests that take them.

use std::{
    io,
    marker::PhantomData,
    os::fd::{AsRawFd, BorrowedFd},
};

/// A struct of the kernel's interface.
///
/// # Safety
/// It is made of integers, so that any bytes are a value of it, and laid out as the kernel's.
pub unsafe trait Abi: Sized {
    /// The struct of zeros, as the interface wants what is not used.
    fn zeroed() -> Self {
        // SAFETY: by the trait's word, zeros are a value.
        unsafe { std::mem::zeroed() }
    }
}

/// A request and the struct that it takes.
pub struct Request<T> {
    /// The kernel's name of it.
    pub name: &'static str,
    number: u32,
    takes: PhantomData<T>,
}

const READS: u32 = 2;
const WRITES: u32 = 1;

impl<T> Request<T> {
    /// `_IOR`, `_IOW` or `_IOWR` of `'V'` and a number.
    const fn new(name: &'static str, direction: u32, number: u8) -> Request<T> {
        let number =
            direction << 30 | (size_of::<T>() as u32) << 16 | (b'V' as u32) << 8 | number as u32;
        Request {
            name,
            number,
            takes: PhantomData,
        }
    }

    /// Makes the request, again where a signal interrupts it.
    ///
    /// # Safety
    /// Pointers inside of `argument` are 0, or point to what the kernel's documentation says for this request.
    pub unsafe fn make(&self, device: BorrowedFd<'_>, argument: &mut T) -> io::Result<()> {
        loop {
            let argument: *mut T = argument;
            // SAFETY: the number carries the size of what is pointed to, and its pointers are the caller's word.
            if unsafe { libc::ioctl(device.as_raw_fd(), self.number as _, argument) } >= 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}

macro_rules! requests {
    ($($name:ident, $kernel:literal, $direction:expr, $number:literal, $takes:ty;)*) => {
        $(pub const $name: Request<$takes> = Request::new($kernel, $direction, $number);)*
    };
}

requests! {
    QUERYCAP, "VIDIOC_QUERYCAP", READS, 0, Capability;
    ENUM_FMT, "VIDIOC_ENUM_FMT", READS | WRITES, 2, FormatListed;
    G_FMT, "VIDIOC_G_FMT", READS | WRITES, 4, Format;
    S_FMT, "VIDIOC_S_FMT", READS | WRITES, 5, Format;
    REQBUFS, "VIDIOC_REQBUFS", READS | WRITES, 8, RequestBuffers;
    QUERYBUF, "VIDIOC_QUERYBUF", READS | WRITES, 9, Buffer;
    QBUF, "VIDIOC_QBUF", READS | WRITES, 15, Buffer;
    DQBUF, "VIDIOC_DQBUF", READS | WRITES, 17, Buffer;
    STREAMON, "VIDIOC_STREAMON", WRITES, 18, i32;
    STREAMOFF, "VIDIOC_STREAMOFF", WRITES, 19, i32;
}

/// `V4L2_BUF_TYPE_VIDEO_CAPTURE`.
pub const SINGLE_PLANAR: u32 = 1;
/// `V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE`.
pub const MULTI_PLANAR: u32 = 9;
/// `V4L2_MEMORY_MMAP`.
pub const MEMORY_MMAP: u32 = 1;
/// `V4L2_FIELD_NONE`.
pub const FIELD_NONE: u32 = 1;
/// `V4L2_BUF_FLAG_ERROR`.
pub const BUFFER_SPOILT: u32 = 0x40;

/// Bits of [`Capability`].
pub const CAN_CAPTURE: u32 = 0x1;
pub const CAN_CAPTURE_MULTI_PLANAR: u32 = 0x1000;
pub const CAN_STREAM: u32 = 0x0400_0000;
pub const HAS_DEVICE_CAPABILITIES: u32 = 0x8000_0000;

/// `enum v4l2_colorspace`, `v4l2_ycbcr_encoding` and `v4l2_quantization`, as far as they decide anything.
pub const COLORSPACE_REC709: u32 = 3;
pub const COLORSPACE_JPEG: u32 = 7;
pub const ENCODING_DEFAULT: u32 = 0;
pub const ENCODING_709: u32 = 2;
pub const RANGE_DEFAULT: u32 = 0;
pub const RANGE_FULL: u32 = 1;

/// The most planes of a buffer, `VIDEO_MAX_PLANES`.
pub const MAX_PLANES: usize = 8;

/// `struct v4l2_capability`.
#[repr(C)]
pub struct Capability {
    pub driver: [u8; 16],
    pub card: [u8; 32],
    pub bus_info: [u8; 32],
    pub version: u32,
    pub capabilities: u32,
    pub device_caps: u32,
    pub reserved: [u32; 3],
}

/// `struct v4l2_fmtdesc`.
#[repr(C)]
pub struct FormatListed {
    pub index: u32,
    pub kind: u32,
    pub flags: u32,
    pub description: [u8; 32],
    pub fourcc: [u8; 4],
    pub mbus_code: u32,
    pub reserved: [u32; 3],
}

/// `struct v4l2_format`.
#[repr(C)]
pub struct Format {
    pub kind: u32,
    pub of: FormatOf,
}

/// Its union. The kernel's holds a pointer too, and so begins at a multiple of eight.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub union FormatOf {
    pub single: PixelsSingle,
    pub multi: PixelsMulti,
    pub raw: [u8; 200],
}

/// `struct v4l2_pix_format`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct PixelsSingle {
    pub width: u32,
    pub height: u32,
    pub fourcc: [u8; 4],
    pub field: u32,
    pub bytes_per_line: u32,
    pub image_bytes: u32,
    pub colorspace: u32,
    pub private: u32,
    pub flags: u32,
    pub encoding: u32,
    pub range: u32,
    pub transfer: u32,
}

/// `struct v4l2_pix_format_mplane`, which the kernel packs.
#[repr(C, packed)]
#[derive(Clone, Copy)]
pub struct PixelsMulti {
    pub width: u32,
    pub height: u32,
    pub fourcc: [u8; 4],
    pub field: u32,
    pub colorspace: u32,
    pub planes: [PlaneFormat; MAX_PLANES],
    pub plane_count: u8,
    pub flags: u8,
    pub encoding: u8,
    pub range: u8,
    pub transfer: u8,
    pub reserved: [u8; 7],
}

/// `struct v4l2_plane_pix_format`, which the kernel packs.
#[repr(C, packed)]
#[derive(Clone, Copy)]
pub struct PlaneFormat {
    pub image_bytes: u32,
    pub bytes_per_line: u32,
    pub reserved: [u16; 6],
}

/// `struct v4l2_requestbuffers`.
#[repr(C)]
pub struct RequestBuffers {
    pub count: u32,
    pub kind: u32,
    pub memory: u32,
    pub capabilities: u32,
    pub flags: u32,
}

/// `struct v4l2_buffer`.
#[repr(C)]
pub struct Buffer {
    pub index: u32,
    pub kind: u32,
    pub bytes_used: u32,
    pub flags: u32,
    pub field: u32,
    pub timestamp: [i64; 2],
    pub timecode: [u32; 4],
    pub sequence: u32,
    pub memory: u32,
    /// Single-planar: where to map it. Multi-planar: the address of its [`BufferPlane`]s.
    pub at: u64,
    /// Single-planar: its bytes. Multi-planar: how many planes.
    pub length: u32,
    pub reserved: [u32; 2],
}

/// `struct v4l2_plane`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct BufferPlane {
    pub bytes_used: u32,
    pub length: u32,
    /// Where to map it.
    pub at: u64,
    pub data_offset: u32,
    pub reserved: [u32; 11],
}

// SAFETY: integers all, and laid out as asserted below.
unsafe impl Abi for Capability {}
// SAFETY: as above.
unsafe impl Abi for FormatListed {}
// SAFETY: as above; every variant of the union is integers.
unsafe impl Abi for Format {}
// SAFETY: as above.
unsafe impl Abi for RequestBuffers {}
// SAFETY: as above.
unsafe impl Abi for Buffer {}
// SAFETY: as above.
unsafe impl Abi for BufferPlane {}

// The sizes are part of the requests' numbers: a wrong one would be refused by the kernel, and is by the compiler.
const _: () = {
    assert!(size_of::<Capability>() == 104);
    assert!(size_of::<FormatListed>() == 64);
    assert!(size_of::<Format>() == 208 && std::mem::offset_of!(Format, of) == 8);
    assert!(size_of::<PixelsSingle>() == 48);
    assert!(size_of::<PlaneFormat>() == 20);
    assert!(size_of::<PixelsMulti>() == 192);
    assert!(size_of::<RequestBuffers>() == 20);
    assert!(size_of::<Buffer>() == 88 && std::mem::offset_of!(Buffer, timestamp) == 24);
    assert!(std::mem::offset_of!(Buffer, at) == 64);
    assert!(size_of::<BufferPlane>() == 64);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_kernel_s_header() {
        // As a C compiler prints them on x86-64 and AArch64 alike.
        assert_eq!(QUERYCAP.number, 0x8068_5600);
        assert_eq!(ENUM_FMT.number, 0xc040_5602);
        assert_eq!(G_FMT.number, 0xc0d0_5604);
        assert_eq!(S_FMT.number, 0xc0d0_5605);
        assert_eq!(REQBUFS.number, 0xc014_5608);
        assert_eq!(QUERYBUF.number, 0xc058_5609);
        assert_eq!(QBUF.number, 0xc058_560f);
        assert_eq!(DQBUF.number, 0xc058_5611);
        assert_eq!(STREAMON.number, 0x4004_5612);
        assert_eq!(STREAMOFF.number, 0x4004_5613);
    }
}
