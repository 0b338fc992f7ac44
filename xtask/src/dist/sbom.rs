//! The bill of materials: every crate inside the programs, with version and licence, as CycloneDX 1.6.
//!
//! Only ordinary dependencies count, on the boards' platform: what builds and tests the programs is not in them.

use crate::repo::{Metadata, Package};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The bill of what these packages of ours are made of.
pub fn bill(metadata: &Metadata, roots: &[&str], version: &str) -> Result<Value> {
    let components = crates(metadata, roots)?;
    let components: Vec<Value> = components
        .values()
        .map(|package| component(package))
        .collect();
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "ocellus", "version": version}},
        "components": components,
    }))
}

fn component(package: &Package) -> Value {
    let mut component = json!({
        "type": "library",
        "name": package.name,
        "version": package.version,
        "purl": format!("pkg:cargo/{}@{}", package.name, package.version),
    });
    if let Some(licence) = &package.license {
        // The slash is an old way to write OR, which the standard does not know.
        component["licenses"] = json!([{"expression": licence.replace('/', " OR ")}]);
    }
    component
}

/// Every crate that the roots are built from, by name and version.
fn crates<'a>(
    metadata: &'a Metadata,
    roots: &[&str],
) -> Result<BTreeMap<(&'a str, &'a str), &'a Package>> {
    let packages = metadata.by_id();
    let nodes: BTreeMap<&str, _> = metadata
        .resolve
        .nodes
        .iter()
        .map(|node| (node.id.as_str(), node))
        .collect();
    let mut left = Vec::new();
    for root in roots {
        let of_ours = metadata
            .members("")
            .into_iter()
            .find(|package| package.name == *root);
        left.push(
            of_ours
                .with_context(|| format!("no package {root}"))?
                .id
                .as_str(),
        );
    }
    let mut found = BTreeMap::new();
    while let Some(id) = left.pop() {
        let package = packages
            .get(id)
            .with_context(|| format!("no package {id}"))?;
        if found
            .insert((package.name.as_str(), package.version.as_str()), *package)
            .is_some()
        {
            continue;
        }
        let used = nodes.get(id).into_iter().flat_map(|node| &node.deps);
        let ordinary = used.filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind.is_none()));
        left.extend(ordinary.map(|dep| dep.pkg.as_str()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cross::TARGET, repo};

    #[test]
    fn the_bill_has_what_is_inside_and_nothing_that_only_builds_or_tests() {
        let metadata = Metadata::of_platform(&repo::root().unwrap(), TARGET).unwrap();
        let bill = bill(&metadata, &["ocellus-cli", "ocellus-capi"], "1.2.3").unwrap();
        let names: Vec<&str> = bill["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|component| component["name"].as_str().unwrap())
            .collect();
        for inside in ["tract-core", "image", "half", "ocellus-kernels"] {
            assert!(names.contains(&inside), "{inside}");
        }
        for outside in ["cbindgen", "proptest", "xtask", "windows-sys", "cc"] {
            assert!(!names.contains(&outside), "{outside}");
        }
        let half = bill["components"]
            .as_array()
            .unwrap()
            .iter()
            .find(|c| c["name"] == "half");
        assert_eq!(
            half.unwrap()["licenses"][0]["expression"],
            "MIT OR Apache-2.0"
        );
    }
}
