//! A driver's buffers: how the kernel describes one, and its memory.

use super::{
    MAX_PLANES,
    abi::{self, Abi, MULTI_PLANAR},
};
use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
    ptr::NonNull,
    slice,
};

/// A buffer that the device has filled.
pub struct Filled {
    pub index: u32,
    pub sequence: u32,
    /// The driver says that its bytes are not whole.
    pub spoilt: bool,
    /// Where the bytes of each plane begin and end.
    pub spans: [[u32; 2]; MAX_PLANES],
}

/// A buffer's description and its planes', which the kernel finds by their address.
pub struct Description {
    pub buffer: abi::Buffer,
    pub planes: [abi::BufferPlane; MAX_PLANES],
}

impl Description {
    pub fn of(kind: u32, index: u32, planes: usize) -> Description {
        let mut buffer = abi::Buffer::zeroed();
        buffer.index = index;
        buffer.kind = kind;
        buffer.memory = abi::MEMORY_MMAP;
        if kind == MULTI_PLANAR {
            buffer.length = planes as u32;
        }
        Description {
            buffer,
            planes: std::array::from_fn(|_| abi::BufferPlane::zeroed()),
        }
    }

    /// Where a plane is mapped, and its bytes.
    pub fn place(&self, plane: usize) -> (u64, usize) {
        if self.buffer.kind == MULTI_PLANAR {
            let plane = &self.planes[plane];
            // The kernel writes 32 bits of the union.
            (plane.at & 0xffff_ffff, plane.length as usize)
        } else {
            (self.buffer.at & 0xffff_ffff, self.buffer.length as usize)
        }
    }

    /// Where the bytes of a plane begin and end. A driver that does not say how many were used has used all.
    pub fn span(&self, plane: usize) -> [u32; 2] {
        let (start, used) = if self.buffer.kind == MULTI_PLANAR {
            let plane = &self.planes[plane];
            (plane.data_offset, plane.bytes_used)
        } else {
            (0, self.buffer.bytes_used)
        };
        [start, if used == 0 { u32::MAX } else { used }]
    }
}

/// Memory of the driver's, mapped to read.
pub struct Mapping {
    at: NonNull<u8>,
    bytes: usize,
}

// SAFETY: memory that this process maps, whichever thread reads it.
unsafe impl Send for Mapping {}

impl Mapping {
    pub fn new(device: BorrowedFd<'_>, at: u64, bytes: usize) -> io::Result<Mapping> {
        // SAFETY: a new mapping at an address of the kernel's choice.
        let mapped = unsafe {
            let none = std::ptr::null_mut();
            let (read, shared) = (libc::PROT_READ, libc::MAP_SHARED);
            libc::mmap(none, bytes, read, shared, device.as_raw_fd(), at as _)
        };
        match NonNull::new(mapped.cast::<u8>()) {
            Some(at) if mapped != libc::MAP_FAILED => Ok(Mapping { at, bytes }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// The bytes.
    ///
    /// # Safety
    /// While they are borrowed, the device does not write them: the buffer is not queued.
    pub unsafe fn bytes(&self) -> &[u8] {
        // SAFETY: mapped for reading until the drop; not written, by the caller's word.
        unsafe { slice::from_raw_parts(self.at.as_ptr(), self.bytes) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's, and nothing borrows it any more.
        unsafe { libc::munmap(self.at.as_ptr().cast(), self.bytes) };
    }
}
