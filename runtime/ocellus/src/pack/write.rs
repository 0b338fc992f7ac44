//! Writes a folder all at once: beside its place first, under its name when every byte is on the disk.

use super::PackError;
use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

/// Writes `files` to the new folder `out`.
pub(super) fn all(files: &[(String, Vec<u8>)], out: &Path) -> Result<(), PackError> {
    let path = || out.display().to_string();
    if out.symlink_metadata().is_ok() {
        return Err(PackError::Exists { path: path() });
    }
    let name = out
        .file_name()
        .ok_or_else(|| PackError::Exists { path: path() })?;
    let process = std::process::id();
    let beside = out.with_file_name(format!(".{}.{process}.partial", name.to_string_lossy()));
    let written = fill(files, &beside).and_then(|()| {
        let moved = fs::rename(&beside, out).and_then(|()| sync(parent(out)));
        moved.map_err(|error| failed(out, &error))
    });
    if written.is_err() {
        // What is left of it is of no use; that it cannot be removed is no second error.
        let _ = fs::remove_dir_all(&beside);
    }
    written
}

fn fill(files: &[(String, Vec<u8>)], folder: &Path) -> Result<(), PackError> {
    fs::create_dir(folder).map_err(|error| failed(folder, &error))?;
    for (name, bytes) in files {
        let path = folder.join(name);
        let write = || -> io::Result<()> {
            let mut file = fs::File::create_new(&path)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().map_err(|error| failed(&path, &error))?;
    }
    sync(folder.to_owned()).map_err(|error| failed(folder, &error))
}

fn sync(folder: PathBuf) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

fn parent(out: &Path) -> PathBuf {
    match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn failed(path: &Path, error: &io::Error) -> PackError {
    PackError::Write {
        path: path.display().to_string(),
        message: error.to_string(),
    }
}
