//! Searches against a plain computation over the embeddings before they were quantized.

use super::*;
use crate::{Album, BLOCK_ROWS, SearchOptions, Since};
use ocellus::{Isa, heads::cosine};
use std::{
    fs::File,
    time::{Duration, SystemTime},
};

/// What quantization may cost a cosine in 70 dimensions.
const OFF: f32 = 0.01;

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = cosine(&vector, &vector).sqrt();
    vector.iter_mut().for_each(|x| *x /= length);
    vector
}

fn top(top: usize) -> SearchOptions {
    SearchOptions { top, since: None }
}

#[test]
fn a_search_finds_what_a_plain_computation_finds_in_every_block() {
    let photos = BLOCK_ROWS + 30;
    let scene = Scene::of(photos);
    let mut indexer = scene.indexer().expect("an index");
    indexer
        .run(
            &scene.folder(),
            &mut Fake::default(),
            IndexOptions::default(),
            &mut |_| (),
        )
        .expect("a run");
    let album = Album::open(&scene.db(), &made()).expect("an index");
    let folder = scene.folder().canonicalize().expect("a folder");
    let name = |i: usize| folder.join(format!("{i:02}.jpg")).display().to_string();
    for asked in [0, 7, BLOCK_ROWS - 1, BLOCK_ROWS, photos - 1] {
        let query = unit(embedding(format!("photo {asked}").as_bytes()));
        let mut exact: Vec<(f32, String)> = (0..photos)
            .map(|i| {
                let photo = unit(embedding(format!("photo {i}").as_bytes()));
                (cosine(&photo, &query), name(i))
            })
            .collect();
        exact.sort_by(|a, b| b.0.total_cmp(&a.0));
        for isa in [Isa::Scalar, ocellus::detect_isa()] {
            let hits = album.search(isa, &query, &top(20)).expect("hits");
            assert_eq!(hits.len(), 20);
            assert_eq!(hits[0].path, name(asked));
            assert!((hits[0].score - 1.0).abs() < OFF / 2.0, "{}", hits[0].score);
            for (hit, (best, _)) in hits.iter().zip(&exact) {
                let of_hit = exact
                    .iter()
                    .find(|(_, path)| *path == hit.path)
                    .expect("a photo")
                    .0;
                assert!((hit.score - of_hit).abs() < OFF, "{hit:?} {of_hit}");
                assert!((hit.score - best).abs() < OFF, "{hit:?} {best}");
            }
        }
    }
    let all = album.search(Isa::Scalar, &embedding(b"photo"), &top(5000));
    assert_eq!(all.expect("hits").len(), photos);
}

#[test]
fn forgotten_photos_are_not_found_and_equal_ones_come_in_order() {
    let scene = Scene::of(4);
    scene.write("09.jpg", "photo 2");
    scene.run();
    fs::remove_file(scene.photo("00.jpg")).expect("a photo");
    scene.run();
    let album = Album::open(&scene.db(), &made()).expect("an index");
    let hits = album
        .search(Isa::Scalar, &embedding(b"photo 2"), &top(10))
        .expect("hits");
    let names: Vec<&str> = hits
        .iter()
        .map(|hit| &hit.path[hit.path.len() - 6..])
        .collect();
    assert_eq!(names[..2], ["02.jpg", "09.jpg"]);
    assert_eq!(names.len(), 4);
    assert_eq!(hits[0].score, hits[1].score);
}

#[test]
fn since_leaves_out_what_is_older() {
    let scene = Scene::of(3);
    for (i, days) in [(0, 10_000), (1, 15_000), (2, 20_000)] {
        let file = File::options()
            .write(true)
            .open(scene.photo(&format!("{i:02}.jpg")))
            .expect("a photo");
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(days * 86_400);
        file.set_modified(time).expect("a time");
    }
    scene.run();
    let album = Album::open(&scene.db(), &made()).expect("an index");
    let found = |since: &str| {
        let since: Since = since.parse().expect("a date");
        let options = SearchOptions {
            top: 10,
            since: Some(since),
        };
        let hits = album
            .search(Isa::Scalar, &embedding(b"photo 0"), &options)
            .expect("hits");
        let mut times: Vec<String> = hits.into_iter().map(|hit| hit.taken.at).collect();
        times.sort();
        times
    };
    let times = [
        "1997-05-19T00:00:00",
        "2011-01-26T00:00:00",
        "2024-10-04T00:00:00",
    ];
    assert_eq!(found("1990-01-01"), times);
    assert_eq!(found("2011-01-26"), times[1..]);
    assert_eq!(found("2011-01-26T00:00:01"), times[2..]);
    assert!(found("2030-01-01").is_empty());
}

#[test]
fn a_search_reads_while_an_index_grows() {
    let scene = Scene::of(6);
    let mut counts = Vec::new();
    let mut indexer = scene.indexer().expect("an index");
    indexer
        .run(
            &scene.folder(),
            &mut Fake::default(),
            options(),
            &mut |_| {
                let album = Album::open(&scene.db(), &made()).expect("an index");
                let hits = album.search(Isa::Scalar, &embedding(b"photo"), &top(10));
                counts.push(hits.expect("hits").len());
            },
        )
        .expect("a run");
    assert!(
        counts.is_sorted() && counts[0] == 0 && counts.ends_with(&[6]),
        "{counts:?}"
    );
}

#[test]
fn a_query_of_another_dimension_is_refused() {
    let scene = Scene::of(1);
    scene.run();
    let album = Album::open(&scene.db(), &made()).expect("an index");
    let error = album.search(Isa::Scalar, &[1.0; 3], &top(1)).unwrap_err();
    assert!(
        error.to_string().contains("expected 70 dimensions, got 3"),
        "{error}"
    );
}
