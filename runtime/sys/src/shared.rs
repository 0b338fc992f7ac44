//! A buffer that is known by a file descriptor, a camera's dma-buf above all, as bytes to read.
//!
//! A device writes a dma-buf behind the processor's caches. Reading is right only between two calls to the kernel, the
//! fence: `DMA_BUF_IOCTL_SYNC` with START and with END (Linux, `Documentation/driver-api/dma-buf.rst`). Shared memory,
//! such as a memfd, has no fence and needs none.

use std::{io, os::fd::RawFd, ptr::NonNull, slice};

/// Why a descriptor is not a buffer that can be read.
#[derive(Debug, thiserror::Error)]
pub enum SharedError {
    /// The kernel refused a call.
    #[error("{call} of descriptor {fd}: {source}")]
    Refused {
        /// The call.
        call: &'static str,
        /// The descriptor that was passed.
        fd: RawFd,
        /// What the kernel said.
        source: io::Error,
    },
    /// The buffer ends earlier: reading on would be a bus error.
    #[error("descriptor {fd} holds {got} bytes, and {expected} were to be read")]
    Short {
        /// The descriptor that was passed.
        fd: RawFd,
        /// Bytes that were asked for.
        expected: usize,
        /// Bytes that there are.
        got: u64,
    },
}

/// The first bytes of a shared buffer, mapped and fenced until it is dropped. The descriptor stays the caller's.
#[derive(Debug)]
pub struct SharedBuffer {
    at: NonNull<u8>,
    bytes: usize,
    /// The dma-buf whose fence is to be closed.
    fenced: Option<RawFd>,
}

const SYNC: u32 = 0x4008_6200;
const READ: u64 = 1;
const START: u64 = 0;
const END: u64 = 4;

impl SharedBuffer {
    /// Maps `bytes` bytes from the start of the buffer, and waits for the device that writes it.
    ///
    /// # Errors
    /// A descriptor that is not open, cannot be read or has no memory behind it; a buffer of fewer bytes.
    ///
    /// # Safety
    /// While this lives, nobody writes these bytes or makes the buffer shorter, and the descriptor stays open.
    pub unsafe fn new(fd: RawFd, bytes: usize) -> Result<SharedBuffer, SharedError> {
        let kind = Kind::of(fd)?;
        let got = kind.length(fd)?;
        if (bytes as u64) > got {
            return Err(SharedError::Short {
                fd,
                expected: bytes,
                got,
            });
        }
        // SAFETY: a new mapping at an address of the kernel's choice.
        let at = unsafe {
            let none = std::ptr::null_mut();
            libc::mmap(none, bytes, libc::PROT_READ, libc::MAP_SHARED, fd, 0)
        };
        let at = match NonNull::new(at.cast::<u8>()) {
            Some(at) if at.as_ptr().cast() != libc::MAP_FAILED => at,
            _ => return Err(refused("mmap", fd)),
        };
        let mut buffer = SharedBuffer {
            at,
            bytes,
            fenced: None,
        };
        if let Kind::Memory(_) = kind {
            return Ok(buffer);
        }
        match sync(fd, START) {
            Ok(()) => buffer.fenced = Some(fd),
            Err(error) if error.raw_os_error() == Some(libc::ENOTTY) => {}
            Err(source) => {
                let call = "DMA_BUF_IOCTL_SYNC";
                return Err(SharedError::Refused { call, fd, source });
            }
        }
        Ok(buffer)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: mapped for reading until the drop; within the buffer, which neither changes nor shrinks by the word
        // that `new` was given.
        unsafe { slice::from_raw_parts(self.at.as_ptr(), self.bytes) }
    }
}

impl Drop for SharedBuffer {
    fn drop(&mut self) {
        if let Some(fd) = self.fenced {
            // Nothing was written, so there is nothing to lose where the kernel refuses.
            let _ = sync(fd, END);
        }
        // SAFETY: the mapping is this value's, and nothing borrows it any more.
        unsafe { libc::munmap(self.at.as_ptr().cast(), self.bytes) };
    }
}

/// What a descriptor is.
enum Kind {
    /// Shared memory or a file, of so many bytes. It has no fence.
    Memory(u64),
    /// A dma-buf, as far as can be seen.
    Device,
}

impl Kind {
    fn of(fd: RawFd) -> Result<Kind, SharedError> {
        // SAFETY: integers are any bytes.
        let mut stat: libc::stat = unsafe { std::mem::zeroed() };
        // SAFETY: any descriptor may be asked, and the struct is ours.
        if unsafe { libc::fstat(fd, &mut stat) } != 0 {
            return Err(refused("fstat", fd));
        }
        Ok(match stat.st_mode & libc::S_IFMT == libc::S_IFREG {
            true => Kind::Memory(stat.st_size as u64),
            false => Kind::Device,
        })
    }

    /// Bytes of the buffer.
    fn length(&self, fd: RawFd) -> Result<u64, SharedError> {
        match self {
            Kind::Memory(bytes) => Ok(*bytes),
            Kind::Device => {
                // A dma-buf answers a seek to its end with its size, without moving anything.
                // SAFETY: any descriptor may be asked.
                let end = unsafe { libc::lseek(fd, 0, libc::SEEK_END) };
                u64::try_from(end).map_err(|_| refused("lseek", fd))
            }
        }
    }
}

fn sync(fd: RawFd, edge: u64) -> io::Result<()> {
    let flags: u64 = edge | READ;
    loop {
        // SAFETY: the kernel reads eight bytes, which these are; who does not know the request refuses it.
        if unsafe { libc::ioctl(fd, SYNC as _, &raw const flags) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            // The kernel's documentation asks for both to be tried again.
            Some(libc::EINTR | libc::EAGAIN) => {}
            _ => return Err(error),
        }
    }
}

fn refused(call: &'static str, fd: RawFd) -> SharedError {
    let source = io::Error::last_os_error();
    SharedError::Refused { call, fd, source }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::{
        fs::File,
        io::Write,
        os::fd::{AsRawFd, FromRawFd},
    };

    fn memory(bytes: &[u8]) -> File {
        // SAFETY: the name has a NUL, and the descriptor is nobody else's.
        let mut file = unsafe {
            let fd = libc::memfd_create(c"ocellus-shared".as_ptr(), libc::MFD_CLOEXEC);
            assert!(fd >= 0, "{}", io::Error::last_os_error());
            File::from_raw_fd(fd)
        };
        file.write_all(bytes).expect("memory");
        file
    }

    fn map(fd: RawFd, bytes: usize) -> Result<Vec<u8>, SharedError> {
        // SAFETY: no test writes to what it maps.
        let buffer = unsafe { SharedBuffer::new(fd, bytes)? };
        Ok(buffer.bytes().to_vec())
    }

    #[test]
    fn the_first_bytes_are_read_and_the_descriptor_s_place_stays() {
        let file = memory(b"abcdef");
        assert_eq!(map(file.as_raw_fd(), 4).expect("four bytes"), b"abcd");
        assert_eq!(map(file.as_raw_fd(), 6).expect("all bytes"), b"abcdef");
        // SAFETY: asks for the place only.
        let place = unsafe { libc::lseek(file.as_raw_fd(), 0, libc::SEEK_CUR) };
        assert_eq!(place, 6);
    }

    #[test]
    fn what_is_no_buffer_is_refused_with_the_reason() {
        let file = memory(b"abcdef");
        let message = |fd, bytes| map(fd, bytes).expect_err("no buffer").to_string();
        assert!(message(file.as_raw_fd(), 7).contains("holds 6 bytes, and 7"));
        assert!(message(file.as_raw_fd(), usize::MAX).contains("holds 6 bytes"));
        assert!(message(file.as_raw_fd(), 0).contains("mmap"));
        assert!(message(-1, 1).contains("fstat"));
        let (reader, _writer) = std::io::pipe().expect("a pipe");
        assert!(message(reader.as_raw_fd(), 1).contains("lseek"));
        let folder = File::open("/").expect("a folder");
        assert!(map(folder.as_raw_fd(), 1).is_err());
    }
}
