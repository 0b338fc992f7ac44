//! The bytes of a frame's planes, in memory or in dma-bufs, which are mapped as long as a call reads them.

use crate::{
    frame::{OCELLUS_MAX_PLANES, ocellus_frame, ocellus_plane},
    pointer,
    status::{Failure, OCELLUS_E_FRAME_DMABUF, OCELLUS_E_FRAME_PLANE},
};
use ocellus::{
    sys::SharedBuffer,
    vision::{Frame, Plane},
};

/// A frame whose planes' bytes are there. What was mapped for it ends with it.
pub(crate) struct Mapped<'a> {
    given: &'a ocellus_frame,
    /// Each distinct dma-buf at the first plane that names it.
    buffers: [Option<SharedBuffer>; OCELLUS_MAX_PLANES],
}

impl<'a> Mapped<'a> {
    /// Maps each dma-buf once, as far as the longest plane in it.
    ///
    /// # Safety
    /// The planes' bytes are readable, and stay as they are for `'a`.
    pub unsafe fn new(given: &'a ocellus_frame) -> Result<Mapped<'a>, Failure> {
        let planes = given.used()?;
        let mut buffers = [const { None }; OCELLUS_MAX_PLANES];
        for (index, plane) in planes.iter().enumerate() {
            let fd = plane.fd;
            if fd == NONE {
                continue;
            }
            if !plane.data.is_null() {
                return Err(dma_buf(
                    index,
                    format_args!(
                        "expected data or fd, got both; set fd to -1 where data is used, got {fd}"
                    ),
                ));
            }
            let same = planes.iter().filter(|other| other.fd == fd);
            let bytes = same.map(|plane| plane.size).max().unwrap_or_default();
            if first(planes, fd) == Some(index) {
                // SAFETY: handed through.
                let buffer = unsafe { SharedBuffer::new(fd, bytes) };
                buffers[index] =
                    Some(buffer.map_err(|error| dma_buf(index, format_args!("{error}")))?);
            }
        }
        Ok(Mapped { given, buffers })
    }

    /// The checked frame.
    pub fn frame(&self) -> Result<Frame<'_>, Failure> {
        let given = self.given.used()?;
        let mut planes = [Plane::default(); OCELLUS_MAX_PLANES];
        for (index, plane) in given.iter().enumerate() {
            let buffer = match first(given, plane.fd).and_then(|at| self.buffers[at].as_ref()) {
                Some(buffer) => &buffer.bytes()[..plane.size],
                None if plane.data.is_null() => return Err(Failure::null(DATA[index])),
                // SAFETY: `size` readable bytes that stay, by the word that `new` was given.
                None => unsafe {
                    pointer::slice(plane.data.cast::<u8>(), plane.size, DATA[index])?
                },
            };
            let data = buffer.get(plane.offset..).ok_or_else(|| {
                let message = format!(
                    "planes[{index}].offset: expected at most size, {}, got {}",
                    plane.size, plane.offset
                );
                Failure::new(OCELLUS_E_FRAME_PLANE, message)
            })?;
            planes[index] = Plane {
                data,
                stride: plane.stride,
            };
        }
        self.given.over(planes)
    }
}

/// The `fd` of a plane in memory.
const NONE: i32 = -1;

const DATA: [&str; OCELLUS_MAX_PLANES] = [
    "planes[0].data",
    "planes[1].data",
    "planes[2].data",
    "planes[3].data",
];

/// The first plane in this dma-buf.
fn first(planes: &[ocellus_plane], fd: i32) -> Option<usize> {
    planes.iter().position(|plane| plane.fd == fd)
}

fn dma_buf(index: usize, why: std::fmt::Arguments<'_>) -> Failure {
    Failure::new(OCELLUS_E_FRAME_DMABUF, format!("planes[{index}].fd: {why}"))
}
