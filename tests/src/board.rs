//! A machine that is only told of: what its `proc` and `sys` say, in a folder.

use std::fs;

/// A folder with these files, each a path below it and its text.
pub fn board(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    folder
}
