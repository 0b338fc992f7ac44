//! An index of photos: each photo's embedding in one SQLite file, searched by words or by another photo. No tags.
//!
//! ```text
//! folder ── walk ── unchanged? ── read ── known content? ── embed ── quantize ── a slot of a block ┐
//!                                                                                          photos.db
//! query ── embed ── scan of all blocks ── the best few ── their paths and times ───────────────────┘
//! ```
//!
//! **What is kept.** A photo's path, size, time of change and SHA-256, when it was taken, and its embedding in INT8; once,
//! the bundle that made the embeddings. Nothing names a device or an inode, so an index can be copied with its photos.
//! A photo whose path is new and whose content is known keeps its embedding.
//!
//! **What a score is.** The cosine of two quantized vectors: the photo's has 127 steps to a side of its largest element,
//! the query's as many as [`ocellus_kernels::ScanQuery`] allows. Against the cosine of the vectors before, that is at most
//! 0.006 off in 128 dimensions, 0.0015 in the quadratic mean.
//!
//! **What survives.** SQLite's write-ahead log: whoever ends the program, or the power, loses the photos since the last
//! commit, about a second's, and the next run computes them again into the same places. Searches read while an index grows.
//!
//! Limits: paths are UTF-8. One indexer at a time, which a lock file beside the index sees to (`photos.db-lock`); a search
//! needs to write beside the index too, as SQLite's log asks for it. SQLite looks for `SQLITE_TMPDIR` and `TMPDIR` in the
//! environment; nothing here makes it use them.
#![forbid(unsafe_code)]

mod album;
mod block;
mod embed;
mod error;
mod index;
mod lock;
mod ranking;
mod schema;
mod search;
mod taken;
#[cfg(test)]
mod tests;
mod walk;

pub use album::{Album, Made};
pub use block::BLOCK_ROWS;
pub use embed::{Embed, PictureEmbedder};
pub use error::AlbumError;
pub use index::{Event, Failure, IndexOptions, Indexed, Indexer, Outcome};
pub use ranking::{Ranked, Ranking};
pub use search::{Hit, SearchOptions};
pub use taken::{Since, Taken, TakenFrom, UnknownDate};
