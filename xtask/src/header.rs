//! `cargo xtask header`: writes the C header from the declarations of `runtime/capi`.
//!
//! The header is committed, so that a reader needs no tool to see it; `cargo xtask tidy` says when it is not current.

use crate::repo;
use anyhow::{Context, Result, anyhow};
use std::fs;
use std::path::Path;

/// The crate of the C border.
pub const CRATE: &str = "runtime/capi";
/// The header, below the crate.
pub const HEADER: &str = "include/ocellus.h";

/// The files that declare what C sees, in the order in which a reader needs them.
const SOURCES: [&str; 18] = [
    "version",
    "status",
    "log",
    "bundle",
    "runtime",
    "options",
    "session",
    "labels",
    "teach",
    "frame",
    "infer",
    "submit",
    "relevance",
    "embed",
    "route",
    "router",
    "swap",
    "memory",
];

/// Runs the verb.
pub fn run() -> Result<()> {
    let root = repo::root()?;
    let header = root.join(CRATE).join(HEADER);
    fs::write(&header, generate(&root)?)?;
    println!("{}", header.display());
    Ok(())
}

/// The header's text.
pub fn generate(root: &Path) -> Result<String> {
    let folder = root.join(CRATE);
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml"))
        .map_err(|error| anyhow!("{CRATE}/cbindgen.toml: {error}"))?;
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
        builder = builder.with_src(folder.join("src").join(source).with_extension("rs"));
    }
    let mut text = Vec::new();
    builder
        .generate()
        .context("cbindgen cannot read runtime/capi")?
        .write(&mut text);
    let text = String::from_utf8(text).context("the header is not UTF-8")?;
    Ok(text.lines().map(c89).collect())
}

/// A line with its end, without the comment that C89 does not know and cbindgen puts behind `#endif`.
fn c89(line: &str) -> String {
    let end = line.find(" //").filter(|_| line.starts_with("#endif"));
    let line = &line[..end.unwrap_or(line.len())];
    format!("{}\n", line.trim_end())
}

/// A version number that the header defines.
pub fn number(header: &str, name: &str) -> Result<u32> {
    let value = header.lines().find_map(|line| {
        let (defined, value) = line.strip_prefix("#define ")?.split_once(' ')?;
        (defined == name).then_some(value)
    });
    let value = value.with_context(|| format!("the header does not define {name}"))?;
    value.parse().with_context(|| format!("{name} {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The functions that the header declares, sorted.
    fn functions(header: &str) -> Vec<&str> {
        let declared = header.lines().filter(|line| {
            let starts = line.starts_with("int32_t ") || line.starts_with("const char ");
            starts || line.starts_with("size_t ")
        });
        let mut names: Vec<&str> = declared
            .filter_map(|line| {
                let before = line.split_once('(')?.0;
                before.rsplit([' ', '*']).next()
            })
            .collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn versions_and_functions_are_read() {
        let header = "#define A_B 7\n#define A 12\nint32_t ocellus_b(void);\nconst char *ocellus_a(int32_t status);\n";
        assert_eq!(number(header, "A").unwrap(), 12);
        assert!(number(header, "B").is_err());
        assert_eq!(functions(header), ["ocellus_a", "ocellus_b"]);
    }

    #[test]
    fn the_header_declares_the_committed_symbols() {
        let root = repo::root().unwrap();
        let header = generate(&root).unwrap();
        let symbols = fs::read_to_string(root.join(CRATE).join("abi/symbols.txt")).unwrap();
        let exported: Vec<&str> = symbols
            .lines()
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert_eq!(functions(&header), exported);
    }
}
