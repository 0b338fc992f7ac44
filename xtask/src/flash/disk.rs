//! What a card holds: a partition table, a partition that the firmware boots from, and one for its owner's files.
//!
//! ```text
//!   0 MiB  partition table (MBR: the only one that the older boards' first stage reads)
//!   4 MiB  FAT32 OCELLUSBOOT, 188 MiB   firmware, kernel, device trees, first file system
//! 192 MiB  FAT    OCELLUSDATA,  64 MiB   settings, labels, pictures
//! ```
//!
//! The same files give the same bytes: no time of today is written, and the disk's identity comes from what is on it. The size is
//! a power of two, as emulated card readers want it.

use anyhow::{Context, Result, ensure};
use fatfs::{
    Date, DateTime, FatType, FileSystem, FormatVolumeOptions, FsOptions, Time, TimeProvider,
};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const MIB: u64 = 1 << 20;
const SECTOR: u64 = 512;

/// How large an image is, in bytes.
pub const BYTES: u64 = 256 * MIB;

/// The label by which the first program finds the owner's files.
pub const DATA_LABEL: &str = "OCELLUSDATA";

/// A partition's place in bytes, its type in the table, its label.
struct Partition {
    start: u64,
    bytes: u64,
    kind: u8,
    fat: FatType,
    /// The step in which files take room, in bytes.
    cluster: u32,
    label: &'static str,
}

const BOOT: Partition = Partition {
    start: 4 * MIB,
    bytes: 188 * MIB,
    // FAT32 with addresses in sectors.
    kind: 0x0c,
    fat: FatType::Fat32,
    // As in the makers' own images.
    cluster: 2048,
    label: "OCELLUSBOOT",
};

const DATA: Partition = Partition {
    start: 192 * MIB,
    bytes: 64 * MIB,
    // FAT16 with addresses in sectors.
    kind: 0x0e,
    fat: FatType::Fat16,
    cluster: 2048,
    label: DATA_LABEL,
};

/// Files by their names. There are no folders: what `fatfs` writes into them, other systems' checks would repair.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Writes an image.
pub fn write(path: &Path, boot: &Files, data: &Files) -> Result<()> {
    let identity = identity(boot, data);
    let mut file = File::create(path).with_context(|| path.display().to_string())?;
    // What is never written is read as zeros, and takes no room.
    file.set_len(BYTES)?;
    file.write_all(&table(identity))?;
    for (partition, files) in [(&BOOT, boot), (&DATA, data)] {
        let content = file_system(partition, files, identity)
            .with_context(|| format!("partition {}", partition.label))?;
        write_sparse(&mut file, partition.start, &content)?;
    }
    file.sync_all()?;
    Ok(())
}

/// An image that is whole, as far as its partition table tells.
#[derive(Debug)]
pub struct Image {
    /// Where it is.
    pub path: PathBuf,
    /// How large it is.
    pub bytes: u64,
}

/// A file that is no image, or not all of one.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum BadImage {
    /// It does not begin as an image does.
    #[error(
        "{path}: no image: expected a partition table with a FAT32 partition first; make one with `cargo xtask flash --image`"
    )]
    NoTable {
        /// Which file.
        path: String,
    },
    /// Its partitions reach beyond its end.
    #[error(
        "{path}: the image is cut off: its partitions end at byte {expected}, it ends at byte {got}; copy or make it again"
    )]
    Truncated {
        /// Which file.
        path: String,
        /// Where its partitions end.
        expected: u64,
        /// Where it ends.
        got: u64,
    },
}

impl Image {
    /// Looks at a file.
    ///
    /// # Errors
    /// [`BadImage`].
    pub fn open(path: &Path) -> Result<Image> {
        let shown = path.display().to_string();
        let mut file = File::open(path).with_context(|| shown.clone())?;
        let got = file.metadata()?.len();
        let mut table = [0; 512];
        let mut entries = Vec::new();
        if file.read_exact(&mut table).is_ok() && table[510..] == [0x55, 0xaa] {
            entries.extend(table[446..510].chunks_exact(16).map(entry));
        }
        ensure!(
            entries.first().is_some_and(|first| first.0 == BOOT.kind),
            BadImage::NoTable { path: shown }
        );
        let expected = entries.iter().map(|entry| entry.2).max().unwrap_or(0);
        if got < expected {
            let path = shown;
            return Err(BadImage::Truncated {
                path,
                expected,
                got,
            }
            .into());
        }
        Ok(Image {
            path: path.to_owned(),
            bytes: got,
        })
    }

    /// A file of the boot partition.
    pub fn boot_file(&self, name: &str) -> Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(BOOT.start))?;
        let mut content = vec![0; BOOT.bytes as usize];
        file.read_exact(&mut content)?;
        let system = FileSystem::new(Cursor::new(content), FsOptions::new())?;
        let mut bytes = Vec::new();
        let root = system.root_dir();
        let mut file = root.open_file(name).with_context(|| name.to_owned())?;
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// A partition's type, and where it starts and ends in bytes.
fn entry(entry: &[u8]) -> (u8, u64, u64) {
    let number = |at: usize| {
        let bytes = entry[at..at + 4].try_into().expect("four bytes");
        u64::from(u32::from_le_bytes(bytes))
    };
    let start = number(8) * SECTOR;
    (entry[4], start, start + number(12) * SECTOR)
}

/// A number that is another one where a file is.
fn identity(boot: &Files, data: &Files) -> u32 {
    let mut hash = Sha256::new();
    for (path, content) in boot.iter().chain(data) {
        hash.update(path.as_bytes());
        hash.update((content.len() as u64).to_le_bytes());
        hash.update(content);
    }
    let [a, b, c, d, ..] = hash.finalize()[..] else {
        unreachable!("a hash has 32 bytes");
    };
    u32::from_le_bytes([a, b, c, d])
}

/// The first sector: who boots from it reads the partitions' places only.
fn table(identity: u32) -> [u8; 512] {
    let mut table = [0; 512];
    table[440..444].copy_from_slice(&identity.to_le_bytes());
    for (at, partition) in [&BOOT, &DATA].into_iter().enumerate() {
        let entry = &mut table[446 + 16 * at..][..16];
        // Places in cylinders are beyond what they can say.
        let beyond = [0xfe, 0xff, 0xff];
        entry[1..4].copy_from_slice(&beyond);
        entry[4] = partition.kind;
        entry[5..8].copy_from_slice(&beyond);
        entry[8..12].copy_from_slice(&sectors(partition.start).to_le_bytes());
        entry[12..16].copy_from_slice(&sectors(partition.bytes).to_le_bytes());
    }
    table[510..].copy_from_slice(&[0x55, 0xaa]);
    table
}

fn sectors(bytes: u64) -> u32 {
    u32::try_from(bytes / SECTOR).expect("an image is small")
}

/// A partition's bytes.
fn file_system(partition: &Partition, files: &Files, identity: u32) -> Result<Vec<u8>> {
    let needed: usize = files.values().map(Vec::len).sum();
    ensure!(
        (needed as u64) < partition.bytes * 9 / 10,
        "{} MiB of files; it takes {} MiB",
        needed as u64 / MIB,
        partition.bytes * 9 / 10 / MIB
    );
    let mut content = Cursor::new(vec![0; partition.bytes as usize]);
    let label: [u8; 11] = partition.label.as_bytes().try_into()?;
    let options = FormatVolumeOptions::new()
        .fat_type(partition.fat)
        .bytes_per_cluster(partition.cluster)
        .volume_id(identity ^ u32::from(partition.kind))
        .volume_label(label);
    fatfs::format_volume(&mut content, options)?;
    let options = FsOptions::new().time_provider(&Epoch);
    let system = FileSystem::new(&mut content, options)?;
    let root = system.root_dir();
    for (name, bytes) in files {
        let mut file = root.create_file(name).with_context(|| name.clone())?;
        file.write_all(bytes).with_context(|| name.clone())?;
        file.flush()?;
    }
    drop(root);
    system.unmount()?;
    let mut content = content.into_inner();
    hidden_sectors(&mut content, partition);
    Ok(content)
}

/// The first day that the file system knows.
#[derive(Debug)]
struct Epoch;

impl TimeProvider for Epoch {
    fn get_current_date(&self) -> Date {
        Date {
            year: 1980,
            month: 1,
            day: 1,
        }
    }

    fn get_current_date_time(&self) -> DateTime {
        DateTime {
            date: self.get_current_date(),
            time: Time {
                hour: 0,
                min: 0,
                sec: 0,
                millis: 0,
            },
        }
    }
}

/// Says where on the disk the partition is, which some first stages and Windows read; FAT32 keeps a copy of the sector.
fn hidden_sectors(content: &mut [u8], partition: &Partition) {
    let copy = (partition.fat == FatType::Fat32).then_some(6 * SECTOR as usize);
    for sector in [Some(0), copy].into_iter().flatten() {
        content[sector + 28..][..4].copy_from_slice(&sectors(partition.start).to_le_bytes());
    }
}

/// Writes what is not zero.
fn write_sparse(file: &mut File, start: u64, content: &[u8]) -> Result<()> {
    const STEP: usize = 1 << 16;
    for (at, bytes) in content.chunks(STEP).enumerate() {
        if bytes.iter().any(|byte| *byte != 0) {
            file.seek(SeekFrom::Start(start + (at * STEP) as u64))?;
            file.write_all(bytes)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use std::fs;

    fn files(entries: &[(&str, &str)]) -> Files {
        let entries = entries.iter();
        entries
            .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
            .collect()
    }

    fn image(name: &str) -> (Scratch, Image) {
        let scratch = Scratch::beside(&std::env::temp_dir().join(name)).unwrap();
        let path = scratch.path.join("out.img");
        let boot = files(&[("config.txt", "kernel=x"), ("a long name.txt", "free")]);
        write(&path, &boot, &files(&[("labels.txt", "a cat")])).unwrap();
        let image = Image::open(&path).unwrap();
        (scratch, image)
    }

    #[test]
    fn what_is_written_is_read_and_the_same_files_are_the_same_bytes() {
        let (_one, first) = image("ocellus-image-one");
        assert_eq!(first.bytes, BYTES);
        assert_eq!(first.boot_file("config.txt").unwrap(), b"kernel=x");
        let licence = first.boot_file("a long name.txt").unwrap();
        assert_eq!(licence, b"free");
        let (_two, second) = image("ocellus-image-two");
        assert!(fs::read(&first.path).unwrap() == fs::read(&second.path).unwrap());
    }

    #[test]
    fn an_image_that_is_cut_off_is_refused() {
        let (_kept, image) = image("ocellus-image-cut");
        let file = File::options().write(true).open(&image.path).unwrap();
        file.set_len(100 * MIB).unwrap();
        let error = Image::open(&image.path).unwrap_err();
        let path = image.path.display().to_string();
        let (expected, got) = (BYTES, 100 * MIB);
        let cut = BadImage::Truncated {
            path,
            expected,
            got,
        };
        assert_eq!(error.downcast_ref(), Some(&cut));
        file.set_len(200).unwrap();
        let error = Image::open(&image.path).unwrap_err();
        assert!(matches!(
            error.downcast_ref(),
            Some(BadImage::NoTable { .. })
        ));
    }

    #[test]
    fn files_that_a_partition_does_not_take_are_refused() {
        let scratch = Scratch::beside(&std::env::temp_dir().join("ocellus-image-full")).unwrap();
        let data = Files::from([("clip.y4m".to_owned(), vec![1; 60 * MIB as usize])]);
        let error = write(&scratch.path.join("x.img"), &Files::new(), &data).unwrap_err();
        assert!(format!("{error:#}").contains("OCELLUSDATA"), "{error:#}");
    }
}
