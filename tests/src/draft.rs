//! A draft of a bundle that a test may spoil and pack: the small models of `tests/data/clip`.

use crate::{Run, data, ocellus};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A draft's folder, and room for bundles beside it; removed when dropped.
pub struct Draft {
    folder: TempDir,
}

/// A bundle that was packed of a draft; removed when dropped.
pub struct PackedDraft {
    /// The bundle's folder.
    pub path: String,
    _draft: Draft,
}

impl Draft {
    /// The draft with the image tower `kind`, `vit` or `conv`.
    pub fn new(kind: &str) -> Draft {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let draft = folder.path().join("draft");
        fs::create_dir(&draft).expect("a folder");
        for from in [data("clip"), data("clip").join(kind)] {
            for entry in fs::read_dir(from).expect("a folder of models") {
                let path = entry.expect("readable").path();
                if path.is_file() {
                    let name = path.file_name().expect("a name");
                    fs::copy(&path, draft.join(name)).expect("a file can be copied");
                }
            }
        }
        Draft { folder }
    }

    /// Its folder.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("draft")
    }

    /// The folder that it is in.
    pub fn beside(&self) -> &Path {
        self.folder.path()
    }

    /// Changes a file.
    #[must_use]
    pub fn spoil(self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Draft {
        let path = self.path().join(name);
        let mut bytes = fs::read(&path).expect("a file of the draft");
        change(&mut bytes);
        fs::write(path, bytes).expect("a file can be written");
        self
    }

    /// Replaces text in the manifest.
    #[must_use]
    #[track_caller]
    pub fn replace(self, from: &str, to: &str) -> Draft {
        self.spoil("manifest.toml", |bytes| {
            let text = String::from_utf8(std::mem::take(bytes)).expect("UTF-8");
            assert!(text.contains(from), "no {from:?} in the manifest");
            *bytes = text.replacen(from, to, 1).into_bytes();
        })
    }

    /// Removes a file.
    #[must_use]
    pub fn without(self, name: &str) -> Draft {
        fs::remove_file(self.path().join(name)).expect("a file of the draft");
        self
    }

    /// Where [`Draft::pack`] writes.
    pub fn bundle(&self) -> PathBuf {
        self.beside().join("bundle")
    }

    /// Packs it.
    pub fn pack(&self) -> Run {
        let (draft, bundle) = (self.path(), self.bundle());
        ocellus(["bundle", "pack", text(&draft), "--out", text(&bundle)])
    }

    /// The path of the bundle that it packs into.
    pub fn packed(&self) -> String {
        let run = self.pack();
        assert_eq!(run.code, 0, "{run:?}");
        text(&self.bundle()).to_owned()
    }

    /// The bundle that it packs into, with the draft's life.
    pub fn into_packed(self) -> PackedDraft {
        PackedDraft {
            path: self.packed(),
            _draft: self,
        }
    }

    /// What is beside the draft.
    pub fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.beside()).expect("a folder");
        let names = entries.map(|entry| entry.expect("readable").file_name());
        let names = names.map(|name| name.to_string_lossy().into_owned());
        names.filter(|name| name != "draft").collect()
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
