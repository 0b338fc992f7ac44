//! `ocellus search` on the committed photos: by words, by a photo, since a date, as a page.
#![allow(missing_docs)]

use ocellus_tests::{BundleCopy, Run, host_program, ocellus, photo, photos, program, run};
use serde_json::Value;
use std::{fs, io::Write, path::Path, process::Command, sync::OnceLock};
use tempfile::TempDir;

/// The committed photos, indexed once for all tests.
fn db() -> &'static str {
    static INDEX: OnceLock<(TempDir, String)> = OnceLock::new();
    let (_, db) = INDEX.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let db = folder.path().join("photos.db").display().to_string();
        let done = ocellus(["index", "data/photos", "--db", &db, "--json"]).answer();
        assert_eq!(done["added"], photos().len());
        (folder, db)
    });
    db
}

fn search(arguments: &[&str]) -> Run {
    ocellus([&["search", "--db", db()], arguments].concat())
}

fn hits(arguments: &[&str]) -> Vec<Value> {
    let run = search(&[arguments, &["--json"]].concat());
    assert_eq!(run.code, 0, "{run:?}");
    run.json()
}

fn names(hits: &[Value]) -> Vec<String> {
    let name = |hit: &Value| {
        let path = Path::new(hit["path"].as_str().expect("a path"));
        assert!(path.is_absolute(), "{hit}");
        path.file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned()
    };
    hits.iter().map(name).collect()
}

fn score(hit: &Value) -> f64 {
    hit["score"].as_f64().expect("a number")
}

#[test]
fn words_find_what_they_say_and_the_rest_is_listed_as_no_match() {
    for (words, name) in [
        ("a cat", "chelsea.jpg"),
        ("a cup of coffee", "coffee.jpg"),
        ("a rocket", "rocket.jpg"),
    ] {
        let hits = hits(&[words]);
        assert_eq!(hits.len(), photos().len());
        assert_eq!(names(&hits)[0], name, "{words}");
        assert_eq!(hits[0]["no_match"], false, "{words}");
        assert_eq!(hits[3]["no_match"], true, "{words}");
        assert!(hits.is_sorted_by(|a, b| score(a) >= score(b)), "{hits:?}");
        for hit in &hits {
            let probability = hit["match_probability"].as_f64().expect("a number");
            assert_eq!(hit["no_match"], probability < 0.5, "{hit}");
            assert_eq!(hit["taken_from"], "file");
        }
    }
    let nothing = hits(&["a piano"]);
    assert_eq!(nothing.len(), photos().len());
    assert!(
        nothing.iter().all(|hit| hit["no_match"] == true),
        "{nothing:?}"
    );
}

#[test]
fn a_hit_scores_as_its_label_does() {
    // Within what quantizing both to INT8 costs.
    for (words, name) in [("a cat", "chelsea.jpg"), ("a wooden table", "coffee.jpg")] {
        let labelled = ocellus([
            "label",
            &photo(name),
            "--labels",
            words,
            "--resolution",
            "224",
            "--json",
        ]);
        let label = labelled.answer()["labels"][0]["score"]
            .as_f64()
            .expect("a number");
        let hits = hits(&[words]);
        let hit = hits
            .iter()
            .zip(names(&hits))
            .find(|(_, found)| found == name);
        let off = (score(hit.expect("every photo is listed").0) - label).abs();
        assert!(off < 0.006, "{words}: {off}");
    }
}

#[test]
fn a_photo_finds_itself() {
    for name in ["chelsea.jpg", "astronaut.jpg"] {
        let hits = hits(&["--like", &photo(name), "--top", "2"]);
        assert_eq!(hits.len(), 2);
        assert_eq!(names(&hits)[0], name);
        assert!(
            score(&hits[0]) > 0.99 && hits[0]["no_match"] == false,
            "{hits:?}"
        );
        assert!(score(&hits[1]) < 0.7, "{hits:?}");
    }
}

#[test]
fn the_host_finds_the_same() {
    let Some(host) = host_program() else { return };
    let host = run(&host, ["search", "a cat", "--db", db(), "--json"], &[], &[]);
    assert_eq!(host.code, 0, "{host:?}");
    let (theirs, ours) = (host.json(), hits(&["a cat"]));
    assert_eq!(names(&theirs), names(&ours));
    // The words' embedding is computed in f32, and each CPU sums in its own order.
    for (their, our) in theirs.iter().zip(&ours) {
        assert!((score(their) - score(our)).abs() < 1e-3, "{their} {our}");
    }
}

#[test]
fn an_instruction_set_changes_no_score() {
    let best = hits(&["a cat"]);
    for isa in ["scalar", "neon"] {
        let arguments = ["search", "a cat", "--db", db(), "--json"];
        let lowered = run(&program(), arguments, &[], &[("OCELLUS_ISA", isa)]);
        assert_eq!(lowered.json(), best, "{isa}");
    }
}

/// A JPEG with a time of exposure in its EXIF data.
fn exposed(jpeg: &[u8], time: &str) -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0".to_vec();
    // A directory of one entry: the tag, its type, count and value, and no next directory.
    for (tag, kind, count, value) in [(0x8769_u16, 4_u16, 1_u32, 26_u32), (0x9003, 2, 20, 44)] {
        tiff.extend([1, 0]);
        tiff.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        tiff.extend([count.to_le_bytes(), value.to_le_bytes(), [0; 4]].concat());
    }
    tiff.extend(time.as_bytes());
    tiff.push(0);
    let length = (tiff.len() + 8) as u16;
    let marker = [&[0xff, 0xe1][..], &length.to_be_bytes(), b"Exif\0\0"].concat();
    [&jpeg[..2], &marker, &tiff, &jpeg[2..]].concat()
}

#[test]
fn since_goes_by_the_camera_s_clock() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, time) in [
        ("chelsea.jpg", "2019:07:14 09:30:00"),
        ("coffee.jpg", "2023:12:24 18:00:00"),
    ] {
        let jpeg = fs::read(photo(name)).expect("a committed photo");
        fs::write(folder.path().join(name), exposed(&jpeg, time)).expect("a photo");
    }
    let db = folder.path().join("photos.db").display().to_string();
    let root = folder.path().display().to_string();
    assert_eq!(ocellus(["index", &root, "--db", &db]).code, 0);
    let since = |date: &str| {
        let run = ocellus(["search", "a cat", "--db", &db, "--since", date, "--json"]);
        assert_eq!(run.code, 0, "{run:?}");
        run.json()
    };
    assert_eq!(names(&since("2019-07-14")), ["chelsea.jpg", "coffee.jpg"]);
    let late = since("2019-07-14T09:30:01");
    assert_eq!(names(&late), ["coffee.jpg"]);
    assert_eq!(late[0]["taken"], "2023-12-24T18:00:00");
    assert_eq!(late[0]["taken_from"], "exif");
    assert!(since("2024-01-01").is_empty());
}

/// Whether a page is well-formed, and what its pictures' addresses are.
fn pictures(page: &Path) -> Vec<String> {
    let script = "import sys, xml.etree.ElementTree as tree\n\
        for image in tree.parse(sys.argv[1]).iter('img'): print(image.get('src'))";
    let python = Command::new("python3")
        .args(["-c", script])
        .arg(page)
        .output()
        .expect("python3");
    assert!(python.status.success(), "{python:?}");
    let text = String::from_utf8(python.stdout).expect("UTF-8");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_page_holds_its_pictures() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let page = folder.path().join("hits.html");
    let out = page.display().to_string();
    search(&["a cat & a <dog>", "--html", &out]).fails(0, &["chelsea.jpg"]);
    let text = fs::read_to_string(&page).expect("a page");
    for words in [
        "a cat &amp; a &lt;dog&gt;",
        "chelsea.jpg",
        "no match",
        "+0.",
    ] {
        assert!(text.contains(words), "{words}");
    }
    // Nothing is fetched: no address but those of bytes.
    for word in ["http", "<script", "<link", "url("] {
        assert!(!text.contains(word), "{word}");
    }
    let pictures = pictures(&page);
    assert_eq!(pictures.len(), photos().len());
    for picture in &pictures {
        assert!(
            picture.starts_with("data:image/jpeg;base64,/9j/"),
            "{picture}"
        );
    }
    let nowhere = folder
        .path()
        .join("no/such/hits.html")
        .display()
        .to_string();
    search(&["a cat", "--html", &nowhere]).fails(1, &["--html", "hits.html"]);
}

#[test]
fn queries_that_cannot_be_used_are_named() {
    let long = "cat ".repeat(10_000);
    search(&[""]).fails(1, &["searched for", "empty"]);
    search(&[&long]).fails(1, &["searched for", "at most 1000 bytes"]);
    search(&["\u{72ac}"]).fails(1, &["\u{72ac}", "vocabulary"]);
    search(&["\u{5d0}\u{5d1} \u{1f408}"]).fails(1, &["vocabulary"]);
    search(&["a\u{7}cat"]).fails(1, &["control character"]);
    search(&[]).fails(2, &["WORDS"]);
    search(&["a cat", "--like", &photo("chelsea.jpg")]).fails(2, &["--like"]);
    search(&["--like", "no-such.jpg"]).fails(1, &["--like no-such.jpg"]);
    search(&["--like", "Cargo.toml"]).fails(1, &["--like Cargo.toml"]);
    search(&["a cat", "--since", "2023-02-30"]).fails(2, &["--since", "2024-05-01"]);
    search(&["a cat", "--top", "0"]).fails(2, &["--top"]);
}

#[test]
fn an_index_that_cannot_be_used_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("photos.db");
    let db = file.display().to_string();
    let ask = || ocellus(["search", "a cat", "--db", &db]);
    ask().fails(1, &["photos.db", "ocellus index"]);
    fs::File::create(&file)
        .and_then(|mut file| file.write_all(b"a shopping list, and quite a long one at that"))
        .expect("a file");
    ask().fails(1, &["photos.db", "no database"]);
}

#[test]
fn an_index_of_another_bundle_is_refused_with_the_remedy() {
    let other = BundleCopy::new().set("version", "\"9.9.9\"");
    let bundle = other.path().display().to_string();
    let asked = ocellus(["search", "a cat", "--db", db(), "--bundle", &bundle]);
    asked.fails(1, &["use that bundle", "index again", "ocellus-default"]);
    let indexed = ocellus(["index", "data/photos", "--db", db(), "--bundle", &bundle]);
    indexed.fails(1, &["index again", "ocellus-default"]);
    assert_eq!(hits(&["a cat"]).len(), photos().len(), "it is as it was");
}
