//! The committed bundle is what its manifest says: every file is there with its size and hash, and no other.
//!
//! This looks at identity only; that the contents make sense is for `ocellus bundle verify` and `ocellus doctor`.

use super::Finding;
use crate::sha256;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const MANIFEST: &str = "manifest.toml";

/// The part of the manifest that is looked at here.
#[derive(Deserialize)]
struct Manifest {
    #[serde(rename = "file")]
    files: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    sha256: String,
    bytes: u64,
}

/// Checks a bundle's folder.
pub fn check(dir: &Path, max_bytes: u64) -> Result<Vec<Finding>> {
    let mut files = BTreeMap::new();
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => return Ok(vec![Finding::new("models/default", error.to_string())]),
    };
    for entry in entries {
        let entry = entry?;
        let content = fs::read(entry.path()).with_context(|| entry.path().display().to_string())?;
        files.insert(entry.file_name().to_string_lossy().into_owned(), content);
    }
    Ok(judge(&files, max_bytes))
}

fn judge(files: &BTreeMap<String, Vec<u8>>, max_bytes: u64) -> Vec<Finding> {
    let finding = |name: &str, what: String| Finding::new(format!("models/default/{name}"), what);
    let remedy = "make the bundle anew with `cargo xtask models build`";
    let Some(manifest) = files.get(MANIFEST) else {
        return vec![finding(MANIFEST, format!("missing; {remedy}"))];
    };
    let parsed = std::str::from_utf8(manifest).map_err(|e| e.to_string());
    let manifest: Manifest = match parsed.and_then(|t| toml::from_str(t).map_err(|e| e.to_string()))
    {
        Ok(manifest) => manifest,
        Err(error) => return vec![finding(MANIFEST, error)],
    };
    let mut findings = Vec::new();
    for entry in &manifest.files {
        let Some(content) = files.get(&entry.name) else {
            findings.push(finding(
                &entry.name,
                format!("in the manifest and missing; {remedy}"),
            ));
            continue;
        };
        let (bytes, sha256) = (content.len() as u64, sha256::hex(content));
        if bytes != entry.bytes {
            let what = format!("{bytes} bytes, the manifest says {}; {remedy}", entry.bytes);
            findings.push(finding(&entry.name, what));
        } else if sha256 != entry.sha256 {
            let what = format!(
                "sha256 is {sha256}, the manifest says {}; {remedy}",
                entry.sha256
            );
            findings.push(finding(&entry.name, what));
        }
    }
    for name in files.keys().filter(|name| *name != MANIFEST) {
        if !manifest.files.iter().any(|entry| entry.name == *name) {
            findings.push(finding(name, "not in the manifest; remove it".to_owned()));
        }
    }
    let total: u64 = files.values().map(|content| content.len() as u64).sum();
    if total > max_bytes {
        findings.push(finding(
            "",
            format!("{total} bytes together, of at most {max_bytes}"),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(manifest: &str, files: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        let mut bundle = BTreeMap::from([(MANIFEST.to_owned(), manifest.as_bytes().to_vec())]);
        bundle.extend(
            files
                .iter()
                .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())),
        );
        bundle
    }

    fn entry(name: &str, content: &str) -> String {
        let sha256 = sha256::hex(content.as_bytes());
        format!(
            "[[file]]\nname = \"{name}\"\nsha256 = \"{sha256}\"\nbytes = {}\n",
            content.len()
        )
    }

    #[test]
    fn a_true_manifest_is_fine() {
        let manifest = entry("a", "abc") + "[image]\nfile = \"a\"\n";
        assert_eq!(judge(&bundle(&manifest, &[("a", "abc")]), 1000), []);
    }

    #[test]
    fn each_lie_is_found() {
        let manifest = entry("a", "abc");
        for (files, max_bytes, what) in [
            (&[("a", "abd")][..], 1000, "sha256 is"),
            (&[("a", "abcd")], 1000, "4 bytes, the manifest says 3"),
            (&[], 1000, "in the manifest and missing"),
            (&[("a", "abc"), ("b", "")], 1000, "not in the manifest"),
            (&[("a", "abc")], 20, "bytes together"),
        ] {
            let findings = judge(&bundle(&manifest, files), max_bytes);
            assert_eq!(findings.len(), 1, "{what}: {findings:?}");
            assert!(findings[0].what.contains(what), "{}", findings[0]);
        }
        assert_eq!(judge(&bundle("not toml", &[]), 1000).len(), 1);
        assert_eq!(judge(&BTreeMap::new(), 1000).len(), 1);
        assert_eq!(check(Path::new("/no/such/bundle"), 1000).unwrap().len(), 1);
    }
}
