//! A bundle: everything a model needs to be used rightly, and nothing of it trusted before it was checked.
//!
//! [`Bundle`] is the proof: who holds one has a manifest in range and every file it names, at its size, with its hash
//! (save [`Bundle::embedded`], whose bytes are part of the program and were checked when it was built).

mod check;
mod few_shot;
mod image_files;
mod manifest;
mod soft_prompts;
mod tensors;
mod text_sequence;
mod text_tokens;
mod unigram;

pub(crate) use check::check_name;
pub use few_shot::FewShot;
pub use image_files::ImageFiles;
pub use manifest::{
    FileEntry, Golden, Head, Image, MANIFEST, Manifest, NoMatch, PolicyDefaults, RelevanceDefaults,
    SCHEMA, Text,
};
pub use soft_prompts::SoftPrompts;
pub(crate) use soft_prompts::SoftVectors;
pub(crate) use tensors::{I8Rows, Tensors};
pub use text_sequence::TextSequence;
pub use text_tokens::TextTokens;
pub use unigram::UnigramPieces;

use sha2::{Digest, Sha256};
use std::{borrow::Cow, collections::BTreeMap, fs, io::Read, path::Path};

/// No file of a bundle may be larger.
const MAX_FILE_BYTES: u64 = 512 << 20;
/// A manifest is a page or two.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// Why a bundle was refused.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file could not be read.
    #[error("{file}: {message}; a bundle is a folder with {MANIFEST} and the files it names")]
    Io {
        /// The file.
        file: String,
        /// What the system said.
        message: String,
    },
    /// The manifest is not TOML, lacks a key, or has one too many.
    #[error("{MANIFEST}: {0}")]
    Syntax(String),
    /// A value of the manifest is out of range.
    #[error("{MANIFEST}: {key}: expected {expected}, got {got}")]
    Manifest {
        /// The key, dotted.
        key: &'static str,
        /// What it may hold.
        expected: String,
        /// What it held.
        got: String,
    },
    /// A file's size is not the manifest's.
    #[error("{file}: expected {expected} bytes, got {got}; copy the bundle again")]
    Size {
        /// The file.
        file: String,
        /// The manifest's size.
        expected: u64,
        /// The size found.
        got: u64,
    },
    /// A file's hash is not the manifest's.
    #[error("{file}: expected SHA-256 {expected}, got {got}; copy the bundle again")]
    Hash {
        /// The file.
        file: String,
        /// The manifest's hash.
        expected: String,
        /// The hash found.
        got: String,
    },
    /// A file that the manifest names was not handed over.
    #[error("{file}: named in {MANIFEST} but missing from the bundle")]
    Missing {
        /// The file.
        file: String,
    },
    /// A file's contents do not fit the manifest.
    #[error("{file}: {what}: expected {expected}, got {got}")]
    Contents {
        /// The file.
        file: String,
        /// Which part of it.
        what: String,
        /// What the manifest implies.
        expected: String,
        /// What was there.
        got: String,
    },
}

/// A checked bundle.
#[derive(Debug)]
pub struct Bundle {
    manifest: Manifest,
    files: BTreeMap<String, Cow<'static, [u8]>>,
    sha256: String,
}

impl Bundle {
    /// Reads a bundle's folder and checks sizes and hashes.
    ///
    /// # Errors
    /// [`BundleError`] names the file, what was expected and what was found.
    pub fn open(folder: &Path) -> Result<Bundle, BundleError> {
        let text = read_file(folder, MANIFEST, None)?;
        let manifest = Manifest::parse(utf8(&text)?)?;
        let mut files = BTreeMap::new();
        for entry in &manifest.files {
            let bytes = read_file(folder, &entry.name, Some(entry.bytes))?;
            files.insert(entry.name.clone(), Cow::Owned(bytes));
        }
        let bundle = Bundle {
            sha256: hex_sha256(&text),
            manifest,
            files,
        };
        bundle.verify()?;
        Ok(bundle)
    }

    /// A bundle from memory, `(name, bytes)` with the manifest among them; sizes and hashes are checked.
    ///
    /// # Errors
    /// As [`Bundle::open`].
    pub fn from_memory(files: Vec<(String, Vec<u8>)>) -> Result<Bundle, BundleError> {
        let bundle = Bundle::assemble(
            files
                .into_iter()
                .map(|(name, bytes)| (name, Cow::Owned(bytes))),
        )?;
        bundle.verify()?;
        Ok(bundle)
    }

    /// The bundle inside the program. Sizes are checked; hashes are left to [`Bundle::verify`], since hashing would add
    /// to every start and the bytes are the program's own.
    ///
    /// # Errors
    /// As [`Bundle::open`], hashes apart.
    pub fn embedded(files: &[(&str, &'static [u8])]) -> Result<Bundle, BundleError> {
        let bundle = Bundle::assemble(
            files
                .iter()
                .map(|(name, bytes)| (name.to_string(), Cow::Borrowed(*bytes))),
        )?;
        bundle.check_sizes()?;
        Ok(bundle)
    }

    fn assemble(
        files: impl Iterator<Item = (String, Cow<'static, [u8]>)>,
    ) -> Result<Bundle, BundleError> {
        let mut files: BTreeMap<_, _> = files.collect();
        let text = files.remove(MANIFEST).ok_or_else(|| BundleError::Missing {
            file: MANIFEST.into(),
        })?;
        let manifest = Manifest::parse(utf8(&text)?)?;
        files.retain(|name, _| manifest.files.iter().any(|entry| entry.name == *name));
        Ok(Bundle {
            sha256: hex_sha256(&text),
            manifest,
            files,
        })
    }

    /// Computes every file's hash again.
    ///
    /// # Errors
    /// [`BundleError::Size`], [`BundleError::Hash`] or [`BundleError::Missing`].
    pub fn verify(&self) -> Result<(), BundleError> {
        self.check_sizes()?;
        for entry in &self.manifest.files {
            let got = hex_sha256(self.file(&entry.name)?);
            if got != entry.sha256 {
                return Err(BundleError::Hash {
                    file: entry.name.clone(),
                    expected: entry.sha256.clone(),
                    got,
                });
            }
        }
        Ok(())
    }

    fn check_sizes(&self) -> Result<(), BundleError> {
        for entry in &self.manifest.files {
            let got = self.file(&entry.name)?.len() as u64;
            if got != entry.bytes {
                return Err(BundleError::Size {
                    file: entry.name.clone(),
                    expected: entry.bytes,
                    got,
                });
            }
        }
        Ok(())
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// SHA-256 of the manifest, which names every other file's: the identity of the whole bundle.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The bytes of one file.
    ///
    /// # Errors
    /// [`BundleError::Missing`].
    pub fn file(&self, name: &str) -> Result<&[u8], BundleError> {
        self.files
            .get(name)
            .map(|bytes| &**bytes)
            .ok_or_else(|| BundleError::Missing { file: name.into() })
    }
}

/// Reads one file of a bundle. A size that the manifest does not name is found out before the bytes are read.
pub(crate) fn read_file(
    folder: &Path,
    name: &str,
    expected: Option<u64>,
) -> Result<Vec<u8>, BundleError> {
    let path = folder.join(name);
    let io = |message: String| BundleError::Io {
        file: path.display().to_string(),
        message,
    };
    let metadata = fs::metadata(&path).map_err(|error| io(error.to_string()))?;
    if !metadata.is_file() {
        return Err(io("not a regular file".into()));
    }
    let got = metadata.len();
    if let Some(expected) = expected.filter(|&expected| expected != got) {
        return Err(BundleError::Size {
            file: name.into(),
            expected,
            got,
        });
    }
    let limit = if expected.is_some() {
        MAX_FILE_BYTES
    } else {
        MAX_MANIFEST_BYTES
    };
    if got > limit {
        return Err(io(format!("{got} bytes, the limit is {limit}")));
    }
    let mut bytes = Vec::with_capacity(got as usize);
    let file = fs::File::open(&path).map_err(|error| io(error.to_string()))?;
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| io(error.to_string()))?;
    Ok(bytes)
}

/// Reads a file of a draft, whose size nothing says.
///
/// # Errors
/// [`BundleError::Io`].
pub(crate) fn read_draft_file(folder: &Path, name: &str) -> Result<Vec<u8>, BundleError> {
    let path = folder.join(name);
    let metadata = fs::metadata(&path).map_err(|error| BundleError::Io {
        file: path.display().to_string(),
        message: error.to_string(),
    })?;
    read_file(folder, name, Some(metadata.len()))
}

pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, BundleError> {
    std::str::from_utf8(bytes).map_err(|error| BundleError::Syntax(format!("not UTF-8: {error}")))
}

pub(crate) fn hex_sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
