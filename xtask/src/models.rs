//! `cargo xtask models build|eval`: the Python recipe that makes every file of the default bundle, and the one that
//! measures it.
//!
//! The recipe runs in a virtual environment below the cache, made from `models/recipe/requirements.txt`, where every
//! wheel has its hash; other requirements get another environment, so an old one is never half right.

use crate::{process, repo};
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Make or measure the default bundle
#[derive(clap::Args)]
pub struct Args {
    /// What to do
    #[arg(value_enum)]
    what: What,
    /// Where to write, instead of the committed place
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What the recipe itself takes
    #[arg(last = true)]
    args: Vec<String>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    /// Make the bundle's files
    Build,
    /// Measure the bundle on photos and write the report
    Eval,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Eval => "eval",
        }
    }
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<()> {
    let models = repo::root()?.join("models");
    let python = environment(&models.join("recipe/requirements.txt"))?;
    let mut recipe = Command::new(python);
    recipe.args(["-m", "recipe", args.what.name()]);
    if let Some(out) = &args.out {
        // The recipe runs elsewhere, so a relative folder would be another one.
        recipe.arg("--out").arg(std::path::absolute(out)?);
    }
    // Set iteration must not depend on the run; the bundle's bytes do not.
    recipe
        .args(&args.args)
        .env("PYTHONHASHSEED", "0")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    process::run(recipe.current_dir(models))
}

/// The interpreter of an environment with exactly these requirements.
fn environment(requirements: &Path) -> Result<PathBuf> {
    let text = fs::read(requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let dir = repo::cache()?.join(format!("venv-{}", short_hash(&text)));
    let python = dir.join("bin/python");
    let ready = dir.join("ready");
    if ready.is_file() && python.exists() {
        return Ok(python);
    }
    let mut make = Command::new("python3");
    process::run(make.args(["-m", "venv", "--clear"]).arg(&dir))
        .context("Python's venv does not work; on Debian: sudo apt-get install -y python3-venv")?;
    let mut pip = Command::new(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--require-hashes",
        "--requirement",
    ]);
    process::run(pip.arg(requirements)).context(
        "the recipe's packages cannot be installed; they need the Python version and the machine that \
         models/recipe/requirements.txt names",
    )?;
    fs::write(&ready, "")?;
    Ok(python)
}

fn short_hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .take(6)
        .map(|b| format!("{b:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_requirements_are_another_environment() {
        assert_eq!(short_hash(b"abc"), "ba7816bf8f01");
        assert_ne!(short_hash(b"numpy==1"), short_hash(b"numpy==2"));
    }

    #[test]
    fn missing_requirements_are_named() {
        let error = environment(Path::new("/no/requirements.txt")).unwrap_err();
        assert!(error.to_string().contains("/no/requirements.txt"));
    }
}
