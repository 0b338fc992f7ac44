//! What a run does with files that are new, unchanged, changed, moved, gone or no pictures.

use super::*;
use crate::Outcome;

#[test]
fn what_is_unchanged_is_skipped() {
    let scene = Scene::of(5);
    let (indexed, embedded) = scene.run();
    assert_eq!((indexed.added, embedded), (5, 5));
    let before = scene.content();
    let (indexed, embedded) = scene.run();
    let expected = Indexed {
        unchanged: 5,
        ..Indexed::default()
    };
    assert_eq!((indexed, embedded), (expected, 0));
    assert_eq!(scene.content(), before);
}

#[test]
fn what_was_moved_copied_or_touched_keeps_its_embedding() {
    let scene = Scene::of(4);
    scene.run();
    fs::create_dir(scene.photo("trip")).expect("a folder");
    fs::rename(scene.photo("00.jpg"), scene.photo("trip/first.jpg")).expect("a move");
    fs::copy(scene.photo("01.jpg"), scene.photo("copy.jpg")).expect("a copy");
    scene.write("02.jpg", "photo 2");
    let (indexed, embedded) = scene.run();
    assert_eq!(embedded, 0);
    let expected = Indexed {
        unchanged: 2,
        reused: 3,
        forgotten: 1,
        ..Indexed::default()
    };
    assert_eq!(indexed, expected);
}

#[test]
fn what_changed_is_embedded_again_in_its_place() {
    let scene = Scene::of(3);
    scene.run();
    scene.write("01.jpg", "photo of something else");
    let (indexed, embedded) = scene.run();
    assert_eq!((indexed.changed, indexed.unchanged, embedded), (1, 2, 1));
    let other = Scene::of(3);
    other.write("01.jpg", "photo of something else");
    other.run();
    // The embeddings and scales are those of an index that never knew the earlier content.
    let blocks = |scene: &Scene| scene.content().pop().expect("a block");
    assert_eq!(blocks(&scene), blocks(&other));
}

#[test]
fn of_what_is_gone_nothing_is_left() {
    let scene = Scene::of(6);
    scene.run();
    for name in ["01.jpg", "05.jpg"] {
        fs::remove_file(scene.photo(name)).expect("a photo");
    }
    // One that cannot be read as a picture any more counts as well.
    scene.write("03.jpg", "no picture");
    let (indexed, _) = scene.run();
    assert_eq!(
        (indexed.forgotten, indexed.failed, indexed.unchanged),
        (3, 1, 3)
    );
    let indexer = scene.indexer().expect("an index");
    for slot in [1, 3, 5] {
        let row = indexer.album().blocks().get(slot).expect("a slot");
        assert!(row.scale == 0.0 && row.elements.iter().all(|&element| element == 0));
    }
    drop(indexer);
    // Free slots are used again, the lowest first.
    scene.write("07.jpg", "photo 7");
    scene.run();
    let slots: Vec<Value> = scene.content()[1..5]
        .iter()
        .map(|row| row[0].clone())
        .collect();
    assert_eq!(slots, [0, 1, 2, 4].map(Value::Integer));
}

#[test]
fn what_cannot_be_read_is_told_and_stops_nothing() {
    let scene = Scene::of(2);
    scene.write("00.png", "no picture");
    scene.write("01.png", &"photo of too many bytes".repeat(100));
    let mut told = Vec::new();
    let mut indexer = scene.indexer().expect("an index");
    let indexed = indexer
        .run(
            &scene.folder(),
            &mut Fake::default(),
            options(),
            &mut |event| {
                if let Event::Picture(path, Outcome::Failed(failure)) = event {
                    let name = path.file_name().expect("a name").to_string_lossy();
                    told.push(format!("{name} {} {}", failure.kind, failure.message));
                }
            },
        )
        .expect("a run");
    assert_eq!((indexed.added, indexed.failed), (2, 2));
    assert!(told[0].starts_with("00.png "), "{told:?}");
    assert!(
        told[1].starts_with("01.png io") && told[1].contains("1000 bytes"),
        "{told:?}"
    );
}

#[test]
fn a_photo_that_goes_away_meanwhile_is_no_failure() {
    let scene = Scene::of(3);
    scene.run();
    scene.write("02.jpg", "photo of something else");
    let gone = scene.photo("02.jpg");
    let mut indexer = scene.indexer().expect("an index");
    let indexed = indexer
        .run(
            &scene.folder(),
            &mut Fake::default(),
            options(),
            &mut |event| {
                if let Event::Found(_) = event {
                    fs::remove_file(&gone).expect("a photo");
                }
            },
        )
        .expect("a run");
    assert_eq!(
        (indexed.unchanged, indexed.forgotten, indexed.failed),
        (2, 1, 0)
    );
    assert_eq!(indexer.album().photos().expect("a count"), 2);
}

#[test]
fn folders_are_indexed_one_by_one_and_an_empty_one_forgets_nothing() {
    let scene = Scene::of(3);
    scene.run();
    let other = Scene::of(2);
    let mut indexer = scene.indexer().expect("an index");
    let mut run = |folder: &Path| indexer.run(folder, &mut Fake::default(), options(), &mut |_| ());
    let indexed = run(&other.folder()).expect("a run");
    assert_eq!(
        (indexed.reused, indexed.forgotten),
        (2, 0),
        "the contents are known"
    );
    fs::remove_dir_all(other.folder()).expect("a folder");
    assert!(matches!(run(&other.folder()), Err(AlbumError::Io { .. })));
    fs::create_dir(other.folder()).expect("a folder");
    assert!(matches!(
        run(&other.folder()),
        Err(AlbumError::NoPictures { .. })
    ));
    assert_eq!(indexer.album().photos().expect("a count"), 5);
}

#[test]
#[cfg(target_os = "linux")]
fn a_name_that_is_not_utf8_is_told() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let scene = Scene::of(1);
    let name = OsStr::from_bytes(b"caf\xe9.jpg");
    fs::write(scene.folder().join(name), "photo").expect("a file");
    let (indexed, _) = scene.run();
    assert_eq!((indexed.added, indexed.failed), (1, 1));
}
