//! What is committed: where it stands, how large it is, and that it names nobody's machine.

use super::Finding;
use anyhow::Result;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Limits of the repository.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    top_level: Vec<String>,
    max_file_bytes: u64,
    /// Of everything in `models/default` together.
    pub max_bundle_bytes: u64,
    warn_lines: usize,
    max_lines: usize,
    /// Folders whose crates may hold `unsafe`.
    pub unsafe_rooms: Vec<PathBuf>,
}

/// Checks the entries of the root folder.
pub fn names(policy: &Policy, files: &[PathBuf]) -> Vec<Finding> {
    let tops = files.iter().filter_map(|file| file.components().next());
    let tops: BTreeSet<String> = tops
        .map(|top| top.as_os_str().to_string_lossy().into_owned())
        .collect();
    let strange = tops
        .into_iter()
        .filter(|top| !top.starts_with('.') && !policy.top_level.contains(top));
    strange
        .map(|top| {
            Finding::new(
                top,
                "no place for it at the top level; see `top_level` in xtask/policy.toml",
            )
        })
        .collect()
}

/// Checks the sizes of all files.
pub fn sizes(policy: &Policy, root: &Path, files: &[PathBuf]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in files {
        let bytes = root.join(file).metadata()?.len();
        findings.extend(size(policy, file, bytes));
    }
    Ok(findings)
}

fn size(policy: &Policy, file: &Path, bytes: u64) -> Option<Finding> {
    let limit = policy.max_file_bytes;
    let what = format!("{bytes} bytes, of at most {limit}; a clone keeps every version of it");
    (bytes > limit).then(|| Finding::new(file.display().to_string(), what))
}

/// Checks the length of a source file.
pub fn length(policy: &Policy, file: &Path, text: &str) -> Option<Finding> {
    let (lines, place) = (text.lines().count(), file.display().to_string());
    if lines > policy.max_lines {
        let what = format!(
            "{lines} lines, of at most {}; split it by idea",
            policy.max_lines
        );
        Some(Finding::new(place, what))
    } else if lines > policy.warn_lines {
        Some(Finding::advice(
            place,
            format!("{lines} lines; it may hold more than one idea"),
        ))
    } else {
        None
    }
}

/// The folders of this machine that have no business in a file: the clone's own, and the user's.
pub fn machine_paths(root: &Path, home: Option<&str>) -> Vec<String> {
    let mut paths = vec![root.display().to_string()];
    paths.extend(home.filter(|home| home.len() > 1).map(str::to_owned));
    paths
}

/// Checks that a text names no folder of the machine it was written on, nor of anybody's home.
pub fn paths(file: &Path, text: &str, machine: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let ours = machine
            .iter()
            .any(|path| starts_path(line, &format!("{path}/")));
        // A home's name follows; the bare folder is nobody's.
        let homes = ["/home/", "/Users/"]
            .iter()
            .any(|home| starts_path(line, home));
        if ours || homes {
            let what = "an absolute path of somebody's machine; make it relative, or ask for it";
            findings.push(Finding::at(file, index + 1, what));
        }
    }
    findings
}

/// Whether `prefix` begins a path in the line, with a name behind it.
fn starts_path(line: &str, prefix: &str) -> bool {
    line.match_indices(prefix).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + prefix.len()..].chars().next();
        let begins = before.is_none_or(|c| c.is_whitespace() || "\"'`=:(<[,".contains(c));
        begins && after.is_some_and(|c| c.is_alphanumeric() || "._".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policy {
            top_level: vec!["runtime".into(), "README.md".into()],
            max_file_bytes: 100,
            max_bundle_bytes: 1000,
            warn_lines: 3,
            max_lines: 5,
            unsafe_rooms: vec![],
        }
    }

    #[test]
    fn a_strange_top_level_entry_is_found_once() {
        let files = [
            "README.md",
            "runtime/a.rs",
            ".ci/run",
            "notes/a.md",
            "notes/b.md",
            "x.txt",
        ];
        let findings = names(&policy(), &files.map(PathBuf::from));
        let places: Vec<&str> = findings.iter().map(|f| f.place.as_str()).collect();
        assert_eq!(places, ["notes", "x.txt"]);
    }

    #[test]
    fn a_large_file_is_found() {
        assert!(size(&policy(), Path::new("a"), 101).is_some());
        assert!(size(&policy(), Path::new("a"), 100).is_none());
    }

    #[test]
    fn a_long_file_is_advised_then_refused() {
        let of = |lines: usize| length(&policy(), Path::new("a.rs"), &"x\n".repeat(lines));
        assert_eq!(of(3), None);
        assert!(of(4).unwrap().advice);
        assert!(!of(6).unwrap().advice);
    }

    #[test]
    fn paths_of_a_machine_are_found() {
        let machine = machine_paths(Path::new("/src/clone"), Some("/h/ann"));
        let found = |line: &str| paths(Path::new("a"), line, &machine).len();
        for bad in [
            "see /src/clone/x",
            "dir=/h/ann/.cache",
            // In two pieces, since this file is checked as well.
            concat!("\"/home", "/ann/x\""),
            concat!("(/Users", "/bob/x)"),
        ] {
            assert_eq!(found(bad), 1, "{bad}");
        }
        for good in [
            "a/home/b",
            "$dir/h/ann/x",
            "/src/clones",
            "/home/",
            "{sys}/src/clone/x",
        ] {
            assert_eq!(found(good), 0, "{good}");
        }
    }
}
