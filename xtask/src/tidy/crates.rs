//! No network: crates that could open a connection are not in any program that ships, on any platform, with any feature.
//!
//! The programs that ship are the workspace's packages below `runtime`, `models` and `boards`. Test dependencies are not
//! in them, build scripts count. The lock file alone would not do: it also lists what only a feature of a feature nobody
//! enables would bring.

use super::Finding;
use crate::repo::Metadata;
use serde::Deserialize;
use std::collections::{HashMap, VecDeque};

/// Crates that must stay out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ban {
    /// Why.
    pub reason: String,
    crates: Vec<String>,
}

impl Ban {
    /// Whether a crate must stay out.
    pub fn names(&self, package: &str) -> bool {
        self.crates.iter().any(|name| name == package)
    }
}

/// Checks what ships.
pub fn check(bans: &[Ban], metadata: &Metadata) -> Vec<Finding> {
    let shipped = ["runtime", "models", "boards"].map(|folder| metadata.members(folder));
    let roots = shipped
        .iter()
        .flatten()
        .map(|package| package.id.as_str())
        .collect();
    let names = metadata.by_id();
    let name = |id: &str| {
        names
            .get(id)
            .map_or("?", |package| package.name.as_str())
            .to_owned()
    };

    let mut findings = Vec::new();
    let ways = ways(roots, &edges(metadata));
    for id in ways.keys() {
        let package = name(id);
        let Some(ban) = bans.iter().find(|ban| ban.names(&package)) else {
            continue;
        };
        let mut way = vec![package.clone()];
        let mut at = *id;
        while let Some(Some(user)) = ways.get(at) {
            way.push(name(user));
            at = user;
        }
        way.reverse();
        let what = format!(
            "banned in what ships, since it {}; it comes in by {}: turn that feature off, or use another crate",
            ban.reason,
            way.join(" -> ")
        );
        findings.push(Finding::new(package, what));
    }
    findings.sort_by(|a, b| a.place.cmp(&b.place));
    findings
}

/// Who uses whom, but for tests.
fn edges(metadata: &Metadata) -> HashMap<&str, Vec<&str>> {
    let nodes = metadata.resolve.nodes.iter();
    let edges = nodes.map(|node| {
        let shipped = node.deps.iter().filter(|dep| {
            dep.dep_kinds
                .iter()
                .any(|kind| kind.kind.as_deref() != Some("dev"))
        });
        (
            node.id.as_str(),
            shipped.map(|dep| dep.pkg.as_str()).collect(),
        )
    });
    edges.collect()
}

/// Everything reachable from the roots, each with the package on a shortest way to it.
fn ways<'a>(
    roots: Vec<&'a str>,
    edges: &HashMap<&'a str, Vec<&'a str>>,
) -> HashMap<&'a str, Option<&'a str>> {
    let mut seen: HashMap<&str, Option<&str>> = roots.iter().map(|root| (*root, None)).collect();
    let mut queue = VecDeque::from(roots);
    while let Some(user) = queue.pop_front() {
        for used in edges.get(user).into_iter().flatten() {
            if !seen.contains_key(used) {
                seen.insert(used, Some(user));
                queue.push_back(used);
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `app` (in runtime) uses `half`, which uses `http`; `tool` (in xtask) uses `http` too; `app` tests with `mock`.
    fn metadata(kind_of_http: &str) -> Metadata {
        let package = |name: &str, folder: &str| {
            format!(
                r#"{{"id":"{name}","name":"{name}","version":"1.0.0","license":"MIT",
                    "manifest_path":"/w/{folder}/Cargo.toml","targets":[]}}"#
            )
        };
        let packages = [
            ("app", "runtime/app"),
            ("tool", "xtask"),
            ("half", ""),
            ("http", ""),
            ("mock", ""),
        ]
        .map(|(name, folder)| package(name, folder))
        .join(",");
        let dep = |name: &str, kind: &str| {
            format!(r#"{{"pkg":"{name}","dep_kinds":[{{"kind":{kind}}}]}}"#)
        };
        let text = format!(
            r#"{{"packages":[{packages}],"workspace_members":["app","tool"],"target_directory":"/t","workspace_root":"/w",
                "resolve":{{"nodes":[{{"id":"app","deps":[{half},{mock}]}},{{"id":"half","deps":[{http}]}},
                {{"id":"tool","deps":[{tool_http}]}}]}}}}"#,
            half = dep("half", "null"),
            mock = dep("mock", "\"dev\""),
            http = dep("http", kind_of_http),
            tool_http = dep("http", "null"),
        );
        serde_json::from_str(&text).unwrap()
    }

    fn bans(name: &str) -> Vec<Ban> {
        vec![Ban {
            reason: "opens sockets".into(),
            crates: vec![name.into()],
        }]
    }

    #[test]
    fn a_banned_crate_is_found_with_its_way_in() {
        for kind in ["null", "\"build\""] {
            let findings = check(&bans("http"), &metadata(kind));
            assert_eq!(findings.len(), 1);
            assert!(
                findings[0].what.contains("app -> half -> http"),
                "{}",
                findings[0]
            );
            assert!(findings[0].what.contains("opens sockets"));
        }
    }

    #[test]
    fn tests_and_tools_may_use_it() {
        assert_eq!(check(&bans("mock"), &metadata("null")), []);
        assert_eq!(check(&bans("http"), &metadata("\"dev\"")), []);
    }
}
