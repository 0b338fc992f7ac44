//! Frames of a V4L2 camera, read in the driver's own buffers: single-planar and multi-planar, mapped, none copied.
//!
//! The ioctls are made here and not by the crate `v4l`: its bindings are generated while it builds, by libclang, which a
//! machine with Rust and a C compiler does not have; and ten requests and as many structs are all that a capture needs.
//!
//! Limits: no controls (exposure, focus), no frame intervals, no memory of the caller's; what a driver says of its colours
//! is taken at its word.

mod abi;
mod buffer;
mod error;
mod format;

use abi::{Abi, MULTI_PLANAR, SINGLE_PLANAR};
use buffer::{Description, Filled, Mapping};
pub use error::CameraError;
pub use format::CameraFormat;
use format::Colours;
use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

/// The most planes that a frame may have here.
pub const MAX_PLANES: usize = 4;

/// How many buffers a driver is asked for: one that is read, one that is filled, and two for a late reader.
const BUFFERS: u32 = 4;

/// A frame in a buffer of the driver's, which goes back to it after the look at it.
pub struct Captured<'a> {
    /// Counts the frames of the camera, those included that were not captured.
    pub sequence: u32,
    planes: [&'a [u8]; MAX_PLANES],
    count: usize,
}

impl<'a> Captured<'a> {
    /// The bytes of each plane.
    pub fn planes(&self) -> &[&'a [u8]] {
        &self.planes[..self.count]
    }
}

/// Which of several frames that are ready is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The newest; older ones are given back unseen.
    Newest,
    /// The oldest.
    Next,
}

/// A camera that streams.
pub struct Camera {
    device: PathBuf,
    kind: u32,
    format: CameraFormat,
    // Before the descriptor, so that nothing is mapped of a device that is closed.
    buffers: Vec<Vec<Mapping>>,
    fd: OwnedFd,
}

impl Camera {
    /// Opens a device and starts it, in the first of the `formats` that it lists, and about `size` pixels wide and high
    /// where one is given: the driver has the last word, [`Camera::format`].
    ///
    /// # Errors
    /// [`CameraError`], with the call that failed or what the device is instead.
    pub fn open(
        device: &Path,
        formats: &[[u8; 4]],
        size: Option<(u32, u32)>,
    ) -> Result<Camera, CameraError> {
        let fd = open(device).map_err(|cause| CameraError::Refused {
            device: device.to_owned(),
            call: "open",
            cause,
        })?;
        let mut camera = Camera {
            device: device.to_owned(),
            kind: 0,
            format: CameraFormat {
                fourcc: [0; 4],
                width: 0,
                height: 0,
                planes: 0,
                strides: [0; MAX_PLANES],
                bt709: false,
                full_range: false,
            },
            buffers: Vec::new(),
            fd,
        };
        camera.kind = camera.find_kind()?;
        let fourcc = camera.choose(formats)?;
        camera.set_format(fourcc, size)?;
        camera.make_buffers()?;
        camera.ask(&abi::STREAMON, &mut (camera.kind as i32))?;
        Ok(camera)
    }

    /// What its frames are.
    pub fn format(&self) -> &CameraFormat {
        &self.format
    }

    /// Shows a frame to `look`, where one is ready: whole frames only. When there will be one, its descriptor says, by
    /// being readable.
    ///
    /// # Errors
    /// [`CameraError::Refused`]; the camera is then of no more use.
    pub fn capture<R>(
        &mut self,
        which: Which,
        look: impl FnOnce(&Captured<'_>) -> R,
    ) -> Result<Option<R>, CameraError> {
        let mut found: Option<Filled> = None;
        // A camera that is faster than this loop must not hold it.
        for _ in 0..self.buffers.len() {
            let Some(filled) = self.take()? else { break };
            if filled.spoilt {
                self.give(filled.index)?;
                continue;
            }
            if let Some(older) = found.replace(filled) {
                self.give(older.index)?;
            }
            if which == Which::Next {
                break;
            }
        }
        let Some(filled) = found else {
            return Ok(None);
        };
        let mappings = &self.buffers[filled.index as usize];
        let mut planes: [&[u8]; MAX_PLANES] = [&[]; MAX_PLANES];
        for ((plane, mapping), [start, end]) in planes.iter_mut().zip(mappings).zip(filled.spans) {
            // SAFETY: the buffer was dequeued, so that the device writes it no more, until it is given back below.
            let bytes = unsafe { mapping.bytes() };
            let end = (end as usize).min(bytes.len());
            *plane = bytes.get(start as usize..end).unwrap_or_default();
        }
        let seen = look(&Captured {
            sequence: filled.sequence,
            planes,
            count: self.format.planes,
        });
        self.give(filled.index)?;
        Ok(Some(seen))
    }

    fn find_kind(&self) -> Result<u32, CameraError> {
        let mut capability = abi::Capability::zeroed();
        self.ask(&abi::QUERYCAP, &mut capability)?;
        let can = match capability.capabilities & abi::HAS_DEVICE_CAPABILITIES {
            0 => capability.capabilities,
            _ => capability.device_caps,
        };
        let streams = can & abi::CAN_STREAM != 0;
        if streams && can & abi::CAN_CAPTURE_MULTI_PLANAR != 0 {
            Ok(MULTI_PLANAR)
        } else if streams && can & abi::CAN_CAPTURE != 0 {
            Ok(SINGLE_PLANAR)
        } else {
            let card = String::from_utf8_lossy(&capability.card);
            Err(CameraError::NoCapture {
                device: self.device.clone(),
                got: format!("{:?}", card.trim_end_matches('\0')),
            })
        }
    }

    /// The first of the formats that the device lists.
    fn choose(&self, formats: &[[u8; 4]]) -> Result<[u8; 4], CameraError> {
        let mut listed = Vec::new();
        // Drivers list dozens at most.
        for index in 0..1024 {
            let mut format = abi::FormatListed::zeroed();
            format.index = index;
            format.kind = self.kind;
            match self.ask(&abi::ENUM_FMT, &mut format) {
                Ok(()) => listed.push(format.fourcc),
                Err(CameraError::Refused { cause, .. })
                    if cause.raw_os_error() == Some(libc::EINVAL) =>
                {
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        let chosen = formats.iter().find(|format| listed.contains(format));
        chosen.copied().ok_or_else(|| CameraError::NoFormat {
            device: self.device.clone(),
            expected: names(formats),
            got: names(&listed),
        })
    }

    fn set_format(&mut self, fourcc: [u8; 4], size: Option<(u32, u32)>) -> Result<(), CameraError> {
        let mut format = abi::Format::zeroed();
        format.kind = self.kind;
        // Where no size is asked for, the device keeps the one it has.
        self.ask(&abi::G_FMT, &mut format)?;
        if self.kind == MULTI_PLANAR {
            // SAFETY: the union is integers, whichever variant was written.
            let pixels = unsafe { &mut format.of.multi };
            pixels.fourcc = fourcc;
            pixels.field = abi::FIELD_NONE;
            let none = abi::PlaneFormat {
                image_bytes: 0,
                bytes_per_line: 0,
                reserved: [0; 6],
            };
            pixels.planes = [none; abi::MAX_PLANES];
            if let Some((width, height)) = size {
                (pixels.width, pixels.height) = (width, height);
            }
            self.ask(&abi::S_FMT, &mut format)?;
            // SAFETY: as above.
            let pixels = unsafe { format.of.multi };
            let planes = usize::from(pixels.plane_count);
            let mut strides = [0; MAX_PLANES];
            for (stride, plane) in strides.iter_mut().zip(pixels.planes) {
                *stride = plane.bytes_per_line as usize;
            }
            let colours = Colours {
                space: pixels.colorspace,
                encoding: pixels.encoding.into(),
                range: pixels.range.into(),
            };
            let size = (pixels.width, pixels.height);
            self.format = colours.format(pixels.fourcc, size, planes, strides);
        } else {
            // SAFETY: as above.
            let pixels = unsafe { &mut format.of.single };
            pixels.fourcc = fourcc;
            pixels.field = abi::FIELD_NONE;
            (pixels.bytes_per_line, pixels.image_bytes) = (0, 0);
            if let Some((width, height)) = size {
                (pixels.width, pixels.height) = (width, height);
            }
            self.ask(&abi::S_FMT, &mut format)?;
            // SAFETY: as above.
            let pixels = unsafe { format.of.single };
            let mut strides = [0; MAX_PLANES];
            strides[0] = pixels.bytes_per_line as usize;
            let colours = Colours {
                space: pixels.colorspace,
                encoding: pixels.encoding,
                range: pixels.range,
            };
            let size = (pixels.width, pixels.height);
            self.format = colours.format(pixels.fourcc, size, 1, strides);
        }
        let (got, planes) = (self.format.fourcc, self.format.planes);
        if got != fourcc || !(1..=MAX_PLANES).contains(&planes) {
            return Err(CameraError::OtherFormat {
                device: self.device.clone(),
                expected: names(&[fourcc]),
                got: names(&[got]),
                planes,
            });
        }
        Ok(())
    }

    /// Makes, maps and queues the buffers.
    fn make_buffers(&mut self) -> Result<(), CameraError> {
        let mut request = abi::RequestBuffers::zeroed();
        request.count = BUFFERS;
        request.kind = self.kind;
        request.memory = abi::MEMORY_MMAP;
        self.ask(&abi::REQBUFS, &mut request)?;
        for index in 0..request.count.min(BUFFERS) {
            let mut mappings = Vec::new();
            let mut description = Description::of(self.kind, index, MAX_PLANES);
            self.ask_about(&abi::QUERYBUF, &mut description)?;
            for plane in 0..self.format.planes {
                let (at, length) = description.place(plane);
                let mapping = Mapping::new(self.fd.as_fd(), at, length)
                    .map_err(|cause| self.refused("mmap", cause))?;
                mappings.push(mapping);
            }
            self.buffers.push(mappings);
            self.give(index)?;
        }
        Ok(())
    }

    /// Takes the oldest buffer that is filled.
    fn take(&self) -> Result<Option<Filled>, CameraError> {
        let mut description = Description::of(self.kind, 0, MAX_PLANES);
        match self.ask_about(&abi::DQBUF, &mut description) {
            Ok(()) => {}
            Err(CameraError::Refused { cause, .. })
                if cause.kind() == io::ErrorKind::WouldBlock =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        let buffer = &description.buffer;
        if buffer.index as usize >= self.buffers.len() {
            let cause = io::Error::other(format!("buffer {} was never made", buffer.index));
            return Err(self.refused("VIDIOC_DQBUF", cause));
        }
        Ok(Some(Filled {
            index: buffer.index,
            sequence: buffer.sequence,
            spoilt: buffer.flags & abi::BUFFER_SPOILT != 0,
            spans: std::array::from_fn(|plane| description.span(plane)),
        }))
    }

    /// Gives a buffer to the device.
    fn give(&self, index: u32) -> Result<(), CameraError> {
        let mut description = Description::of(self.kind, index, self.format.planes);
        self.ask_about(&abi::QBUF, &mut description)
    }

    fn ask<T>(&self, request: &abi::Request<T>, argument: &mut T) -> Result<(), CameraError> {
        // SAFETY: of the requests here only those about a buffer take pointers, and `ask_about` sets those.
        let made = unsafe { request.make(self.fd.as_fd(), argument) };
        made.map_err(|cause| self.refused(request.name, cause))
    }

    fn ask_about(
        &self,
        request: &abi::Request<abi::Buffer>,
        description: &mut Description,
    ) -> Result<(), CameraError> {
        if self.kind == MULTI_PLANAR {
            description.buffer.at = description.planes.as_mut_ptr() as u64;
        }
        self.ask(request, &mut description.buffer)
    }

    fn refused(&self, call: &'static str, cause: io::Error) -> CameraError {
        CameraError::Refused {
            device: self.device.clone(),
            call,
            cause,
        }
    }
}

impl AsFd for Camera {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        // A camera that was unplugged refuses, and has stopped.
        let _ = self.ask(&abi::STREAMOFF, &mut (self.kind as i32));
    }
}

fn open(device: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(device.as_os_str().as_bytes())?;
    let flags = libc::O_RDWR | libc::O_NONBLOCK | libc::O_CLOEXEC;
    // SAFETY: the path ends in a NUL, and no flag asks for a mode.
    let fd = unsafe { libc::open(path.as_ptr(), flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Codes as people write them, with commas between.
fn names(fourccs: &[[u8; 4]]) -> String {
    let names = fourccs
        .iter()
        .map(|code| String::from_utf8_lossy(code).trim_end().to_owned());
    match names.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "none".to_owned(),
        names => names,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_camera_is_said_with_a_remedy() {
        let message = |path: &str| match Camera::open(Path::new(path), &[*b"NV12"], None) {
            Ok(_) => panic!("a camera"),
            Err(error) => error.to_string(),
        };
        assert!(message("/dev/no-such-video").contains("connect the camera"));
        let null = message("/dev/null");
        assert!(
            null.contains("VIDIOC_QUERYCAP") && null.contains("no camera"),
            "{null}"
        );
    }
}
