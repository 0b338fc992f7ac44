//! Which build of the program this is, so that what it measured can be traced to its source.

use std::sync::LazyLock;

/// The release.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that it was built from, 40 hexadecimal digits, with `-changed` behind them where the tree had changes.
/// `cargo xtask` hands it over; a plain `cargo build` knows none.
pub const COMMIT: Option<&str> = option_env!("OCELLUS_COMMIT");

/// Both, for people: `0.1.0 (1a2b3c4d5e6f)`.
pub fn named() -> &'static str {
    static NAMED: LazyLock<String> = LazyLock::new(|| match COMMIT {
        Some(commit) => format!("{VERSION} ({})", short(commit)),
        None => VERSION.to_owned(),
    });
    &NAMED
}

/// Twelve digits of a commit, and whether there were changes.
pub fn short(commit: &str) -> String {
    let (digits, changed) = commit.split_at_checked(40).unwrap_or((commit, ""));
    format!("{}{changed}", &digits[..digits.len().min(12)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_shortened_and_its_changes_stay() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(short(commit), "0123456789ab");
        assert_eq!(short(&format!("{commit}-changed")), "0123456789ab-changed");
        assert_eq!(short("abc"), "abc");
    }
}
