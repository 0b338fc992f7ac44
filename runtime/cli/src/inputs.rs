//! Which pictures a command line names: files, folders, standard input.

use anyhow::Context;
use ocellus::vision::{PICTURE_ENDINGS, is_picture_name};
use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

/// One picture to read.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A file.
    File(PathBuf),
    /// Standard input, written `-`.
    Standard,
}

impl Input {
    /// The name that reports carry.
    pub fn name(&self) -> String {
        match self {
            Input::File(path) => path.display().to_string(),
            Input::Standard => "-".into(),
        }
    }

    /// The bytes. Refuses what is larger than `limit` before reading all of it.
    pub fn read(&self, limit: u64) -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let reader: Box<dyn Read> = match self {
            Input::File(path) => Box::new(fs::File::open(path)?),
            Input::Standard => Box::new(std::io::stdin().lock()),
        };
        reader
            .take(limit.saturating_add(1))
            .read_to_end(&mut bytes)?;
        anyhow::ensure!(
            bytes.len() as u64 <= limit,
            "more than {limit} bytes; raise --max-bytes to read it"
        );
        Ok(bytes)
    }
}

/// Expands the arguments: folders become the pictures below them, in name order.
pub fn expand(arguments: &[PathBuf]) -> anyhow::Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for argument in arguments {
        if argument == Path::new("-") {
            inputs.push(Input::Standard);
        } else if argument.is_dir() {
            let before = inputs.len();
            walk(argument, &mut inputs).with_context(|| argument.display().to_string())?;
            anyhow::ensure!(
                inputs.len() > before,
                "{}: no pictures below this folder ({})",
                argument.display(),
                PICTURE_ENDINGS.join(", ")
            );
        } else {
            inputs.push(Input::File(argument.clone()));
        }
    }
    Ok(inputs)
}

/// Pictures below a folder. Links to folders are not followed, so a circle of links ends.
fn walk(folder: &Path, inputs: &mut Vec<Input>) -> std::io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            walk(&path, inputs)?;
        } else if path.is_file() && is_picture_name(&path) {
            inputs.push(Input::File(path));
        }
    }
    Ok(())
}
