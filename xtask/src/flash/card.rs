//! The card that is written to: what the system says of it, and whether it may be overwritten.
//!
//! Everything is asked of `/sys` and `/proc`, so that a card is known before a byte goes to it, and so that tests can
//! describe machines that are not there.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the system tells about itself.
pub struct System {
    /// `/sys`.
    pub sys: PathBuf,
    /// `/proc`.
    pub proc: PathBuf,
}

impl Default for System {
    fn default() -> System {
        System {
            sys: "/sys".into(),
            proc: "/proc".into(),
        }
    }
}

/// A card that may be overwritten.
#[derive(Debug, PartialEq)]
pub struct Card {
    /// Its device file.
    pub device: PathBuf,
    /// What its maker calls it.
    pub model: String,
    /// How large it is.
    pub bytes: u64,
}

/// Why a device is not written to.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum Refusal {
    /// The system knows no such disk.
    #[error("{device}: no disk; `lsblk` lists those that there are")]
    NoDisk {
        /// What was asked for.
        device: String,
    },
    /// It is a part of a disk.
    #[error("{device}: a partition; name the whole disk, {disk}")]
    Partition {
        /// What was asked for.
        device: String,
        /// The disk that it is of.
        disk: String,
    },
    /// The system runs from it.
    #[error("{device}: the system's own disk ({mount} is on it); name the card")]
    SystemDisk {
        /// What was asked for.
        device: String,
        /// What is on it.
        mount: String,
    },
    /// Nobody takes it out of a machine.
    #[error(
        "{device} ({model}): not removable; only cards and sticks are overwritten: name the card"
    )]
    NotRemovable {
        /// What was asked for.
        device: String,
        /// What its maker calls it.
        model: String,
    },
    /// Something uses it.
    #[error("{device} ({model}): in use by {user}; {remedy}")]
    InUse {
        /// What was asked for.
        device: String,
        /// What its maker calls it.
        model: String,
        /// Who uses it.
        user: String,
        /// What ends that.
        remedy: String,
    },
    /// It must not be written.
    #[error("{device} ({model}): write-protected; move the card's slider, or use another card")]
    WriteProtected {
        /// What was asked for.
        device: String,
        /// What its maker calls it.
        model: String,
    },
    /// A reader with nothing in it.
    #[error("{device} ({model}): no card in it")]
    Empty {
        /// What was asked for.
        device: String,
        /// What its maker calls it.
        model: String,
    },
    /// The image is larger.
    #[error("{device} ({model}): {got} bytes, the image takes {expected}; use a larger card")]
    TooSmall {
        /// What was asked for.
        device: String,
        /// What its maker calls it.
        model: String,
        /// What the image takes.
        expected: u64,
        /// What it has.
        got: u64,
    },
}

/// Folders without which a system does not run.
const SYSTEM_FOLDERS: [&str; 6] = ["/", "/boot", "/boot/efi", "/boot/firmware", "/usr", "/home"];

impl Card {
    /// Looks at a device that is to take `needed` bytes.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn find(device: &Path, needed: u64, system: &System) -> Result<Card, Refusal> {
        // Links such as /dev/disk/by-id are fine.
        let real = fs::canonicalize(device).unwrap_or_else(|_| device.to_owned());
        let shown = device.display().to_string();
        let no_disk = || Refusal::NoDisk {
            device: shown.clone(),
        };
        let name = real.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(no_disk)?;
        let classes = system.sys.join("class/block");
        let facts = fs::canonicalize(classes.join(name)).map_err(|_| no_disk())?;
        if facts.join("partition").exists() {
            let disk = facts.parent().and_then(Path::file_name).unwrap_or_default();
            let disk = real.with_file_name(disk).display().to_string();
            return Err(Refusal::Partition {
                device: shown,
                disk,
            });
        }
        let model = model(&facts);
        let parts = parts(&classes, name, &facts);
        check_use(&shown, &model, &parts, system)?;
        let removable = text(&facts.join("removable")) == "1";
        // A reader on the board's own bus is not removable, and what is in it may be; a soldered chip is an MMC.
        let is_sd_card = text(&facts.join("device/type")) == "SD";
        let (device, model) = (shown, model);
        if !removable && !is_sd_card {
            return Err(Refusal::NotRemovable { device, model });
        }
        let sectors: u64 = text(&facts.join("size")).parse().unwrap_or(0);
        if sectors == 0 {
            return Err(Refusal::Empty { device, model });
        }
        if text(&facts.join("ro")) == "1" {
            return Err(Refusal::WriteProtected { device, model });
        }
        // The kernel counts in these, whatever the disk does.
        let bytes = sectors * 512;
        if bytes < needed {
            return Err(Refusal::TooSmall {
                device,
                model,
                expected: needed,
                got: bytes,
            });
        }
        Ok(Card {
            device: real,
            model,
            bytes,
        })
    }

    /// Its size as cards are sold.
    pub fn size(&self) -> String {
        format!("{:.1} GB", self.bytes as f64 / 1e9)
    }
}

/// A block device: its name, and its numbers as the table of mounts has them.
struct Part {
    name: String,
    numbers: String,
}

/// The disk, its partitions, and what lies on top of those (encryption, volumes, arrays).
fn parts(classes: &Path, name: &str, facts: &Path) -> Vec<Part> {
    let mut found = vec![Part {
        name: name.to_owned(),
        numbers: text(&facts.join("dev")),
    }];
    let below = names(facts)
        .into_iter()
        .filter(|inner| facts.join(inner).join("partition").exists());
    for inner in below.chain(names(&facts.join("holders"))) {
        if let Ok(facts) = fs::canonicalize(classes.join(&inner)) {
            found.extend(parts(classes, &inner, &facts));
        }
    }
    found
}

/// That nothing on the disk is in use.
fn check_use(device: &str, model: &str, parts: &[Part], system: &System) -> Result<(), Refusal> {
    let in_use = |user: String, remedy: String| Refusal::InUse {
        device: device.to_owned(),
        model: model.to_owned(),
        user,
        remedy,
    };
    let mounts = mounts(&text(&system.proc.join("self/mountinfo")), parts);
    let own = mounts
        .iter()
        .find(|mount| SYSTEM_FOLDERS.contains(&mount.as_str()));
    if let Some(mount) = own {
        return Err(Refusal::SystemDisk {
            device: device.to_owned(),
            mount: mount.clone(),
        });
    }
    if let Some(mount) = mounts.first() {
        return Err(in_use(
            format!("what is mounted at {mount}"),
            format!("`umount {mount}` first"),
        ));
    }
    let swaps = text(&system.proc.join("swaps"));
    for part in parts {
        let file = format!("/dev/{}", part.name);
        if swaps
            .lines()
            .any(|line| line.split_whitespace().next() == Some(&file))
        {
            return Err(in_use(
                format!("swap on {file}"),
                format!("`swapoff {file}` first"),
            ));
        }
        let holders = names(
            &system
                .sys
                .join("class/block")
                .join(&part.name)
                .join("holders"),
        );
        if let Some(holder) = holders.first() {
            return Err(in_use(
                holder.clone(),
                format!("close or stop {holder} first"),
            ));
        }
    }
    Ok(())
}

/// Where parts of the disk are mounted.
fn mounts(table: &str, parts: &[Part]) -> Vec<String> {
    let concerned = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let numbers = words.get(2)?;
        let mount = words.get(4)?;
        // Some file systems have numbers of their own; their device stands after a dash.
        let dash = words.iter().position(|word| *word == "-")?;
        let source = words.get(dash + 2)?;
        let is = |part: &Part| {
            part.numbers == *numbers || source.strip_prefix("/dev/") == Some(&part.name)
        };
        parts.iter().any(is).then(|| mount.replace("\\040", " "))
    };
    table.lines().filter_map(concerned).collect()
}

/// What a disk's maker calls it.
fn model(facts: &Path) -> String {
    let words = ["vendor", "model", "name"].map(|file| text(&facts.join("device").join(file)));
    let words: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|word| !word.is_empty())
        .collect();
    match words.is_empty() {
        true => "no model".to_owned(),
        false => words.join(" "),
    }
}

/// A file's text without the space around it; nothing where there is no such file.
fn text(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.trim().to_owned()
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}
