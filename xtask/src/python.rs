//! Python environments below the cache, each with exactly the packages of one requirements file, in which every wheel has
//! its hash. Other requirements get another environment, so an old one is never half right.

use crate::{process, repo, sha256};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The interpreter of an environment with exactly these requirements.
pub fn environment(requirements: &Path) -> Result<PathBuf> {
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
    process::run(pip.arg(requirements)).with_context(|| {
        format!(
            "the packages cannot be installed; they need the Python version and the machine that {} names",
            requirements.display()
        )
    })?;
    fs::write(&ready, "")?;
    Ok(python)
}

fn short_hash(bytes: &[u8]) -> String {
    sha256::hex(bytes)[..12].to_owned()
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
