//! A copy of the default bundle that a test may spoil.

use sha2::{Digest, Sha256};
use std::{fs, path::Path};
use tempfile::TempDir;

/// A bundle's folder, removed when dropped.
pub struct BundleCopy {
    folder: TempDir,
}

impl Default for BundleCopy {
    fn default() -> Self {
        BundleCopy::new()
    }
}

impl BundleCopy {
    /// The default bundle, unspoilt.
    pub fn new() -> BundleCopy {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, bytes) in ocellus_models::DEFAULT {
            fs::write(folder.path().join(name), bytes).expect("a file can be written");
        }
        BundleCopy { folder }
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Changes a file, and leaves the manifest as it was.
    pub fn spoil(self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        let path = self.path().join(name);
        let mut bytes = fs::read(&path).expect("a file of the bundle");
        change(&mut bytes);
        fs::write(path, bytes).expect("a file can be written");
        self
    }

    /// Changes a file and makes the manifest agree, so that only what reads the contents can object.
    pub fn forge(self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        let copy = self.spoil(name, change);
        let bytes = fs::read(copy.path().join(name)).expect("a file of the bundle");
        let hash: String = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        copy.manifest(|text| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let entry = lines
                .iter()
                .position(|line| *line == format!("name = \"{name}\""))
                .expect("an entry of the manifest");
            for line in &mut lines[entry + 1..entry + 3] {
                let key = line.split(' ').next().expect("a key").to_owned();
                *line = if key == "sha256" {
                    format!("sha256 = \"{hash}\"")
                } else {
                    format!("bytes = {}", bytes.len())
                };
            }
            lines.join("\n")
        })
    }

    /// Replaces text in the manifest.
    #[track_caller]
    pub fn replace(self, from: &str, to: &str) -> Self {
        self.manifest(|text| {
            assert!(text.contains(from), "no {from:?} in the manifest");
            text.replacen(from, to, 1)
        })
    }

    /// Replaces the value of the first line `key = ...` in the manifest.
    #[track_caller]
    pub fn set(self, key: &str, value: &str) -> Self {
        self.manifest(|text| {
            let start = format!("{key} = ");
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let line = lines
                .iter_mut()
                .find(|line| line.starts_with(&start))
                .unwrap_or_else(|| panic!("no {key} in the manifest"));
            *line = format!("{start}{value}");
            lines.join("\n")
        })
    }

    /// Rewrites the manifest.
    #[track_caller]
    pub fn manifest(self, change: impl FnOnce(&str) -> String) -> Self {
        let path = self.path().join("manifest.toml");
        let text = fs::read_to_string(&path).expect("a manifest");
        fs::write(path, change(&text)).expect("a file can be written");
        self
    }
}
