//! `cargo xtask demo`: one photo and some words in, the answer out.
//!
//! Needs Rust and a C compiler, and nothing else: the bundle is inside the program, the photo is in the repository.

use crate::{build, process, repo};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

const PHOTOS: &str = "tests/data/photos";
const LABELS: &str = "a cat,a dog,a cup of coffee,a bicycle,a bus";

/// Build the program and label a photo with it
#[derive(clap::Args)]
pub struct Args {
    /// A picture of your own
    image: Option<PathBuf>,
    /// Words of your own, separated by commas
    #[arg(long, default_value = LABELS)]
    labels: String,
    /// Also write a picture of where the labels are, all of the photo seen
    #[arg(long, value_name = "OUT.png")]
    heat: Option<PathBuf>,
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<()> {
    let root = repo::root()?;
    let image = match &args.image {
        Some(image) => std::path::absolute(image)?,
        None => photo(&root)?,
    };
    let program = build::host("release")?;
    let shown = image.strip_prefix(&root).unwrap_or(&image);
    let mut ocellus = Command::new(program);
    ocellus
        .arg("label")
        .arg(shown)
        .args(["--labels", &args.labels]);
    if let Some(heat) = &args.heat {
        let heat = std::path::absolute(heat)?;
        ocellus.args(["--crop", "squash", "--resolution", "224", "--heat"]);
        ocellus.arg(heat);
    }
    process::run(ocellus.current_dir(&root))
}

/// The cat, or the first photo there is.
fn photo(root: &Path) -> Result<PathBuf> {
    let dir = root.join(PHOTOS);
    let cat = dir.join("chelsea.jpg");
    if cat.is_file() {
        return Ok(cat);
    }
    let entries = std::fs::read_dir(&dir)
        .with_context(|| format!("no folder {PHOTOS}; name a photo: `cargo xtask demo PHOTO`"))?;
    let mut photos: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    photos.retain(|p| p.extension().is_some_and(|e| e == "jpg" || e == "png"));
    photos.sort();
    let first = photos.into_iter().next();
    first.with_context(|| format!("{PHOTOS} has no photo; name one: `cargo xtask demo PHOTO`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_photo_is_said_with_the_remedy() {
        let error = photo(Path::new("/no/such/root")).unwrap_err();
        assert!(error.to_string().contains(PHOTOS));
    }
}
