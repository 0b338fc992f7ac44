//! The same picture and words give the same answer on every machine and in every instruction set.
//!
//! Scores may differ by 1e-3, since the text encoder and the heads run in f32 and each CPU sums in its own order; the int8
//! parts may not differ at all, so on one CPU the instruction set changes nothing.
#![allow(missing_docs)]

use ocellus_tests::{host_program, photos, program, run};
use serde_json::Value;

const LABELS: &str = "a cat,a dog,a cup of coffee,a rocket,an astronaut,a bus,a red traffic light,a bird,a boat,a piano";
const TOLERANCE: f64 = 1e-3;

fn answer(program: &[String], photo: &str, resolution: &str, variables: &[(&str, &str)]) -> Value {
    run(
        program,
        [
            "label",
            photo,
            "--labels",
            LABELS,
            "--json",
            "--where",
            "--top-k",
            "4",
            "--resolution",
            resolution,
        ],
        &[],
        variables,
    )
    .answer()
}

fn scores(answer: &Value) -> Vec<(u64, f64)> {
    let mut scores: Vec<_> = answer["labels"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|hit| {
            (
                hit["index"].as_u64().expect("an index"),
                hit["score"].as_f64().expect("a number"),
            )
        })
        .collect();
    scores.sort_by_key(|(index, _)| *index);
    scores
}

#[test]
fn the_instruction_set_changes_no_bit() {
    for photo in photos() {
        let best = answer(&program(), &photo, "112", &[]);
        for isa in ["scalar", "neon"] {
            let lowered = answer(&program(), &photo, "112", &[("OCELLUS_ISA", isa)]);
            assert_eq!(lowered["labels"], best["labels"], "{photo} with {isa}");
        }
    }
}

#[test]
fn the_host_and_this_machine_agree() {
    let Some(host) = host_program() else {
        // Without a second machine the comparison is of a run with another: an answer is a function of its input.
        let photo = &photos()[0];
        let [one, two] = [(); 2].map(|()| answer(&program(), photo, "auto", &[]));
        return assert_eq!(one["labels"], two["labels"]);
    };
    for photo in photos() {
        for resolution in ["auto", "112", "160", "224"] {
            let (here, there) = (
                answer(&program(), &photo, resolution, &[]),
                answer(&host, &photo, resolution, &[]),
            );
            assert_eq!(
                here["resolution"], there["resolution"],
                "{photo} at {resolution}"
            );
            assert_eq!(
                here["no_match"], there["no_match"],
                "{photo} at {resolution}"
            );
            let entropy = |answer: &Value| answer["entropy_bits"].as_f64().expect("a number");
            assert!((entropy(&here) - entropy(&there)).abs() < TOLERANCE);
            for ((_, a), (index, b)) in scores(&here).into_iter().zip(scores(&there)) {
                assert!(
                    (a - b).abs() <= TOLERANCE,
                    "{photo} at {resolution}, label {index}: {a} here, {b} on the host"
                );
            }
            let ahead = |answer: &Value| {
                answer["labels"][0]["score"]
                    .as_f64()
                    .zip(answer["labels"][1]["score"].as_f64())
            };
            let (first, second) = ahead(&there).expect("two labels");
            if first - second > 2.0 * TOLERANCE {
                assert_eq!(
                    here["labels"][0]["label"], there["labels"][0]["label"],
                    "{photo} at {resolution}"
                );
            }
        }
    }
}
