//! The C header is what the declarations make.

use super::Finding;
use crate::header::{self, CRATE, HEADER};
use anyhow::Result;
use std::fs;
use std::path::Path;

/// Checks the committed header.
pub fn check(root: &Path) -> Result<Vec<Finding>> {
    let file = Path::new(CRATE).join(HEADER);
    let committed = fs::read_to_string(root.join(&file)).unwrap_or_default();
    Ok(compare(&file, &committed, &header::generate(root)?))
}

fn compare(file: &Path, committed: &str, made: &str) -> Vec<Finding> {
    if committed == made {
        return Vec::new();
    }
    let mut lines = committed.lines().zip(made.lines());
    let same = lines.by_ref().take_while(|(old, new)| old == new).count();
    let what = "is not what runtime/capi declares; run `cargo xtask header` and commit it";
    vec![Finding::at(file, same + 1, what)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_is_behind_is_found_where_it_differs() {
        let file = Path::new("a.h");
        assert_eq!(compare(file, "a\nb\n", "a\nb\n"), []);
        for (committed, line) in [("a\nc\n", 2), ("a\n", 2), ("", 1)] {
            let findings = compare(file, committed, "a\nb\n");
            assert_eq!(findings[0].place, format!("a.h:{line}"));
        }
    }
}
