//! `cargo xtask tidy`: the project's promises that no compiler checks.
//!
//! What may be used is in `xtask/policy.toml`; how it is checked is below `tidy/`, one kind of promise a file. Every
//! check is a function from text to findings, so that a test can show it a bad sample.
//!
//! Limits: source is read as tokens, not understood: a macro from a dependency could hide a forbidden word. No advisory
//! database is consulted.

mod bundle;
mod crates;
mod header;
mod layout;
mod licences;
mod manifests;
mod source;

use crate::repo::{self, Metadata};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// `xtask/policy.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    layout: layout::Policy,
    licences: licences::Policy,
    words: Vec<source::WordRule>,
    banned: Vec<crates::Ban>,
}

/// Something to mend.
#[derive(Debug, PartialEq)]
struct Finding {
    /// A file, with a line where there is one, or a package.
    place: String,
    /// What is wrong, and the remedy.
    what: String,
    /// Whether it is only advice.
    advice: bool,
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            what: what.into(),
            advice: false,
        }
    }

    fn at(file: &Path, line: usize, what: impl Into<String>) -> Self {
        Self::new(format!("{}:{line}", file.display()), what)
    }

    fn advice(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            advice: true,
            ..Self::new(place, what)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.advice { "advice" } else { "error" };
        write!(f, "{kind}: {}: {}", self.place, self.what)
    }
}

/// Runs the verb.
pub fn run() -> Result<()> {
    let root = repo::root()?;
    let policy: Policy = toml::from_str(&fs::read_to_string(root.join("xtask/policy.toml"))?)
        .context("xtask/policy.toml")?;
    let metadata = Metadata::load(&root)?;
    let files = repo::tracked(&root)?;

    let mut findings = licences::check(&policy.licences, &metadata);
    findings.extend(crates::check(&policy.banned, &metadata));
    findings.extend(layout::names(&policy.layout, &files));
    findings.extend(layout::sizes(&policy.layout, &root, &files)?);
    findings.extend(bundle::check(
        &root.join("models/default"),
        policy.layout.max_bundle_bytes,
    )?);
    findings.extend(manifests::workspace(&fs::read_to_string(
        root.join("Cargo.toml"),
    )?));
    findings.extend(header::check(&root)?);
    for member in metadata.members("") {
        let text = fs::read_to_string(&member.manifest_path)?;
        findings.extend(manifests::member(
            &relative(&member.manifest_path, &root),
            &text,
        )?);
    }
    let roots = crate_roots(&metadata, &root);
    let foreign = layout::machine_paths(&root, std::env::var("HOME").ok().as_deref());
    for file in &files {
        // What is not text has no words.
        let Ok(text) = fs::read_to_string(root.join(file)) else {
            continue;
        };
        findings.extend(layout::paths(file, &text, &foreign));
        if file.extension().is_some_and(|e| e == "rs") {
            findings.extend(layout::length(&policy.layout, file, &text));
            let code = source::Code::of(&text);
            findings.extend(source::words(&policy.words, file, &code));
            findings.extend(source::unchecked_examples(file, &text));
            let root_of_crate = roots.contains(file);
            findings.extend(source::safety(&policy.layout, file, &code, root_of_crate));
        }
    }
    for finding in &findings {
        eprintln!("{finding}");
    }
    match findings.iter().filter(|finding| !finding.advice).count() {
        0 => {
            println!(
                "tidy: {} files, {} packages",
                files.len(),
                metadata.packages.len()
            );
            Ok(())
        }
        errors => bail!("{errors} things to tidy"),
    }
}

/// The files whose inner attributes rule a library or a program.
fn crate_roots(metadata: &Metadata, root: &Path) -> Vec<PathBuf> {
    let members = metadata.members("");
    let targets = members.iter().flat_map(|package| &package.targets);
    let shipped = targets.filter(|t| {
        let kinds = ["lib", "rlib", "cdylib", "staticlib", "proc-macro", "bin"];
        t.kind.iter().any(|kind| kinds.contains(&kind.as_str()))
    });
    shipped
        .map(|target| relative(&target.src_path, root))
        .collect()
}

fn relative(path: &Path, root: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_policy_is_read() {
        let text = fs::read_to_string(repo::root().unwrap().join("xtask/policy.toml")).unwrap();
        let policy: Policy = toml::from_str(&text).unwrap();
        assert!(policy.banned.iter().all(|ban| !ban.reason.is_empty()));
        assert!(policy.words.iter().all(|rule| !rule.reason.is_empty()));
        // A licence that is not for what ships is excused where it cannot ship.
        for tool in policy.licences.tools.keys() {
            assert!(policy.banned.iter().any(|ban| ban.names(tool)), "{tool}");
        }
        assert!(toml::from_str::<Policy>(&format!("{text}\n[unknown]\n")).is_err());
    }

    #[test]
    fn crate_roots_are_libraries_and_programs() {
        let root = repo::root().unwrap();
        let roots = crate_roots(&Metadata::load(&root).unwrap(), &root);
        assert!(roots.contains(&PathBuf::from("xtask/src/main.rs")));
        assert!(roots.contains(&PathBuf::from("runtime/kernels/src/lib.rs")));
    }
}
