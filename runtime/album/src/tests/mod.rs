//! Indexing and searching with an embedder that computes nothing: a picture is a file of a few bytes.

mod faults;
mod interrupted;
mod runs;
mod searches;

use crate::{AlbumError, Embed, Event, IndexOptions, Indexed, Indexer, Made};
use ocellus::{
    Error,
    vision::{DecodeLimits, decode},
};
use rusqlite::{Connection, OpenFlags, types::Value};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;

const DIMENSION: usize = 70;

fn made() -> Made {
    Made {
        bundle: "test".into(),
        bundle_sha256: "ab".repeat(32),
        dimension: DIMENSION as u32,
        resolution: 224,
    }
}

/// Embeds what begins with `photo`; nothing else is a picture.
#[derive(Default)]
struct Fake {
    embedded: usize,
}

impl Embed for Fake {
    fn embed(&mut self, picture: &[u8]) -> Result<Vec<f32>, Error> {
        if !picture.starts_with(b"photo") {
            let error = decode(b"", &DecodeLimits::default()).expect_err("nothing is no picture");
            return Err(error.into());
        }
        self.embedded += 1;
        Ok(embedding(picture))
    }

    fn most_bytes(&self) -> u64 {
        1000
    }
}

/// A direction that depends on every byte.
fn embedding(picture: &[u8]) -> Vec<f32> {
    let mut state = picture.iter().fold(7_u64, |state, &byte| {
        state.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    (0..DIMENSION)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

/// A folder of photos and an index beside it.
struct Scene {
    root: TempDir,
}

impl Scene {
    /// With photos `00.jpg`, `01.jpg` and so on.
    fn of(photos: usize) -> Scene {
        let root = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(root.path().join("photos")).expect("a folder");
        let scene = Scene { root };
        for i in 0..photos {
            scene.write(&format!("{i:02}.jpg"), &format!("photo {i}"));
        }
        scene
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join("photos")
    }

    fn photo(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    fn db(&self) -> PathBuf {
        self.root.path().join("photos.db")
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.photo(name), content).expect("a file");
    }

    fn indexer(&self) -> Result<Indexer, AlbumError> {
        Indexer::open(&self.db(), &made())
    }

    /// One run; what it did, and how many pictures were embedded.
    fn run(&self) -> (Indexed, usize) {
        let mut fake = Fake::default();
        let mut indexer = self.indexer().expect("an index");
        let indexed = indexer
            .run(&self.folder(), &mut fake, options(), &mut |_| ())
            .expect("a run");
        (indexed, fake.embedded)
    }

    fn content(&self) -> Vec<Vec<Value>> {
        content(&self.db())
    }
}

/// Commits as often as it can.
fn options() -> IndexOptions {
    IndexOptions {
        commit_after: Duration::ZERO,
    }
}

/// All rows of all tables.
fn content(db: &Path) -> Vec<Vec<Value>> {
    let connection =
        Connection::open_with_flags(db, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("an index");
    let tables = [
        "made ORDER BY one",
        "photo ORDER BY slot",
        "block ORDER BY id",
    ];
    let rows = tables.map(|table| {
        let mut statement = connection
            .prepare(&format!("SELECT * FROM {table}"))
            .expect("a table");
        let columns = statement.column_count();
        let rows = statement.query_map((), |row| (0..columns).map(|i| row.get(i)).collect());
        rows.expect("rows")
            .collect::<Result<Vec<Vec<Value>>, _>>()
            .expect("values")
    });
    rows.concat()
}
