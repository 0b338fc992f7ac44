//! A process that ends at any moment leaves its files as they are at that moment: so a copy of them at each step of a run is
//! what an end there leaves. Each is finished by another run, whose result is that of a run which nobody disturbed.

use super::*;

const PHOTOS: usize = 18;

/// An index of some photos, and then other photos: new, changed, moved, gone and damaged ones.
fn scene() -> Scene {
    let scene = Scene::of(PHOTOS);
    for i in 10..PHOTOS {
        fs::remove_file(scene.photo(&format!("{i:02}.jpg"))).expect("a photo");
    }
    scene.run();
    for i in 10..PHOTOS {
        scene.write(&format!("{i:02}.jpg"), &format!("photo {i}"));
    }
    scene.write("03.jpg", "photo of something else");
    scene.write("04.jpg", "no picture");
    fs::rename(scene.photo("05.jpg"), scene.photo("15b.jpg")).expect("a move");
    fs::remove_file(scene.photo("06.jpg")).expect("a photo");
    scene
}

/// What a process that ends now leaves.
fn snapshot(scene: &Scene, to: &Path) {
    fs::create_dir(to).expect("a folder");
    for name in ["photos.db", "photos.db-wal"] {
        let from = scene.root.path().join(name);
        if from.exists() {
            fs::copy(from, to.join(name)).expect("a copy");
        }
    }
}

#[test]
fn a_run_that_ends_anywhere_is_finished_by_the_next() {
    for commit_after in [Duration::ZERO, Duration::MAX] {
        let scene = scene();
        let copies = tempfile::tempdir().expect("a temporary folder");
        let mut moments = Vec::new();
        let mut committed = 0;
        let options = IndexOptions { commit_after };
        let mut indexer = scene.indexer().expect("an index");
        indexer
            .run(
                &scene.folder(),
                &mut Fake::default(),
                options,
                &mut |event| {
                    committed += usize::from(matches!(event, Event::Committed));
                    let copy = copies.path().join(moments.len().to_string());
                    snapshot(&scene, &copy);
                    moments.push(copy);
                },
            )
            .expect("a run");
        drop(indexer);
        let undisturbed = scene.content();
        assert!(moments.len() > PHOTOS, "{}", moments.len());
        assert_eq!(committed > 5, commit_after == Duration::ZERO, "{committed}");

        for (moment, copy) in moments.iter().enumerate() {
            let db = copy.join("photos.db");
            let mut indexer = Indexer::open(&db, &made()).expect("a whole index");
            indexer
                .run(&scene.folder(), &mut Fake::default(), options, &mut |_| ())
                .expect("a run");
            drop(indexer);
            assert_eq!(content(&db), undisturbed, "moment {moment}");
        }
    }
}

#[test]
fn what_was_committed_is_not_computed_again() {
    let scene = Scene::of(PHOTOS);
    let copies = tempfile::tempdir().expect("a temporary folder");
    let mut moments = 0;
    let mut indexer = scene.indexer().expect("an index");
    indexer
        .run(
            &scene.folder(),
            &mut Fake::default(),
            options(),
            &mut |event| {
                if let Event::Committed = event {
                    moments += 1;
                    snapshot(&scene, &copies.path().join(moments.to_string()));
                }
            },
        )
        .expect("a run");
    assert_eq!(moments, PHOTOS);
    for done in (1..=PHOTOS).step_by(5) {
        let db = copies.path().join(done.to_string()).join("photos.db");
        let mut fake = Fake::default();
        let mut indexer = Indexer::open(&db, &made()).expect("a whole index");
        indexer
            .run(&scene.folder(), &mut fake, options(), &mut |_| ())
            .expect("a run");
        assert_eq!(fake.embedded, PHOTOS - done);
    }
}

#[test]
fn an_end_while_the_index_is_made_leaves_what_can_be_made_again() {
    let scene = Scene::of(2);
    fs::write(scene.db(), "").expect("a file");
    assert_eq!(scene.run().0.added, 2);
}
