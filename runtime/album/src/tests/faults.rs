//! Files that are no index of ours, damaged ones, full disks, two at once.

use super::*;
use crate::{Album, SearchOptions};
use ocellus::Isa;

fn refused(scene: &Scene, made: &Made) -> [AlbumError; 2] {
    [
        Album::open(&scene.db(), made).err().expect("a refusal"),
        Indexer::open(&scene.db(), made).err().expect("a refusal"),
    ]
}

#[test]
fn a_second_indexer_is_refused_and_the_first_goes_on() {
    let scene = Scene::of(2);
    let mut first = scene.indexer().expect("an index");
    let error = scene.indexer().err().expect("a refusal");
    assert!(matches!(error, AlbumError::Busy { .. }), "{error}");
    let done = first.run(
        &scene.folder(),
        &mut Fake::default(),
        options(),
        &mut |_| (),
    );
    assert_eq!(done.expect("a run").added, 2);
    drop(first);
    assert_eq!(scene.run().0.unchanged, 2);
}

#[test]
fn an_index_that_is_not_there_is_made_by_an_indexer_alone() {
    let scene = Scene::of(1);
    let error = Album::open(&scene.db(), &made()).err().expect("a refusal");
    assert!(error.to_string().contains("ocellus index"), "{error}");
    assert!(!scene.db().exists());
    let nowhere = scene.root.path().join("no/such/folder/photos.db");
    assert!(Indexer::open(&nowhere, &made()).is_err());
}

#[test]
fn an_index_of_another_bundle_is_refused_with_the_remedy() {
    let scene = Scene::of(1);
    scene.run();
    let others = [
        Made {
            bundle_sha256: "cd".repeat(32),
            ..made()
        },
        Made {
            resolution: 160,
            ..made()
        },
    ];
    for other in others {
        for error in refused(&scene, &other) {
            assert!(matches!(error, AlbumError::OtherBundle { .. }), "{error}");
            let text = error.to_string();
            assert!(
                text.contains("abababab") && text.contains("index again"),
                "{text}"
            );
        }
    }
    assert_eq!(scene.run().0.unchanged, 1, "it is as it was");
}

#[test]
fn a_file_of_another_kind_is_refused_and_left_alone() {
    let scene = Scene::of(1);
    let texts: [&[u8]; 2] = [b"these are my notes, and a few more of them", &[0; 5000]];
    for text in texts {
        fs::write(scene.db(), text).expect("a file");
        for error in refused(&scene, &made()) {
            assert!(matches!(error, AlbumError::NotAnIndex { .. }), "{error}");
        }
        assert_eq!(fs::read(scene.db()).expect("a file"), text);
    }
    fs::remove_file(scene.db()).expect("a file");
    let foreign = Connection::open(scene.db()).expect("a database");
    foreign
        .execute_batch("CREATE TABLE photo (name TEXT); INSERT INTO photo VALUES ('mine')")
        .expect("a table");
    drop(foreign);
    let before = fs::read(scene.db()).expect("a file");
    for error in refused(&scene, &made()) {
        assert!(matches!(error, AlbumError::NotAnIndex { .. }), "{error}");
        assert!(error.to_string().contains("another program's"), "{error}");
    }
    assert_eq!(fs::read(scene.db()).expect("a file"), before);
}

#[test]
fn an_index_of_a_later_version_is_refused() {
    let scene = Scene::of(1);
    scene.run();
    let connection = Connection::open(scene.db()).expect("an index");
    connection
        .pragma_update(None, "user_version", 2)
        .expect("a header");
    drop(connection);
    for error in refused(&scene, &made()) {
        assert!(
            matches!(error, AlbumError::Version { got: 2, .. }),
            "{error}"
        );
    }
}

#[test]
fn damage_anywhere_is_an_error_or_harmless_and_never_a_panic() {
    let scene = Scene::of(40);
    scene.run();
    let whole = fs::read(scene.db()).expect("an index");
    let mut refused = 0;
    let step = whole.len() / 60;
    for at in (100..whole.len()).step_by(step) {
        let mut damaged = whole.clone();
        let end = (at + 40).min(damaged.len());
        damaged[at..end].iter_mut().for_each(|byte| *byte ^= 0x5a);
        fs::write(scene.db(), &damaged).expect("a file");
        let searched = Album::open(&scene.db(), &made()).and_then(|album| {
            album.search(
                Isa::Scalar,
                &embedding(b"photo 3"),
                &SearchOptions::default(),
            )
        });
        let ran = scene.indexer().and_then(|mut indexer| {
            indexer.run(
                &scene.folder(),
                &mut Fake::default(),
                options(),
                &mut |_| (),
            )
        });
        refused += usize::from(searched.is_err() || ran.is_err());
    }
    for end in [0, 50, 512, 4096, whole.len() / 2] {
        fs::write(scene.db(), &whole[..end]).expect("a file");
        let album = Album::open(&scene.db(), &made());
        assert!(album.is_err() || end > 4096, "{end} bytes");
    }
    assert!(refused > 0);
}

#[test]
fn embeddings_and_times_that_are_damaged_are_found() {
    for statement in [
        "UPDATE block SET rows = zeroblob(100)",
        "UPDATE block SET scales = randomblob(4096)",
        "UPDATE photo SET taken_from = 'guess'",
        "UPDATE photo SET slot = slot + 5000",
        "DELETE FROM photo",
        "DELETE FROM made",
    ] {
        let scene = Scene::of(3);
        scene.run();
        let connection = Connection::open(scene.db()).expect("an index");
        connection.execute_batch(statement).expect("a change");
        drop(connection);
        let found = Album::open(&scene.db(), &made()).and_then(|album| {
            album.search(
                Isa::Scalar,
                &embedding(b"photo 1"),
                &SearchOptions::default(),
            )
        });
        let error = found
            .err()
            .unwrap_or_else(|| panic!("{statement} is not found"));
        assert!(
            matches!(error, AlbumError::Corrupt { .. }),
            "{statement}: {error}"
        );
    }
}

#[test]
fn a_full_disk_is_an_error_and_what_was_committed_is_kept() {
    let scene = Scene::of(30);
    scene.run();
    fs::create_dir(scene.photo("more")).expect("a folder");
    for i in 0..900 {
        let name = format!("more/{i:03}-{}.jpg", "long name ".repeat(15));
        scene.write(&name, &format!("photo more {i}"));
    }
    let mut indexer = scene.indexer().expect("an index");
    let pages: i64 = indexer
        .album()
        .connection
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .expect("a count");
    let limit = |indexer: &Indexer, pages: i64| {
        let connection = &indexer.album().connection;
        connection
            .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            .expect("a limit");
    };
    limit(&indexer, pages + 20);
    let options = IndexOptions::default();
    let error = indexer
        .run(
            &scene.folder(),
            &mut Fake::default(),
            IndexOptions {
                commit_after: Duration::from_millis(1),
            },
            &mut |_| (),
        )
        .expect_err("no room");
    assert!(matches!(error, AlbumError::DiskFull { .. }), "{error}");
    assert!(error.to_string().contains("index again"), "{error}");
    let kept = indexer.album().photos().expect("a count");
    assert!((30..930).contains(&kept), "{kept}");
    // With room again the same process, or another, goes on.
    limit(&indexer, 1 << 30);
    let done = indexer.run(&scene.folder(), &mut Fake::default(), options, &mut |_| ());
    let done = done.expect("a run");
    assert_eq!((done.unchanged, done.added), (kept, 930 - kept));
}
