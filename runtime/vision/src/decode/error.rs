//! Why bytes are not a picture.

use image::ImageFormat;

/// The formats that are read, as messages name them.
const READ: &str = "jpeg, png, webp, gif, bmp, tiff, pnm";

/// What is wrong with a picture file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// No bytes.
    #[error("the file is empty; check that it was written to the end")]
    Empty,
    /// Of no known format, or of one that is not read.
    #[error("{found}: not a picture this build reads ({READ}); convert it to one of them")]
    Format {
        /// What the bytes look like.
        found: String,
    },
    /// A known format with a feature that its decoder lacks.
    #[error(
        "{format}: {detail} is not read by this build; save the picture again as plain 8-bit {format} or png"
    )]
    Feature {
        /// The format that was found.
        format: &'static str,
        /// The feature.
        detail: String,
    },
    /// A side is over [`DecodeLimits::side`](crate::DecodeLimits::side).
    #[error(
        "{format} of {width}x{height} pixels has a side over {limit}; scale it down, or raise `DecodeLimits::side`"
    )]
    TooLarge {
        /// The format that was found.
        format: &'static str,
        /// Width that the file says.
        width: u32,
        /// Height that the file says.
        height: u32,
        /// The limit.
        limit: u32,
    },
    /// Decoding would hold more than [`DecodeLimits::bytes`](crate::DecodeLimits::bytes).
    #[error(
        "{format} needs {needed} bytes to decode, the limit is {limit}; scale it down, or raise `DecodeLimits::bytes`"
    )]
    TooMuchMemory {
        /// The format that was found.
        format: &'static str,
        /// Bytes that decoding would hold at once, at least.
        needed: u64,
        /// The limit.
        limit: u64,
    },
    /// The file ends too early.
    #[error("{format} is cut short after {bytes} bytes; copy the file again")]
    Truncated {
        /// The format that was found.
        format: &'static str,
        /// Length of the file.
        bytes: usize,
    },
    /// The file contradicts its format.
    #[error("{format} is damaged: {detail}; copy the file again, or save the picture anew")]
    Damaged {
        /// The format that was found.
        format: &'static str,
        /// What the decoder stumbled over.
        detail: String,
    },
}

impl DecodeError {
    /// The fault's short name, which stays the same across versions: `"empty"`, `"format"`,
    /// `"limit"` or `"decode"`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Format { .. } | Self::Feature { .. } => "format",
            Self::TooLarge { .. } | Self::TooMuchMemory { .. } => "limit",
            Self::Truncated { .. } | Self::Damaged { .. } => "decode",
        }
    }
}

/// The name that messages use for a format that is read.
pub(super) fn name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Jpeg => "jpeg",
        ImageFormat::Png => "png",
        ImageFormat::WebP => "webp",
        ImageFormat::Gif => "gif",
        ImageFormat::Bmp => "bmp",
        ImageFormat::Tiff => "tiff",
        ImageFormat::Pnm => "pnm",
        _ => "picture",
    }
}

/// The error for bytes that no decoder here takes.
pub(super) fn unknown_format(bytes: &[u8], guessed: Option<ImageFormat>) -> DecodeError {
    let found = match (guessed, bytes) {
        (_, [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..]) if brand.len() >= 4 => {
            format!(
                "an ISO media file of brand \"{}\"",
                brand[..4].escape_ascii()
            )
        }
        (Some(format), _) => format!("a file of type {format:?}").to_lowercase(),
        (None, _) => format!(
            "a file that starts with \"{}\"",
            bytes[..bytes.len().min(8)].escape_ascii()
        ),
    };
    DecodeError::Format { found }
}
