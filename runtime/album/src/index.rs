//! A run of the indexer: every picture below a folder, once.
//!
//! Each step leaves what an interrupted run needs to go on: photos are taken in the order of their paths, what is unchanged
//! is skipped, and what is gone is forgotten last, so that a photo which was only moved still finds its embedding.

use crate::{
    album::{Album, File, Known, Made, Photos, Stat},
    block::Row,
    embed::Embed,
    error::AlbumError,
    lock::Lock,
    schema::{self, Absent},
    taken::Taken,
    walk::{Walked, walk},
};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    fs,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// An index, open to be written to by this process alone.
pub struct Indexer {
    album: Album,
    _lock: Lock,
}

/// How an indexer works.
#[derive(Clone, Copy, Debug)]
pub struct IndexOptions {
    /// How much work may be lost with the process: a commit waits for the disk.
    pub commit_after: Duration,
}

impl Default for IndexOptions {
    /// A second.
    fn default() -> Self {
        IndexOptions {
            commit_after: Duration::from_secs(1),
        }
    }
}

/// What happens in a run, in order.
#[derive(Debug)]
pub enum Event<'a> {
    /// The folder was walked: so many pictures.
    Found(usize),
    /// A picture was dealt with.
    Picture(&'a Path, &'a Outcome),
    /// What was done so far is kept, whatever comes.
    Committed,
}

/// What became of a picture.
#[derive(Debug)]
pub enum Outcome {
    /// Known, and the file is as it was.
    Unchanged,
    /// New, and embedded.
    Added,
    /// Known under this path with other content; embedded again.
    Changed,
    /// Its content is known, under this path or another: the embedding was kept.
    Reused,
    /// It went away while the indexer was at work.
    Gone,
    /// It is not in the index.
    Failed(Failure),
}

/// Why a picture, or a folder, is not in the index.
#[derive(Debug)]
pub struct Failure {
    /// A short, stable name: those of [`ocellus::Error::kind`], `io`, `name`, `changed`.
    pub kind: &'static str,
    /// What, where, expected, got, and the remedy.
    pub message: String,
}

/// How many pictures met which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Indexed {
    /// Known, and unchanged.
    pub unchanged: u64,
    /// New.
    pub added: u64,
    /// With other content.
    pub changed: u64,
    /// Moved, copied or only touched.
    pub reused: u64,
    /// In the index before and not below the folder any more, or not readable as a picture any more.
    pub forgotten: u64,
    /// Pictures and folders that could not be read.
    pub failed: u64,
}

impl Indexer {
    /// Opens the index at `path`, or makes it, and looks through it.
    ///
    /// # Errors
    /// [`AlbumError::Busy`] where another indexer is at work, [`AlbumError::DiskFull`], and those of [`Album::open`] but
    /// for [`AlbumError::Missing`].
    pub fn open(path: &Path, made: &Made) -> Result<Indexer, AlbumError> {
        let lock = Lock::take(path)?;
        let album = Album::open_or(path, made, Absent::Create)?;
        schema::check(&album.connection, &album.path)?;
        Ok(Indexer { album, _lock: lock })
    }

    /// The index.
    pub fn album(&self) -> &Album {
        &self.album
    }

    /// Brings the index up to date with the pictures below `folder`; those elsewhere stay as they are. `watch` hears of
    /// each step.
    ///
    /// # Errors
    /// [`AlbumError::Io`] where the folder cannot be read, [`AlbumError::NoPictures`]; [`AlbumError::DiskFull`],
    /// [`AlbumError::Corrupt`] and the like, after which what was committed is kept. A picture that cannot be read is an
    /// [`Outcome`], not an error.
    pub fn run(
        &mut self,
        folder: &Path,
        embed: &mut dyn Embed,
        options: IndexOptions,
        watch: &mut dyn FnMut(Event<'_>),
    ) -> Result<Indexed, AlbumError> {
        let folder = folder.canonicalize().map_err(AlbumError::io(folder))?;
        let walked = walk(&folder).map_err(AlbumError::io(&folder))?;
        if walked.pictures.is_empty() && walked.unread.is_empty() {
            return Err(AlbumError::NoPictures { path: folder });
        }
        watch(Event::Found(walked.pictures.len()));
        let photos = Photos::of(&self.album)?;
        let known = photos.below(&folder)?;
        let run = Run {
            album: &self.album,
            photos,
            embed,
            options,
            watch,
            begun: None,
            indexed: Indexed::default(),
        };
        let done = run.all(walked, known);
        if done.is_err() && !self.album.connection.is_autocommit() {
            // The first error is the one to tell.
            let _ = self.album.execute("ROLLBACK");
        }
        done
    }
}

struct Run<'a> {
    album: &'a Album,
    photos: Photos<'a>,
    embed: &'a mut dyn Embed,
    options: IndexOptions,
    watch: &'a mut dyn FnMut(Event<'_>),
    /// When the open transaction began.
    begun: Option<Instant>,
    indexed: Indexed,
}

impl Run<'_> {
    fn all(
        mut self,
        walked: Walked,
        mut known: HashMap<String, Known>,
    ) -> Result<Indexed, AlbumError> {
        for path in &walked.pictures {
            let before = path.to_str().and_then(|name| known.remove(name));
            let outcome = self.picture(path, before)?;
            self.count(path, &outcome);
            self.commit_after(self.options.commit_after)?;
        }
        let mut gone: Vec<i64> = known
            .iter()
            .filter(|(path, _)| {
                let below = |(folder, _): &(PathBuf, _)| Path::new(path).starts_with(folder);
                !walked.unread.iter().any(below)
            })
            .map(|(_, known)| known.slot)
            .collect();
        gone.sort_unstable();
        for slot in gone {
            self.forget(slot)?;
        }
        self.commit_after(Duration::ZERO)?;
        for (folder, error) in &walked.unread {
            self.count(folder, &failed("io", error.to_string()));
        }
        Ok(self.indexed)
    }

    fn count(&mut self, path: &Path, outcome: &Outcome) {
        let count = match outcome {
            Outcome::Unchanged => &mut self.indexed.unchanged,
            Outcome::Added => &mut self.indexed.added,
            Outcome::Changed => &mut self.indexed.changed,
            Outcome::Reused => &mut self.indexed.reused,
            Outcome::Failed(_) => &mut self.indexed.failed,
            // If it was known, it was counted as forgotten.
            Outcome::Gone => return (self.watch)(Event::Picture(path, outcome)),
        };
        *count += 1;
        (self.watch)(Event::Picture(path, outcome));
    }

    fn picture(&mut self, path: &Path, known: Option<Known>) -> Result<Outcome, AlbumError> {
        let Some(name) = path.to_str() else {
            let message = "expected a name in UTF-8, got other bytes; rename the file";
            return Ok(failed("name", message.into()));
        };
        let unchanged = |stat: &Stat| known.is_some_and(|known| known.stat == *stat);
        let read = match read(path, self.embed.most_bytes(), unchanged) {
            Ok(Content::Unchanged) => return Ok(Outcome::Unchanged),
            Ok(Content::Bytes(stat, bytes)) => self.content(name, stat, &bytes, known)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Outcome::Gone,
            Err(error) => failed("io", error.to_string()),
            Ok(Content::Changing) => failed(
                "changed",
                "it changed while it was read; index again".into(),
            ),
        };
        if let (Outcome::Gone | Outcome::Failed(_), Some(known)) = (&read, known) {
            // What the index has of it is out of date.
            self.forget(known.slot)?;
        }
        Ok(read)
    }

    fn content(
        &mut self,
        path: &str,
        stat: Stat,
        bytes: &[u8],
        known: Option<Known>,
    ) -> Result<Outcome, AlbumError> {
        let sha256: [u8; 32] = Sha256::digest(bytes).into();
        let file = File {
            path,
            stat,
            sha256,
            taken: Taken::of(bytes, stat.modified_ns),
        };
        if let Some(row) = self.photos.embedding(&sha256)? {
            self.begin()?;
            self.photos.put(&file, &row, known)?;
            return Ok(Outcome::Reused);
        }
        let embedding = match self.embed.embed(bytes) {
            Ok(embedding) => embedding,
            Err(error) => return Ok(failed(error.kind(), error.to_string())),
        };
        let expected = self.album.made.dimension as usize;
        if embedding.len() != expected {
            let got = embedding.len();
            return Err(AlbumError::Dimension { expected, got });
        }
        self.begin()?;
        self.photos.put(&file, &Row::of(&embedding), known)?;
        Ok(match known {
            Some(_) => Outcome::Changed,
            None => Outcome::Added,
        })
    }

    fn forget(&mut self, slot: i64) -> Result<(), AlbumError> {
        self.begin()?;
        self.photos.forget(slot)?;
        self.indexed.forgotten += 1;
        Ok(())
    }

    /// Opens a transaction where none is open.
    fn begin(&mut self) -> Result<(), AlbumError> {
        if self.begun.is_none() {
            self.album.execute("BEGIN IMMEDIATE")?;
            self.begun = Some(Instant::now());
        }
        Ok(())
    }

    /// Commits where the open transaction is as old as that.
    fn commit_after(&mut self, age: Duration) -> Result<(), AlbumError> {
        if self.begun.is_some_and(|begun| begun.elapsed() >= age) {
            self.album.execute("COMMIT")?;
            self.begun = None;
            (self.watch)(Event::Committed);
        }
        Ok(())
    }
}

fn failed(kind: &'static str, message: String) -> Outcome {
    Outcome::Failed(Failure { kind, message })
}

/// What reading a file gave.
enum Content {
    /// As the index knows it; nothing was read.
    Unchanged,
    Bytes(Stat, Vec<u8>),
    /// Somebody writes to it.
    Changing,
}

/// Reads a file, unless `unchanged` says that there is no need to.
fn read(path: &Path, most_bytes: u64, unchanged: impl Fn(&Stat) -> bool) -> io::Result<Content> {
    let stat = stat(&fs::metadata(path)?);
    if unchanged(&stat) {
        return Ok(Content::Unchanged);
    }
    let file = fs::File::open(path)?;
    let mut bytes = Vec::new();
    (&file)
        .take(most_bytes.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most_bytes {
        return Err(io::Error::other(format!(
            "expected at most {most_bytes} bytes, got more; raise --max-bytes to read it"
        )));
    }
    let after = self::stat(&file.metadata()?);
    match after == stat && stat.size_bytes == bytes.len() as i64 {
        true => Ok(Content::Bytes(stat, bytes)),
        false => Ok(Content::Changing),
    }
}

fn stat(metadata: &fs::Metadata) -> Stat {
    Stat {
        size_bytes: metadata.size() as i64,
        modified_ns: metadata
            .mtime()
            .saturating_mul(1_000_000_000)
            .saturating_add(metadata.mtime_nsec()),
    }
}
