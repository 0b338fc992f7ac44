//! Every dependency may be shipped in a closed camera: its licence expression is satisfied by allowed licences.
//!
//! The expressions are SPDX's, with its precedence (`WITH`, then `AND`, then `OR`), and the older habit of writing `/`
//! for `OR`. A `+` after a licence is not understood, and so not allowed.

use super::Finding;
use crate::repo::Metadata;
use anyhow::{Result, bail, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Which licences are fine.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    allow: Vec<String>,
    /// Crates of another licence that only work for whoever builds, by their licence.
    pub tools: BTreeMap<String, String>,
}

/// Checks every package, build and test dependencies included: they are in the clone of whoever builds.
pub fn check(policy: &Policy, metadata: &Metadata) -> Vec<Finding> {
    let packages = metadata.packages.iter();
    let excused = |name: &str, licence: Option<&str>| {
        let tool = policy.tools.get(name);
        tool.is_some_and(|expected| Some(expected.as_str()) == licence)
    };
    let judged = packages.filter_map(|package| {
        if excused(&package.name, package.license.as_deref()) {
            return None;
        }
        let what = judge(policy, package.license.as_deref())?;
        Some(Finding::new(
            format!("{} {}", package.name, package.version),
            what,
        ))
    });
    judged.collect()
}

/// What is wrong with an expression, if anything.
fn judge(policy: &Policy, expression: Option<&str>) -> Option<String> {
    let Some(expression) = expression else {
        return Some("names no licence; use another crate".to_owned());
    };
    match allowed(expression, &policy.allow) {
        Ok(true) => None,
        Ok(false) => Some(format!(
            "its licence `{expression}` is not allowed by xtask/policy.toml; use another crate, or add it with a reason"
        )),
        Err(error) => Some(format!(
            "its licence `{expression}` cannot be read: {error}"
        )),
    }
}

/// Whether some choice that the expression offers asks for allowed licences only.
fn allowed(expression: &str, allow: &[String]) -> Result<bool> {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let mut words = Words {
        words: spaced.split_whitespace().collect(),
        next: 0,
        allow,
    };
    let verdict = words.any()?;
    ensure!(
        words.next == words.words.len(),
        "`{}` is left over",
        words.words[words.next]
    );
    Ok(verdict)
}

struct Words<'a> {
    words: Vec<&'a str>,
    next: usize,
    allow: &'a [String],
}

impl<'a> Words<'a> {
    fn any(&mut self) -> Result<bool> {
        let mut verdict = self.all()?;
        while self.take("OR") {
            verdict |= self.all()?;
        }
        Ok(verdict)
    }

    fn all(&mut self) -> Result<bool> {
        let mut verdict = self.one()?;
        while self.take("AND") {
            verdict &= self.one()?;
        }
        Ok(verdict)
    }

    fn one(&mut self) -> Result<bool> {
        if self.take("(") {
            let verdict = self.any()?;
            ensure!(self.take(")"), "a parenthesis is not closed");
            return Ok(verdict);
        }
        let mut name = self.name()?.to_owned();
        if self.take("WITH") {
            name = format!("{name} WITH {}", self.name()?);
        }
        Ok(self.allow.contains(&name))
    }

    fn name(&mut self) -> Result<&'a str> {
        match self.words.get(self.next) {
            Some(word) if !["OR", "AND", "WITH", "(", ")"].contains(word) => {
                self.next += 1;
                Ok(word)
            }
            Some(word) => bail!("`{word}` stands where a licence should"),
            None => bail!("it ends where a licence should stand"),
        }
    }

    fn take(&mut self, word: &str) -> bool {
        let there = self.words.get(self.next) == Some(&word);
        self.next += usize::from(there);
        there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        let allow = [
            "MIT",
            "Apache-2.0",
            "Apache-2.0 WITH LLVM-exception",
            "Unicode-3.0",
        ];
        Policy {
            allow: allow.map(str::to_owned).to_vec(),
            tools: [("tool".to_owned(), "MPL-2.0".to_owned())].into(),
        }
    }

    #[test]
    fn expressions_follow_precedence() {
        for (expression, expected) in [
            ("MIT", true),
            ("GPL-3.0-only", false),
            ("MIT OR GPL-3.0-only", true),
            ("MIT AND GPL-3.0-only", false),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("(MIT OR Apache-2.0) AND GPL-3.0-only", false),
            ("GPL-3.0-only OR MIT AND Unicode-3.0", true),
            ("MIT AND GPL-3.0-only OR GPL-2.0-only", false),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0-only/LGPL-3.0-only", false),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("MIT WITH LLVM-exception", false),
            ("GPL-3.0-only WITH Classpath-exception-2.0 OR MIT", true),
        ] {
            assert_eq!(
                allowed(expression, &policy().allow).unwrap(),
                expected,
                "{expression}"
            );
        }
    }

    #[test]
    fn a_tool_is_excused_while_its_licence_is_the_one_that_was_read() {
        let found = |name: &str, licence: &str| {
            let text = format!(
                r#"{{"packages":[{{"id":"a","name":"{name}","version":"1.0.0","license":"{licence}",
                    "manifest_path":"/a/Cargo.toml","targets":[]}}],"workspace_members":[],"target_directory":"/t",
                    "workspace_root":"/w","resolve":{{"nodes":[]}}}}"#
            );
            check(&policy(), &serde_json::from_str(&text).unwrap()).len()
        };
        assert_eq!(found("tool", "MPL-2.0"), 0);
        assert_eq!(found("tool", "GPL-3.0-only"), 1);
        assert_eq!(found("other", "MPL-2.0"), 1);
    }

    #[test]
    fn what_cannot_be_read_is_a_finding() {
        for expression in [
            "",
            "MIT OR",
            "(MIT",
            "MIT)",
            "MIT Apache-2.0",
            "AND MIT",
            "MIT WITH",
        ] {
            assert!(
                judge(&policy(), Some(expression))
                    .unwrap()
                    .contains("cannot be read")
            );
        }
        assert!(judge(&policy(), None).unwrap().contains("names no licence"));
        assert!(
            judge(&policy(), Some("SSPL-1.0"))
                .unwrap()
                .contains("not allowed")
        );
        assert_eq!(judge(&policy(), Some("MIT")), None);
    }
}
