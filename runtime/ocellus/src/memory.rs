//! How much memory an engine and its sessions may come to hold.
//!
//! What is used is counted by whoever embeds this library, since an allocator belongs to the program: the C library
//! counts its own. It is asked after each thing that was made and would be kept: a model, a plan, labels, a frame's
//! buffers. Where there is too much, that thing is dropped again.
//!
//! Limits: what a step works with for a moment comes on top. Files that do not fit are refused before they are loaded.

use crate::error::Error;

/// A bound of the memory that is used, and how to learn how much that is.
#[derive(Clone, Copy, Debug)]
pub struct MemoryLimit {
    /// The most that may be used, in bytes.
    pub bytes: usize,
    /// How many bytes are used, by whatever the limit is to bound.
    pub used: fn() -> usize,
}

impl MemoryLimit {
    /// No limit.
    pub const NONE: MemoryLimit = MemoryLimit {
        bytes: usize::MAX,
        used: || 0,
    };

    /// Whether `what` may be kept, with `more` bytes that it still needs.
    pub(crate) fn check(&self, what: &str, more: usize) -> Result<(), Error> {
        let used = (self.used)().saturating_add(more);
        match used <= self.bytes {
            true => Ok(()),
            false => Err(Error::Memory {
                what: what.into(),
                limit: self.bytes,
                used,
            }),
        }
    }
}

impl Default for MemoryLimit {
    fn default() -> MemoryLimit {
        MemoryLimit::NONE
    }
}
