//! The installed library itself: what it exports and asks for, how it behaves when C makes mistakes.
#![allow(missing_docs)]

use ocellus_tests::{Linked, compile, compile_header, prefix, run_program, tool};
use std::{env, fs, path::Path, process::Command};

/// What a tool prints about the shared library.
fn about(name: &str, arguments: &[&str]) -> String {
    let out = Command::new(tool(name))
        .args(arguments)
        .arg(prefix().join("lib/libocellus.so"))
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", tool(name)));
    assert!(out.status.success(), "{out:?}");
    String::from_utf8(out.stdout).expect("UTF-8")
}

#[test]
fn exports_are_the_committed_ones_under_their_version() {
    let symbols = about("nm", &["-D", "--defined-only"]);
    let mut exported: Vec<String> = symbols
        .lines()
        .filter_map(|line| line.split(' ').nth(2))
        .filter(|symbol| symbol.contains("@@") || !symbol.starts_with("OCELLUS_"))
        .map(|symbol| symbol.replace("@@", " "))
        .collect();
    exported.sort();
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/capi/abi/symbols.txt");
    let committed = fs::read_to_string(committed).expect("a committed list");
    assert_eq!(exported.join("\n") + "\n", committed);
}

#[test]
fn no_network_function_is_imported_and_the_soname_is_the_generation() {
    let symbols = about("nm", &["-D", "--undefined-only"]);
    let names = symbols
        .split_whitespace()
        .filter_map(|word| word.split('@').next());
    for name in names {
        let network = [
            "socket",
            "connect",
            "bind",
            "listen",
            "accept",
            "accept4",
            "getaddrinfo",
        ];
        assert!(!network.contains(&name), "{name}");
    }
    let dynamic = about("readelf", &["-d"]);
    assert!(dynamic.contains("[libocellus.so.1]"), "{dynamic}");
    let segments = about("readelf", &["-lW"]);
    let stack = segments.lines().find(|line| line.contains("GNU_STACK"));
    assert!(
        stack.is_some_and(|line| !line.contains("RWE")),
        "{segments}"
    );
}

#[test]
fn the_header_alone_is_c89_c11_and_cpp17() {
    for language in ["c89", "c11", "c++17"] {
        if language == "c++17" && env::var_os("OCELLUS_CC").is_some() {
            // A C++ compiler for the target is not asked for; the host's has read the same header.
            continue;
        }
        compile_header(language);
    }
}

#[test]
fn every_mistake_is_a_status_and_nothing_is_printed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for linked in [Linked::Dynamically, Linked::Statically] {
        let program = compile("mistakes", linked, folder.path());
        let run = run_program(&[], &program, &[]);
        assert_eq!(
            (run.code, run.stdout.as_str(), run.stderr.as_str()),
            (0, "", ""),
            "{linked:?}"
        );
    }
}

#[test]
fn valgrind_finds_no_error_and_no_leak() {
    if env::var_os("OCELLUS_RUNNER").is_some() {
        // It cannot look into an emulated program; the host's run covers the same code.
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = compile("mistakes", Linked::Dynamically, folder.path());
    let valgrind = [
        "valgrind",
        "--quiet",
        "--error-exitcode=9",
        "--leak-check=full",
        "--errors-for-leak-kinds=definite,indirect,possible",
    ];
    let run = run_program(&valgrind, &program, &[]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
}
