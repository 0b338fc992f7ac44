//! What a device was taught: `ocellus teach`, `ocellus forget`, `ocellus taught`, and the file between them.
//!
//! The file is replaced whole (`ocellus::sys::FileLock`), by one writer at a time; who reads it needs no lock.

pub mod forget;
pub mod list;
pub mod teach;

use anyhow::{Context, bail};
use ocellus::{Bundle, Examples, MAX_EXAMPLES, language::MAX_LABEL_BYTES, sys::FileLock};
use std::{
    fs::File,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

/// Where it is kept if nobody says.
const FILE: &str = "taught.ocellus";

/// Which file holds what was taught, for commands that change it.
#[derive(clap::Args)]
pub struct FileOption {
    /// The file that holds what was taught
    #[arg(long, value_name = "FILE", default_value = FILE)]
    taught: PathBuf,
}

/// Which file holds what was taught, for commands that use it.
#[derive(clap::Args)]
pub struct TaughtOption {
    /// Labels that were taught by pictures, beside the others: the file of `ocellus teach`
    #[arg(long, value_name = "FILE")]
    taught: Option<PathBuf>,
}

impl TaughtOption {
    /// Whether it is asked for.
    pub fn is_given(&self) -> bool {
        self.taught.is_some()
    }

    /// What was taught, if it is asked for.
    pub fn read(&self, bundle: &Bundle) -> anyhow::Result<Option<Examples>> {
        let path = self.taught.as_deref();
        path.map(|path| read(path, bundle)).transpose()
    }
}

/// What a file holds that must be there.
fn read(path: &Path, bundle: &Bundle) -> anyhow::Result<Examples> {
    match read_if_there(path, bundle)? {
        Some(examples) => Ok(examples),
        None => bail!(
            "{}: expected what `ocellus teach` saved, got no file; teach first, or give another file",
            path.display()
        ),
    }
}

fn read_if_there(path: &Path, bundle: &Bundle) -> anyhow::Result<Option<Examples>> {
    let name = || path.display().to_string();
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.with_context(name)?,
    };
    let key = bundle.manifest().image.channels + 4 + MAX_LABEL_BYTES + 8;
    let limit = (MAX_EXAMPLES * key + 1000) as u64;
    let mut bytes = Vec::new();
    // What is longer is none of ours, and is found not to be.
    file.take(limit)
        .read_to_end(&mut bytes)
        .with_context(name)?;
    Ok(Some(Examples::read(bundle, &bytes).with_context(name)?))
}

/// The right to change a file.
fn lock(path: &Path) -> anyhow::Result<FileLock> {
    let lock = FileLock::try_take(path);
    let lock = lock.with_context(|| format!("{}-lock", path.display()))?;
    lock.with_context(|| {
        format!(
            "{}: expected to be the only one to change it, got another at work; wait until it is done",
            path.display()
        )
    })
}

/// Puts examples in the place of what the file holds.
fn save(lock: &FileLock, path: &Path, examples: &Examples) -> anyhow::Result<()> {
    lock.replace(&examples.to_bytes()).with_context(|| {
        format!(
            "{}: not saved, what was taught before is kept",
            path.display()
        )
    })
}
