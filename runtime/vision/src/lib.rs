//! Frames, pixel formats, entropy, resize.
