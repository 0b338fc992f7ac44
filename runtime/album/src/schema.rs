//! The tables of an index, and whether a file has them.

use crate::{album::Made, block::MOST_SLOTS, error::AlbumError};
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::{path::Path, time::Duration};

/// `Ocel`: what SQLite's header says of a file of ours.
const APPLICATION: i64 = 0x4f63_656c;

/// The version of the tables.
pub const VERSION: i64 = 1;

/// How long a reader waits for a writer's moment of checkpointing, and the other way round.
const PATIENCE: Duration = Duration::from_secs(5);

const TABLES: &str = "
    -- What made the embeddings; one row.
    CREATE TABLE made (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        bundle TEXT NOT NULL,
        bundle_sha256 TEXT NOT NULL,
        dimension INTEGER NOT NULL,
        resolution INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE photo (
        -- Where the embedding is: row slot % 1024 of block slot / 1024.
        slot INTEGER PRIMARY KEY,
        path TEXT NOT NULL UNIQUE,
        size_bytes INTEGER NOT NULL,
        modified_ns INTEGER NOT NULL,
        sha256 BLOB NOT NULL,
        -- 2024-05-01T12:30:00, from exif (the camera's time) or file (the last change, UTC).
        taken TEXT NOT NULL,
        taken_from TEXT NOT NULL
    ) STRICT;
    CREATE INDEX photo_sha256 ON photo (sha256);
    CREATE INDEX photo_taken ON photo (taken);
    CREATE TABLE block (
        id INTEGER PRIMARY KEY,
        -- f32, little-endian [1024]; 0 where the slot is free.
        scales BLOB NOT NULL,
        -- i8 [1024 / 16][quad][16][4]; quads of zeros up to a multiple of 64 columns.
        rows BLOB NOT NULL
    ) STRICT;
";

/// What is done with a file that is not there yet.
#[derive(Clone, Copy, PartialEq)]
pub enum Absent {
    Create,
    Refuse,
}

/// Opens the index at `path`, an absolute path, made with what `made` says.
pub fn open(path: &Path, made: &Made, absent: Absent) -> Result<Connection, AlbumError> {
    if absent == Absent::Refuse && !path.exists() {
        return Err(AlbumError::Missing { path: path.into() });
    }
    let of = |error| AlbumError::of(path, error);
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, absent == Absent::Create);
    let mut connection = Connection::open_with_flags(path, flags).map_err(of)?;
    connection.busy_timeout(PATIENCE).map_err(of)?;
    prepare(&connection).map_err(of)?;

    let application = header(&connection, "application_id").map_err(of)?;
    let version = header(&connection, "user_version").map_err(of)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))
        .map_err(of)?;
    let not_an_index = |got: &str| AlbumError::NotAnIndex {
        path: path.into(),
        got: got.into(),
    };
    match (application, tables) {
        (0, 0) if absent == Absent::Create => create(&mut connection, made).map_err(of)?,
        (0, 0) => return Err(not_an_index("an empty file")),
        (APPLICATION, _) if version == VERSION => {}
        (APPLICATION, _) => {
            return Err(AlbumError::Version {
                path: path.into(),
                expected: VERSION,
                got: version,
            });
        }
        _ => return Err(not_an_index("another program's database")),
    }
    let found = read_made(&connection).map_err(of)?;
    let found = found.ok_or_else(|| corrupt(path, "it does not say what made it"))?;
    match found == *made {
        true => Ok(connection),
        false => Err(AlbumError::OtherBundle {
            path: path.into(),
            expected: made.to_string(),
            got: found.to_string(),
        }),
    }
}

/// Looks through the whole file, which takes as long as reading it.
pub fn check(connection: &Connection, path: &Path) -> Result<(), AlbumError> {
    let of = |error| AlbumError::of(path, error);
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", (), |row| row.get(0))
        .map_err(of)?;
    if verdict != "ok" {
        return Err(corrupt(path, &verdict));
    }
    let lost: i64 = connection
        .query_row(
            "SELECT count(*) FROM photo WHERE slot NOT BETWEEN 0 AND ?1
             OR slot / 1024 NOT IN (SELECT id FROM block)",
            [MOST_SLOTS - 1],
            |row| row.get(0),
        )
        .map_err(of)?;
    match lost {
        0 => Ok(()),
        _ => Err(corrupt(path, &format!("{lost} photos without embedding"))),
    }
}

pub fn corrupt(path: &Path, what: &str) -> AlbumError {
    AlbumError::Corrupt {
        path: path.into(),
        what: what.into(),
    }
}

/// What holds for this connection alone.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    // Expressions inside a foreign file's tables are not to be trusted; no file but those beside the index is written; a
    // commit is on the disk before it counts.
    connection.execute_batch(
        "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY; PRAGMA synchronous = FULL;",
    )
}

fn header(connection: &Connection, field: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, field, |row| row.get(0))
}

fn create(connection: &mut Connection, made: &Made) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.execute(
        "INSERT INTO made (one, bundle, bundle_sha256, dimension, resolution) VALUES (1, ?1, ?2, ?3, ?4)",
        (&made.bundle, &made.bundle_sha256, made.dimension, made.resolution),
    )?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

fn read_made(connection: &Connection) -> rusqlite::Result<Option<Made>> {
    connection
        .query_row(
            "SELECT bundle, bundle_sha256, dimension, resolution FROM made",
            (),
            |row| {
                Ok(Made {
                    bundle: row.get(0)?,
                    bundle_sha256: row.get(1)?,
                    dimension: row.get(2)?,
                    resolution: row.get(3)?,
                })
            },
        )
        .optional()
}
