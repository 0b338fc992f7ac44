//! One indexer at a time: a lock that ends with the process, however that ends.
//!
//! SQLite's own locks end with each commit, so a second indexer would slip in between two.

use crate::error::AlbumError;
use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
};

/// The right to write to an index.
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the index at `path`.
    ///
    /// # Errors
    /// [`AlbumError::Busy`] where another process has it, [`AlbumError::Io`].
    pub fn take(path: &Path) -> Result<Lock, AlbumError> {
        let beside = beside(path);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&beside)
            .map_err(AlbumError::io(&beside))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(AlbumError::Busy { path: path.into() }),
            Err(TryLockError::Error(reason)) => Err(AlbumError::Io {
                path: beside,
                reason,
            }),
        }
    }
}

/// Named like the files that SQLite puts beside a database. It stays: who deletes it could delete another's.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-lock");
    name.into()
}
