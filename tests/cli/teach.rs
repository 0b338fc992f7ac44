//! `ocellus teach`, `forget`, `taught`, and what `label` and `watch` make of it; a file that is cut, damaged, another
//! bundle's, on a full disk, or written by two at once.
#![allow(missing_docs)]

use ocellus_tests::{BundleCopy, Run, ocellus, photo, program, run};
use serde_json::Value;
use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// A folder with a file of what was taught.
struct Taught {
    folder: TempDir,
}

impl Taught {
    fn new() -> Taught {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Taught { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("taught.ocellus")
    }

    /// Runs a command on the file.
    fn run(&self, arguments: &[&str]) -> Run {
        let path = self.path();
        ocellus(
            [
                arguments,
                &["--taught", path.to_str().expect("UTF-8"), "--json"],
            ]
            .concat(),
        )
    }

    /// Teaches a label by committed photos.
    fn teach(&self, label: &str, names: &[&str]) -> Run {
        let photos: Vec<String> = names.iter().map(|name| photo(name)).collect();
        let photos = photos.iter().map(String::as_str);
        self.run(
            &["teach", label]
                .into_iter()
                .chain(photos)
                .collect::<Vec<_>>(),
        )
    }

    /// Labels and how many examples each has.
    fn labels(&self) -> Vec<(String, u64)> {
        let path = self.path();
        let run = ocellus(["taught", path.to_str().expect("UTF-8"), "--json"]);
        assert_eq!(run.code, 0, "{run:?}");
        let label = |line: &Value| {
            let text = line["label"].as_str().expect("a label").to_owned();
            (text, line["examples"].as_u64().expect("a number"))
        };
        run.json().iter().map(label).collect()
    }
}

fn pairs(labels: &[(String, u64)]) -> Vec<(&str, u64)> {
    labels
        .iter()
        .map(|(text, count)| (text.as_str(), *count))
        .collect()
}

#[test]
fn a_label_is_taught_used_listed_and_forgotten() {
    let taught = Taught::new();
    let answer = taught.teach("my cat", &["chelsea.jpg"]).answer();
    assert_eq!(
        (&answer["examples"], &answer["added"]),
        (&1.into(), &1.into())
    );
    let again = taught
        .teach("my cat", &["chelsea.jpg", "rocket.jpg"])
        .answer();
    let counts = ["examples", "added", "known"].map(|key| again[key].as_u64());
    assert_eq!(counts, [Some(2), Some(1), Some(1)]);
    assert_eq!(pairs(&taught.labels()), [("my cat", 2)]);

    let chelsea = photo("chelsea.jpg");
    let answer = taught
        .run(&["label", &chelsea, "--labels", "a dog,a cat"])
        .answer();
    let labels = answer["labels"].as_array().expect("labels");
    assert_eq!((labels.len(), &labels[0]["label"]), (3, &"my cat".into()));
    assert_eq!(labels[0]["examples"], 2);
    assert!(labels[0]["similarity"].as_f64() > Some(0.8), "{answer}");
    assert!(labels[1].get("examples").is_none(), "{answer}");
    // What was taught is enough.
    assert_eq!(
        taught.run(&["label", &chelsea]).answer()["labels"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );

    assert_eq!(taught.run(&["forget", "my cat"]).answer()["forgotten"], 2);
    taught
        .run(&["forget", "my cat"])
        .fails(1, &["my cat", "none"]);
    assert!(taught.labels().is_empty());
    taught.run(&["label", &chelsea]).fails(2, &["no labels"]);
}

#[test]
fn a_camera_is_watched_for_what_was_taught() {
    let taught = Taught::new();
    let frame = taught.folder.path().join("frame.png");
    image::open(photo("chelsea.jpg"))
        .expect("a photo")
        .save(&frame)
        .expect("a copy");
    taught.teach("\u{732b}", &["chelsea.jpg"]).answer();
    let pictures = tempfile::tempdir().expect("a temporary folder");
    fs::copy(&frame, pictures.path().join("1.png")).expect("a copy");
    let folder = pictures.path().to_str().expect("UTF-8");
    let run = taught.run(&["watch", "--source", folder, "--on", "\u{732b}>0.5"]);
    assert_eq!(run.code, 0, "{run:?}");
    let lines = run.json();
    let answer = lines.iter().find(|line| line.get("labels").is_some());
    let answer = answer.unwrap_or_else(|| panic!("{run:?}"));
    assert_eq!(answer["labels"][0]["label"], "\u{732b}", "{answer}");
}

#[test]
fn pictures_that_cannot_be_read_leave_the_others() {
    let taught = Taught::new();
    let bad = taught.folder.path().join("bad.jpg");
    fs::write(&bad, "no picture").expect("a file");
    let (bad, missing) = (bad.to_str().expect("UTF-8"), "no/such.jpg");
    let run = taught.run(&["teach", "my cat", bad, &photo("chelsea.jpg"), missing]);
    assert_eq!(run.code, 1, "{run:?}");
    let lines = run.json();
    assert_eq!(
        (lines.len(), &lines[1]["error"]["kind"]),
        (3, &"io".into()),
        "{run:?}"
    );
    let counts = ["added", "failed"].map(|key| lines[2][key].as_u64());
    assert_eq!(counts, [Some(1), Some(2)]);
    assert_eq!(pairs(&taught.labels()), [("my cat", 1)]);
    // Nothing at all was read: there is no new file.
    let other = Taught::new();
    other
        .run(&["teach", "my cat", missing])
        .fails(1, &["no/such.jpg"]);
    assert!(!other.path().exists());
    // No examples, and labels that are none.
    other.run(&["teach", "my cat"]).fails(2, &["IMAGE"]);
    other.teach(" ", &["chelsea.jpg"]).fails(1, &["empty"]);
    taught
        .teach("a dog", &["chelsea.jpg"])
        .fails(1, &["contradiction", "my cat", "forget"]);
}

#[test]
fn a_file_that_cannot_be_used_is_refused_and_kept() {
    let taught = Taught::new();
    let chelsea = photo("chelsea.jpg");
    let label: &[&str] = &["label", &chelsea, "--labels", "a cat"];
    for command in [label, &["forget", "x"]] {
        taught.run(command).fails(1, &["taught.ocellus", "no file"]);
    }
    taught.teach("my cat", &["chelsea.jpg"]).answer();
    let whole = fs::read(taught.path()).expect("a file");
    let mut flipped = whole.clone();
    flipped[300] ^= 4;
    for (bytes, word) in [
        (&whole[..100], "damaged"),
        (&flipped, "damaged"),
        (b"SQLite format 3\0 and more", "other bytes"),
        (b"", "nothing"),
    ] {
        fs::write(taught.path(), bytes).expect("a file");
        for command in [label, &["forget", "my cat"], &["teach", "my cat", &chelsea]] {
            taught.run(command).fails(1, &["taught.ocellus", word]);
        }
        assert_eq!(fs::read(taught.path()).expect("a file"), bytes);
    }
    // Another bundle: the same one with another line in its manifest.
    fs::write(taught.path(), &whole).expect("a file");
    let bundle = BundleCopy::new().manifest(|text| format!("{text}\n# other\n"));
    let bundle = ["--bundle", bundle.path().to_str().expect("UTF-8")];
    let run = taught.run(&[label, &bundle].concat());
    run.fails(1, &["expected ones taught with bundle", "teach again"]);
    assert_eq!(fs::read(taught.path()).expect("a file"), whole);
}

#[test]
fn one_writes_at_a_time() {
    let taught = Taught::new();
    taught.teach("my cat", &["chelsea.jpg"]).answer();
    let lock = File::open(taught.folder.path().join("taught.ocellus-lock")).expect("a lock");
    lock.lock().expect("nobody holds it");
    let run = taught.teach("my dog", &["coffee.jpg"]);
    run.fails(1, &["taught.ocellus", "another at work"]);
    taught
        .run(&["forget", "my cat"])
        .fails(1, &["another at work"]);
    // Who reads does not wait.
    assert_eq!(taught.labels().len(), 1);
    drop(lock);
    taught.teach("my dog", &["coffee.jpg"]).answer();
    assert_eq!(pairs(&taught.labels()), [("my cat", 1), ("my dog", 1)]);
}

#[test]
fn a_full_disk_leaves_the_file_as_it_was() {
    let taught = Taught::new();
    taught.teach("my cat", &["chelsea.jpg"]).answer();
    let before = fs::read(taught.path()).expect("a file");
    // No file may grow beyond a kilobyte, and the signal that says so is not heard.
    let words: Vec<String> = ["sh", "-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "sh"]
        .map(str::to_owned)
        .into_iter()
        .chain(program())
        .collect();
    let (path, coffee) = (taught.path(), photo("coffee.jpg"));
    let path = path.to_str().expect("UTF-8");
    let full = run(
        &words,
        ["teach", "my cup", &coffee, "--taught", path],
        &[],
        &[],
    );
    full.fails(1, &["taught.ocellus", "not saved", "kept"]);
    assert_eq!(fs::read(taught.path()).expect("a file"), before);
    assert!(!taught.folder.path().join("taught.ocellus-new").exists());
}

#[test]
fn a_program_that_is_killed_leaves_the_old_file_or_the_new_one() {
    let taught = Taught::new();
    taught.teach("my cat", &["chelsea.jpg"]).answer();
    let old = fs::read(taught.path()).expect("a file");
    let (path, words) = (taught.path(), program());
    let command = |photos: &[&str]| {
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .args(["teach", "a cup", "--taught"])
            .arg(&path);
        command.args(photos.iter().map(|name| photo(name)));
        command.stdout(Stdio::null());
        command
    };
    // How long a whole run takes here.
    let start = std::time::Instant::now();
    assert!(command(&["coffee.jpg"]).status().expect("a run").success());
    let (time, new) = (start.elapsed(), fs::read(&path).expect("a file"));
    for step in 1..=6 {
        fs::write(&path, &old).expect("a file");
        let mut child = command(&["coffee.jpg"]).spawn().expect("a run");
        thread::sleep(time.mul_f64(f64::from(step) / 6.0) - Duration::from_millis(1).min(time));
        child.kill().expect("a child can be ended");
        child.wait().expect("its end");
        let left = fs::read(&path).expect("a file");
        assert!(
            left == old || left == new,
            "{} bytes at step {step}",
            left.len()
        );
    }
    taught.teach("a cup", &["coffee.jpg"]).answer();
    assert_eq!(fs::read(&path).expect("a file"), new);
}

#[test]
fn prompts_of_a_call_change_scores_and_bad_ones_are_refused() {
    let chelsea = photo("chelsea.jpg");
    let label = |more: &[&str]| {
        ocellus(
            [
                &[
                    "label",
                    &chelsea,
                    "--labels",
                    "a cat",
                    "--json",
                    "--resolution",
                    "112",
                ],
                more,
            ]
            .concat(),
        )
    };
    let score = |more: &[&str]| label(more).answer()["labels"][0]["score"].as_f64();
    let own = score(&[]);
    assert_eq!(own, score(&["--template", "a photo of a {}"]));
    assert_ne!(
        own,
        score(&[
            "--template",
            "a photo of a {}",
            "--template",
            "{} in the rain"
        ])
    );
    label(&["--template", "a photo"]).fails(2, &["a photo", "{}"]);
    label(&["--prompt-mix", "0.5"]).fails(2, &["soft_prompts"]);
    label(&["--prompt-mix", "2"]).fails(2, &["0 to 1", "2"]);
}
