//! A program in C answers each frame by the session that fits it.
#![allow(missing_docs)]

use ocellus_tests::{Clip, Linked, compile, run_program};
use std::fs;

#[test]
fn a_c_program_is_told_which_session_answered_and_why() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = compile("routes", Linked::Dynamically, folder.path());
    let clip = Clip::new();
    for (picture, route, label) in [(0, "animals", "a cat"), (2, "space", "a rocket")] {
        let file = folder.path().join("frame.rgb");
        fs::write(&file, clip.pictures[picture].as_raw()).expect("a file");
        let run = run_program(&[], &program, &[file.to_str().expect("UTF-8")]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
        let mut lines = run.stdout.lines();
        assert_eq!(lines.next(), Some(&*format!("{route}: {label}")), "{run:?}");
        // Name, whether it was skipped, match and score of each.
        let scores: Vec<(&str, f32)> = lines
            .map(|line| {
                let words: Vec<&str> = line.split(' ').collect();
                assert_eq!((words.len(), words[1]), (4, "0"), "{line}");
                (words[0], words[3].parse().expect("a score"))
            })
            .collect();
        let best = scores.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        assert_eq!(best.map(|best| best.0), Some(route), "{run:?}");
    }
}
