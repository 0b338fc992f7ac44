//! What the camera saw, made ready for an encoder: frames, views, entropy, resize, normalise.
//!
//! ```text
//! file bytes ── decode ──► Picture ─┐
//! camera planes ──────────► Frame ──┴── views ──► Intermediate ──┬── entropy_bits
//!                                       (crop)    (read once)    └── resize ── normalize ──► [3, r, r]
//! ```
//!
//! The caller's frame is read once per view. [`Intermediate::read`] converts the pixels that the
//! view needs to RGB and reduces them until the view's short side is at most 512 pixels; entropy
//! and every resolution come from there, so a second look at a higher resolution never touches the
//! camera's buffer again.
//!
//! Wrong pixels are the commonest silent fault of vision systems, so each step has a written
//! definition that a test holds it to: colour conversion an integer formula ([`ColorMatrix`]),
//! resize Pillow's bicubic ([`Intermediate::resize`]), entropy an exact reduction and histogram
//! ([`Intermediate::entropy_bits`]). Results are the same on every processor: everything up to the
//! resized bytes is integer arithmetic.
//!
//! ```
//! use ocellus_vision::{CropMode, Frame, Intermediate, normalize, views};
//!
//! let camera = vec![128; 64 * 48 * 3];
//! let frame = Frame::rgb(64, 48, &camera)?;
//! for view in views(CropMode::Centre, frame.width(), frame.height(), 0.875) {
//!     let seen = Intermediate::read(&frame, &view);
//!     assert_eq!(seen.entropy_bits(), 0.0);
//!     let input = normalize(&seen.resize(32), 32, [127.0; 3], [128.0; 3]);
//!     assert_eq!(input.len(), 3 * 32 * 32);
//! }
//! # Ok::<(), ocellus_vision::FrameError>(())
//! ```
#![forbid(unsafe_code)]

mod decode;
mod frame;
mod view;

pub use decode::{
    DecodeError, DecodeLimits, DecodeWarning, PICTURE_ENDINGS, Picture, decode, is_picture_name,
};
pub use frame::{
    ColorMatrix, ColorRange, Frame, FrameError, MAX_SIDE, Orientation, PixelFormat, Plane, Rect,
    UnknownPixelFormat,
};
pub use view::{
    CropMode, INTERMEDIATE_SIDE, Intermediate, MAX_RESOLUTION, UnknownCropMode, View, Workspace,
    normalize, views, views_into,
};
