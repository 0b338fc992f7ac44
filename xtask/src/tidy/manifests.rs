//! Dependencies are few and argued for: each stands once, in the workspace's table, with its reason beside it.

use super::Finding;
use anyhow::{Context, Result};
use std::path::Path;

/// Checks that each outside dependency in the workspace's manifest has a comment on its line.
pub fn workspace(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            inside = line.trim() == "[workspace.dependencies]";
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        if !inside || line.trim_start().starts_with('#') || value.contains("path =") {
            continue;
        }
        if comment(value).is_none_or(str::is_empty) {
            let what = format!(
                "`{}` has no reason; say on its line what it is for",
                name.trim()
            );
            findings.push(Finding::at(Path::new("Cargo.toml"), index + 1, what));
        }
    }
    findings
}

/// What stands behind the first `#` outside of a string.
fn comment(value: &str) -> Option<&str> {
    let mut quoted = false;
    for (at, c) in value.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted => return Some(value[at + 1..].trim()),
            _ => {}
        }
    }
    None
}

/// Checks that a member takes its dependencies from the workspace's table.
pub fn member(file: &Path, text: &str) -> Result<Vec<Finding>> {
    let manifest: toml::Table = toml::from_str(text).with_context(|| file.display().to_string())?;
    let mut tables = vec![&manifest];
    if let Some(targets) = manifest.get("target").and_then(toml::Value::as_table) {
        tables.extend(targets.values().filter_map(toml::Value::as_table));
    }
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let found = tables.iter().flat_map(|table| {
        kinds
            .iter()
            .filter_map(|kind| table.get(*kind)?.as_table())
            .flatten()
    });
    let mut findings = Vec::new();
    for (name, value) in found {
        let shared = value.get("workspace").and_then(toml::Value::as_bool) == Some(true);
        if !shared {
            let what =
                format!("`{name}` must come from the workspace's table: `{name}.workspace = true`");
            findings.push(Finding::new(file.display().to_string(), what));
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let text = "[workspace]\nresolver = \"3\"\n[workspace.dependencies]\n# Ours.\nours = { path = \"ours\" }\n\
            good = \"1\" # for this\nbad = \"1\"\nempty = \"1\" #\nsharp = { git = \"x#y\" }\n[profile.dev]\nopt-level = 1\n";
        let lines: Vec<String> = workspace(text).into_iter().map(|f| f.place).collect();
        assert_eq!(lines, ["Cargo.toml:7", "Cargo.toml:8", "Cargo.toml:9"]);
    }

    #[test]
    fn a_member_with_its_own_version_is_found() {
        let text = "[dependencies]\ngood.workspace = true\nbad = \"1\"\n[dev-dependencies]\nalso = { version = \"1\" }\n\
            [target.'cfg(unix)'.dependencies]\nthird = \"1\"\n[build-dependencies]\nfine = { workspace = true }\n";
        let findings = member(Path::new("a/Cargo.toml"), text).unwrap();
        let names: Vec<&str> = findings
            .iter()
            .filter_map(|f| f.what.split('`').nth(1))
            .collect();
        assert_eq!(names, ["bad", "also", "third"]);
        assert!(member(Path::new("a/Cargo.toml"), "[").is_err());
    }
}
