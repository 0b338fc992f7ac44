//! The installed library itself: what it exports and asks for, how it behaves when C makes mistakes.
#![allow(missing_docs)]

use ocellus_tests::{Linked, compile, compile_header, compile_sources, prefix, run_program, tool};
use std::{env, fs, process::Command};

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
    let committed = "../runtime/capi/abi/symbols.txt";
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
fn the_readme_s_program_works() {
    let text = fs::read_to_string("../README.md").expect("a README");
    let program = text.split_once("```c\n").expect("a program in C").1;
    let (program, _) = program.split_once("```").expect("its end");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = folder.path().join("camera.c");
    fs::write(&source, program).expect("a file");
    let program = compile_sources(&[&source], Linked::Dynamically, folder.path());
    let run = run_program(&[], &program, &[]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    assert_eq!(run.stdout.lines().count(), 1, "{run:?}");
}

#[test]
fn cmake_finds_both_libraries() {
    if env::var_os("OCELLUS_CC").is_some() {
        // The files are the same for every target, and the host's run has read them.
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::copy("c/mistakes.c", folder.path().join("mistakes.c")).expect("a copy");
    let project = "cmake_minimum_required(VERSION 3.16)\nproject(camera C)\n\
        find_package(ocellus 0.1 CONFIG REQUIRED)\n\
        add_executable(shared mistakes.c)\ntarget_link_libraries(shared ocellus::ocellus)\n\
        add_executable(static mistakes.c)\ntarget_link_libraries(static ocellus::ocellus_static)\n";
    let lists = folder.path().join("CMakeLists.txt");
    let configure = || {
        let mut cmake = Command::new("cmake");
        cmake.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix().display()));
        cmake
            .args(["-S", ".", "-B", "build"])
            .current_dir(folder.path());
        cmake
            .output()
            .expect("cmake is installed by `cargo xtask setup`")
    };
    fs::write(&lists, project.replace("0.1 CONFIG", "9.0 CONFIG")).expect("a file");
    assert!(!configure().status.success(), "a version that is not there");
    fs::write(&lists, project).expect("a file");
    let out = configure();
    assert!(out.status.success(), "{out:?}");
    let mut cmake = Command::new("cmake");
    let out = cmake.args(["--build", "build"]).current_dir(folder.path());
    let out = out.output().expect("cmake");
    assert!(out.status.success(), "{out:?}");
    for program in ["shared", "static"] {
        let run = run_program(&[], &folder.path().join("build").join(program), &[]);
        assert_eq!(run.code, 0, "{run:?}");
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

#[test]
fn many_frames_leave_the_process_as_large_as_it_was() {
    if env::var_os("OCELLUS_RUNNER").is_some() {
        // Memory, threads and descriptors would be the emulator's; the host's run covers the same code.
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = compile("soak", Linked::Dynamically, folder.path());
    let run = run_program(&[], &program, &["200"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
}
