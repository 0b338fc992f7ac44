//! Why a camera gives no frames.

use std::{io, path::PathBuf};

/// Why a camera gives no frames.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    /// The system refused a call; of a camera that is unplugged it is `ENODEV`.
    #[error("{}: {call}: {cause}{}", .device.display(), remedy(call, .cause))]
    Refused {
        /// The device.
        device: PathBuf,
        /// The call.
        call: &'static str,
        /// What the system said.
        cause: io::Error,
    },
    /// The device is something else, such as a decoder or a camera's metadata.
    #[error(
        "{}: expected a device that captures video by streaming, got {got}; `v4l2-ctl --list-devices` names the cameras", .device.display()
    )]
    NoCapture {
        /// The device.
        device: PathBuf,
        /// What it calls itself.
        got: String,
    },
    /// It lists no format that was asked for.
    #[error(
        "{}: expected one of the pixel formats {expected}, got a device that gives {got}; a CSI sensor's raw data go \
         through rpicam-vid or GStreamer to standard input", .device.display()
    )]
    NoFormat {
        /// The device.
        device: PathBuf,
        /// What was asked for.
        expected: String,
        /// What it lists.
        got: String,
    },
    /// It lists a format and then sets another.
    #[error("{}: expected {expected} in at most 4 planes, got {got} in {planes}", .device.display())]
    OtherFormat {
        /// The device.
        device: PathBuf,
        /// What it was told.
        expected: String,
        /// What it made of it.
        got: String,
        /// In how many planes.
        planes: usize,
    },
}

/// What helps, where that is known.
fn remedy(call: &str, cause: &io::Error) -> &'static str {
    match (call, cause.raw_os_error()) {
        ("open", Some(libc::ENOENT)) => "; connect the camera, or see `ls /dev/video*`",
        ("open", Some(libc::EACCES)) => "; the user must be in the group video",
        ("open" | "VIDIOC_S_FMT" | "VIDIOC_REQBUFS", Some(libc::EBUSY)) => {
            "; another program has the camera"
        }
        // The second is an emulator's word for a request that it does not know.
        ("VIDIOC_QUERYCAP", Some(libc::ENOTTY | libc::ENOSYS)) => "; this is no camera",
        (_, Some(libc::ENODEV)) => "; it was unplugged",
        _ => "",
    }
}
