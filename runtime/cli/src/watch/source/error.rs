//! What can go wrong with a source.

use ocellus::{
    sys::CameraError,
    vision::{DecodeError, FrameError},
};
use std::io;

/// What can go wrong with a source. The message says what, where, expected, got and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The camera gives no frames.
    #[error(transparent)]
    Camera(#[from] CameraError),
    /// The camera streams, and no frame comes.
    #[error(
        "{name}: expected a frame within {seconds} s, got none{last}; is the sensor connected, and nothing else using it?"
    )]
    Silent {
        /// The device.
        name: String,
        /// How long was waited.
        seconds: u64,
        /// What was wrong with those that came.
        last: String,
    },
    /// The system refused something.
    #[error("{name}: {what}: {cause}")]
    System {
        /// The file.
        name: String,
        /// What was to be done.
        what: &'static str,
        /// What the system said.
        cause: io::Error,
    },
    /// It is no YUV4MPEG2 stream, or one of another kind.
    #[error("{name}: {what}: expected {expected}, got {got}")]
    Header {
        /// The file.
        name: String,
        /// Which part of the header.
        what: &'static str,
        /// What is read.
        expected: String,
        /// What is there.
        got: String,
    },
    /// It ends within a frame.
    #[error(
        "{name}: frame {number}: expected {expected} bytes, got {got}: it was cut short, or its writer went away"
    )]
    Cut {
        /// The file.
        name: String,
        /// Which frame, from 0.
        number: u64,
        /// Bytes of a frame.
        expected: usize,
        /// Bytes that there are.
        got: usize,
    },
    /// It ends before its first frame.
    #[error("{name}: expected frames, got none: it ended before the first")]
    Empty {
        /// The file.
        name: String,
    },
    /// A file's length is not a number of frames.
    #[error(
        "{name}: expected a multiple of {frame} bytes ({geometry}), got {bytes} bytes; width, height, format or stride is \
         another, or the file was cut short"
    )]
    Geometry {
        /// The file.
        name: String,
        /// Bytes of a frame.
        frame: usize,
        /// What they are made of.
        geometry: String,
        /// Bytes of the file.
        bytes: u64,
    },
    /// A frame cannot be what its description says.
    #[error("{name}: {frame}")]
    Frame {
        /// The source.
        name: String,
        /// Why.
        frame: FrameError,
    },
    /// A frame would be too large to hold.
    #[error("{name}: expected frames of at most {limit} bytes, got {bytes}")]
    TooLarge {
        /// The source.
        name: String,
        /// The most.
        limit: usize,
        /// Bytes of a frame.
        bytes: String,
    },
    /// A picture cannot be read.
    #[error("{0}")]
    Picture(DecodeError),
    /// A folder, or one of its files, cannot be read.
    #[error("{0}")]
    Folder(String),
}

impl SourceError {
    /// A short, stable name of the kind of error, for reports that machines read.
    pub fn kind(&self) -> &'static str {
        match self {
            SourceError::Camera(_) | SourceError::Silent { .. } => "camera",
            SourceError::System { .. } | SourceError::Folder(_) => "io",
            SourceError::Header { .. } => "header",
            SourceError::Cut { .. } | SourceError::Empty { .. } => "truncated",
            SourceError::Geometry { .. } | SourceError::TooLarge { .. } => "geometry",
            SourceError::Frame { .. } => "frame",
            SourceError::Picture(error) => error.kind(),
        }
    }
}
