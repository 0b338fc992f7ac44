//! `ocellus index`: an index that is ended at any moment, made by two at once, or asked to read what is no picture.
#![allow(missing_docs)]

use ocellus_tests::{Run, ocellus, photo, program};
use serde_json::Value;
use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Photos small enough for many runs.
fn folder(photos: usize) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let names = ["chelsea.jpg", "coffee.jpg", "rocket.jpg", "astronaut.jpg"];
    for i in 0..photos {
        let picture = image::open(photo(names[i % 4])).expect("a committed photo");
        let side = 40 + i as u32;
        let small = picture.thumbnail(side, side).to_rgb8();
        let path = folder.path().join(format!("{i:02}.png"));
        small.save(path).expect("a small photo");
    }
    folder
}

fn arguments<'a>(folder: &'a Path, db: &'a Path) -> [&'a str; 5] {
    let text = |path: &'a Path| path.to_str().expect("UTF-8");
    ["index", text(folder), "--db", text(db), "--json"]
}

fn index(folder: &Path, db: &Path) -> Run {
    ocellus(arguments(folder, db))
}

/// What a search finds in an index, by path: every photo, its score and time, to the last digit.
fn content(db: &Path) -> Vec<Value> {
    let db = db.to_str().expect("UTF-8");
    let found = ocellus(["search", "a cat", "--db", db, "--top", "1000", "--json"]);
    assert_eq!(found.code, 0, "{found:?}");
    let mut hits = found.json();
    hits.sort_by_key(|hit| hit["path"].to_string());
    hits
}

fn start(folder: &Path, db: &Path) -> std::process::Child {
    let words = program();
    Command::new(&words[0])
        .args(&words[1..])
        .args(arguments(folder, db))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts")
}

#[test]
fn killed_at_any_moment_it_is_finished_by_the_next_run() {
    // Emulated runs are slow, and are ended between the same system calls.
    let emulated = env::var_os("OCELLUS_CPU").is_some();
    let kills = if emulated { 4 } else { 50 };
    let (photos, others) = (folder(6), folder(24));
    let db = photos.path().join("photos.db");
    let began = Instant::now();
    assert_eq!(index(photos.path(), &db).answer()["added"], 6);
    // Where the machine is busy a run takes long, and the test would too.
    let took = began.elapsed().min(Duration::from_millis(800));

    let mut state = 1_u32;
    for kill in 0..kills {
        // Always something to do: one photo is new, one has changed, one is gone.
        let name = |i: usize| photos.path().join(format!("{:02}.png", i % 9));
        let other = |i: usize| others.path().join(format!("{:02}.png", i % 24));
        fs::copy(other(5 * kill + 7), name(kill)).expect("a photo");
        fs::copy(other(7 * kill + 3), name(kill + 4)).expect("a photo");
        let _ = fs::remove_file(name(kill + 6));
        let mut child = start(photos.path(), &db);
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        thread::sleep(took.mul_f64(f64::from(state >> 16) / 65_536.0));
        // SIGKILL. The run may have ended by itself.
        let _ = child.kill();
        child.wait().expect("a child can be waited for");
    }
    // The lock went with each process, what it left is whole, and what comes out is what an index made at once holds.
    let done = index(photos.path(), &db).answer();
    assert_eq!(done["failed"], 0);
    let undisturbed = others.path().join("undisturbed.db");
    let at_once = index(photos.path(), &undisturbed).answer();
    assert_eq!(at_once["photos"], done["photos"]);
    assert_eq!(content(&db), content(&undisturbed));
}

#[test]
fn two_at_once_are_one_too_many() {
    let photos = folder(12);
    let db = photos.path().join("photos.db");
    let mut first = start(photos.path(), &db);
    // The lock is taken once the bundle is loaded.
    let lock = photos.path().join("photos.db-lock");
    let patience = Instant::now() + Duration::from_secs(100);
    while !lock.exists() && Instant::now() < patience {
        thread::sleep(Duration::from_millis(1));
    }
    let second = index(photos.path(), &db);
    let done = first.wait().expect("a child can be waited for");
    // The first may have ended before the second asked, and then there was nothing left to do.
    match second.code {
        0 => assert_eq!(second.answer()["unchanged"], 12),
        _ => second.fails(1, &["photos.db", "only indexer", "wait"]),
    }
    assert!(done.success());
    assert_eq!(index(photos.path(), &db).answer()["unchanged"], 12);
}

#[test]
fn what_is_no_picture_is_told_and_the_rest_is_indexed() {
    let photos = folder(2);
    fs::write(photos.path().join("notes.jpg"), "no picture").expect("a file");
    fs::write(photos.path().join("notes.txt"), "not even named so").expect("a file");
    let db = photos.path().join("photos.db");
    let run = index(photos.path(), &db);
    assert_eq!(run.code, 1, "{run:?}");
    let lines = run.json();
    assert_eq!(lines.len(), 2, "{run:?}");
    let path = lines[0]["path"].as_str().expect("a path");
    assert!(path.ends_with("notes.jpg"), "{path}");
    assert_eq!(lines[0]["error"]["kind"], "format");
    let expected = serde_json::json!({
        "photos": 2, "added": 2, "changed": 0, "unchanged": 0, "reused": 0, "forgotten": 0, "failed": 1,
    });
    assert_eq!(lines[1], expected);
}

#[test]
fn folders_and_files_that_cannot_be_used_are_named() {
    let photos = folder(1);
    let db = photos.path().join("photos.db");
    let none = photos.path().join("none");
    index(&none, &db).fails(1, &["none", "No such file"]);
    fs::create_dir(&none).expect("a folder");
    index(&none, &db).fails(1, &["none", "expected pictures", "mounted"]);
    index(photos.path(), &none).fails(1, &["none"]);
    index(photos.path(), &photos.path().join("00.png")).fails(1, &["00.png", "no database"]);
    index(photos.path(), &none.join("deeper/photos.db")).fails(1, &["deeper"]);
    ocellus(["index", "."]).fails(2, &["--db"]);
    assert_eq!(index(photos.path(), &db).answer()["photos"], 1);
}
