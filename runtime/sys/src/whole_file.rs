//! A file that is replaced whole: a power cut at any moment leaves the old one or the new one, and one writer at a time
//! is let in.
//!
//! The new bytes are written beside the file and forced to the disk, take its place by rename, and the folder is forced to the
//! disk too: until then the name may still mean the old bytes. Who writes holds a [`FileLock`], which ends with the process,
//! however that ends.
//!
//! Limits: what a disk says it has written it must have written. A file system without rename over a name that is taken
//! has no such files.

use std::{
    ffi::OsStr,
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The right to replace a file, until it is dropped.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
    /// The file, links followed.
    path: PathBuf,
}

impl FileLock {
    /// The lock of the file at `path`, which need not be there; nothing where another holds it. It is a file of its own
    /// beside it, which stays: who deletes it could delete another's.
    ///
    /// # Errors
    /// The lock's file cannot be made.
    pub fn try_take(path: &Path) -> io::Result<Option<FileLock>> {
        // Through a link, so that it goes on to lead to the file.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.into());
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(beside(&path, "-lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(FileLock { _file: file, path })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Puts `bytes` in the place of what the file held, if it was there. On an error it still holds that.
    ///
    /// # Errors
    /// No room, no right to write to the folder, or a disk that fails.
    pub fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        // A name of its own is not needed: one writer has the lock, and what a power cut left is written over.
        let new = beside(&self.path, "-new");
        let written = self.write(&new, bytes);
        if written.is_err() {
            // It takes room that somebody needs.
            let _ = fs::remove_file(&new);
        }
        written
    }

    fn write(&self, new: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create(new)?;
        if let Ok(old) = fs::metadata(&self.path) {
            file.set_permissions(old.permissions())?;
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(new, &self.path)?;
        let folder = self
            .path
            .parent()
            .filter(|folder| *folder != OsStr::new(""));
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn one_writer_is_let_in_and_the_next_when_it_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let lock = FileLock::try_take(&path).expect("a lock").expect("free");
        assert!(FileLock::try_take(&path).expect("a lock").is_none());
        drop(lock);
        assert!(FileLock::try_take(&path).expect("a lock").is_some());
        let error = FileLock::try_take(&folder.path().join("no/file")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn the_file_is_replaced_with_its_rights_through_its_link_and_whatever_was_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&path, "old").expect("a file");
        fs::write(folder.path().join("file-new"), "left by a power cut").expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("rights");
        symlink("file", &link).expect("a link");
        let lock = FileLock::try_take(&link).expect("a lock").expect("free");
        // The same file by another name is the same lock.
        assert!(FileLock::try_take(&path).expect("a lock").is_none());
        lock.replace(b"new").expect("replaced");
        assert_eq!(fs::read(&path).expect("a file"), b"new");
        assert!(link.is_symlink());
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let names = fs::read_dir(folder.path()).expect("a folder");
        let mut names: Vec<_> = names.map(|entry| entry.expect("one").file_name()).collect();
        names.sort();
        assert_eq!(names, ["file", "file-lock", "link"]);
    }

    #[test]
    fn where_it_cannot_be_written_the_old_one_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        fs::write(&path, "old").expect("a file");
        let lock = FileLock::try_take(&path).expect("a lock").expect("free");
        // In the way of the new one, whoever runs the test.
        fs::create_dir(folder.path().join("file-new")).expect("a folder");
        lock.replace(b"new").expect_err("no file of that name");
        assert_eq!(fs::read(&path).expect("a file"), b"old");
    }
}
