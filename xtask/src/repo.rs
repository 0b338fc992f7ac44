//! The repository as the verbs see it: its root, its tracked files, cargo's metadata, and the cache outside of it.

use crate::process;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace's root folder.
///
/// Asked at run time: a target folder may be shared by several clones, so a path compiled in could be another clone's.
pub fn root() -> Result<PathBuf> {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR");
    let start = match manifest {
        Some(dir) => PathBuf::from(dir),
        None => std::env::current_dir().context("the current folder is gone")?,
    };
    start
        .ancestors()
        .find(|dir| dir.join("xtask/Cargo.toml").is_file())
        .map(Path::to_path_buf)
        .context("not inside the repository; run `cargo xtask` from a folder of it")
}

/// The files that git tracks and that are there, relative to the root, in git's order.
pub fn tracked(root: &Path) -> Result<Vec<PathBuf>> {
    let listed = process::capture(
        Command::new("git")
            .args(["ls-files", "-z"])
            .current_dir(root),
    )
    .context("cannot list the tracked files; run inside a git clone")?;
    Ok(listed
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
        .filter(|file| root.join(file).is_file())
        .collect())
}

/// The commit that is checked out, with `-changed` behind it where the tracked files are others by now.
pub fn commit(root: &Path) -> Result<String> {
    let git = |args: &[&str]| process::capture(Command::new("git").args(args).current_dir(root));
    let commit = git(&["rev-parse", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    let mark = if changes.is_empty() { "" } else { "-changed" };
    Ok(format!("{}{mark}", commit.trim_end()))
}

/// Where things go that outlive a clone: `OCELLUS_CACHE`, else `ocellus` in the user's cache folder.
pub fn cache() -> Result<PathBuf> {
    let dir = |name: &str| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    dir("OCELLUS_CACHE")
        .or_else(|| Some(dir("XDG_CACHE_HOME")?.join("ocellus")))
        .or_else(|| Some(dir("HOME")?.join(".cache/ocellus")))
        .context("no cache folder: set OCELLUS_CACHE or HOME")
}

/// What `cargo metadata` says, as far as it is used here.
#[derive(Deserialize)]
pub struct Metadata {
    pub packages: Vec<Package>,
    pub workspace_members: Vec<String>,
    pub resolve: Resolve,
    pub target_directory: PathBuf,
    pub workspace_root: PathBuf,
}

/// One package, ours or not.
#[derive(Clone, Deserialize)]
pub struct Package {
    pub id: String,
    pub name: String,
    pub version: String,
    pub license: Option<String>,
    pub manifest_path: PathBuf,
    pub targets: Vec<Target>,
}

/// One thing that cargo builds from a package.
#[derive(Clone, Deserialize)]
pub struct Target {
    pub name: String,
    pub kind: Vec<String>,
    pub src_path: PathBuf,
}

/// Who depends on whom.
#[derive(Deserialize)]
pub struct Resolve {
    pub nodes: Vec<Node>,
}

/// One package's dependencies.
#[derive(Deserialize)]
pub struct Node {
    pub id: String,
    pub deps: Vec<Dependency>,
}

/// One dependency, on every platform.
#[derive(Deserialize)]
pub struct Dependency {
    pub pkg: String,
    pub dep_kinds: Vec<DependencyKind>,
}

/// `kind` is nothing for an ordinary dependency, else `dev` or `build`.
#[derive(Deserialize)]
pub struct DependencyKind {
    pub kind: Option<String>,
}

impl Metadata {
    /// Asks cargo, with the committed lock file, for every platform and every feature of the members.
    pub fn load(root: &Path) -> Result<Self> {
        Self::ask(root, &["--all-features"])
    }

    /// Asks cargo for what is built for one platform, with the members' default features.
    pub fn of_platform(root: &Path, target: &str) -> Result<Self> {
        Self::ask(root, &["--filter-platform", target])
    }

    fn ask(root: &Path, which: &[&str]) -> Result<Self> {
        let mut cargo = process::cargo();
        cargo.args(["metadata", "--locked", "--format-version=1"]);
        cargo.args(which);
        let text = process::capture(cargo.current_dir(root))
            .context("cargo metadata; if Cargo.lock is behind, run `cargo check` and commit it")?;
        serde_json::from_str(&text).context("cargo metadata printed something unexpected")
    }

    /// The packages by id.
    pub fn by_id(&self) -> HashMap<&str, &Package> {
        self.packages.iter().map(|p| (p.id.as_str(), p)).collect()
    }

    /// The workspace's own packages below `folder`; an empty folder means all.
    pub fn members(&self, folder: &str) -> Vec<&Package> {
        let inside = self.workspace_root.join(folder);
        self.packages
            .iter()
            .filter(|p| self.workspace_members.contains(&p.id))
            .filter(|p| p.manifest_path.starts_with(&inside))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_this_crate() {
        assert!(root().unwrap().join("xtask/src/repo.rs").is_file());
    }

    #[test]
    fn tracked_files_are_relative_and_exist() {
        let root = root().unwrap();
        let files = tracked(&root).unwrap();
        assert!(files.contains(&PathBuf::from("Cargo.toml")));
    }

    #[test]
    fn a_commit_is_named_by_its_digits() {
        let commit = commit(&root().unwrap()).unwrap();
        let digits = commit.strip_suffix("-changed").unwrap_or(&commit);
        assert_eq!(digits.len(), 40, "{commit}");
        assert!(
            digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{commit}"
        );
    }

    #[test]
    fn members_are_chosen_by_folder() {
        let metadata = Metadata::load(&root().unwrap()).unwrap();
        let names = |folder| -> Vec<String> {
            metadata
                .members(folder)
                .iter()
                .map(|p| p.name.clone())
                .collect()
        };
        assert!(names("runtime").contains(&"ocellus-kernels".to_owned()));
        assert!(!names("runtime").contains(&"xtask".to_owned()));
        assert!(names("").contains(&"xtask".to_owned()));
    }
}
