//! What can go wrong with an index, in one type.

use rusqlite::ErrorCode;
use std::{
    io,
    path::{Path, PathBuf},
};

/// Why an index was refused, or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AlbumError {
    /// There is no such file.
    #[error("{}: expected an index of photos, got no file; make it with `ocellus index`", path.display())]
    Missing {
        /// The index.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{}: expected an index of photos, got {got}; give another file", path.display())]
    NotAnIndex {
        /// The file.
        path: PathBuf,
        /// What it is.
        got: String,
    },
    /// The index is of another version of this program.
    #[error("{}: expected an index of version {expected}, got {got}; delete it and index again", path.display())]
    Version {
        /// The index.
        path: PathBuf,
        /// The version that is read here.
        expected: i64,
        /// The file's.
        got: i64,
    },
    /// The embeddings are another bundle's: they lie in another space.
    #[error(
        "{}: expected an index made with {expected}, got one made with {got}; \
         use that bundle, or delete the index and index again",
        path.display()
    )]
    OtherBundle {
        /// The index.
        path: PathBuf,
        /// The bundle at hand.
        expected: String,
        /// The index's.
        got: String,
    },
    /// The file was an index and is damaged.
    #[error("{}: expected a whole index, got a damaged one ({what}); delete it and index again", path.display())]
    Corrupt {
        /// The index.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// Another program is at work on the index.
    #[error("{}: expected to be its only indexer, got another one at work; wait until it is done", path.display())]
    Busy {
        /// The index.
        path: PathBuf,
    },
    /// The disk is full. What was committed is kept.
    #[error(
        "{}: expected room on the disk, got none; free some and index again: what was done so far is kept",
        path.display()
    )]
    DiskFull {
        /// The index.
        path: PathBuf,
    },
    /// SQLite refused for another reason.
    #[error("{}: {what}", path.display())]
    Database {
        /// The index.
        path: PathBuf,
        /// SQLite's words.
        what: String,
    },
    /// The folder of photos, or the lock file, cannot be used.
    #[error("{}: {reason}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// A folder without pictures. It may be the place where a card is mounted, so nothing is forgotten.
    #[error(
        "{}: expected pictures below this folder, got none; is the card mounted? To forget its photos, delete the index",
        path.display()
    )]
    NoPictures {
        /// The folder.
        path: PathBuf,
    },
    /// An embedding is not of the bundle's dimension.
    #[error(
        "embedding: expected {expected} dimensions, got {got}; embed with the engine whose bundle the index has"
    )]
    Dimension {
        /// The bundle's.
        expected: usize,
        /// The embedding's.
        got: usize,
    },
}

impl AlbumError {
    /// A short, stable name of the kind of error, for reports that machines read.
    pub fn kind(&self) -> &'static str {
        match self {
            AlbumError::Missing { .. } => "missing",
            AlbumError::NotAnIndex { .. } => "not-an-index",
            AlbumError::Version { .. } => "version",
            AlbumError::OtherBundle { .. } => "other-bundle",
            AlbumError::Corrupt { .. } => "corrupt",
            AlbumError::Busy { .. } => "busy",
            AlbumError::DiskFull { .. } => "disk-full",
            AlbumError::Database { .. } => "database",
            AlbumError::Io { .. } => "io",
            AlbumError::NoPictures { .. } => "no-pictures",
            AlbumError::Dimension { .. } => "dimension",
        }
    }

    /// What SQLite's error means for the index at `path`.
    pub(crate) fn of(path: &Path, error: rusqlite::Error) -> AlbumError {
        let path = path.to_path_buf();
        let what = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => AlbumError::NotAnIndex {
                path,
                got: "a file that is no database".into(),
            },
            Some(ErrorCode::DatabaseCorrupt) => AlbumError::Corrupt { path, what },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => AlbumError::Busy { path },
            Some(ErrorCode::DiskFull) => AlbumError::DiskFull { path },
            Some(_) => AlbumError::Database { path, what },
            // No code: a value is not of the type that the schema says.
            None => AlbumError::Corrupt { path, what },
        }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> AlbumError {
        let path = path.to_path_buf();
        move |reason| AlbumError::Io { path, reason }
    }
}
