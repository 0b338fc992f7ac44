//! What must hold of a file before it goes to a board, asked of its bytes and not of how it was built.

use super::instructions;
use crate::process;
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::process::Command;

const READELF: &str = "aarch64-linux-gnu-readelf";
const OBJDUMP: &str = "aarch64-linux-gnu-objdump";

/// The largest page of any kernel for these boards: a segment that begins on a smaller step is refused by it.
const PAGE: u64 = 0x10000;

/// What opens a connection. Nothing on a board talks to a network.
const NETWORK: [&str; 6] = [
    "getaddrinfo",
    "connect",
    "bind",
    "listen",
    "accept",
    "accept4",
];

/// What a board's system is sure to have.
pub const LIBRARIES: [&str; 7] = [
    "libc.so.6",
    "libm.so.6",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "libutil.so.1",
    "ld-linux-aarch64.so.1",
];

/// What was found in one file that is fine.
#[derive(Debug, PartialEq)]
pub struct Findings {
    /// The newest glibc that it asks for.
    pub glibc: (u32, u32),
    /// Functions with instructions that not every board has, chosen when the program runs.
    pub tiered: usize,
}

/// Checks a program or shared library, built for a board whose glibc is at least `floor`.
pub fn check(file: &Path, floor: &str) -> Result<Findings> {
    let ask = |tool: &str, args: &[&str]| process::capture(Command::new(tool).args(args).arg(file));
    let all = || -> Result<Findings> {
        let header = ask(READELF, &["-h"])?;
        ensure!(header.contains("AArch64"), "it is not for 64-bit ARM");
        segments(&ask(READELF, &["-lW"])?)?;
        libraries(&ask(READELF, &["-dW"])?)?;
        let symbols = ask(READELF, &["--dyn-syms", "-W"])?;
        imports(&symbols)?;
        let glibc = newest_glibc(&symbols);
        let floor_version = version(floor).with_context(|| format!("{floor} is no version"))?;
        ensure!(
            glibc <= floor_version,
            "it asks for glibc {}.{}, and the board may have {floor}",
            glibc.0,
            glibc.1
        );
        let code = ask(OBJDUMP, &["-d", "--no-show-raw-insn"])?;
        let tiered = instructions::tiered(&code)?;
        ensure!(
            tiered
                .iter()
                .any(|name| name.contains("arm64simd_mmm_i32_8x8_dot")),
            "tract's own dot-product kernel is missing; the C compiler that assembles it knows no dot product"
        );
        Ok(Findings {
            glibc,
            tiered: tiered.len(),
        })
    };
    all().with_context(|| file.display().to_string())
}

fn segments(headers: &str) -> Result<()> {
    let loads = headers
        .lines()
        .filter(|line| line.trim_start().starts_with("LOAD"));
    let mut seen = false;
    for line in loads {
        let align = line
            .split_whitespace()
            .last()
            .and_then(|word| word.strip_prefix("0x"));
        let align = align.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        ensure!(
            align.is_some_and(|align| align >= PAGE),
            "a segment is aligned to less than 64 KiB, which kernels with large pages refuse: {}",
            line.trim()
        );
        seen = true;
    }
    ensure!(seen, "it has no segments");
    Ok(())
}

fn libraries(dynamic: &str) -> Result<()> {
    let needed = dynamic.lines().filter(|line| line.contains("(NEEDED)"));
    for line in needed {
        let name = line.split(['[', ']']).nth(1).unwrap_or_default();
        if !LIBRARIES.contains(&name) {
            bail!("it needs {name}, which a board may lack");
        }
    }
    Ok(())
}

/// The names that a symbol table imports, with their versions.
fn undefined(symbols: &str) -> impl Iterator<Item = &str> {
    symbols.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(6);
        let undefined = words.next() == Some("UND");
        words.next().filter(|_| undefined)
    })
}

fn imports(symbols: &str) -> Result<()> {
    for symbol in undefined(symbols) {
        let name = symbol.split('@').next().unwrap_or(symbol);
        if NETWORK.contains(&name) {
            bail!("it imports {name}, which opens connections");
        }
    }
    Ok(())
}

fn newest_glibc(symbols: &str) -> (u32, u32) {
    let versions = undefined(symbols).filter_map(|symbol| symbol.split_once("@GLIBC_"));
    let versions = versions.filter_map(|(_, text)| version(text));
    versions.max().unwrap_or_default()
}

/// Major and minor number of `2.27` or `2.2.5`.
pub fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_of_small_pages_are_refused() {
        let line =
            |align: &str| format!("  LOAD 0x000000 0x0000 0x0000 0x04a0 0x04a0 R E {align}\n");
        assert!(segments(&line("0x10000")).is_ok());
        let error = segments(&line("0x1000")).unwrap_err().to_string();
        assert!(error.contains("64 KiB"), "{error}");
        assert!(segments("").is_err());
    }

    #[test]
    fn strange_libraries_are_named() {
        let needs = |name: &str| format!(" 0x0001 (NEEDED)  Shared library: [{name}]\n");
        assert!(libraries(&(needs("libc.so.6") + &needs("libm.so.6"))).is_ok());
        let error = libraries(&needs("libgcc_s.so.1")).unwrap_err().to_string();
        assert!(error.contains("libgcc_s.so.1"), "{error}");
    }

    #[test]
    fn what_is_imported_is_seen_and_what_is_exported_is_not() {
        let row = |section: &str, name: &str| {
            format!("    12: 0000000000000000     0 FUNC    GLOBAL DEFAULT  {section} {name}\n")
        };
        let symbols = row("UND", "memcpy@GLIBC_2.17 (2)") + &row("UND", "getrandom@GLIBC_2.25 (3)");
        assert!(imports(&symbols).is_ok());
        assert_eq!(newest_glibc(&symbols), (2, 25));
        assert!(imports(&row("7", "connect")).is_ok());
        let error = imports(&row("UND", "connect@GLIBC_2.17")).unwrap_err();
        assert!(error.to_string().contains("connect"), "{error}");
    }

    #[test]
    fn versions_compare_by_number() {
        assert_eq!(version("2.9").max(version("2.27")), Some((2, 27)));
        assert_eq!(version("2.2.5"), Some((2, 2)));
        assert_eq!(version("PRIVATE"), None);
    }
}
