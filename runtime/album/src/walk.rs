//! The pictures below a folder, in the order of their paths.

use ocellus::vision::is_picture_name;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// What lies below a folder.
#[derive(Debug, Default)]
pub struct Walked {
    /// Files whose names end as pictures' do, in the order of their paths.
    pub pictures: Vec<PathBuf>,
    /// Folders that could not be read: of what is below them nothing is known.
    pub unread: Vec<(PathBuf, io::Error)>,
}

/// Walks `folder`. Links to files are followed and links to folders are not, so a circle of links ends.
///
/// # Errors
/// Only where `folder` itself cannot be read.
pub fn walk(folder: &Path) -> io::Result<Walked> {
    let mut walked = Walked::default();
    let entries = fs::read_dir(folder)?;
    add(entries, &mut walked)?;
    walked.pictures.sort();
    Ok(walked)
}

fn add(entries: fs::ReadDir, walked: &mut Walked) -> io::Result<()> {
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            let below = fs::read_dir(&path).and_then(|entries| add(entries, walked));
            if let Err(error) = below {
                walked.unread.push((path, error));
            }
        } else if is_picture_name(&path) && path.is_file() {
            walked.pictures.push(path);
        }
    }
    Ok(())
}
