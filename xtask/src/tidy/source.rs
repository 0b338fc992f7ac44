//! What Rust source must not hold, found in its code and not in its comments and strings.

use super::{Finding, layout};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Words that are not for some folders.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordRule {
    words: Vec<String>,
    inside: Vec<PathBuf>,
    #[serde(default)]
    outside: Vec<PathBuf>,
    /// Why.
    pub reason: String,
}

/// Source text with blanks for its comments and for what stands in its strings.
pub struct Code(String);

impl Code {
    /// Blanks out what is not code, line by line the same.
    pub fn of(text: &str) -> Self {
        let mut rest = text;
        let mut code = String::with_capacity(text.len());
        while let Some(first) = rest.chars().next() {
            let length = blank_length(rest, &code).unwrap_or(0);
            if length == 0 {
                code.push(first);
                rest = &rest[first.len_utf8()..];
            } else {
                code.extend(
                    rest[..length]
                        .chars()
                        .map(|c| if c == '\n' { c } else { ' ' }),
                );
                rest = &rest[length..];
            }
        }
        Self(code)
    }

    /// The lines, from 1, that hold a word: `x` is not in `ax`, and `x!` is in `x!()`.
    fn lines_with(&self, word: &str) -> Vec<usize> {
        let lines = self
            .0
            .lines()
            .enumerate()
            .filter(|(_, line)| has_word(line, word));
        lines.map(|(index, _)| index + 1).collect()
    }
}

/// How many bytes of a comment or a literal the text begins with, given the code before it.
fn blank_length(text: &str, before: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    match bytes[0] {
        b'/' if text.starts_with("//") => Some(text.find('\n').unwrap_or(text.len())),
        b'/' if text.starts_with("/*") => Some(block_comment(text)),
        b'"' => Some(string(text)),
        b'r' | b'b' | b'c' if !before.ends_with(is_word) => {
            let raw = text.trim_start_matches(['b', 'c']).strip_prefix('r')?;
            let fence = raw.len() - raw.trim_start_matches('#').len();
            let body = raw[fence..].strip_prefix('"')?;
            let close = format!("\"{}", "#".repeat(fence));
            let end = body.find(&close).map_or(body.len(), |at| at + close.len());
            Some(text.len() - body.len() + end)
        }
        // A character, and not a lifetime: `'a'`, `'\n'`, `'"'`.
        b'\'' => {
            let inner = text[1..].chars().next()?;
            if inner == '\\' {
                let escaped = text[2..].chars().next()?;
                let start = 2 + escaped.len_utf8();
                return Some(start + text[start..].find('\'')? + 1);
            }
            let end = 1 + inner.len_utf8();
            text[end..].starts_with('\'').then_some(end + 1)
        }
        _ => None,
    }
}

/// The length of a block comment; they nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// The length of an ordinary string literal.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn has_word(line: &str, word: &str) -> bool {
    let (starts, ends) = (word.starts_with(is_word), word.ends_with(is_word));
    line.match_indices(word).any(|(at, _)| {
        let glued_before = starts && line[..at].ends_with(is_word);
        let glued_after = ends && line[at + word.len()..].starts_with(is_word);
        !glued_before && !glued_after
    })
}

/// Checks the words of a file.
pub fn words(rules: &[WordRule], file: &Path, code: &Code) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in rules {
        let concerned = rule.inside.iter().any(|folder| file.starts_with(folder));
        if !concerned || rule.outside.iter().any(|folder| file.starts_with(folder)) {
            continue;
        }
        for word in &rule.words {
            let what = format!("`{word}` is not for here: {}", rule.reason);
            let lines = code.lines_with(word).into_iter();
            findings.extend(lines.map(|line| Finding::at(file, line, what.clone())));
        }
    }
    findings
}

/// Checks that `unsafe` keeps to its rooms, and that every other crate's root forbids it.
pub fn safety(policy: &layout::Policy, file: &Path, code: &Code, is_root: bool) -> Vec<Finding> {
    if policy
        .unsafe_rooms
        .iter()
        .any(|room| file.starts_with(room))
    {
        return Vec::new();
    }
    let lines = code.lines_with("unsafe").into_iter();
    let mut findings: Vec<Finding> = lines
        .map(|line| {
            Finding::at(
                file,
                line,
                "`unsafe` outside of its rooms; move it to kernels or sys",
            )
        })
        .collect();
    if is_root && !code.0.contains("#![forbid(unsafe_code)]") {
        findings.push(Finding::at(
            file,
            1,
            "a crate's root must say `#![forbid(unsafe_code)]`",
        ));
    }
    findings
}

/// Checks that no example in the documentation is left out of the tests.
pub fn unchecked_examples(file: &Path, text: &str) -> Vec<Finding> {
    let example = |line: &str| {
        let line = line.trim_start();
        let fence = line
            .strip_prefix("///")
            .or_else(|| line.strip_prefix("//!"))?
            .trim();
        let words = fence.strip_prefix("```")?;
        words.split(',').any(|word| word == "ignore").then_some(())
    };
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| example(line).is_some());
    let what = "an example that nobody compiles; use `no_run`, or `text` for what is no Rust";
    lines
        .map(|(index, _)| Finding::at(file, index + 1, what))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, word: &str) -> Vec<usize> {
        Code::of(text).lines_with(word)
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        for text in [
            "// bad",
            "/// bad",
            "/* a /* bad */ bad */ fine",
            "let x = \"bad\";",
            r#"let x = "\" bad";"#,
            "let x = r\"bad\\\"; fine",
            "let x = r##\"\"# bad\"##; fine",
            "let x = b\"bad\"; let y = br#\"bad\"#; let z = c\"bad\";",
            "let x = '\"'; // \" bad",
            "let x = '\\''; // ' bad",
            "let x = \"two\nlines, bad\";",
        ] {
            assert!(lines(text, "bad").is_empty(), "{text}");
        }
    }

    #[test]
    fn code_beside_them_is() {
        for text in [
            "/* good */ bad",
            "let x = '\"'; bad(\"\")",
            "fn f<'a>(x: &'a str) { bad('b') }",
            "let x = r\"\\\"; bad",
            "let x = r##\"\"# \"##; bad",
            "let x = \"\\\\\"; bad",
            "let r = 1; let _r = r; bad",
        ] {
            assert_eq!(lines(text, "bad"), [1], "{text}");
        }
        assert_eq!(lines("/* 1\n2 */\nlet s = \"3\n4\"; bad\n", "bad"), [4]);
    }

    #[test]
    fn words_have_bounds() {
        assert_eq!(lines("todo!()\nmytodo!()\nfn todo() {}", "todo!"), [1]);
        assert_eq!(
            lines(
                "#![feature(x)]\n#[target_feature(enable)]\n#[cfg(feature = 1)]",
                "feature("
            ),
            [1]
        );
        assert_eq!(
            lines("#[ignore]\n#[ignore = \"slow\"]\nignore()", "#[ignore"),
            [1, 2]
        );
    }

    fn rule(word: &str, inside: &str, outside: &[&str]) -> Vec<WordRule> {
        let outside = outside.iter().map(PathBuf::from).collect();
        vec![WordRule {
            words: vec![word.into()],
            inside: vec![inside.into()],
            outside,
            reason: "so".into(),
        }]
    }

    #[test]
    fn a_word_is_found_where_its_rule_reaches() {
        let code = Code::of("use std::net::TcpStream;");
        let rules = rule("TcpStream", "runtime", &["runtime/cli"]);
        assert_eq!(
            words(&rules, Path::new("runtime/sys/src/a.rs"), &code).len(),
            1
        );
        assert_eq!(words(&rules, Path::new("runtime/cli/src/a.rs"), &code), []);
        assert_eq!(words(&rules, Path::new("xtask/src/a.rs"), &code), []);
        assert_eq!(
            words(
                &rule("TcpStream", "", &[]),
                Path::new("xtask/src/a.rs"),
                &code
            )
            .len(),
            1
        );
    }

    #[test]
    fn unsafe_outside_its_rooms_is_found() {
        let policy: layout::Policy = toml::from_str(
            "top_level = []\nmax_file_bytes = 1\nmax_bundle_bytes = 1\nwarn_lines = 1\nmax_lines = 1\n\
             unsafe_rooms = [\"runtime/sys\"]",
        )
        .unwrap();
        let bad = Code::of("fn f() { unsafe { g() } }");
        let good = Code::of("#![forbid(unsafe_code)]\nfn f() {}");
        assert_eq!(
            safety(&policy, Path::new("runtime/sys/src/lib.rs"), &bad, true),
            []
        );
        assert_eq!(
            safety(&policy, Path::new("runtime/cli/src/main.rs"), &bad, true).len(),
            2
        );
        assert_eq!(
            safety(&policy, Path::new("runtime/cli/src/main.rs"), &good, true),
            []
        );
        assert_eq!(
            safety(&policy, Path::new("runtime/system/src/a.rs"), &bad, false).len(),
            1
        );
    }

    #[test]
    fn examples_that_nobody_compiles_are_found() {
        let text = "/// ```\n/// a();\n/// ```\n/// ```ignore\n//! ```rust,ignore\n// ```ignore\n/// ```text\n";
        let places: Vec<String> = unchecked_examples(Path::new("a.rs"), text)
            .into_iter()
            .map(|f| f.place)
            .collect();
        assert_eq!(places, ["a.rs:4", "a.rs:5"]);
    }
}
