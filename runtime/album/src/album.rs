//! An open index: its photos by path and by content, and their slots.

use crate::{
    block::{Blocks, MOST_SLOTS, Row},
    error::AlbumError,
    schema::{self, Absent, corrupt},
    taken::{Taken, TakenFrom},
};
use ocellus::Engine;
use rusqlite::{Connection, OptionalExtension, params};
use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    path::{Path, PathBuf},
};

/// What made an index: embeddings of different bundles, or resolutions, lie in different spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The bundle's name.
    pub bundle: String,
    /// The bundle's SHA-256, in hexadecimal.
    pub bundle_sha256: String,
    /// Elements of an embedding.
    pub dimension: u32,
    /// Side in pixels of the encoder's input.
    pub resolution: u32,
}

impl Made {
    /// With the bundle of an engine, as [`PictureEmbedder`](crate::PictureEmbedder) embeds.
    pub fn with(engine: &Engine) -> Made {
        let id = engine.bundle_id();
        Made {
            bundle: id.name.to_string(),
            bundle_sha256: id.sha256.to_string(),
            dimension: engine.bundle().manifest().text.dimension as u32,
            resolution: crate::PictureEmbedder::resolution(engine),
        }
    }
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sha256 = self.bundle_sha256.get(..12).unwrap_or(&self.bundle_sha256);
        write!(
            f,
            "bundle {} {sha256} at {} pixels",
            self.bundle, self.resolution
        )
    }
}

/// An index of photos, open for searches.
pub struct Album {
    pub(crate) connection: Connection,
    pub(crate) path: PathBuf,
    pub(crate) made: Made,
}

impl Album {
    /// Opens the index at `path`, which has to be there.
    ///
    /// # Errors
    /// [`AlbumError::Missing`], [`AlbumError::NotAnIndex`], [`AlbumError::Version`], [`AlbumError::OtherBundle`] where
    /// `made` is not what made it, [`AlbumError::Corrupt`], [`AlbumError::Io`].
    pub fn open(path: &Path, made: &Made) -> Result<Album, AlbumError> {
        Album::open_or(path, made, Absent::Refuse)
    }

    pub(crate) fn open_or(path: &Path, made: &Made, absent: Absent) -> Result<Album, AlbumError> {
        // Absolute, so that no name can be taken for one of SQLite's addresses.
        let path = std::path::absolute(path).map_err(AlbumError::io(path))?;
        let connection = schema::open(&path, made, absent)?;
        Ok(Album {
            connection,
            path,
            made: made.clone(),
        })
    }

    /// How many photos there are.
    ///
    /// # Errors
    /// [`AlbumError::Corrupt`], [`AlbumError::Database`].
    pub fn photos(&self) -> Result<u64, AlbumError> {
        let count = "SELECT count(*) FROM photo";
        let count: i64 = self.of(self.connection.query_row(count, (), |row| row.get(0)))?;
        Ok(count.unsigned_abs())
    }

    pub(crate) fn blocks(&self) -> Blocks<'_> {
        Blocks {
            connection: &self.connection,
            path: &self.path,
            dimension: self.made.dimension as usize,
        }
    }

    pub(crate) fn execute(&self, statements: &str) -> Result<(), AlbumError> {
        self.of(self.connection.execute_batch(statements))
    }

    pub(crate) fn of<T>(&self, result: rusqlite::Result<T>) -> Result<T, AlbumError> {
        result.map_err(|error| AlbumError::of(&self.path, error))
    }
}

/// What is known of a file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    pub size_bytes: i64,
    /// From 1970 on.
    pub modified_ns: i64,
}

/// A photo as the index knows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Known {
    pub slot: i64,
    pub stat: Stat,
}

/// A file whose content was read.
pub struct File<'a> {
    pub path: &'a str,
    pub stat: Stat,
    pub sha256: [u8; 32],
    pub taken: Taken,
}

/// The photos of an index, to be changed. Slots are given out in order, the free ones first: the same changes lead to the
/// same content, however often they were interrupted.
pub struct Photos<'a> {
    album: &'a Album,
    free: BTreeSet<i64>,
    next: i64,
}

impl<'a> Photos<'a> {
    pub fn of(album: &'a Album) -> Result<Photos<'a>, AlbumError> {
        let mut photos = Photos {
            album,
            free: BTreeSet::new(),
            next: 0,
        };
        let mut statement = album.of(album
            .connection
            .prepare("SELECT slot FROM photo ORDER BY slot"))?;
        let mut rows = album.of(statement.query(()))?;
        while let Some(row) = album.of(rows.next())? {
            let slot: i64 = album.of(row.get(0))?;
            if !(photos.next..MOST_SLOTS).contains(&slot) {
                return Err(corrupt(&album.path, &format!("slot {slot}")));
            }
            photos.free.extend(photos.next..slot);
            photos.next = slot + 1;
        }
        Ok(photos)
    }

    /// The photos below a folder, by path.
    pub fn below(&self, folder: &Path) -> Result<HashMap<String, Known>, AlbumError> {
        let album = self.album;
        let select = "SELECT path, slot, size_bytes, modified_ns FROM photo";
        let mut statement = album.of(album.connection.prepare(select))?;
        let known = statement.query_map((), |row| {
            let known = Known {
                slot: row.get(1)?,
                stat: Stat {
                    size_bytes: row.get(2)?,
                    modified_ns: row.get(3)?,
                },
            };
            Ok((row.get(0)?, known))
        });
        let all = album.of(known)?.collect::<rusqlite::Result<Vec<_>>>();
        let all: Vec<(String, Known)> = album.of(all)?;
        let below = |(path, _): &(String, Known)| Path::new(path).starts_with(folder);
        Ok(all.into_iter().filter(below).collect())
    }

    /// The embedding of a photo with this content, under whatever path.
    pub fn embedding(&self, sha256: &[u8; 32]) -> Result<Option<Row>, AlbumError> {
        let select = "SELECT min(slot) FROM photo WHERE sha256 = ?1";
        let slot = self
            .album
            .connection
            .query_row(select, [&sha256[..]], |row| row.get::<_, Option<i64>>(0))
            .optional();
        let slot = self.album.of(slot)?.flatten();
        slot.map(|slot| self.album.blocks().get(slot)).transpose()
    }

    /// Adds a photo, or gives a known path its new content.
    pub fn put(
        &mut self,
        file: &File<'_>,
        row: &Row,
        known: Option<Known>,
    ) -> Result<(), AlbumError> {
        let slot = match known {
            Some(known) => known.slot,
            None => self.free.pop_first().unwrap_or(self.next),
        };
        if slot >= MOST_SLOTS {
            return Err(corrupt(&self.album.path, "more photos than it can hold"));
        }
        self.next = self.next.max(slot + 1);
        let replace = "INSERT OR REPLACE INTO photo (slot, path, size_bytes, modified_ns, sha256, taken, taken_from)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        self.album.of(self.album.connection.execute(
            replace,
            params![
                slot,
                file.path,
                file.stat.size_bytes,
                file.stat.modified_ns,
                &file.sha256[..],
                file.taken.at,
                file.taken.from.name(),
            ],
        ))?;
        self.album.blocks().put(slot, row)
    }

    /// Takes a photo out; nothing of its embedding is left.
    pub fn forget(&mut self, slot: i64) -> Result<(), AlbumError> {
        let delete = "DELETE FROM photo WHERE slot = ?1";
        self.album
            .of(self.album.connection.execute(delete, [slot]))?;
        self.free.insert(slot);
        self.album.blocks().free(slot)
    }
}

/// A photo's path and time by its slot.
pub fn photo_in(album: &Album, slot: i64) -> Result<Option<(String, Taken)>, AlbumError> {
    let select = "SELECT path, taken, taken_from FROM photo WHERE slot = ?1";
    let found = album.connection.query_row(select, [slot], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?))
    });
    let Some((path, at, from)) = album.of(found.optional())? else {
        return Ok(None);
    };
    let from = TakenFrom::named(&from)
        .ok_or_else(|| corrupt(&album.path, &format!("a time from {from:?}")))?;
    Ok(Some((path, Taken { at, from })))
}
