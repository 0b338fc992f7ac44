//! A program in C is taught, ends, and knows it when it starts again; and so does the program, from the same file.
#![allow(missing_docs)]

use ocellus_tests::{Linked, compile, ocellus, run_program};
use std::fs;

#[test]
fn what_a_c_program_was_taught_outlives_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = compile("teach", Linked::Dynamically, folder.path());
    let file = folder.path().join("taught.ocellus");
    let path = file.to_str().expect("UTF-8");
    let run = |arguments: &[&str]| {
        let run = run_program(&[], &program, arguments);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
        run.stdout
    };
    assert!(run(&["ask", path]).starts_with("a cat 0 "));
    assert_eq!(run(&["teach", path, "my fence"]), "1\n");
    assert_eq!(run(&["teach", path, "my fence"]), "1\n");
    let answer = run(&["ask", path]);
    assert!(answer.starts_with("my fence 1 "), "{answer}");
    assert!(ocellus(["taught", path, "--json"]).answer()["label"] == "my fence");

    let refused = run_program(&[], &program, &["forget", path, "my gate"]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("OCELLUS_E_NOT_TAUGHT"),
        "{refused:?}"
    );
    let whole = fs::read(&file).expect("a file");
    fs::write(&file, &whole[..whole.len() / 2]).expect("a file");
    let damaged = run_program(&[], &program, &["ask", path]);
    assert!(
        damaged.code == 1 && damaged.stderr.contains("OCELLUS_E_EXAMPLES"),
        "{damaged:?}"
    );
    fs::write(&file, whole).expect("a file");
    assert_eq!(run(&["forget", path, "my fence"]), "1\n");
    assert!(run(&["ask", path]).starts_with("a cat 0 "));
}
